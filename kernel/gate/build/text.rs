//! Collects the functions of the image: assembles their code and keeps what is said about their frames.

use iced_x86::code_asm::CodeAssembler;
use iced_x86::{BlockEncoderOptions, IcedError};

use crate::frame::Frame;

/// Bytes of a bundle: functions and table entries begin at multiples of it.
const BUNDLE: usize = 16;
/// A byte that traps: between functions.
const INT3: u8 = 0xcc;
/// A byte that does nothing: before an entry that is returned to.
const NOP: u8 = 0x90;

/// How a function is entered.
#[derive(Clone, Copy, PartialEq)]
pub enum Entry {
    /// By a call.
    Called,
    /// By a return. An unwinder looks up the byte before a return address, so a bundle of NOPs goes before the entry,
    /// with the entry's frame.
    ReturnedTo,
}

/// A function as assembled. All places are offsets in the image.
pub struct Assembled {
    pub name: &'static str,
    pub start: usize,
    pub entry: usize,
    /// End of the code itself.
    pub code_end: usize,
    /// End of the last bundle.
    pub end: usize,
    pub rows: Vec<(usize, Frame)>,
}

/// The image's code, growing.
pub struct Text {
    /// Where the code begins in the image.
    pub base: usize,
    pub bytes: Vec<u8>,
    pub functions: Vec<Assembled>,
}

/// A function being written: an assembler, and from which instruction on a frame is in force.
pub struct Function {
    pub asm: CodeAssembler,
    rows: Vec<(usize, Frame)>,
}

impl Function {
    /// From the next instruction on the frame is this one.
    pub fn frame(&mut self, frame: Frame) {
        self.rows.push((self.asm.instructions().len(), frame));
    }
}

impl Text {
    pub fn new(base: usize) -> Self {
        assert!(base.is_multiple_of(BUNDLE));
        Self { base, bytes: Vec::new(), functions: Vec::new() }
    }

    /// Adds a function. `write` writes its code and says its frames, the first one before the first instruction.
    /// Addresses in the code are offsets in the image plus `bias`.
    pub fn function(
        &mut self,
        name: &'static str,
        how: Entry,
        bias: u64,
        write: impl FnOnce(&mut Function) -> Result<(), IcedError>,
    ) -> Result<(), IcedError> {
        let start = self.base + self.bytes.len();
        if how == Entry::ReturnedTo {
            self.bytes.extend([NOP; BUNDLE]);
        }
        let entry = self.base + self.bytes.len();
        let mut function = Function { asm: CodeAssembler::new(64)?, rows: Vec::new() };
        write(&mut function)?;
        let count = function.asm.instructions().len();
        let options = BlockEncoderOptions::RETURN_NEW_INSTRUCTION_OFFSETS;
        let block = function.asm.assemble_options(entry as u64 + bias, options)?.inner;
        let mut rows = Vec::new();
        for (instruction, frame) in function.rows {
            assert!(instruction < count, "{name}: a frame without an instruction");
            rows.push((entry + block.new_instruction_offsets[instruction] as usize, frame));
        }
        assert_eq!(rows.first().map(|row| row.0), Some(entry), "{name}: the entry needs a frame");
        rows[0].0 = start;
        self.bytes.extend(block.code_buffer);
        let code_end = self.base + self.bytes.len();
        self.bytes.resize(self.bytes.len().next_multiple_of(BUNDLE), INT3);
        let end = self.base + self.bytes.len();
        self.functions.push(Assembled { name, start, entry, code_end, end, rows });
        Ok(())
    }
}
