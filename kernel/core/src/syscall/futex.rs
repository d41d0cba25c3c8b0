//! futex(2) and the lists that go with it.
use core::sync::atomic::Ordering;

use tollgate_abi::process::RobustListHead;
use tollgate_abi::process::futex::*;
use tollgate_abi::time::TimeSpec;
use tollgate_abi::{Errno, Result};

use crate::arch::clock;
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task::futex::{self, WakeOp, Word};
use crate::task::{current, process, timer};

/// futex(2). `timeout` is a count for the operations that take two.
///
/// # Errors
/// Those of the operation (see [`crate::task::futex`]); `ENOSYS` for operations there are not (priority inheritance).
pub fn futex(addr: UserAddr, operation: u32, value: u32, timeout: u64, second: UserAddr, third: u32) -> Result<usize> {
    let private = operation & FUTEX_PRIVATE_FLAG != 0;
    let realtime = operation & FUTEX_CLOCK_REALTIME != 0;
    let operation = operation & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if realtime && operation != FUTEX_WAIT_BITSET {
        return Err(Errno::ENOSYS);
    }
    let (word, second) = (Word { addr, private }, Word { addr: second, private });
    // Counts are ints to programs; INT_MAX is everyone.
    let count = (value as i32).max(0) as usize;
    match operation {
        FUTEX_WAIT => {
            let deadline = span(timeout)?.map(|span| clock::now_ns().saturating_add(span));
            futex::wait_restarting(word, value, FUTEX_BITSET_MATCH_ANY, deadline)
        }
        FUTEX_WAIT_BITSET => {
            let deadline = span(timeout)?.map(|at| if realtime { timer::clock::from_realtime(at) } else { at });
            futex::wait_restarting(word, value, third, deadline)
        }
        FUTEX_WAKE => futex::wake(word, count, FUTEX_BITSET_MATCH_ANY),
        FUTEX_WAKE_BITSET => futex::wake(word, count, third),
        FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => {
            let (wakes, moves) = (counted(value)?, counted(timeout as u32)?);
            futex::requeue(word, second, wakes, moves, (operation == FUTEX_CMP_REQUEUE).then_some(third))
        }
        FUTEX_WAKE_OP => futex::wake_op(word, second, count, (timeout as i32).max(0) as usize, WakeOp(third)),
        _ => Err(Errno::ENOSYS),
    }
}

fn counted(count: u32) -> Result<usize> {
    usize::try_from(count as i32).map_err(|_| Errno::EINVAL)
}

/// The time span at `addr`, nanoseconds; `None` for the null pointer.
fn span(addr: u64) -> Result<Option<u64>> {
    let Some(pointer) = UserPtr::<TimeSpec>::new(UserAddr(addr)).non_null() else { return Ok(None) };
    Ok(Some(pointer.read()?.to_nanos().ok_or(Errno::EINVAL)? as u64))
}

/// set_robust_list(2).
///
/// # Errors
/// `EINVAL` when `len` is not the head's size.
pub fn set_robust_list(head: UserAddr, len: usize) -> Result<usize> {
    if len != size_of::<RobustListHead>() {
        return Err(Errno::EINVAL);
    }
    current().robust_list.store(head.0, Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2).
///
/// # Errors
/// `ESRCH`, `EPERM` for another user's task, `EFAULT`.
pub fn get_robust_list(tid: i32, head: UserPtr<u64>, len: UserPtr<u64>) -> Result<usize> {
    let list = if tid == 0 {
        current().robust_list.load(Ordering::Relaxed)
    } else {
        let task = process::find_task(tid).ok_or(Errno::ESRCH)?;
        let (mine, theirs) = (current().creds(), task.creds());
        if !mine.is_privileged() && mine.uid != theirs.uid {
            return Err(Errno::EPERM);
        }
        task.robust_list.load(Ordering::Relaxed)
    };
    len.write(&(size_of::<RobustListHead>() as u64))?;
    head.write(&list)?;
    Ok(0)
}
