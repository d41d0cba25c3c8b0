//! Ways to end.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tollgate_tests::memory::Shared;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{Status, fork, pid};
use tollgate_tests::{sys, time};

/// Threads that spin, sleep, and wait for a futex, a pipe and a child that does not end.
fn start_threads() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    std::thread::spawn(|| time::sleep_ms(1_000_000));
    std::thread::spawn(|| sys!(libc::SYS_futex, &AtomicU32::new(0), libc::FUTEX_WAIT, 0, 0));
    std::thread::spawn(|| Pipe::new().wait());
    std::thread::spawn(std::thread::park);
    time::sleep_ms(10);
}

pub(crate) fn status_is_eight_bits() {
    for (code, status) in [(0, 0), (255, 255), (256, 0), (-1, 255), (0x1234, 0x34)] {
        assert_eq!(fork(|| code).wait(), Status::Exited(status));
    }
}

pub(crate) fn group_exit_ends_threads() {
    let child = fork(|| {
        start_threads();
        23
    });
    assert_eq!(child.wait(), Status::Exited(23));
}

pub(crate) fn group_exit_from_a_thread() {
    let child = fork(|| {
        start_threads();
        std::thread::spawn(|| tollgate_tests::process::exit(24));
        time::sleep_ms(1_000_000);
        1
    });
    assert_eq!(child.wait(), Status::Exited(24));
}

/// The process lives on in its other threads, and its status is that of the last.
pub(crate) fn leader_may_go_first() {
    let seen = Shared::new(AtomicU32::new(0));
    let child = fork(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                time::sleep_ms(40);
                seen.store(pid() as u32, SeqCst);
                let _ = sys!(libc::SYS_exit, 5);
            });
            let _ = sys!(libc::SYS_exit, 3);
        });
        1
    });
    time::sleep_ms(10);
    assert_eq!(tollgate_tests::process::try_wait(child.pid), None, "it ended with its leader");
    assert_eq!(child.wait(), Status::Exited(5));
    assert_eq!(seen.load(SeqCst), child.pid as u32);
}

pub(crate) fn a_fatal_signal_ends_all_threads() {
    let child = fork(|| {
        start_threads();
        std::thread::spawn(|| tollgate_tests::memory::touch(0)).join().ok();
        1
    });
    assert_eq!(child.wait().signal(), Some(libc::SIGSEGV));
    let child = fork(|| {
        start_threads();
        time::sleep_ms(1_000_000);
        1
    });
    time::sleep_ms(20);
    child.kill(libc::SIGTERM);
    assert_eq!(child.wait(), Status::Killed(libc::SIGTERM));
}

pub(crate) fn threads_leave_no_zombies() {
    for _ in 0..50 {
        std::thread::spawn(|| {}).join().unwrap();
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    time::wait_until("the threads are gone", || threads() == 1);
}
