//! The free frames: one buddy allocator for the machine, a cache for each CPU.
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use tollgate_abi::{Errno, Result};
use tollgate_vm::buddy::{Buddy, Link};

use super::Stats;
use crate::arch::percpu::MAX_CPUS;
use crate::mm::addr::PhysAddr;
use crate::mm::per_cpu::{FrameStack, PerCpu, Slot};
use crate::mm::{PAGE_SIZE, heap, kspace, space};
use crate::sync::{Rank, SpinLock};

/// Most frames a CPU keeps at hand.
const CACHE: usize = 64;
/// How many move between a CPU's cache and the buddy allocator at a time.
const BATCH: usize = CACHE / 2;

/// Whom a frame is for: how deep into the reserve the request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// User memory and what is charged to it: not into the reserve.
    User,
    /// Large kernel objects: half of it.
    LargeObject,
    /// Small kernel objects, which callers cannot do without: all of it.
    Kernel,
}

/// What is kept for each frame, free or not.
#[derive(Debug, Default)]
pub(in crate::mm) struct Meta {
    /// Shares in it; see [`super::Frame`].
    pub(in crate::mm) shares: AtomicU32,
    /// For a page table of a user address space: entries in use.
    pub(in crate::mm) entries: AtomicU32,
}

static POOL: SpinLock<Option<Buddy<'static>>> = SpinLock::new(Rank::Frames, None);
/// The buddy allocator's count of free frames, to look at without its lock.
static FREE: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static RESERVE: AtomicUsize = AtomicUsize::new(0);
static META: AtomicPtr<Meta> = AtomicPtr::new(core::ptr::null_mut());
static META_LEN: AtomicUsize = AtomicUsize::new(0);
static CACHES: PerCpu<Cache> = PerCpu([const { Slot(Cache::new()) }; MAX_CPUS]);

/// Frames at hand on one CPU.
type Cache = FrameStack<CACHE>;

/// Takes one frame from the buddy allocator, and some more into `cache` when there are plenty.
#[cold]
fn refill(cache: &Cache, purpose: Purpose) -> Option<u32> {
    with_pool(|pool| {
        if pool.free_frames() <= purpose.floor() {
            return None;
        }
        let frame = pool.take(0)?;
        // What is cached serves any purpose, so none of it may come from the reserve.
        let spare = pool.free_frames().saturating_sub(Purpose::User.floor());
        for _ in 0..spare.min(BATCH - 1) {
            cache.push(pool.take(0)?);
        }
        Some(frame)
    })
}

/// Moves a batch from a full cache to the buddy allocator.
#[cold]
fn drain(cache: &Cache) {
    with_pool(|pool| {
        for frame in (0..BATCH).filter_map(|_| cache.pop()) {
            pool.give(frame, 0);
        }
    });
}

impl Purpose {
    /// Frames that must stay free.
    fn floor(self) -> usize {
        let reserve = RESERVE.load(Ordering::Relaxed);
        match self {
            Self::User => reserve,
            Self::LargeObject => reserve / 2,
            Self::Kernel => 0,
        }
    }
}

fn with_pool<R>(f: impl FnOnce(&mut Buddy<'static>) -> R) -> R {
    let mut pool = POOL.lock();
    let pool = pool.as_mut().expect("frames are set up first");
    let result = f(pool);
    FREE.store(pool.free_frames(), Ordering::Relaxed);
    result
}

/// Gives the allocator its books, for frames `0..links.len()`; none is free yet.
pub(in crate::mm) fn init(links: &'static mut [Link], meta: &'static mut [Meta]) {
    META_LEN.store(meta.len(), Ordering::Relaxed);
    META.store(meta.as_mut_ptr(), Ordering::Release);
    *POOL.lock() = Some(Buddy::new(links));
}

/// Hands `count` frames of RAM from number `start` to the allocator, at boot.
pub(in crate::mm) fn add_free(start: u32, count: usize) {
    with_pool(|pool| pool.give_run(start, count));
    let total = TOTAL.fetch_add(count, Ordering::Relaxed) + count;
    RESERVE.store((total / 64).clamp(256, 4096).min(total / 4), Ordering::Relaxed);
}

/// What is kept of frame `number`.
///
/// # Panics
/// When there is no such frame.
#[inline]
pub(in crate::mm) fn meta(number: u32) -> &'static Meta {
    assert!((number as usize) < META_LEN.load(Ordering::Relaxed));
    // SAFETY: `init` stored an array of that many, which lives for ever.
    unsafe { &*META.load(Ordering::Relaxed).add(number as usize) }
}

/// Takes one free frame.
#[inline]
pub(super) fn take(purpose: Purpose) -> Option<u32> {
    CACHES.with(|cache| cache.pop().or_else(|| refill(cache, purpose)))
}

/// Gives one frame back.
#[inline]
pub(super) fn give(frame: u32) {
    CACHES.with(|cache| {
        if !cache.push(frame) {
            drain(cache);
            cache.push(frame);
        }
    });
}

/// Takes one frame, which has no shares.
pub(in crate::mm) fn take_one(purpose: Purpose) -> Option<PhysAddr> {
    take(purpose).map(|number| PhysAddr::new(u64::from(number) * PAGE_SIZE as u64))
}

/// Gives back a frame of [`take_one`].
///
/// # Safety
/// Nothing refers to it any more.
pub(in crate::mm) unsafe fn free_one(frame: PhysAddr) {
    give((frame.as_u64() / PAGE_SIZE as u64) as u32);
}

/// Takes `count` consecutive frames, which have no shares. `None`: no memory, or not in one piece.
pub(in crate::mm) fn take_run(count: usize, purpose: Purpose) -> Option<PhysAddr> {
    with_pool(|pool| {
        if pool.free_frames() < purpose.floor() + count {
            return None;
        }
        pool.take_run(count).map(|number| PhysAddr::new(u64::from(number) * PAGE_SIZE as u64))
    })
}

/// Gives back frames of [`take_run`], all or any part of them.
///
/// # Safety
/// Nothing refers to them any more.
pub(in crate::mm) unsafe fn free_run(start: PhysAddr, count: usize) {
    with_pool(|pool| pool.give_run((start.as_u64() / PAGE_SIZE as u64) as u32, count));
}

/// Exact counts, for /proc/meminfo and the leak checks.
pub fn stats() -> Stats {
    // Frames move between the caches and the buddy allocator under its lock only.
    let pool = POOL.lock();
    let free = pool.as_ref().map_or(0, Buddy::free_frames);
    let cached: usize = CACHES.all().map(Cache::len).sum();
    drop(pool);
    let total = TOTAL.load(Ordering::Relaxed);
    let idle = free + cached + kspace::idle_frames() + heap::idle_frames() + space::idle_frames();
    Stats { total, used: total.saturating_sub(idle) }
}

/// Called by system calls before they make kernel objects (fork, open, mmap ...).
///
/// # Errors
/// `ENOMEM` when free memory is down to the reserve that keeps small kernel allocations from ever failing.
pub fn headroom() -> Result<()> {
    if FREE.load(Ordering::Relaxed) > Purpose::User.floor() { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Frames that the allocator manages.
pub fn total() -> usize {
    TOTAL.load(Ordering::Relaxed)
}
