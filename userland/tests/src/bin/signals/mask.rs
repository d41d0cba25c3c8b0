//! rt_sigprocmask and rt_sigpending.

use crate::record::{note_signal, take};
use tollgate_tests::process::{kill, pid};
use tollgate_tests::signal::{Context, SET_SIZE, block, handle, mask, pending, set, set_mask, unblock};
use tollgate_tests::{Errno, sys};

const USR1: i32 = libc::SIGUSR1;

pub(crate) fn blocked_signals_wait() {
    handle(USR1, 0, note_signal);
    assert_eq!(block(&[USR1]), 0);
    kill(pid(), USR1).unwrap();
    assert!(take().is_empty());
    assert_eq!(pending(), set(&[USR1]));
    assert_eq!(block(&[60]), set(&[USR1]));
    assert_eq!(unblock(&[60]), set(&[USR1, 60]));
    assert_eq!(set_mask(set(&[5, USR1])), set(&[USR1]));
    assert_eq!(mask(), set(&[5, USR1]));
}

pub(crate) fn unblocking_delivers_at_once() {
    handle(USR1, 0, note_signal);
    block(&[USR1]);
    kill(pid(), USR1).unwrap();
    unblock(&[USR1]);
    assert_eq!(take(), [USR1 as u64], "before the call returns");
    assert_eq!(pending(), 0);
}

pub(crate) fn kill_and_stop_cannot_be_blocked() {
    set_mask(u64::MAX);
    assert_eq!(mask(), !set(&[libc::SIGKILL, libc::SIGSTOP]));
}

/// The mask that sigreturn restores is the one in the context.
pub(crate) fn handler_may_change_the_mask_to_return_to() {
    extern "C" fn change(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
        // SAFETY: the context is the kernel's.
        unsafe { (*context).mask |= set(&[45, libc::SIGKILL]) };
    }
    handle(USR1, 0, change);
    kill(pid(), USR1).unwrap();
    assert_eq!(mask(), set(&[45]));
}

pub(crate) fn bad_arguments_are_refused() {
    let any = 0u64;
    for how in [3, -1, 100] {
        assert_eq!(sys!(libc::SYS_rt_sigprocmask, how, &any, 0, SET_SIZE), Err(Errno::EINVAL), "how {how}");
        // Without a set there is nothing to do with it.
        assert_eq!(sys!(libc::SYS_rt_sigprocmask, how, 0, 0, SET_SIZE), Ok(0), "how {how}");
    }
    for size in [0, 4, 16, 128] {
        assert_eq!(sys!(libc::SYS_rt_sigprocmask, 0, &any, 0, size), Err(Errno::EINVAL), "size {size}");
    }
    let mut pending = 0u64;
    assert_eq!(sys!(libc::SYS_rt_sigpending, &mut pending, 16), Err(Errno::EINVAL));
}
