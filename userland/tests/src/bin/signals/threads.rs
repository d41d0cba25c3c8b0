//! Signals and threads.

use crate::record::{count, note_signal, take};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{pid, tid};
use tollgate_tests::signal::{block, handle, mask, pending, set, unblock};
use tollgate_tests::{sys, time};

const USR1: i32 = libc::SIGUSR1;

pub(crate) fn each_has_its_own_mask() {
    block(&[USR1]);
    let (ready, done) = (Pipe::new(), Pipe::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_ne!(mask() & set(&[USR1]), 0, "inherited");
            block(&[libc::SIGUSR2]);
            sys!(libc::SYS_tgkill, pid(), tid(), USR1).unwrap();
            assert_eq!(pending(), set(&[USR1]));
            ready.notify();
            done.wait();
        });
        ready.wait();
        assert_eq!(mask(), set(&[USR1]), "the thread's change is its own");
        assert_eq!(pending(), 0, "and so is what is pending for it");
        done.notify();
    });
}

pub(crate) fn handlers_are_everyones() {
    std::thread::spawn(|| handle(USR1, 0, note_signal)).join().unwrap();
    sys!(libc::SYS_tgkill, pid(), tid(), USR1).unwrap();
    assert_eq!(take(), [USR1 as u64]);
}

/// Threads that signal each other as fast as they can.
pub(crate) fn many_signals_between_threads() {
    let stop = AtomicBool::new(false);
    handle(USR1, libc::SA_RESTART, note_signal);
    let ids = Pipe::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                ids.send(tid() as u64);
                while !stop.load(SeqCst) {
                    // Blocking and unblocking is where a wake-up may get lost.
                    block(&[USR1]);
                    unblock(&[USR1]);
                    let _ = sys!(libc::SYS_sched_yield);
                }
            });
        }
        let threads: Vec<i32> = (0..4).map(|_| ids.receive() as i32).collect();
        for round in 0..2000 {
            let result = sys!(libc::SYS_tgkill, pid(), threads[round % 4], USR1);
            assert_eq!(result, Ok(0));
        }
        time::wait_until("some arrived", || count() >= 4);
        stop.store(true, SeqCst);
    });
}
