//! Reads unwind data as getunwind(2) returns it: for the programs that print it or walk stacks with it.

use core::fmt;

use super::mapping::{self, MappingError};
use super::{ENTRY, TERMINATOR};
use crate::frame::Frame;
use crate::ia64::{Header, Records, VERSION};

/// Why bytes are not unwind data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// The table is not ended by a zero, or an info block reaches past the end.
    Truncated,
    /// An info block has another version than 1.
    Version(u64),
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated => f.write_str("the unwind data are cut short"),
            Self::Version(version) => write!(f, "unknown version {version} of an info block"),
        }
    }
}

impl core::error::Error for TableError {}

/// One entry of an unwind table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Address of the first byte.
    pub start: u64,
    /// Address of the first byte past the last.
    pub end: u64,
    /// Offset of the info block from the start of the unwind data.
    pub info: usize,
    /// The info block's header word.
    pub header: Header,
    /// The descriptor area, zero padding included.
    pub area: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry's records. Padding shows as empty prologues at the end.
    pub fn records(&self) -> Records<'a> {
        Records::new(self.area)
    }

    /// The frame at the address `ip`.
    pub fn frame_at(&self, ip: u64) -> Result<Frame, MappingError> {
        if ip < self.start || ip >= self.end {
            return Err(MappingError::OutOfRange);
        }
        mapping::frame_at(self.area, ip - self.start)
    }
}

/// The entries of unwind data, in order; stops after the first error.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    data: &'a [u8],
    at: usize,
    done: bool,
}

impl<'a> Entries<'a> {
    /// Reads `data`, all that getunwind(2) copied.
    pub const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, done: false }
    }

    fn word(&self, at: usize) -> Result<u64, TableError> {
        let bytes = self.data.get(at..).and_then(|rest| rest.first_chunk()).ok_or(TableError::Truncated)?;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn entry(&self) -> Result<Option<Entry<'a>>, TableError> {
        let start = self.word(self.at)?;
        if start == 0 {
            return Ok(None);
        }
        let end = self.word(self.at + 8)?;
        let info = usize::try_from(self.word(self.at + 16)?).map_err(|_| TableError::Truncated)?;
        if info > self.data.len() {
            return Err(TableError::Truncated);
        }
        let header = Header(self.word(info)?);
        if header.version() != VERSION {
            return Err(TableError::Version(header.version()));
        }
        let area = self.data.get(info + 8..).and_then(|rest| rest.get(..header.area_len()));
        Ok(Some(Entry { start, end, info, header, area: area.ok_or(TableError::Truncated)? }))
    }

    /// Size of the table so far, with a terminator.
    pub const fn table_len(&self) -> usize {
        self.at + TERMINATOR
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.entry().transpose();
        self.done = !matches!(entry, Some(Ok(_)));
        self.at += if self.done { 0 } else { ENTRY };
        entry
    }
}

/// The entry of `data` that covers the address `ip`.
pub fn find(data: &[u8], ip: u64) -> Option<Entry<'_>> {
    Entries::new(data).map_while(Result::ok).find(|entry| (entry.start..entry.end).contains(&ip))
}
