//! Futexes: sleeping until another thread says that a word of user memory has changed (futex(2)).
//!
//! - `bucket`: who sleeps, hashed by the word's identity;
//! - `robust`: what the kernel does with a thread's locks when it ends.
mod bucket;
mod robust;
mod wake_op;

use tollgate_abi::process::futex::FUTEX_BITSET_MATCH_ANY;
use tollgate_abi::{Errno, Result};

pub use robust::exit_robust_list;
pub use wake_op::WakeOp;

use super::{Task, current, current_arc, sched, signal};
use crate::arch::clock;
use crate::arch::copy::load_u32_nofault;
use crate::mm::USER_END;
use crate::mm::addr::UserAddr;
use crate::mm::space::FutexKey;
use crate::mm::user::UserPtr;
use crate::sync::Sleep;

/// A futex word as the program named it.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// Its address.
    pub addr: UserAddr,
    /// FUTEX_PRIVATE_FLAG: only threads that share the address space use it, so its address is its identity.
    pub private: bool,
}

impl Word {
    /// Who it is. Reads no memory; the word may not be mapped at all if it is private.
    ///
    /// # Errors
    /// `EINVAL` when it is not aligned, `EFAULT` when it lies outside user space, or is shared and not mapped.
    fn key(self) -> Result<FutexKey> {
        if !self.addr.0.is_multiple_of(4) {
            return Err(Errno::EINVAL);
        }
        if self.addr.0 >= USER_END {
            return Err(Errno::EFAULT);
        }
        if self.private {
            // The space is only a name here; the task keeps it alive as long as it waits.
            return Ok(FutexKey::Private(current().sched.active_space().addr(), self.addr.0));
        }
        current().space().ok_or(Errno::EFAULT)?.futex_key(self.addr)
    }
}

/// FUTEX_WAIT and FUTEX_WAIT_BITSET: sleeps if the word is still `expected`, until a wake whose bits meet `bits` or
/// `deadline` (monotonic nanoseconds).
///
/// # Errors
/// `EAGAIN` when the word is not `expected`, `ETIMEDOUT`, `EFAULT`, `EINVAL`; `ERESTARTSYS` when a signal came.
pub fn wait(word: Word, expected: u32, bits: u32, deadline: Option<u64>) -> Result<()> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    let key = word.key()?;
    let task = current_arc();
    loop {
        let mut queue = bucket::lock(&key);
        match load_u32_nofault(word.addr) {
            Ok(value) if value == expected => {
                queue.push(key, bits, task.clone());
                break;
            }
            Ok(_) => return Err(Errno::EAGAIN),
            Err(()) => {}
        }
        drop(queue);
        // The page is not there right now: let it come, then look again.
        UserPtr::<u32>::new(word.addr).read()?;
    }
    loop {
        sched::prepare_sleep(Sleep::Interruptible);
        let end = if !bucket::is_queued(&task) {
            Ok(())
        } else if sched::sleep_interrupted(Sleep::Interruptible) {
            Err(Errno::ERESTARTSYS)
        } else if deadline.is_some_and(|at| clock::now_ns() >= at) {
            Err(Errno::ETIMEDOUT)
        } else {
            sched::sleep_prepared(deadline);
            continue;
        };
        sched::cancel_sleep();
        // A wake that came before we left the queue counts.
        return if end.is_err() && !bucket::leave(&task) { Ok(()) } else { end };
    }
}

/// [`wait`] for the system call: a wait with an end that a signal interrupts goes on to the same end.
///
/// # Errors
/// As [`wait`], and `ERESTARTBLOCK`.
pub fn wait_restarting(word: Word, expected: u32, bits: u32, deadline: Option<u64>) -> Result<usize> {
    match wait(word, expected, bits, deadline) {
        Ok(()) => Ok(0),
        Err(Errno::ERESTARTSYS) if deadline.is_some() => {
            Err(signal::restart_with(move || wait_restarting(word, expected, bits, deadline)))
        }
        Err(error) => Err(error),
    }
}

/// FUTEX_WAKE and FUTEX_WAKE_BITSET: wakes up to `count` sleepers (at least one) whose bits meet `bits`, those that
/// came first; returns how many.
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub fn wake(word: Word, count: usize, bits: u32) -> Result<usize> {
    if bits == 0 {
        return Err(Errno::EINVAL);
    }
    Ok(bucket::wake(&word.key()?, count.max(1), bits))
}

/// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wakes up to `wakes` sleepers and moves up to `moves` of the rest to `to`, if
/// the word is `expected` (when given); returns how many it did either to.
///
/// # Errors
/// `EAGAIN` when the word is not `expected`; `EINVAL`, `EFAULT`.
pub fn requeue(from: Word, to: Word, wakes: usize, moves: usize, expected: Option<u32>) -> Result<usize> {
    let (from_key, to_key) = (from.key()?, to.key()?);
    loop {
        let check = || match expected {
            None => Ok(true),
            Some(expected) => load_u32_nofault(from.addr).map(|value| value == expected),
        };
        match bucket::requeue(&from_key, &to_key, wakes, moves, check) {
            Ok(Some(count)) => return Ok(count),
            Ok(None) => return Err(Errno::EAGAIN),
            Err(()) => UserPtr::<u32>::new(from.addr).read()?,
        };
    }
}

/// FUTEX_WAKE_OP: changes the second word as `op` says, wakes up to `wakes` sleepers of the first, and up to
/// `second_wakes` of the second if its old value compares as `op` says; returns how many.
///
/// # Errors
/// `ENOSYS` for operations there are not; `EINVAL`, `EFAULT`.
pub fn wake_op(first: Word, second: Word, wakes: usize, second_wakes: usize, op: WakeOp) -> Result<usize> {
    let (first_key, second_key) = (first.key()?, second.key()?);
    // Before both wakes, as a program would do it that used two calls: whoever queues on the second word after this
    // has seen the new value.
    let wake_second = op.apply(second.addr)?;
    let mut woken = bucket::wake(&first_key, wakes.max(1), FUTEX_BITSET_MATCH_ANY);
    if wake_second {
        woken += bucket::wake(&second_key, second_wakes.max(1), FUTEX_BITSET_MATCH_ANY);
    }
    Ok(woken)
}

/// Writes a zero to the word at `addr` and wakes one sleeper: what set_tid_address asks for at a thread's end. Nothing
/// is done when nobody else can see the memory.
pub(super) fn clear_and_wake(me: &Task, addr: u64) {
    let others = me.space.lock().as_ref().is_some_and(|space| alloc::sync::Arc::strong_count(space) > 1);
    if others {
        let addr = UserAddr(addr);
        // The program chose the address; if it is bad that is its own affair.
        let _ = UserPtr::<u32>::new(addr).write(&0);
        let _ = wake(Word { addr, private: false }, 1, FUTEX_BITSET_MATCH_ANY);
    }
}
