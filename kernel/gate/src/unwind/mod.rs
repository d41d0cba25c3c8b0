//! The unwind data of getunwind(2): the gate image's frames as an IA-64 unwind table.
//!
//! ```text
//! 0         n entries of 24 bytes: u64 start, u64 end, u64 info     addresses; info counts from the buffer's start
//! 24n       u64 0                                                   ends the table
//! 24n + 8   info blocks, the last entry's first                     header word, records, zeros up to 8 bytes
//! ```
//!
//! How an x86-64 frame is put into IA-64 records is in [`mapping`]; `docs/src/gate.md` explains it to people.

pub mod mapping;
pub mod table;

use crate::frame::{Frame, Function};
use crate::image::FUNCTIONS;
use mapping::InfoBlock;

/// Size of a table entry.
const ENTRY: usize = 24;
/// Size of the zero that ends the table.
const TERMINATOR: usize = 8;

/// Size in bytes of the unwind data; the same in every process.
pub const UNWIND_SIZE: usize = {
    let mut size = TERMINATOR;
    let mut stretches = Stretches::new();
    while let Some(stretch) = stretches.next() {
        size += ENTRY + stretch.info().len();
    }
    size
};

/// Size in bytes of the unwind data; the same in every process.
pub const fn unwind_size() -> usize {
    UNWIND_SIZE
}

/// The unwind data of a gate image at address `base`.
pub fn unwind_data(base: u64) -> [u8; UNWIND_SIZE] {
    let mut data = RELATIVE;
    for entry in data[..TABLE_SIZE].as_chunks_mut::<ENTRY>().0 {
        for word in entry.as_chunks_mut::<8>().0.iter_mut().take(2) {
            *word = u64::from_le_bytes(*word).wrapping_add(base).to_le_bytes();
        }
    }
    data
}

/// Size of the table without its terminator.
const TABLE_SIZE: usize = {
    let mut size = 0;
    let mut stretches = Stretches::new();
    while stretches.next().is_some() {
        size += ENTRY;
    }
    size
};

/// The unwind data of an image at address 0.
const RELATIVE: [u8; UNWIND_SIZE] = {
    let mut data = [0; UNWIND_SIZE];
    let (mut at, mut info_at) = (0, UNWIND_SIZE);
    let mut stretches = Stretches::new();
    while let Some(stretch) = stretches.next() {
        let info = stretch.info();
        info_at -= info.len();
        copy(&mut data, info_at, info.as_bytes());
        copy(&mut data, at, &(stretch.start as u64).to_le_bytes());
        copy(&mut data, at + 8, &(stretch.end as u64).to_le_bytes());
        copy(&mut data, at + 16, &(info_at as u64).to_le_bytes());
        at += ENTRY;
    }
    assert!(info_at == at + TERMINATOR, "the info blocks fill the rest exactly");
    data
};

const fn copy(to: &mut [u8], at: usize, from: &[u8]) {
    to.split_at_mut(at).1.split_at_mut(from.len()).0.copy_from_slice(from);
}

/// A stretch of the image in which one frame is in force: what becomes one table entry.
struct Stretch {
    start: usize,
    end: usize,
    frame: Frame,
}

impl Stretch {
    const fn info(&self) -> InfoBlock {
        InfoBlock::new(&self.frame, (self.end - self.start) as u64)
    }
}

/// The stretches of all functions, in ascending order; an iterator that constants can use.
struct Stretches {
    function: usize,
    row: usize,
}

impl Stretches {
    const fn new() -> Self {
        Self { function: 0, row: 0 }
    }

    const fn next(&mut self) -> Option<Stretch> {
        if self.function == FUNCTIONS.len() {
            return None;
        }
        let function: &Function = &FUNCTIONS[self.function];
        let (start, frame) = (function.rows[self.row].from, function.rows[self.row].frame);
        // Rows that IA-64 records do not tell apart share an entry: nothing is said of a caller nobody can find.
        self.row += 1;
        while self.row < function.rows.len() && mapping::indistinct(&frame, &function.rows[self.row].frame) {
            self.row += 1;
        }
        let end = if self.row < function.rows.len() { function.rows[self.row].from } else { function.end };
        assert!(start.is_multiple_of(16) && end.is_multiple_of(16) && start < end, "entries begin and end at bundles");
        if self.row == function.rows.len() {
            self.function += 1;
            self.row = 0;
        }
        Some(Stretch { start, end, frame })
    }
}
