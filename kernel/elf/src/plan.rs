//! From program headers to a plan of mappings.
use alloc::vec::Vec;
use core::ops::Range;

use tollgate_abi::{Errno, Result};
use zerocopy::FromBytes;

use crate::header::{Header, Kind, ProgramHeader};

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_GNU_STACK: u32 = 0x6474_e551;
const PF_X: u32 = 1;
const PF_W: u32 = 2;
const PF_R: u32 = 4;

const PAGE: u64 = 4096;
const PATH_MAX: u64 = 4096;

/// One loadable segment, in whole pages. Addresses are before moving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First page that holds bytes of the file; page-aligned.
    pub start: u64,
    /// Where those pages begin in the file; page-aligned.
    pub file_offset: u64,
    /// Where the file's bytes end; from here to the end of the page, and of the segment, memory is zero. Equal to
    /// `start` when the segment takes nothing from the file.
    pub file_end: u64,
    /// End of the segment; page-aligned.
    pub end: u64,
    /// Whether the program counts on the zeros after `file_end`: its memory is larger than its part of the file.
    pub zero_tail: bool,
    /// Whether it may be read.
    pub read: bool,
    /// Whether it may be written.
    pub write: bool,
    /// Whether it may be executed.
    pub execute: bool,
}

impl Segment {
    /// End of the pages that come from the file; page-aligned.
    pub fn file_pages_end(&self) -> u64 {
        self.file_end.next_multiple_of(PAGE)
    }
}

/// How to lay a program out in memory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Fixed or movable.
    pub kind: Kind,
    /// Entry point, before moving.
    pub entry: u64,
    /// What to map, in the order of the file (later segments go over earlier ones); at least one.
    pub segments: Vec<Segment>,
    /// Lowest and highest address of all segments; page-aligned.
    pub span: Range<u64>,
    /// Alignment a movable program asks for; a power of two, at least a page.
    pub align: u64,
    /// Where the program headers will be in memory, before moving, if they are loaded at all.
    pub headers_at: Option<u64>,
    /// Where in the file the interpreter's path is, with its final NUL.
    pub interpreter: Option<Range<u64>>,
    /// Whether the stack must be executable, if the program says.
    pub executable_stack: Option<bool>,
}

impl Plan {
    /// Makes the plan from the table of program headers. `limit` is the end of user space.
    ///
    /// # Errors
    /// `ENOEXEC` for tables that make no program; `EINVAL` for segments that cannot be mapped (outside user space,
    /// larger in the file than in memory, not aligned alike in both); `ENOMEM` when there is no room for the plan.
    pub fn new(header: &Header, table: &[u8], limit: u64) -> Result<Self> {
        let mut plan = Self {
            kind: header.kind,
            entry: header.entry,
            segments: Vec::new(),
            span: 0..0,
            align: PAGE,
            headers_at: None,
            interpreter: None,
            executable_stack: None,
        };
        let entries = <[ProgramHeader]>::ref_from_prefix_with_elems(table, header.table_count);
        for entry in entries.map_err(|_| Errno::ENOEXEC)?.0 {
            match entry.kind.get() {
                PT_LOAD => {
                    if entry.memory_size.get() == 0 {
                        continue;
                    }
                    plan.segments.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    plan.add(segment(entry, limit)?);
                    plan.align = plan.align.max(alignment(entry));
                    plan.headers_at = plan.headers_at.or_else(|| table_address(header, entry));
                }
                PT_INTERP if plan.interpreter.is_none() => plan.interpreter = Some(interpreter(entry)?),
                PT_GNU_STACK => plan.executable_stack = Some(entry.flags.get() & PF_X != 0),
                _ => {}
            }
        }
        if plan.segments.is_empty() {
            return Err(Errno::ENOEXEC);
        }
        if header.kind == Kind::Fixed && header.entry >= limit {
            return Err(Errno::EINVAL);
        }
        Ok(plan)
    }

    fn add(&mut self, segment: Segment) {
        self.span = if self.segments.is_empty() {
            segment.start..segment.end
        } else {
            self.span.start.min(segment.start)..self.span.end.max(segment.end)
        };
        self.segments.push(segment);
    }
}

fn segment(entry: &ProgramHeader, limit: u64) -> Result<Segment> {
    let (address, offset) = (entry.address.get(), entry.offset.get());
    let (file_size, memory_size) = (entry.file_size.get(), entry.memory_size.get());
    let end = address.checked_add(memory_size).filter(|&end| end <= limit).ok_or(Errno::EINVAL)?;
    if file_size > memory_size {
        return Err(Errno::EINVAL);
    }
    let start = address & !(PAGE - 1);
    // Bytes of the file are mapped, not copied: both sides must be the same distance from a page's start.
    let (file_offset, file_end) = if file_size == 0 {
        (0, start)
    } else if offset % PAGE != address % PAGE || offset.checked_add(file_size).is_none_or(|end| end > i64::MAX as u64) {
        return Err(Errno::EINVAL);
    } else {
        (offset & !(PAGE - 1), address + file_size)
    };
    let flags = entry.flags.get();
    Ok(Segment {
        start,
        file_offset,
        file_end,
        end: end.next_multiple_of(PAGE),
        zero_tail: memory_size > file_size,
        read: flags & PF_R != 0,
        write: flags & PF_W != 0,
        execute: flags & PF_X != 0,
    })
}

fn alignment(entry: &ProgramHeader) -> u64 {
    let align = entry.align.get();
    // A wish that makes no sense, or for more than 1 GiB, is none.
    if align.is_power_of_two() && align <= 1 << 30 { align } else { PAGE }
}

/// Where in memory the table of program headers is, if this segment's part of the file holds its start.
fn table_address(header: &Header, entry: &ProgramHeader) -> Option<u64> {
    let inside = header.table_offset.checked_sub(entry.offset.get())?;
    (inside < entry.file_size.get()).then(|| entry.address.get() + inside)
}

fn interpreter(entry: &ProgramHeader) -> Result<Range<u64>> {
    let (offset, size) = (entry.offset.get(), entry.file_size.get());
    if !(2..=PATH_MAX).contains(&size) {
        return Err(Errno::ENOEXEC);
    }
    Ok(offset..offset.checked_add(size).ok_or(Errno::ENOEXEC)?)
}
