//! The gate page of a running process, decoded by programs that are not ours.

use std::fs;
use std::process::Command;

use crate::{Test, guest, scratch, test};

pub(crate) const TESTS: &[Test] =
    &[test!(readelf_decodes_the_unwind_table), test!(readelf_reads_the_image), test!(unwind_names_each_function)];

/// Runs `unwind` with an option in the guest, and readelf on what it wrote.
fn readelf(option: &str, arguments: &[&str]) -> String {
    let output = guest(&format!("gate{option}"), &[], &["unwind", option], b"", 0);
    let path = scratch(&format!("gate{option}.elf"));
    fs::write(&path, output.stdout).expect("the scratch folder is writable");
    let output = Command::new("readelf").args(arguments).arg(&path).env("LC_ALL", "C").output();
    let output = output.expect("readelf runs (it is in the package binutils)");
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(errors.is_empty() && !text.contains("Unknown") && !text.contains("arning"), "{errors}\n{text}");
    text.into_owned()
}

fn readelf_decodes_the_unwind_table() {
    let text = readelf("--elf", &["-u"]);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.contains("unwabi")).expect("the signal trampoline's entry");
    assert_eq!(
        lines[at - 1..at + 12],
        [
            "R1:prologue(rlen=0)",
            "P10:unwabi(abi=0x3,context=0x73)",
            "P7:rp_when(t=0)",
            "P8:rp_sprel(spoff=0xa8)",
            "P7:mem_stack_v(t=0)",
            "P7:psp_sprel(spoff=0xa0)",
            "X1:spill_sprel(reg=r4,t=0,spoff=0x80)",
            "X1:spill_sprel(reg=r5,t=0,spoff=0x78)",
            "X1:spill_sprel(reg=r6,t=0,spoff=0x48)",
            "X1:spill_sprel(reg=r7,t=0,spoff=0x50)",
            "X1:spill_sprel(reg=b1,t=0,spoff=0x58)",
            "X1:spill_sprel(reg=b2,t=0,spoff=0x60)",
            "R3:body(rlen=32)",
        ]
    );
}

fn readelf_reads_the_image() {
    let text = readelf("--image", &["-aW", "--debug-dump=frames-interp"]);
    for expected in ["[linux-vdso.so.1]", "__vdso_clock_gettime@@LINUX_2.6", "__kernel_rt_sigreturn@@LINUX_2.6", "zRS"]
    {
        assert!(text.contains(expected), "{expected} is missing:\n{text}");
    }
}

fn unwind_names_each_function() {
    let output = guest("gate-print", &[], &["unwind"], b"", 0);
    let text = String::from_utf8_lossy(&output.stdout);
    for name in ["__kernel_rt_sigreturn", "__kernel_uretprobe", "__vdso_clock_gettime", "__vdso_getcpu"] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
    assert!(text.contains("P10:unwabi(abi=0x3,context=0x73)"), "{text}");
}
