//! Where the bytes of a read go and where those of a write come from: user memory, scattered user memory or a kernel
//! buffer, behind one type each, so that every file has one read and one write.
use core::marker::PhantomData;

use tollgate_abi::fs::{IoVec, MAX_RW_COUNT};
use tollgate_abi::{Errno, Result};

use crate::arch::copy;
use crate::mm::addr::UserAddr;

/// A run of segments, walked from front to back.
struct Segments<'a> {
    /// Whether addresses are the user program's; else they are the kernel's.
    user: bool,
    at: u64,
    /// Bytes left in the segment at `at`.
    here: usize,
    rest: &'a [IoVec],
    /// Bytes left in all segments.
    left: usize,
    done: usize,
    faulted: bool,
}

impl<'a> Segments<'a> {
    fn user(addr: UserAddr, len: usize) -> Result<Self> {
        addr.check_range(len)?;
        let len = len.min(MAX_RW_COUNT);
        Ok(Self { user: true, at: addr.0, here: len, rest: &[], left: len, done: 0, faulted: false })
    }

    fn vector(vector: &'a [IoVec]) -> Result<Self> {
        let mut left = 0usize;
        for segment in vector {
            let len = isize::try_from(segment.len).map_err(|_| Errno::EINVAL)? as usize;
            UserAddr(segment.base).check_range(len)?;
            left = left.checked_add(len).filter(|&sum| sum <= isize::MAX as usize).ok_or(Errno::EINVAL)?;
        }
        let left = left.min(MAX_RW_COUNT);
        Ok(Self { user: true, at: 0, here: 0, rest: vector, left, done: 0, faulted: false })
    }

    const fn kernel(at: u64, len: usize) -> Self {
        Self { user: false, at, here: len, rest: &[], left: len, done: 0, faulted: false }
    }

    /// Calls `move_bytes(address, kernel offset, len)` for one run after the other until `len` bytes are done or a
    /// call leaves some (it returns how many it left). Returns the bytes moved.
    fn advance(&mut self, len: usize, mut move_bytes: impl FnMut(u64, usize, usize) -> usize) -> usize {
        let len = len.min(self.left);
        let mut moved = 0;
        while moved < len && !self.faulted {
            while self.here == 0 {
                let (first, rest) = self.rest.split_first().expect("left counts the segments' bytes");
                self.at = first.base;
                self.here = first.len as usize;
                self.rest = rest;
            }
            let run = self.here.min(len - moved);
            let not_moved = move_bytes(self.at, moved, run);
            let got = run - not_moved;
            self.faulted = not_moved > 0;
            self.at = self.at.wrapping_add(got as u64);
            self.here -= got;
            moved += got;
        }
        self.left -= moved;
        self.done += moved;
        moved
    }

    fn result(&self) -> Result<usize> {
        if self.done == 0 && self.faulted { Err(Errno::EFAULT) } else { Ok(self.done) }
    }
}

/// Where the bytes of a read go.
pub struct Sink<'a> {
    segments: Segments<'a>,
    buffer: PhantomData<&'a mut [u8]>,
}

impl<'a> Sink<'a> {
    /// User memory.
    ///
    /// # Errors
    /// `EFAULT` when it is not all in user space.
    pub fn user(addr: UserAddr, len: usize) -> Result<Self> {
        Ok(Self { segments: Segments::user(addr, len)?, buffer: PhantomData })
    }

    /// Scattered user memory.
    ///
    /// # Errors
    /// `EFAULT` when it is not all in user space, `EINVAL` when it is too long.
    pub fn vector(vector: &'a [IoVec]) -> Result<Self> {
        Ok(Self { segments: Segments::vector(vector)?, buffer: PhantomData })
    }

    /// A kernel buffer.
    pub fn kernel(buffer: &'a mut [u8]) -> Self {
        Self { segments: Segments::kernel(buffer.as_mut_ptr() as u64, buffer.len()), buffer: PhantomData }
    }

    /// Bytes there is still room for.
    pub fn remaining(&self) -> usize {
        self.segments.left
    }

    /// Whether user memory could not be written; nothing more can be put.
    pub fn faulted(&self) -> bool {
        self.segments.faulted
    }

