//! The pages of a file in memory: for tmpfs they are the file.
use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering};

use tollgate_abi::{Errno, Result};

use super::{Sink, Source};
use crate::mm::PAGE_SIZE;
use crate::mm::frame::Frame;
use crate::sync::{Mutex, Rank};
use crate::task::sched;

/// A file's content as pages by index; what has no page reads as zeros.
///
/// Mappings share the very frames. User memory is never touched with the pages locked, because page faults lock them.
/// [`Self::write`] and [`Self::resize`] leave it to the caller to have one of them at a time.
pub struct PageCache {
    pages: Mutex<BTreeMap<u64, Frame>>,
    /// Bytes in the file. Changes with `pages` locked.
    size: AtomicU64,
}

const PAGE: u64 = PAGE_SIZE as u64;

impl PageCache {
    /// No pages, `size` bytes.
    pub const fn new(size: u64) -> Self {
        Self { pages: Mutex::new(Rank::PageCache, BTreeMap::new()), size: AtomicU64::new(size) }
    }

    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    /// Pages it takes.
    pub fn page_count(&self) -> u64 {
        self.pages.lock().len() as u64
    }

    /// The page with this index, made if it was a hole.
    ///
    /// # Errors
    /// `ENXIO` past the end, `ENOMEM`.
    pub fn page(&self, index: u64) -> Result<Frame> {
        let mut pages = self.pages.lock();
        if index >= self.size().div_ceil(PAGE) {
            return Err(Errno::ENXIO);
        }
        if let Some(frame) = pages.get(&index) {
            return Ok(frame.clone());
        }
        let frame = Frame::alloc_zeroed()?;
        pages.insert(index, frame.clone());
        Ok(frame)
    }

    /// The page with this index if there is one.
    pub fn page_at_hand(&self, index: u64) -> Option<Frame> {
        self.pages.lock().get(&index).cloned()
    }

    /// Reads at `offset`, moving it on, up to the end of the file.
    ///
    /// # Errors
    /// `EFAULT` when the first byte could not be put.
    pub fn read(&self, offset: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        let size = self.size();
        while *offset < size && to.remaining() > 0 && !to.faulted() && !sched::give_way() {
            let within = (*offset % PAGE) as usize;
            let want = (PAGE_SIZE - within).min(to.remaining()).min((size - *offset).try_into().unwrap_or(usize::MAX));
            let frame = self.pages.lock().get(&(*offset / PAGE)).cloned();
            let put = match frame {
                // SAFETY: `within + want` is at most a page, and our share keeps the frame alive.
                Some(frame) => unsafe { to.put_raw(frame.as_ptr().add(within), want) },
                None => to.put_zeros(want),
            };
            *offset += put as u64;
        }
        to.result()
    }

    /// Writes at `offset`, moving it on, and extends the file as needed.
    ///
    /// # Errors
    /// `EFAULT` when the first byte could not be taken, `ENOSPC` when no memory is left for the first.
    pub fn write(&self, offset: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        while from.remaining() > 0 && !from.faulted() && !sched::give_way() {
            let within = (*offset % PAGE) as usize;
            let want = (PAGE_SIZE - within).min(from.remaining());
            let index = *offset / PAGE;
            let frame = self.pages.lock().get(&index).cloned();
            let taken = match frame {
                // SAFETY: `within + want` is at most a page, and our share keeps the frame alive.
                Some(frame) => unsafe { from.take_raw(frame.as_ptr().add(within), want) },
                None => match self.fill_hole(index, within, want, from) {
                    Ok(taken) => taken,
                    Err(_) if from.result() != Ok(0) => break,
                    Err(_) => return Err(Errno::ENOSPC),
                },
            };
            *offset += taken as u64;
            if *offset > self.size() {
                let _pages = self.pages.lock();
                self.size.store(*offset, Ordering::Release);
            }
        }
        from.result()
    }

    /// Makes the missing page `index` with `want` bytes from `from` at `within`; returns how many bytes there were.
    fn fill_hole(&self, index: u64, within: usize, want: usize, from: &mut Source<'_>) -> Result<usize> {
        let whole = want == PAGE_SIZE;
        let frame = if whole { Frame::alloc()? } else { Frame::alloc_zeroed()? };
        // SAFETY: `within + want` is at most a page; the frame is ours alone so far.
        let taken = unsafe { from.take_raw(frame.as_ptr().add(within), want) };
        if taken == 0 {
            return Ok(0);
        }
        if whole && taken < PAGE_SIZE {
            // SAFETY: the rest of the page, ours alone.
            unsafe { frame.as_ptr().add(taken).write_bytes(0, PAGE_SIZE - taken) };
        }
        let mut pages = self.pages.lock();
        match pages.get(&index) {
            // Meanwhile a fault made the page, and someone has it mapped: our bytes go there.
            // SAFETY: both frames are alive, and distinct; the range lies within a page.
            Some(made) => unsafe { made.as_ptr().add(within).copy_from(frame.as_ptr().add(within), taken) },
            None => drop(pages.insert(index, frame)),
        }
        Ok(taken)
    }

    /// Cuts or extends the file to `size` bytes.
    ///
    /// True when pages that are cut off are in use elsewhere: whoever has them mapped must lose them, see
    /// [`crate::task::spaces::unmap_object`].
    #[must_use]
    pub fn resize(&self, size: u64) -> bool {
        let mut pages = self.pages.lock();
        let old = self.size();
        self.size.store(size, Ordering::Release);
        if size >= old {
            return false;
        }
        let cut = pages.split_off(&size.div_ceil(PAGE));
        let within = (size % PAGE) as usize;
        if let Some(last) = pages.get(&(size / PAGE)).filter(|_| within > 0) {
            // SAFETY: the end of a page that our share keeps alive; who has it mapped expects it to become zeros.
            unsafe { last.as_ptr().add(within).write_bytes(0, PAGE_SIZE - within) };
        }
        drop(pages);
        cut.values().any(|frame| !frame.is_sole())
    }
}
