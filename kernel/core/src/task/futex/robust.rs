//! Robust futexes: a thread that ends holding locks leaves them marked, and their waiters hear of it.
use core::sync::atomic::Ordering;

use tollgate_abi::process::RobustListHead;
use tollgate_abi::process::futex::{
    FUTEX_BITSET_MATCH_ANY, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, ROBUST_LIST_LIMIT,
};

use super::{Word, wake};
use crate::arch::copy::cmpxchg_u32;
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task::{Task, sched};

/// Bit 0 of a list pointer: the lock is a priority-inheriting one.
const PI: u64 = 1;

/// Walks the robust list of the current task, which ends, and marks the locks it holds. The list is the program's: it
/// may be anything, so the walk is bounded and stops at the first thing that cannot be read.
pub fn exit_robust_list(me: &Task) {
    let head_addr = me.robust_list.swap(0, Ordering::Relaxed);
    if head_addr == 0 {
        return;
    }
    let Ok(head) = UserPtr::<RobustListHead>::new(UserAddr(head_addr)).read() else { return };
    let lock_of = |entry: u64| UserAddr((entry & !PI).wrapping_add_signed(head.futex_offset));
    let tid = me.tid() as u32;
    let mut entry = head.next;
    for _ in 0..ROBUST_LIST_LIMIT {
        if entry & !PI == head_addr {
            break;
        }
        // The waiter that takes the lock over may unlink the entry, so the next one is read first.
        let next = UserPtr::<u64>::new(UserAddr(entry & !PI)).read();
        if entry & !PI != head.pending & !PI && mark(lock_of(entry), tid, entry & PI != 0, false).is_err() {
            return;
        }
        let Ok(next) = next else { return };
        entry = next;
        sched::cond_resched();
    }
    if head.pending & !PI != 0 {
        let _ = mark(lock_of(head.pending), tid, head.pending & PI != 0, true);
    }
}

/// Marks the lock at `addr` if `tid` holds it, and wakes one waiter. `pending`: the thread was just taking or releasing
/// it, and may have died between freeing the lock and waking.
fn mark(addr: UserAddr, tid: u32, pi: bool, pending: bool) -> Result<(), ()> {
    if !addr.0.is_multiple_of(4) {
        return Err(());
    }
    let word = Word { addr, private: false };
    let mut value = UserPtr::<u32>::new(addr).read().map_err(|_| ())?;
    loop {
        if pending && !pi && value == 0 {
            let _ = wake(word, 1, FUTEX_BITSET_MATCH_ANY);
            return Ok(());
        }
        if value & FUTEX_TID_MASK != tid {
            return Ok(());
        }
        let marked = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        let was = cmpxchg_u32(addr, value, marked)?;
        if was == value {
            break;
        }
        value = was;
    }
    if !pi && value & FUTEX_WAITERS != 0 {
        let _ = wake(word, 1, FUTEX_BITSET_MATCH_ANY);
    }
    Ok(())
}
