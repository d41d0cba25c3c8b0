//! clone(2) with a stack of the child's own.

use crate::memory::Mapping;
use crate::sys;
use std::arch::naked_asm;

/// What a cloned task runs; what it returns is its exit status. It has no thread-local storage of its own and so
/// must stick to system calls and atomics.
pub type Body = extern "C" fn(argument: usize) -> i32;

/// Words of the C library's ABI: `clone_raw(flags, stack, parent_tid, child_tid, tls, argument, body)`, the last
/// one on the stack.
#[unsafe(naked)]
unsafe extern "C" fn clone_raw(
    flags: u64,
    stack: usize,
    parent_tid: usize,
    child_tid: usize,
    tls: usize,
    argument: usize,
    body: Body,
) -> isize {
    naked_asm!(
        "mov r10, rcx",       // child_tid: the kernel takes the fourth argument in r10
        "mov rax, [rsp + 8]", // body
        "sub rsi, 16",
        "mov [rsi], rax",
        "mov [rsi + 8], r9",
        "mov eax, {clone}",
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp",
        "pop rax",
        "pop rdi",
        "call rax",
        "mov edi, eax",
        "mov eax, {exit}",
        "syscall",
        "ud2",
        clone = const libc::SYS_clone,
        exit = const libc::SYS_exit,
    )
}

/// The ids a clone may be told to store.
#[derive(Clone, Copy, Default)]
pub struct Ids {
    /// For CLONE_PARENT_SETTID.
    pub parent: usize,
    /// For CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID.
    pub child: usize,
    /// For CLONE_SETTLS.
    pub tls: usize,
}

/// Clones this task; the new one runs `body(argument)` on a stack of its own and exits with what that returns. The
/// stack must outlive it.
pub fn clone(flags: i32, ids: Ids, stack: &Mapping, body: Body, argument: usize) -> sys::Result {
    let Ids { parent, child, tls } = ids;
    // SAFETY: the stack is mapped and nobody else's, the body keeps to what it may do (see `Body`).
    let value = unsafe { clone_raw(flags as u32 as u64, stack.end(), parent, child, tls, argument, body) };
    if value < 0 { Err((-value as i32).try_into().expect("an errno")) } else { Ok(value as usize) }
}

/// A stack for [`clone`].
pub fn stack() -> Mapping {
    Mapping::anonymous(16)
}
