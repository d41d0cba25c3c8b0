//! kill, tkill, tgkill: to whom, and who may take it.

use crate::record::{count, note, take};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{kill, pid, tid};
use tollgate_tests::signal::{Context, block, handle, pending, set};
use tollgate_tests::{Errno, sys, time};

const USR1: i32 = libc::SIGUSR1;

fn tgkill(group: i32, thread: i32, signal: i32) -> sys::Result {
    sys!(libc::SYS_tgkill, group, thread, signal)
}

pub(crate) fn errors() {
    for signal in [-1, 65, 1000] {
        assert_eq!(kill(pid(), signal), Err(Errno::EINVAL));
        assert_eq!(tgkill(pid(), tid(), signal), Err(Errno::EINVAL));
        assert_eq!(sys!(libc::SYS_tkill, tid(), signal), Err(Errno::EINVAL));
    }
    assert_eq!(kill(i32::MAX, USR1), Err(Errno::ESRCH));
    assert_eq!(kill(-i32::MAX, USR1), Err(Errno::ESRCH));
    assert_eq!(kill(i32::MIN, USR1), Err(Errno::ESRCH), "has no positive counterpart");
    assert_eq!(tgkill(pid(), i32::MAX, USR1), Err(Errno::ESRCH));
    assert_eq!(tgkill(1, tid(), USR1), Err(Errno::ESRCH), "our thread is not in that process");
    for (group, thread) in [(0, tid()), (pid(), 0), (-1, tid()), (pid(), -1)] {
        assert_eq!(tgkill(group, thread, USR1), Err(Errno::EINVAL), "tgkill({group}, {thread})");
    }
    assert_eq!(sys!(libc::SYS_tkill, 0, USR1), Err(Errno::EINVAL));
    // Signal 0 only asks.
    assert_eq!((kill(pid(), 0), tgkill(pid(), tid(), 0)), (Ok(0), Ok(0)));
    assert_eq!(pending(), 0);
}

static TAKER: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);

extern "C" fn note_taker(_: i32, info: *mut libc::siginfo_t, _: *mut Context) {
    TAKER.store(tid(), SeqCst);
    // SAFETY: the kernel's siginfo.
    CODE.store(unsafe { (*info).si_code }, SeqCst);
    note(1);
}

pub(crate) fn to_a_thread() {
    handle(USR1, 0, note_taker);
    let (ready, done) = (Pipe::new(), Pipe::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready.send(tid() as u64);
            done.wait();
        });
        let thread = ready.receive() as i32;
        tgkill(pid(), thread, USR1).unwrap();
        time::wait_until("the thread takes it", || count() == 1);
        assert_eq!((TAKER.load(SeqCst), CODE.load(SeqCst)), (thread, libc::SI_TKILL));
        sys!(libc::SYS_tkill, thread, USR1).unwrap();
        time::wait_until("the thread takes it", || count() == 2);
        tgkill(pid(), tid(), USR1).unwrap();
        assert_eq!(TAKER.load(SeqCst), tid());
        done.notify();
    });
    assert_eq!(take().len(), 3);
}

/// The only thread that does not block it takes it, though it is asleep and not the leader.
pub(crate) fn to_whichever_thread_takes_it() {
    handle(USR1, 0, note_taker);
    let (ready, done) = (Pipe::new(), Pipe::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            ready.send(tid() as u64);
            done.wait();
        });
        let thread = ready.receive() as i32;
        block(&[USR1]);
        kill(pid(), USR1).unwrap();
        time::wait_until("the thread takes it", || count() == 1);
        assert_eq!(TAKER.load(SeqCst), thread);
        done.notify();
    });
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    time::wait_until("the thread is gone", || threads() == 1);
    kill(pid(), USR1).unwrap();
    assert_eq!(pending(), set(&[USR1]), "nobody is left to take it");
}

/// A signal to oneself that is not blocked is handled before kill returns (POSIX).
pub(crate) fn before_kill_returns() {
    handle(USR1, 0, note_taker);
    for round in 1..=1000 {
        kill(pid(), USR1).unwrap();
        assert_eq!(count(), round);
    }
}
