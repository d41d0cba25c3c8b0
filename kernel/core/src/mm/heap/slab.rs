//! Small objects: slabs of equal size, and a stock of free objects per class and CPU in front of them.
//!
//! A slab is one frame, so that memory in pieces is no obstacle, and an object's address leads to its slab: the slab's
//! header is at the frame's start. The stocks are lists through the free objects themselves and need no lock, only interrupts off.
use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::{give_frames, take_frames};
use crate::arch::percpu::MAX_CPUS;
use crate::mm::PAGE_SIZE;
use crate::mm::frame::Purpose;
use crate::mm::per_cpu::{PerCpu, Slot};
use crate::sync::{Rank, SpinLock};

const CLASSES: usize = 14;
const LARGEST: usize = 1536;
const SIZES: [usize; CLASSES] = [16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, LARGEST];
/// Requests are looked up in steps of this many bytes.
const STEP: usize = 16;

/// Class for each number of steps.
const CLASS_OF: [u8; LARGEST / STEP + 1] = {
    let mut table = [0; LARGEST / STEP + 1];
    let (mut steps, mut class) = (0, 0);
    while steps < table.len() {
        if steps * STEP > SIZES[class] {
            class += 1;
        }
        table[steps] = class as u8;
        steps += 1;
    }
    table
};

/// Alignment of every object of a class.
const fn alignment(class: usize) -> usize {
    1 << SIZES[class].trailing_zeros()
}

/// Where a slab's first object is.
const fn first_object(class: usize) -> usize {
    size_of::<Slab>().next_multiple_of(alignment(class))
}

const fn objects(class: usize) -> usize {
    (PAGE_SIZE - first_object(class)) / SIZES[class]
}

/// Objects that move between a stock and the slabs at a time; a stock holds at most twice that.
const fn batch(class: usize) -> usize {
    if SIZES[class] <= 256 { 16 } else { 4 }
}

/// The class for a request; `None` when it is too large or too strictly aligned.
#[inline]
pub(super) fn class_for(size: usize, align: usize) -> Option<usize> {
    let class = *CLASS_OF.get(size.div_ceil(STEP))? as usize;
    if align <= STEP {
        return Some(class);
    }
    (class..CLASSES).find(|&class| alignment(class) >= align)
}

/// The head of a slab.
struct Slab {
    next: *mut Slab,
    prev: *mut Slab,
    /// Objects that were used and freed.
    free: *mut u8,
    /// Objects handed out (a stock's count as that).
    in_use: u32,
    /// Objects from this one on were never used.
    fresh: u32,
}

/// The slabs of one class that have a free object, in a list.
struct Partial {
    head: *mut Slab,
    /// Slabs in the list without any object in use: one at most is kept.
    empty: usize,
    /// Slabs in all, listed or full.
    slabs: usize,
    /// Objects handed out (to a stock or to callers).
    in_use: usize,
}

// SAFETY: the slabs belong to whoever holds the lock around this.
unsafe impl Send for Partial {}

/// One class's free objects on one CPU.
struct Stock {
    head: AtomicPtr<u8>,
    len: AtomicUsize,
}

static PARTIAL: [SpinLock<Partial>; CLASSES] =
    [const { SpinLock::new(Rank::Heap, Partial { head: null_mut(), empty: 0, slabs: 0, in_use: 0 }) }; CLASSES];
static STOCKS: PerCpu<[Stock; CLASSES]> = PerCpu(
    [const { Slot([const { Stock { head: AtomicPtr::new(null_mut()), len: AtomicUsize::new(0) } }; CLASSES]) };
        MAX_CPUS],
);

/// Frames that slabs have beyond what the living objects would need if they were packed: so the count of frames in use
/// follows from what lives alone, and not from how it came to be.
pub(super) fn idle_frames() -> usize {
    (0..CLASSES)
        .map(|class| {
            let partial = PARTIAL[class].lock();
            let stocked: usize = STOCKS.all().map(|stocks| stocks[class].len.load(Ordering::Relaxed)).sum();
            let needed = partial.in_use.saturating_sub(stocked).div_ceil(objects(class));
            partial.slabs.saturating_sub(needed)
        })
        .sum()
}

/// An object of `class`; null when there is no memory.
#[inline]
pub(super) fn alloc(class: usize) -> *mut u8 {
    STOCKS.with(|stocks| {
        let stock = &stocks[class];
        if stock.head.load(Ordering::Relaxed).is_null() {
            PARTIAL[class].lock().fill(stock, class);
        }
        stock.pop()
    })
}

