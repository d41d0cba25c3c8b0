//! Signals that queue, and what they carry.

use crate::record::{note, take};
use tollgate_tests::process::{fork, kill, pid, tid};
use tollgate_tests::signal::{Action, Context, RT, block, handle, pending, set, unblock};
use tollgate_tests::{Errno, sys};

/// The kernel's siginfo of a queued signal.
#[repr(C)]
#[derive(Clone, Copy)]
struct Info {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    pid: i32,
    uid: u32,
    value: u64,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<Info>() == 128);

fn info(code: i32, value: u64) -> Info {
    Info { signal: 0, errno: 0, code, padding: 0, pid: pid(), uid: 0, value, rest: [0; 12] }
}

fn queue(pid: i32, signal: i32, info: &Info) -> sys::Result {
    sys!(libc::SYS_rt_sigqueueinfo, pid, signal, info)
}

extern "C" fn note_value(signal: i32, info: *mut libc::siginfo_t, _: *mut Context) {
    // SAFETY: the kernel's siginfo, of the type above for the signals sent here.
    let info = unsafe { &*info.cast::<Info>() };
    note((signal as u64) << 32 | info.value);
}

fn noted(signal: i32, value: u64) -> u64 {
    (signal as u64) << 32 | value
}

/// Installs the handler so that it is not interrupted by the others.
fn install(signals: &[i32]) {
    for &signal in signals {
        Action::new(note_value, 0).blocking(signals).install(signal).unwrap();
    }
}

pub(crate) fn real_time_signals_in_order() {
    install(&[RT + 3]);
    block(&[RT + 3]);
    for value in 0..50 {
        queue(pid(), RT + 3, &info(libc::SI_QUEUE, value)).unwrap();
    }
    assert_eq!(pending(), set(&[RT + 3]));
    unblock(&[RT + 3]);
    assert_eq!(take(), (0..50).map(|value| noted(RT + 3, value)).collect::<Vec<_>>());
}

pub(crate) fn ordinary_signals_merge() {
    install(&[libc::SIGUSR1]);
    block(&[libc::SIGUSR1]);
    for value in 0..50 {
        queue(pid(), libc::SIGUSR1, &info(libc::SI_QUEUE, value)).unwrap();
    }
    unblock(&[libc::SIGUSR1]);
    assert_eq!(take(), [noted(libc::SIGUSR1, 0)], "the first stays, the others add nothing");
}

pub(crate) fn lower_numbers_first() {
    let signals = [RT + 1, RT + 7, RT + 30];
    install(&signals);
    block(&signals);
    for value in 0..3 {
        for signal in signals.iter().rev() {
            queue(pid(), *signal, &info(libc::SI_QUEUE, value)).unwrap();
        }
    }
    unblock(&signals);
    let expected: Vec<u64> = signals.iter().flat_map(|&signal| (0..3).map(move |value| noted(signal, value))).collect();
    assert_eq!(take(), expected);
}

/// What is meant for this thread is taken before what is meant for the process.
pub(crate) fn own_thread_first() {
    install(&[RT + 1]);
    block(&[RT + 1]);
    queue(pid(), RT + 1, &info(libc::SI_QUEUE, 1)).unwrap();
    sys!(libc::SYS_rt_tgsigqueueinfo, pid(), tid(), RT + 1, &info(libc::SI_QUEUE, 2)).unwrap();
    unblock(&[RT + 1]);
    assert_eq!(take(), [noted(RT + 1, 2), noted(RT + 1, 1)]);
}

pub(crate) fn information_arrives_whole() {
    extern "C" fn check(signal: i32, info: *mut libc::siginfo_t, _: *mut Context) {
        // SAFETY: the kernel's siginfo, which came from the test.
        let info = unsafe { &*info.cast::<Info>() };
        assert_eq!((info.signal, info.errno, info.code), (signal, 5, -99));
        assert_eq!((info.pid, info.uid, info.value, info.rest[0]), (12345, 678, 0x1122_3344_5566_7788, 42));
        note(1);
    }
    handle(RT, 0, check);
    let mut sent = Info { errno: 5, pid: 12345, uid: 678, ..info(-99, 0x1122_3344_5566_7788) };
    sent.rest[0] = 42;
    queue(pid(), RT, &sent).unwrap();
    assert_eq!(take(), [1]);
}

/// Only the kernel sends codes of zero and above, and only to oneself may one pretend to be tkill.
pub(crate) fn information_cannot_be_forged() {
    let parent = pid();
    install(&[libc::SIGUSR1]);
    fork(|| {
        for code in [libc::SI_USER, 1, 0x80, libc::SI_TKILL] {
            assert_eq!(queue(parent, libc::SIGUSR1, &info(code, 0)), Err(Errno::EPERM), "code {code}");
            let result = sys!(libc::SYS_rt_tgsigqueueinfo, parent, parent, libc::SIGUSR1, &info(code, 0));
            assert_eq!(result, Err(Errno::EPERM), "code {code}");
        }
        assert_eq!(queue(parent, libc::SIGUSR1, &info(libc::SI_QUEUE, 3)), Ok(0));
        0
    })
    .succeed();
    assert_eq!(take(), [noted(libc::SIGUSR1, 3)]);
    assert_eq!(queue(parent, libc::SIGUSR1, &info(libc::SI_USER, 4)), Ok(0));
    assert_eq!(take(), [noted(libc::SIGUSR1, 4)]);
    assert_eq!(queue(parent, 65, &info(libc::SI_QUEUE, 0)), Err(Errno::EINVAL));
    assert_eq!(queue(i32::MAX, RT, &info(libc::SI_QUEUE, 0)), Err(Errno::ESRCH));
}

pub(crate) fn limit_is_an_error() {
    let limit = libc::rlimit { rlim_cur: 10, rlim_max: 10 };
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_SIGPENDING, &limit, 0).expect("prlimit");
    // Linux counts for the whole user, so others may have used some up.
    block(&[RT, libc::SIGUSR1]);
    let results: Vec<_> = (0..11).map(|value| queue(pid(), RT, &info(libc::SI_QUEUE, value))).collect();
    assert_eq!(results[10], Err(Errno::EAGAIN));
    assert!(results.iter().all(|result| matches!(result, Ok(0) | Err(Errno::EAGAIN))));
    // Ordinary signals get through all the same.
    assert_eq!(kill(pid(), libc::SIGUSR1), Ok(0));
    assert_ne!(pending() & set(&[libc::SIGUSR1]), 0);
}
