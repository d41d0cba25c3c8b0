//! Who sleeps on which futex: queues hashed by key.
//!
//! A sleeper is in at most one queue, and its task says which ([`Task::futex_bucket`]); both change together under the
//! queue's lock. So a sleeper that was requeued finds itself, and one that is in no queue knows that it was woken.
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use crate::mm::space::FutexKey;
use crate::sync::{Rank, SpinGuard, SpinLock};
use crate::task::{Task, sched};

const BUCKETS: usize = 256;
/// Room a queue keeps when it is empty, so that short waits allocate nothing.
const KEPT: usize = 4;
/// Tasks taken off a queue in one go.
const BATCH: usize = 8;

struct Sleeper {
    key: FutexKey,
    bits: u32,
    task: Arc<Task>,
}

type Queue = VecDeque<Sleeper>;

static TABLE: [SpinLock<Queue>; BUCKETS] = [const { SpinLock::new(Rank::Futex, VecDeque::new()) }; BUCKETS];

fn index_of(key: &FutexKey) -> usize {
    let (a, b) = match *key {
        FutexKey::Private(space, addr) => (space as u64, addr),
        FutexKey::Shared(object, offset) => (object as u64, offset),
    };
    // Fibonacci hashing; the low two bits of the address are always zero.
    ((a >> 4 ^ b >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

const _: () = assert!(BUCKETS == 1 << 8);

/// The locked queue of a key.
pub(super) struct Locked {
    index: usize,
    queue: SpinGuard<'static, Queue>,
}

/// Locks the queue that `key` belongs to.
pub(super) fn lock(key: &FutexKey) -> Locked {
    let index = index_of(key);
    Locked { index, queue: TABLE[index].lock() }
}

impl Locked {
    /// Adds a sleeper at the end.
    pub(super) fn push(&mut self, key: FutexKey, bits: u32, task: Arc<Task>) {
        task.futex_bucket.store(self.index as u32 + 1, Ordering::Relaxed);
        if self.queue.capacity() == 0 {
            self.queue.reserve(KEPT);
        }
        self.queue.push_back(Sleeper { key, bits, task });
    }
}

/// Whether `task` still waits for a wake.
pub(super) fn is_queued(task: &Task) -> bool {
    task.futex_bucket.load(Ordering::Acquire) != 0
}

/// Takes `task` off whatever queue it is in; false when it is in none because it was woken.
pub(super) fn leave(task: &Arc<Task>) -> bool {
    loop {
        let at = task.futex_bucket.load(Ordering::Acquire);
        if at == 0 {
            return false;
        }
        let mut queue = TABLE[at as usize - 1].lock();
        if task.futex_bucket.load(Ordering::Relaxed) != at {
            continue; // Requeued or woken before we had the lock.
        }
        if let Some(i) = queue.iter().position(|sleeper| Arc::ptr_eq(&sleeper.task, task)) {
            queue.remove(i);
        }
        tidy(&mut queue);
        task.futex_bucket.store(0, Ordering::Relaxed);
        return true;
    }
}

/// Wakes up to `count` sleepers of `key` whose bits meet `bits`; returns how many.
pub(super) fn wake(key: &FutexKey, count: usize, bits: u32) -> usize {
    let table = &TABLE[index_of(key)];
    let mut woken = 0;
    let mut limit = count;
    loop {
        let mut batch: [Option<Arc<Task>>; BATCH] = [const { None }; BATCH];
        let taken = {
            let mut queue = table.lock();
            // Those that come while we wake are not meant.
            limit = limit.min(woken + queue.len());
            let taken = take(&mut queue, key, bits, &mut batch, limit - woken);
            tidy(&mut queue);
            taken
        };
        for task in batch.iter().flatten() {
            sched::wake(task);
        }
        woken += taken;
        if taken < BATCH || woken >= limit {
            return woken;
        }
    }
}

/// Moves matching sleepers from the queue to `batch`, as many as fit and at most `most`.
fn take(queue: &mut Queue, key: &FutexKey, bits: u32, batch: &mut [Option<Arc<Task>>], most: usize) -> usize {
    let mut taken = 0;
    let mut at = 0;
    while taken < most.min(batch.len()) && at < queue.len() {
        if queue[at].key != *key || queue[at].bits & bits == 0 {
            at += 1;
            continue;
        }
        if let Some(sleeper) = queue.remove(at) {
            sleeper.task.futex_bucket.store(0, Ordering::Release);
            batch[taken] = Some(sleeper.task);
            taken += 1;
        }
    }
    taken
}

/// Wakes up to `wakes` sleepers of `from` and makes up to `moves` others sleepers of `to`, if `check` says yes with both
/// queues locked; returns how many it did either to, or `None` when `check` said no.
///
/// # Errors
/// `check`'s.
pub(super) fn requeue(
    from: &FutexKey,
    to: &FutexKey,
    wakes: usize,
    moves: usize,
    check: impl Fn() -> Result<bool, ()>,
) -> Result<Option<usize>, ()> {
    let (source, target) = (index_of(from), index_of(to));
    let mut woken = alloc::vec::Vec::new();
    let done = {
        // Two queues are locked in the order of the table.
        let (mut low, mut high) = if source == target {
            (TABLE[source].lock(), None)
        } else {
            let low = TABLE[source.min(target)].lock();
            (low, Some(TABLE[source.max(target)].lock_nested()))
        };
        if !check()? {
            return Ok(None);
        }
        let (source_queue, mut target_queue) = match &mut high {
            None => (&mut *low, None),
            Some(high) if source < target => (&mut *low, Some(&mut **high)),
            Some(high) => (&mut **high, Some(&mut *low)),
        };
        let mut done = 0;
        let mut at = 0;
        let mut rest = source_queue.len();
        while done < wakes.saturating_add(moves) && rest > 0 {
            rest -= 1;
            if source_queue[at].key != *from {
                at += 1;
                continue;
            }
            let Some(mut sleeper) = source_queue.remove(at) else { break };
            if done < wakes {
                sleeper.task.futex_bucket.store(0, Ordering::Release);
                woken.push(sleeper.task);
            } else {
                sleeper.key = *to;
                sleeper.task.futex_bucket.store(target as u32 + 1, Ordering::Relaxed);
                match &mut target_queue {
                    Some(queue) => queue.push_back(sleeper),
                    None => source_queue.push_back(sleeper),
                }
            }
            done += 1;
        }
        tidy(source_queue);
        done
    };
    for task in &woken {
        sched::wake(task);
    }
    Ok(Some(done))
}

/// Gives back the memory of a queue that was long once.
fn tidy(queue: &mut Queue) {
    if queue.is_empty() && queue.capacity() > KEPT {
        queue.shrink_to(KEPT);
    }
}