/// Takes an object back.
///
/// # Safety
/// It came from [`alloc`] with this class and nobody uses it any more.
#[inline]
pub(super) unsafe fn free(class: usize, object: *mut u8) {
    STOCKS.with(|stocks| {
        let stock = &stocks[class];
        if stock.len.load(Ordering::Relaxed) == 2 * batch(class) {
            let mut partial = PARTIAL[class].lock();
            for _ in 0..batch(class) {
                // SAFETY: what is in the stock came here by `free` or from a slab: a free object of this class.
                unsafe { partial.give(stock.pop(), class) };
            }
        }
        // SAFETY: the caller gives us the object.
        unsafe { stock.push(object) };
    });
}

impl Stock {
    /// The next object; null when there is none.
    fn pop(&self) -> *mut u8 {
        let object = self.head.load(Ordering::Relaxed);
        if !object.is_null() {
            // SAFETY: a free object's first word is the list's link, written by `push`.
            self.head.store(unsafe { object.cast::<*mut u8>().read() }, Ordering::Relaxed);
            self.len.store(self.len.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        }
        object
    }

    /// # Safety
    /// `object` is a free object of the stock's class.
    unsafe fn push(&self, object: *mut u8) {
        // SAFETY: a free object is ours to write; every class has room for a pointer and aligns it.
        unsafe { object.cast::<*mut u8>().write(self.head.load(Ordering::Relaxed)) };
        self.head.store(object, Ordering::Relaxed);
        self.len.store(self.len.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

impl Partial {
    /// Moves up to a batch of objects into an empty stock: none when there is no memory.
    #[cold]
    fn fill(&mut self, stock: &Stock, class: usize) {
        for _ in 0..batch(class) {
            if self.head.is_null() && !self.grow() {
                return;
            }
            // SAFETY: slabs in the list are ours (the lock is held) and have a free object.
            unsafe { stock.push(self.take(class)) };
        }
    }

    /// Adds a slab.
    fn grow(&mut self) -> bool {
        let slab: *mut Slab = take_frames(1, Purpose::Kernel).cast();
        if slab.is_null() {
            return false;
        }
        // SAFETY: the frames are ours, and a slab's header fits and is aligned at their start.
        unsafe { slab.write(Slab { next: null_mut(), prev: null_mut(), free: null_mut(), in_use: 0, fresh: 0 }) };
        self.empty += 1;
        self.slabs += 1;
        // SAFETY: the slab is not in the list.
        unsafe { self.link(slab) };
        true
    }

    /// Takes an object from the first slab.
    ///
    /// # Safety
    /// There is one.
    unsafe fn take(&mut self, class: usize) -> *mut u8 {
        // SAFETY: the slab is in the list: it is ours, and has a free or a fresh object.
        unsafe {
            let slab = &mut *self.head;
            let object = slab.free;
            let object = if object.is_null() {
                slab.fresh += 1;
                self.head.cast::<u8>().add(first_object(class) + (slab.fresh as usize - 1) * SIZES[class])
            } else {
                slab.free = object.cast::<*mut u8>().read();
                object
            };
            slab.in_use += 1;
            if slab.in_use == 1 {
                self.empty -= 1;
            }
            self.in_use += 1;
            if (*self.head).in_use as usize == objects(class) {
                self.unlink(self.head);
            }
            object
        }
    }

    /// Gives an object back to its slab.
    ///
    /// # Safety
    /// It is an object of this class, in no stock and not in use.
    unsafe fn give(&mut self, object: *mut u8, class: usize) {
        let address = object as usize;
        let slab = object.wrapping_sub(address % PAGE_SIZE).cast::<Slab>();
        // SAFETY: the object's slab starts at the multiple of its size below, and is ours while the lock is held.
        unsafe {
            object.cast::<*mut u8>().write((*slab).free);
            (*slab).free = object;
            (*slab).in_use -= 1;
            self.in_use -= 1;
            let in_use = (*slab).in_use as usize;
            if in_use == objects(class) - 1 {
                self.link(slab);
            }
            if in_use == 0 {
                if self.empty > 0 {
                    self.unlink(slab);
                    self.slabs -= 1;
                    give_frames(slab.cast(), 1);
                } else {
                    self.empty += 1;
                }
            }
        }
    }

    /// # Safety
    /// `slab` is a slab of this class that is not in the list.
    unsafe fn link(&mut self, slab: *mut Slab) {
        // SAFETY: the slab and the list are ours.
        unsafe {
            (*slab).next = self.head;
            (*slab).prev = null_mut();
            if let Some(head) = self.head.as_mut() {
                head.prev = slab;
            }
        }
        self.head = slab;
    }

    /// # Safety
    /// `slab` is in the list.
    unsafe fn unlink(&mut self, slab: *mut Slab) {
        // SAFETY: the slab and its neighbours are in the list, which is ours.
        unsafe {
            let (next, prev) = ((*slab).next, (*slab).prev);
            match prev.as_mut() {
                Some(prev) => prev.next = next,
                None => self.head = next,
            }
            if let Some(next) = next.as_mut() {
                next.prev = prev;
            }
        }
    }
}
