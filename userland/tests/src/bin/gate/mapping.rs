//! The image among a process's mappings.

use crate::image::{function, image};
use std::collections::HashSet;
use std::process::Command;
use tollgate_tests::memory::{PAGE, poke};
use tollgate_tests::process::{Status, in_child};
use tollgate_tests::signal::fault_of;
use tollgate_tests::skip;

const AT_SYSINFO_EHDR: u64 = 33;

pub(crate) fn cannot_be_written() {
    let base = image().base as usize;
    for address in [base, base + PAGE - 1, function("__vdso_time").expect("__vdso_time"), base - PAGE] {
        let fault = fault_of(|| poke(address, 0)).expect("a fault");
        assert_eq!((fault.signal, fault.address), (libc::SIGSEGV, address));
    }
    assert_eq!(image().bytes[..4], *b"\x7fELF");
}

pub(crate) fn survives_fork() {
    let here = image().base;
    let status = in_child(|| {
        assert_eq!(image().base, here);
        crate::functions::clocks_agree_with_the_calls();
    });
    assert_eq!(status, Status::Exited(0));
}

/// Each program has it, and not always at the same address.
pub(crate) fn is_somewhere_else_after_exec() {
    let mut places = HashSet::new();
    for _ in 0..8 {
        let Ok(output) = Command::new("/bin/busybox").args(["cat", "/proc/self/auxv"]).output() else {
            skip!("there is no /bin/busybox");
        };
        let words: Vec<u64> = output.stdout.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        let entry = words.chunks(2).find(|entry| entry[0] == AT_SYSINFO_EHDR).expect("AT_SYSINFO_EHDR");
        assert_eq!(entry[1] % PAGE as u64, 0);
        places.insert(entry[1]);
    }
    assert!(places.len() > 1, "always at {places:x?}");
}

pub(crate) fn is_the_crates_image() {
    let bytes = image().bytes;
    assert!(bytes == &tollgate_gate::image()[..bytes.len()]);
}
