//! clone's flags. The bodies make no use of the C library: they share its state with the parent.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use tollgate_tests::clone::{Ids, clone, stack};
use tollgate_tests::process::{self, Child, Status, fork, pid};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, memory, sys, time};

const THREAD: i32 = libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SIGHAND | libc::CLONE_THREAD;

static WORD: AtomicU32 = AtomicU32::new(0);
static LONG: AtomicU64 = AtomicU64::new(0);

fn sleep_briefly() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 30_000_000 };
    let _ = sys!(libc::SYS_nanosleep, &time, 0);
}

extern "C" fn dawdle_and_store(value: usize) -> i32 {
    sleep_briefly();
    WORD.store(value as u32, SeqCst);
    5
}

pub(crate) fn vfork_waits_for_exit() {
    let stack = stack();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let child = clone(flags, Ids::default(), &stack, dawdle_and_store, 77).expect("clone");
    assert_eq!(WORD.load(SeqCst), 77, "the parent went on before the child ended");
    assert_eq!(process::wait(child as i32), Status::Exited(5));
}

extern "C" fn dawdle_and_exec(path: usize) -> i32 {
    sleep_briefly();
    WORD.store(88, SeqCst);
    let argv = [path, c"child:exit".as_ptr() as usize, 0];
    let _ = sys!(libc::SYS_execve, path, &argv, 0);
    6
}

pub(crate) fn vfork_waits_for_exec() {
    let stack = stack();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let path = c"/proc/self/exe";
    let child = clone(flags, Ids::default(), &stack, dawdle_and_exec, path.as_ptr() as usize).expect("clone");
    assert_eq!(WORD.load(SeqCst), 88, "the parent went on before the child's exec");
    // The helper exits with the number of its arguments.
    assert_eq!(process::wait(child as i32), Status::Exited(2));
}

extern "C" fn store_ids(_: usize) -> i32 {
    let ids = sys!(libc::SYS_getpid).unwrap() << 32 | sys!(libc::SYS_gettid).unwrap();
    LONG.store(ids as u64, SeqCst);
    0
}

/// Memory in common, but a process of its own.
pub(crate) fn memory_shared_without_thread() {
    let stack = stack();
    let child = clone(libc::CLONE_VM | libc::SIGCHLD, Ids::default(), &stack, store_ids, 0).expect("clone");
    assert_eq!(process::wait(child as i32), Status::Exited(0));
    let ids = LONG.load(SeqCst);
    assert_eq!((ids >> 32, ids & 0xffff_ffff), (child as u64, child as u64));
}

pub(crate) fn thread_ids_are_stored_and_cleared() {
    let stack = stack();
    let (parent, child) = (AtomicU32::new(0), AtomicU32::new(0));
    let ids = Ids { parent: &raw const parent as usize, child: &raw const child as usize, tls: 0 };
    let set = libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    let tid = clone(THREAD | set, ids, &stack, store_ids, 0).expect("clone");
    assert_eq!(parent.load(SeqCst), tid as u32, "stored before clone returns");
    time::wait_until("the kernel clears the thread's id", || child.load(SeqCst) == 0 && LONG.load(SeqCst) != 0);
    let ids = LONG.load(SeqCst);
    assert_eq!((ids >> 32, ids & 0xffff_ffff), (pid() as u64, tid as u64));
}

pub(crate) fn cleared_id_wakes_a_waiter() {
    let stack = stack();
    let word = AtomicU32::new(1);
    let ids = Ids { child: &raw const word as usize, ..Ids::default() };
    clone(THREAD | libc::CLONE_CHILD_CLEARTID, ids, &stack, dawdle_and_store, 1).expect("clone");
    let limit = time::timespec(std::time::Duration::from_secs(10));
    let woken = sys!(libc::SYS_futex, &word, libc::FUTEX_WAIT, 1, &limit);
    assert!(matches!(woken, Ok(0) | Err(Errno::EAGAIN)), "{woken:?}");
    assert_eq!(word.load(SeqCst), 0);
}

extern "C" fn close_and_open(fd: usize) -> i32 {
    let _ = sys!(libc::SYS_close, fd);
    let mut ends = [0u32; 2];
    let _ = sys!(libc::SYS_pipe, &mut ends);
    WORD.store(ends[0], SeqCst);
    0
}

