//! Argument and environment strings on their way from the old program to the new.
use alloc::vec::Vec;

use tollgate_abi::process::Resource;
use tollgate_abi::{Errno, Result};

use crate::mm::PAGE_SIZE;
use crate::mm::addr::UserAddr;
use crate::mm::user::{UserPtr, read_some};
use crate::task::current;

/// Longest single string, with its NUL (MAX_ARG_STRLEN).
const MAX_STRING: usize = 32 * PAGE_SIZE;
/// Room that arguments and environment always have (ARG_MAX).
const MIN_ROOM: usize = 32 * PAGE_SIZE;
/// Room they have at most, whatever the stack limit: three quarters of 8 MiB.
const MAX_ROOM: usize = 6 << 20;

/// A list of strings, back to back, each with its NUL.
#[derive(Default)]
pub struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

impl Strings {
    /// A list made by the kernel.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn of(strings: &[&[u8]]) -> Result<Self> {
        let mut list = Self::default();
        for string in strings {
            list.bytes.try_reserve(string.len() + 1).map_err(|_| Errno::ENOMEM)?;
            list.bytes.extend_from_slice(string);
            list.bytes.push(0);
            list.count += 1;
        }
        Ok(list)
    }

    /// Copies in the strings of a null-terminated array of pointers; a null array is an empty list.
    ///
    /// # Errors
    /// `EFAULT` when array or strings cannot be read, `E2BIG` when they are too long, `ENOMEM`.
    pub fn read(array: UserPtr<u64>) -> Result<Self> {
        let mut list = Self::default();
        if array.is_null() {
            return Ok(list);
        }
        let room = room();
        loop {
            let string = array.add(list.count).read()?;
            if string == 0 {
                return Ok(list);
            }
            list.read_string(UserAddr(string))?;
            list.count += 1;
            if list.size() > room {
                return Err(Errno::E2BIG);
            }
        }
    }

    fn read_string(&mut self, from: UserAddr) -> Result<()> {
        /// Most strings fit in one go.
        const CHUNK: usize = 128;
        let start = self.bytes.len();
        loop {
            let done = self.bytes.len() - start;
            let at = from.wrapping_add(done as u64);
            // Never past the page of the next byte: the string may end right before an unmapped page.
            let want = CHUNK.min(PAGE_SIZE - at.page_offset()).min(MAX_STRING - done);
            if want == 0 {
                return Err(Errno::E2BIG);
            }
            let end = self.bytes.len();
            self.bytes.try_reserve(want).map_err(|_| Errno::ENOMEM)?;
            self.bytes.resize(end + want, 0);
            let got = read_some(at, &mut self.bytes[end..]);
            if got == 0 {
                return Err(Errno::EFAULT);
            }
            if let Some(nul) = self.bytes[end..end + got].iter().position(|&b| b == 0) {
                self.bytes.truncate(end + nul + 1);
                return Ok(());
            }
            self.bytes.truncate(end + got);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// All of them, each with its NUL.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Offset of each in [`Self::bytes`].
    pub fn offsets(&self) -> impl Iterator<Item = usize> {
        let ends = self.bytes.iter().enumerate().filter(|&(_, &b)| b == 0).map(|(at, _)| at + 1);
        core::iter::once(0).chain(ends).take(self.count)
    }

    /// Puts `string` before all others.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn push_front(&mut self, string: &[u8]) -> Result<()> {
        self.splice_front(0, string)?;
        self.count += 1;
        Ok(())
    }

    /// Puts `string` in place of the first, if there is one, else as the only one.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn replace_first(&mut self, string: &[u8]) -> Result<()> {
        let first = self.bytes.iter().position(|&b| b == 0).map_or(0, |nul| nul + 1);
        self.splice_front(first, string)?;
        self.count = self.count.max(1);
        Ok(())
    }

    fn splice_front(&mut self, remove: usize, string: &[u8]) -> Result<()> {
        self.bytes.try_reserve(string.len() + 1).map_err(|_| Errno::ENOMEM)?;
        self.bytes.splice(..remove, string.iter().copied().chain([0]));
        Ok(())
    }

    /// Bytes the list takes on the new stack, pointers included.
    fn size(&self) -> usize {
        self.bytes.len() + self.count * size_of::<u64>()
    }

    /// Checks that this list and `other` fit together.
    ///
    /// # Errors
    /// `E2BIG`.
    pub(super) fn check_room(&self, other: &Self) -> Result<()> {
        if self.size() + other.size() > room() { Err(Errno::E2BIG) } else { Ok(()) }
    }
}

/// Bytes that arguments and environment may take: a quarter of the stack, within bounds.
fn room() -> usize {
    let stack = usize::try_from(current().process.limits.soft(Resource::Stack)).unwrap_or(usize::MAX);
    (stack / 4).clamp(MIN_ROOM, MAX_ROOM)
}
