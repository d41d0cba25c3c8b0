//! System calls that a handler interrupts: which start again, and what the others return.

use crate::record::{count, note_signal, take};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tollgate_tests::memory::Shared;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{Child, Status, fork, kill, pid, wait_until_asleep, wait4};
use tollgate_tests::signal::handle;
use tollgate_tests::{Errno, signal, sys, time};

const USR1: i32 = libc::SIGUSR1;
const RESTART: i32 = libc::SA_RESTART;

/// A child that signals us once we are asleep, and then does something more once we are asleep again, or have woken.
fn disturber(then: impl FnOnce()) -> Child {
    let parent = pid();
    fork(|| {
        wait_until_asleep(parent);
        kill(parent, USR1).unwrap();
        time::sleep_ms(30);
        then();
        0
    })
}

pub(crate) fn read_starts_again() {
    handle(USR1, RESTART, note_signal);
    let pipe = Pipe::new();
    let child = disturber(|| pipe.notify());
    let mut byte = [0];
    assert_eq!(pipe.read(&mut byte), Ok(1));
    assert_eq!(take(), [USR1 as u64]);
    child.succeed();
}

pub(crate) fn read_is_interrupted() {
    handle(USR1, 0, note_signal);
    let pipe = Pipe::new();
    let child = disturber(|| {});
    let mut byte = [0];
    assert_eq!(pipe.read(&mut byte), Err(Errno::EINTR));
    assert_eq!(take(), [USR1 as u64]);
    child.succeed();
}

/// Bytes that are in the pipe cannot be unwritten: the call tells how many.
pub(crate) fn write_tells_what_it_wrote() {
    for flags in [0, RESTART] {
        handle(USR1, flags, note_signal);
        let pipe = Pipe::new();
        let large = vec![7u8; 200_000];
        let child = disturber(|| {});
        let written = pipe.write(&large).expect("part of it is in");
        assert!((1..200_000).contains(&written), "{written}");
        assert_eq!(take(), [USR1 as u64]);
        child.succeed();
        // The pipe is full now and nothing can be written: the error, or again.
        if flags == 0 {
            let child = disturber(|| {});
            assert_eq!(pipe.write(&large), Err(Errno::EINTR));
            child.succeed();
            take();
        }
    }
}

pub(crate) fn wait_starts_again_or_not() {
    for flags in [0, RESTART] {
        handle(USR1, flags, note_signal);
        let pipe = Pipe::new();
        let waited_for = fork(|| {
            pipe.wait();
            3
        });
        let child = disturber(|| pipe.notify());
        let result = wait4(waited_for.pid, 0);
        if flags == 0 {
            assert_eq!(result, Err(Errno::EINTR));
            assert_eq!(waited_for.wait(), Status::Exited(3));
        } else {
            assert_eq!(result, Ok((waited_for.pid, Status::Exited(3))));
        }
        child.succeed();
        assert_eq!(take().len(), 1);
    }
}

pub(crate) fn futex_starts_again_or_not() {
    for flags in [0, RESTART] {
        handle(USR1, flags, note_signal);
        let word = Shared::new(AtomicU32::new(0));
        let child = disturber(|| {
            word.store(1, SeqCst);
            sys!(libc::SYS_futex, &*word, libc::FUTEX_WAKE, 1).unwrap();
        });
        let result = sys!(libc::SYS_futex, &*word, libc::FUTEX_WAIT, 0, 0);
        if flags == 0 {
            assert_eq!(result, Err(Errno::EINTR));
        } else {
            assert!(matches!(result, Ok(0) | Err(Errno::EAGAIN)), "{result:?}");
            assert_eq!(word.load(SeqCst), 1);
        }
        child.succeed();
        // A limited wait is not restarted: its limit would start anew.
        let limit = time::timespec(Duration::from_secs(20));
        let child = disturber(|| {});
        let value = word.load(SeqCst);
        assert_eq!(sys!(libc::SYS_futex, &*word, libc::FUTEX_WAIT, value, &limit), Err(Errno::EINTR));
        child.succeed();
        take();
    }
}

pub(crate) fn sleep_is_never_restarted() {
    for flags in [0, RESTART] {
        handle(USR1, flags, note_signal);
        let child = disturber(|| {});
        let request = time::timespec(Duration::from_secs(20));
        let mut left = time::timespec(Duration::ZERO);
        assert_eq!(sys!(libc::SYS_nanosleep, &request, &mut left), Err(Errno::EINTR));
        assert!((1..20).contains(&left.tv_sec), "{left:?}");
        child.succeed();
        let child = disturber(|| {});
        assert_eq!(sys!(libc::SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, 0, &request, 0), Err(Errno::EINTR));
        child.succeed();
        // An absolute one may simply be called again, so a restart does no harm; Linux does that.
        take();
    }
}

pub(crate) fn poll_is_never_restarted() {
    handle(USR1, RESTART, note_signal);
    let pipe = Pipe::new();
    let mut entry = libc::pollfd { fd: pipe.reader(), events: libc::POLLIN, revents: 0 };
    let child = disturber(|| {});
    assert_eq!(sys!(libc::SYS_poll, &mut entry, 1, 20_000), Err(Errno::EINTR));
    child.succeed();
}

/// Neither an ignored signal nor a blocked one wakes a sleeper.
pub(crate) fn ignored_signals_interrupt_nothing() {
    signal::ignore(USR1);
    signal::block(&[libc::SIGUSR2]);
    let pipe = Pipe::new();
    let parent = pid();
    let child = fork(|| {
        wait_until_asleep(parent);
        for signal in [USR1, libc::SIGUSR2, libc::SIGWINCH, libc::SIGCONT] {
            kill(parent, signal).unwrap();
        }
        time::sleep_ms(20);
        pipe.notify();
        0
    });
    let mut byte = [0];
    assert_eq!(pipe.read(&mut byte), Ok(1));
    assert_eq!(count(), 0);
    child.succeed();
}