    /// What the read returns: the bytes put, or `EFAULT` if the first could not be.
    ///
    /// # Errors
    /// As said.
    pub fn result(&self) -> Result<usize> {
        self.segments.result()
    }

    /// Appends as many of `bytes` as fit and can be written; returns how many.
    pub fn put(&mut self, bytes: &[u8]) -> usize {
        // SAFETY: the slice is readable for its length.
        unsafe { self.put_raw(bytes.as_ptr(), bytes.len()) }
    }

    /// As [`Self::put`], from memory that others may be changing (a frame of a page cache).
    ///
    /// # Safety
    /// `from` must be readable for `len` bytes.
    pub unsafe fn put_raw(&mut self, from: *const u8, len: usize) -> usize {
        let user = self.segments.user;
        self.segments.advance(len, |to, offset, run| {
            // SAFETY: `advance` stays within `len` bytes of `from`; a kernel destination is the buffer that `kernel`
            // borrowed exclusively for our lifetime.
            unsafe {
                if user {
                    copy::to_user(UserAddr(to), from.add(offset), run)
                } else {
                    core::ptr::copy(from.add(offset), to as *mut u8, run);
                    0
                }
            }
        })
    }

    /// Appends `len` zeros as far as they fit; returns how many.
    pub fn put_zeros(&mut self, len: usize) -> usize {
        const ZEROS: [u8; crate::mm::PAGE_SIZE] = [0; crate::mm::PAGE_SIZE];
        let mut done = 0;
        while done < len {
            let chunk = (len - done).min(ZEROS.len());
            let put = self.put(&ZEROS[..chunk]);
            done += put;
            if put < chunk {
                break;
            }
        }
        done
    }
}

/// Where the bytes of a write come from.
pub struct Source<'a> {
    segments: Segments<'a>,
    buffer: PhantomData<&'a [u8]>,
}

impl<'a> Source<'a> {
    /// User memory.
    ///
    /// # Errors
    /// `EFAULT` when it is not all in user space.
    pub fn user(addr: UserAddr, len: usize) -> Result<Self> {
        Ok(Self { segments: Segments::user(addr, len)?, buffer: PhantomData })
    }

    /// Scattered user memory.
    ///
    /// # Errors
    /// `EFAULT` when it is not all in user space, `EINVAL` when it is too long.
    pub fn vector(vector: &'a [IoVec]) -> Result<Self> {
        Ok(Self { segments: Segments::vector(vector)?, buffer: PhantomData })
    }

    /// A kernel buffer.
    pub fn kernel(buffer: &'a [u8]) -> Self {
        Self { segments: Segments::kernel(buffer.as_ptr() as u64, buffer.len()), buffer: PhantomData }
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> usize {
        self.segments.left
    }

    /// Whether user memory could not be read; nothing more can be taken.
    pub fn faulted(&self) -> bool {
        self.segments.faulted
    }

    /// What the write returns if all that was taken counts: the bytes taken, or `EFAULT` if the first could not be.
    ///
    /// # Errors
    /// As said.
    pub fn result(&self) -> Result<usize> {
        self.segments.result()
    }

    /// Takes up to `buffer.len()` bytes; returns how many.
    pub fn take(&mut self, buffer: &mut [u8]) -> usize {
        // SAFETY: the slice is writable for its length.
        unsafe { self.take_raw(buffer.as_mut_ptr(), buffer.len()) }
    }

    /// As [`Self::take`], into memory that others may be reading and changing (a frame of a page cache).
    ///
    /// # Safety
    /// `to` must be writable for `len` bytes, and the kernel must hold no reference into it.
    pub unsafe fn take_raw(&mut self, to: *mut u8, len: usize) -> usize {
        let user = self.segments.user;
        self.segments.advance(len, |from, offset, run| {
            // SAFETY: `advance` stays within `len` bytes of `to`; a kernel source is the buffer that `kernel` borrowed
            // for our lifetime.
            unsafe {
                if user {
                    copy::from_user(to.add(offset), UserAddr(from), run)
                } else {
                    core::ptr::copy(from as *const u8, to.add(offset), run);
                    0
                }
            }
        })
    }
}
