//! All ways to start the kernel end at the same prompt.

use std::process::Command;

use crate::{Test, assert_status, guest, linux_options, run, scratch, test};

pub(crate) const TESTS: &[Test] = &[
    test!(pvh_reaches_the_prompt),
    test!(bios_reaches_the_prompt),
    test!(uefi_reaches_the_prompt),
    test!(uefi_output_is_the_commands_alone),
    test!(linux_reaches_the_prompt, linux),
    test!(terminal_has_a_prompt_and_a_way_out),
];

/// Types two commands at the prompt.
fn prompt(log: &str, options: &[&str]) {
    let output = guest(log, options, &[], b"echo up $((6 * 7))\nexit 3\n", 3);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("tollgate:/# ") && text.contains("up 42"), "{text}");
}

fn pvh_reaches_the_prompt() {
    prompt("pvh", &[]);
}

fn bios_reaches_the_prompt() {
    prompt("bios", &["--boot", "bios"]);
}

fn uefi_reaches_the_prompt() {
    prompt("uefi", &["--boot", "uefi"]);
}

fn uefi_output_is_the_commands_alone() {
    let output = guest("uefi-output", &["--boot", "uefi"], &["echo", "hello"], b"", 0);
    assert_eq!(output.stdout, b"hello\n");
}

fn linux_reaches_the_prompt() {
    prompt("linux", &linux_options());
}

/// On a terminal (which `script` makes), with line editing, until Ctrl-A X.
fn terminal_has_a_prompt_and_a_way_out() {
    let runner = env!("CARGO_BIN_EXE_tollgate");
    let log = scratch("terminal");
    let line = format!("{runner} --checked --accel tcg --timeout 100 --log {} 2>&1", log.display());
    // A typo, rubbed out; the guest's shell waits for input when Ctrl-A X comes, some time later.
    let keys = "{ printf 'echo tyqq\\177\\177ped $((6 * 7))\\r'; sleep 20; printf '\\001x'; }";
    let output = run(Command::new("sh").args(["-c", &format!("{keys} | script -qec '{line}' /dev/null")]), b"");
    assert_status(&output, 0);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("typed 42"), "{text}");
}