pub(crate) fn files_shared() {
    for (flag, shared) in [(libc::CLONE_FILES, true), (0, false)] {
        let stack = stack();
        let fd = sys!(libc::SYS_dup, 0).expect("dup");
        let child = clone(libc::CLONE_VM | flag | libc::SIGCHLD, Ids::default(), &stack, close_and_open, fd);
        process::wait(child.expect("clone") as i32);
        // The pipe took the number that the close had freed.
        assert_eq!(WORD.load(SeqCst), fd as u32);
        let seen = sys!(libc::SYS_fcntl, fd + 1, libc::F_GETFD);
        assert_eq!(seen.is_ok(), shared, "{seen:?}");
        let _ = sys!(libc::SYS_close, fd);
        let _ = sys!(libc::SYS_close, fd + 1);
    }
}

extern "C" fn go_to(path: usize) -> i32 {
    sys!(libc::SYS_chdir, path).map_or(1, |_| 0)
}

pub(crate) fn working_directory_shared() {
    let scratch = Scratch::enter();
    let path = c"/proc";
    for (flag, expected) in [(0, scratch.path()), (libc::CLONE_FS, std::path::Path::new("/proc"))] {
        let stack = stack();
        let flags = libc::CLONE_VM | flag | libc::SIGCHLD;
        let child = clone(flags, Ids::default(), &stack, go_to, path.as_ptr() as usize).expect("clone");
        assert_eq!(process::wait(child as i32), Status::Exited(0));
        assert_eq!(std::env::current_dir().unwrap(), expected);
    }
}

extern "C" fn read_tls(_: usize) -> i32 {
    let value: u64;
    // SAFETY: fs points to LONG, as the test asked for.
    unsafe { std::arch::asm!("mov {}, fs:[0]", out(reg) value, options(nostack, readonly)) };
    (value == 0xabcd) as i32
}

pub(crate) fn thread_local_pointer() {
    let stack = stack();
    LONG.store(0xabcd, SeqCst);
    let ids = Ids { tls: &raw const LONG as usize, ..Ids::default() };
    let flags = libc::CLONE_VM | libc::CLONE_SETTLS | libc::SIGCHLD;
    let child = clone(flags, ids, &stack, read_tls, 0).expect("clone");
    assert_eq!(process::wait(child as i32), Status::Exited(1));
}

pub(crate) fn siblings_by_parent_flag() {
    let shared = memory::Shared::new(AtomicU32::new(0));
    let parent = pid();
    fork(|| {
        let sibling = sys!(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0).expect("clone");
        if sibling == 0 {
            process::exit(if sys!(libc::SYS_getppid) == Ok(parent as usize) { 0 } else { 1 });
        }
        shared.store(sibling as u32, SeqCst);
        assert_eq!(process::wait4(-1, 0), Err(Errno::ECHILD), "it is no child of its maker");
        0
    })
    .succeed();
    Child { pid: shared.load(SeqCst) as i32 }.succeed();
}

/// A child that sends no SIGCHLD when it ends is one for `__WCLONE`, and `__WALL` finds both kinds.
pub(crate) fn other_exit_signals() {
    for exit_signal in [0, libc::SIGUSR1] {
        tollgate_tests::signal::block(&[libc::SIGUSR1]);
        let child = sys!(libc::SYS_clone, exit_signal, 0, 0, 0, 0).expect("clone") as i32;
        if child == 0 {
            process::exit(4);
        }
        assert_eq!(process::wait4(child, 0), Err(Errno::ECHILD));
        assert_eq!(process::wait4(child, libc::__WCLONE), Ok((child, Status::Exited(4))));
        let pending = tollgate_tests::signal::pending();
        assert_eq!(pending, if exit_signal == 0 { 0 } else { tollgate_tests::signal::set(&[exit_signal]) });
    }
    let child = fork(|| 3);
    assert_eq!(process::wait4(child.pid, libc::__WALL), Ok((child.pid, Status::Exited(3))));
}

pub(crate) fn impossible_flags_are_refused() {
    let impossible = [
        ("a thread without shared handlers", libc::CLONE_VM | libc::CLONE_THREAD),
        ("shared handlers without shared memory", libc::CLONE_SIGHAND),
        ("a thread without shared memory", libc::CLONE_THREAD | libc::CLONE_SIGHAND),
        ("both a new mount namespace and a shared directory", libc::CLONE_NEWNS | libc::CLONE_FS),
    ];
    for (what, flags) in impossible {
        let result = sys!(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0);
        if result == Ok(0) {
            process::exit(1);
        }
        assert_eq!(result, Err(Errno::EINVAL), "{what}");
    }
}
