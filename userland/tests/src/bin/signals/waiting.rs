//! rt_sigtimedwait, rt_sigsuspend, pause.

use crate::record::{note, note_signal, take};
use std::mem::zeroed;
use std::time::Duration;
use tollgate_tests::process::{fork, kill, pid, wait_until_asleep};
use tollgate_tests::signal::{Context, RT, SET_SIZE, block, handle, mask, pending, set};
use tollgate_tests::{Errno, sys, time};

const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

/// Waits for one of the signals; the number, and the sender.
fn wait(signals: &[i32], limit: Option<Duration>) -> Result<(i32, i32), Errno> {
    // SAFETY: siginfo_t is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    let limit = limit.map(time::timespec);
    let limit = limit.as_ref().map_or(0, |limit| limit as *const _ as usize);
    let signal = sys!(libc::SYS_rt_sigtimedwait, &set(signals), &mut info, limit, SET_SIZE)? as i32;
    assert_eq!(info.si_signo, signal);
    // SAFETY: the signals here come from kill.
    Ok((signal, unsafe { info.si_pid() }))
}

pub(crate) fn timed_wait_takes_a_pending_one() {
    block(&[USR1, USR2, RT]);
    for signal in [RT, USR2, RT] {
        kill(pid(), signal).unwrap();
    }
    let now = Some(Duration::ZERO);
    assert_eq!(wait(&[USR1], now), Err(Errno::EAGAIN));
    assert_eq!(wait(&[USR2, RT], now), Ok((USR2, pid())), "the lowest first");
    assert_eq!(wait(&[USR2, RT], now), Ok((RT, pid())));
    assert_eq!(pending(), set(&[RT]), "one of the two is left");
    assert_eq!(wait(&[USR2, RT], now), Ok((RT, pid())));
    assert_eq!(wait(&[USR2, RT], now), Err(Errno::EAGAIN));
}

pub(crate) fn timed_wait_waits() {
    block(&[USR1]);
    handle(USR1, 0, note_signal);
    let parent = pid();
    let child = fork(|| {
        wait_until_asleep(parent);
        kill(parent, USR1).unwrap();
        0
    });
    assert_eq!(wait(&[USR1], None), Ok((USR1, child.pid)));
    assert!(take().is_empty(), "the handler ran as well");
    assert_eq!((mask(), pending()), (set(&[USR1]), 0));
    child.succeed();
}

pub(crate) fn timed_wait_gives_up() {
    block(&[USR1]);
    let start = time::monotonic();
    assert_eq!(wait(&[USR1], Some(Duration::from_millis(30))), Err(Errno::EAGAIN));
    assert!(time::monotonic() - start >= Duration::from_millis(30));
    let strange = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    assert_eq!(sys!(libc::SYS_rt_sigtimedwait, &set(&[USR1]), 0, &strange, SET_SIZE), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_rt_sigtimedwait, &set(&[USR1]), 0, 0, 4), Err(Errno::EINVAL));
}

pub(crate) fn timed_wait_is_interrupted() {
    block(&[USR1]);
    handle(USR2, libc::SA_RESTART, note_signal);
    let parent = pid();
    let child = fork(|| {
        wait_until_asleep(parent);
        kill(parent, USR2).unwrap();
        0
    });
    assert_eq!(wait(&[USR1], None), Err(Errno::EINTR), "whatever SA_RESTART says");
    assert_eq!(take(), [USR2 as u64]);
    child.succeed();
}

pub(crate) fn suspend_swaps_the_mask() {
    extern "C" fn look(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(mask());
    }
    handle(USR1, 0, look);
    block(&[USR1]);
    kill(pid(), USR1).unwrap();
    let inside = set(&[USR2]);
    assert_eq!(sys!(libc::SYS_rt_sigsuspend, &inside, SET_SIZE), Err(Errno::EINTR));
    assert_eq!(take(), [set(&[USR1, USR2])], "the handler runs under the temporary mask");
    assert_eq!(mask(), set(&[USR1]), "and then the old one is back");
    // One that comes while it waits, with another that stays blocked.
    let parent = pid();
    block(&[USR2]);
    let child = fork(|| {
        wait_until_asleep(parent);
        kill(parent, USR2).unwrap();
        kill(parent, USR1).unwrap();
        0
    });
    assert_eq!(sys!(libc::SYS_rt_sigsuspend, &inside, SET_SIZE), Err(Errno::EINTR));
    assert_eq!(take().len(), 1);
    child.succeed();
    assert_eq!(pending() & set(&[USR2]), set(&[USR2]));
    assert_eq!(sys!(libc::SYS_rt_sigsuspend, &inside, 4), Err(Errno::EINVAL));
}

pub(crate) fn pause_returns_after_a_handler() {
    handle(USR1, libc::SA_RESTART, note_signal);
    let parent = pid();
    let child = fork(|| {
        wait_until_asleep(parent);
        // One that is ignored does not end it.
        kill(parent, libc::SIGWINCH).unwrap();
        time::sleep_ms(10);
        kill(parent, USR1).unwrap();
        0
    });
    assert_eq!(sys!(libc::SYS_pause), Err(Errno::EINTR));
    assert_eq!(take(), [USR1 as u64]);
    child.succeed();
}
