//! Each CPU's timers: a binary heap ordered by time, then by age.
//!
//! A timer knows its place in its heap, so cancelling takes it out at once: nothing stale stays behind, however often
//! long time-outs are set and dropped (every poll does).
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use super::Expire;
use crate::arch::{clock, percpu};
use crate::sync::{Rank, SpinLock};

/// `Timer::queue` of a timer that is armed nowhere.
const IDLE: u32 = u32::MAX;
/// `Timer::queue` of a timer whose `expire` runs.
const FIRING: u32 = u32::MAX - 1;

/// A timer's place among the queues; part of its owner.
pub struct Timer {
    /// The CPU whose queue has it, [`IDLE`] or [`FIRING`]. Becomes a CPU's number, and stops being it, only under that
    /// queue's lock.
    queue: AtomicU32,
    /// Index in that queue's heap; meaningful only under its lock.
    index: AtomicU32,
}

impl Timer {
    /// A timer that is not armed.
    pub const fn new() -> Self {
        Self { queue: AtomicU32::new(IDLE), index: AtomicU32::new(0) }
    }

    /// Whether it waits for its time right now.
    pub fn is_armed(&self) -> bool {
        self.queue.load(Ordering::Acquire) < FIRING
    }
}

impl Default for Timer {
    fn default() -> Self {
        Self::new()
    }
}

struct Entry {
    at: u64,
    /// Arming order: timers of the same time fire in it.
    age: u64,
    owner: Arc<dyn Expire>,
}

impl Entry {
    fn before(&self, other: &Self) -> bool {
        (self.at, self.age) < (other.at, other.age)
    }
}

struct Queue {
    heap: Vec<Entry>,
    ages: u64,
}

static QUEUES: [SpinLock<Queue>; percpu::MAX_CPUS] =
    [const { SpinLock::new(Rank::Timers, Queue { heap: Vec::new(), ages: 0 }) }; percpu::MAX_CPUS];

impl Queue {
    /// Adds an entry; true when it is now the first to fire.
    fn push(&mut self, at: u64, owner: Arc<dyn Expire>) -> bool {
        self.ages += 1;
        self.heap.push(Entry { at, age: self.ages, owner });
        self.rise(self.heap.len() - 1) == 0
    }

    /// Takes out the entry at `index`.
    fn remove(&mut self, index: usize) -> Entry {
        let entry = self.heap.swap_remove(index);
        if index < self.heap.len() && self.rise(index) == index {
            self.sink(index);
        }
        entry
    }

    /// Moves the entry at `index` up to its place and returns that.
    fn rise(&mut self, mut index: usize) -> usize {
        while index > 0 {
            let parent = (index - 1) / 2;
            if !self.heap[index].before(&self.heap[parent]) {
                break;
            }
            self.heap.swap(index, parent);
            self.note(index);
            index = parent;
        }
        self.note(index);
        index
    }

    /// Moves the entry at `index` down to its place.
    fn sink(&mut self, mut index: usize) {
        loop {
            let left = 2 * index + 1;
            let Some(child) = self.heap.get(left) else { break };
            let right = left + 1;
            let first = if self.heap.get(right).is_some_and(|r| r.before(child)) { right } else { left };
            if !self.heap[first].before(&self.heap[index]) {
                break;
            }
            self.heap.swap(index, first);
            self.note(index);
            index = first;
        }
        self.note(index);
    }

    /// Tells the owner of the entry at `index` where it is.
    fn note(&self, index: usize) {
        self.heap[index].owner.timer().index.store(index as u32, Ordering::Relaxed);
    }
}

/// Makes `owner`'s timer fire at `at` (monotonic nanoseconds), on this CPU; a time set before is forgotten. A time in
/// the past fires at the next opportunity.
pub fn arm<T: Expire + 'static>(owner: &Arc<T>, at: u64) {
    let timer = owner.timer();
    let cpu = percpu::cpu_id();
    let first = loop {
        cancel(&**owner);
        let mut queue = QUEUES[cpu].lock();
        // Fails only when another CPU armed it since; the last one to arm wins, so take it out again.
        if timer.queue.compare_exchange(IDLE, cpu as u32, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            break queue.push(at, owner.clone());
        }
    };
    if first {
        clock::wake_at(at);
    }
}

/// Disarms `owner`'s timer: it will not begin to fire after this, not even to repeat. True when it was armed; false
/// when it was not, or fires on another CPU at this moment.
pub fn cancel<T: Expire + ?Sized>(owner: &T) -> bool {
    let timer = owner.timer();
    loop {
        match timer.queue.load(Ordering::Acquire) {
            IDLE => return false,
            FIRING => {
                // Its `expire` goes on, but what it returns will find this and be dropped.
                if timer.queue.compare_exchange(FIRING, IDLE, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    return false;
                }
            }
            cpu => {
                let mut queue = QUEUES[cpu as usize].lock();
                if timer.queue.load(Ordering::Relaxed) != cpu {
                    continue; // It fired or moved before we had the lock.
                }
                let entry = queue.remove(timer.index.load(Ordering::Relaxed) as usize);
                timer.queue.store(IDLE, Ordering::Release);
                drop(queue);
                drop(entry); // Outside the lock: it may be the owner's last reference.
                return true;
            }
        }
    }
}

/// Fires every timer of this CPU that is due, and asks for an interrupt at the next one's time. Called by the clock
/// interrupt with interrupts off.
pub fn expire(now: u64) {
    let cpu = percpu::cpu_id();
    loop {
        let mut queue = QUEUES[cpu].lock();
        let Some(first) = queue.heap.first() else { return };
        if first.at > now {
            let at = first.at;
            drop(queue);
            return clock::wake_at(at);
        }
        let owner = queue.remove(0).owner;
        owner.timer().queue.store(FIRING, Ordering::Release);
        drop(queue);

        let again = owner.clone().expire(now);

        let mut queue = QUEUES[cpu].lock();
        let next = if again.is_some() { cpu as u32 } else { IDLE };
        let timer = owner.timer();
        let ours = timer.queue.compare_exchange(FIRING, next, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if let (Some(at), true) = (again, ours) {
            queue.push(at, owner);
        }
    }
}
