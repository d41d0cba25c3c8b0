//! Access to the current task's user memory: every access may fail, none can hurt the kernel.
//!
//! Pages are faulted in on the way (so these may sleep, and may not be called with a spinning lock held, nor with a
//! sleeping lock of rank [`crate::sync::Rank::AddressSpace`] or later). To reach another task's memory see
//! [`super::space::AddressSpace`].
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, size_of};

use tollgate_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::PAGE_SIZE;
use super::addr::UserAddr;
use crate::arch::copy;

/// A user program's pointer to one or more `T`. Alignment is not required, as on Linux.
pub struct UserPtr<T> {
    addr: UserAddr,
    pointee: PhantomData<*const T>,
}

impl<T> Clone for UserPtr<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for UserPtr<T> {}

// SAFETY: it is only a number; nothing is dereferenced without checks against the current address space.
unsafe impl<T> Send for UserPtr<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for UserPtr<T> {}

impl<T> fmt::Debug for UserPtr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

impl<T> UserPtr<T> {
    /// The pointer with this address.
    pub const fn new(addr: UserAddr) -> Self {
        Self { addr, pointee: PhantomData }
    }

    /// Its address.
    pub const fn addr(self) -> UserAddr {
        self.addr
    }

    /// Whether it is null.
    pub const fn is_null(self) -> bool {
        self.addr.is_null()
    }

    /// `None` for the null pointer: for arguments that may be left out.
    pub fn non_null(self) -> Option<Self> {
        (!self.is_null()).then_some(self)
    }

    /// The pointer to the element `count` further on.
    pub const fn add(self, count: usize) -> Self {
        Self::new(self.addr.wrapping_add((count as u64).wrapping_mul(size_of::<T>() as u64)))
    }
}

impl<T: FromBytes> UserPtr<T> {
    /// Copies one `T` in.
    ///
    /// # Errors
    /// `EFAULT` when any byte of it cannot be read.
    pub fn read(self) -> Result<T> {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: `value` has room for `size_of::<T>()` bytes.
        let left = unsafe { copy::from_user(value.as_mut_ptr().cast(), self.addr, size_of::<T>()) };
        if left != 0 {
            return Err(Errno::EFAULT);
        }
        // SAFETY: all bytes were written, and `FromBytes` says that any bytes make a `T`.
        Ok(unsafe { value.assume_init() })
    }

    /// Copies `count` consecutive `T` in.
    ///
    /// # Errors
    /// `EFAULT` when they cannot be read, `ENOMEM` when the kernel has no room for them; the caller bounds `count`.
    pub fn read_vec(self, count: usize) -> Result<Vec<T>> {
        let mut values = Vec::new();
        values.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
        for i in 0..count {
            values.push(self.add(i).read()?);
        }
        Ok(values)
    }
}

impl<T: IntoBytes + Immutable> UserPtr<T> {
    /// Copies one `T` out.
    ///
    /// # Errors
    /// `EFAULT` when any byte of it cannot be written (earlier bytes may have been).
    pub fn write(self, value: &T) -> Result<()> {
        write_bytes(self.addr, value.as_bytes())
    }
}

/// Copies `out.len()` bytes in.
///
/// # Errors
/// `EFAULT` when not all could be read; see [`read_some`] for how many.
pub fn read_bytes(from: UserAddr, out: &mut [u8]) -> Result<()> {
    if read_some(from, out) == out.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies bytes in until `out` is full or a byte cannot be read; returns how many.
pub fn read_some(from: UserAddr, out: &mut [u8]) -> usize {
    // SAFETY: `out` has room for `out.len()` bytes.
    let left = unsafe { copy::from_user(out.as_mut_ptr(), from, out.len()) };
    out.len() - left
}

/// Copies `bytes` out.
///
/// # Errors
/// `EFAULT` when not all could be written; see [`write_some`] for how many.
pub fn write_bytes(to: UserAddr, bytes: &[u8]) -> Result<()> {
    if write_some(to, bytes) == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Copies `bytes` out until done or a byte cannot be written; returns how many.
pub fn write_some(to: UserAddr, bytes: &[u8]) -> usize {
    // SAFETY: `bytes` is readable for its length.
    let left = unsafe { copy::to_user(to, bytes.as_ptr(), bytes.len()) };
    bytes.len() - left
}

/// Fills `len` bytes with zeros; returns how many could be written.
pub fn zero_some(to: UserAddr, len: usize) -> usize {
    const ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
    let mut done = 0;
    while done < len {
        let chunk = (len - done).min(PAGE_SIZE);
        let wrote = write_some(to.wrapping_add(done as u64), &ZEROS[..chunk]);
        done += wrote;
        if wrote < chunk {
            break;
        }
    }
    done
}

/// Copies a NUL-terminated string in, without the NUL.
///
/// # Errors
/// `EFAULT` when it cannot be read, `too_long` when there is no NUL among the first `max` bytes.
pub fn read_string(from: UserAddr, max: usize, too_long: Errno) -> Result<Vec<u8>> {
    let mut string = Vec::new();
    let mut chunk = [0u8; 256];
    loop {
        let at = from.wrapping_add(string.len() as u64);
        // Never past the page that holds the next byte: the string may end right before an unmapped page.
        let want = chunk.len().min(PAGE_SIZE - at.page_offset()).min(max - string.len());
        if want == 0 {
            return Err(too_long);
        }
        let got = read_some(at, &mut chunk[..want]);
        if got == 0 {
            return Err(Errno::EFAULT);
        }
        let end = chunk[..got].iter().position(|&b| b == 0);
        string.try_reserve(got).map_err(|_| Errno::ENOMEM)?;
        string.extend_from_slice(&chunk[..end.unwrap_or(got)]);
        if end.is_some() {
            return Ok(string);
        }
    }
}
