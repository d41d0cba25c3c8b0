//! Making, replacing and ending processes.

use crate::measure::{Cost, Row, measure};
use std::ffi::CString;
use std::os::unix::fs::PermissionsExt;
use tollgate_tests::process::fork;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{elf, sys};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "fork + exit + wait", run: fork_exit_wait },
    Row { name: "execve of a small static program", run: execve },
];

fn fork_exit_wait() -> Cost {
    measure(10, || fork(|| 0).succeed())
}

/// A program that counts the first byte of its name down and executes itself (its first argument) until it is 0.
const REPEAT: &[u8] = &[
    0x48, 0x8b, 0x44, 0x24, 0x08, // mov 8(%rsp), %rax
    0xfe, 0x08, //                   decb (%rax)
    0x74, 0x11, //                   jz to the exit
    0x48, 0x8b, 0x7c, 0x24, 0x10, // mov 16(%rsp), %rdi
    0x48, 0x8d, 0x74, 0x24, 0x08, // lea 8(%rsp), %rsi
    0x31, 0xd2, //                   xor %edx, %edx
    0x6a, 59, 0x58, //               push $SYS_execve; pop %rax
    0x0f, 0x05, //                   syscall
    0x31, 0xff, //                   xor %edi, %edi
    0x6a, 60, 0x58, //               push $SYS_exit; pop %rax
    0x0f, 0x05, //                   syscall
];

/// The difference between a process that executes many programs and one that executes one.
fn execve() -> Cost {
    const MANY: u8 = 41;
    let scratch = Scratch::new();
    let file = scratch.path().join("repeat");
    std::fs::write(&file, elf::program(REPEAT)).expect("write");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = CString::new(file.into_os_string().into_encoded_bytes()).expect("a plain path");
    let run = |times: u8| {
        let name = [times, 0];
        let arguments = [name.as_ptr() as usize, path.as_ptr() as usize, 0];
        measure(4, || {
            fork(|| {
                let _ = sys!(libc::SYS_execve, path.as_c_str(), &arguments, 0);
                1
            })
            .succeed();
        })
    };
    run(MANY).minus(run(1)).divided_by(u64::from(MANY - 1))
}
