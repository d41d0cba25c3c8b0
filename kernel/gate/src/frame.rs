//! How a stack frame of gate code is described: once, and neutral to any table format.
//!
//! A [`Frame`] answers the three questions an unwinder asks at one instruction: where is the caller's stack, where is
//! the return address, which registers of the caller are saved where. Every answer is relative to the current `rsp`,
//! because gate code keeps no frame pointer. [`crate::unwind`] writes frames as IA-64 descriptors and the image's
//! `.eh_frame` holds the same ones as DWARF.

/// A general register of x86-64, numbered as in DWARF (System V ABI, AMD64 supplement, figure 3.36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the variants are the registers' own names")]
pub enum Register {
    Rax = 0,
    Rdx = 1,
    Rcx = 2,
    Rbx = 3,
    Rsi = 4,
    Rdi = 5,
    Rbp = 6,
    Rsp = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

/// Number of general registers; DWARF gives the return address the next number.
pub const REGISTERS: usize = 16;

/// The caller's stack pointer: the canonical frame address (CFA) of DWARF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa {
    /// It is `rsp` plus this many bytes.
    Above(u16),
    /// It is the eight bytes stored at `rsp` plus this many bytes.
    StoredAt(u16),
}

/// The address where the caller goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnAddress {
    /// It is stored at `rsp` plus this many bytes.
    At(u16),
    /// User memory does not hold it (yet). A backtrace ends here.
    Unknown,
}

/// What is true just before an instruction of gate code executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where the caller's stack pointer is.
    pub cfa: Cfa,
    /// Where the return address is.
    pub return_address: ReturnAddress,
    /// Where each of the caller's registers is stored, in bytes above `rsp`, indexed by [`Register`]; `None`: the
    /// register still holds the caller's value, or the calling convention lets it be lost.
    pub saved: [Option<u16>; REGISTERS],
    /// The frame was made by signal delivery: the "caller" was interrupted at its program counter, not after a call.
    pub signal: bool,
}

impl Frame {
    /// A frame of a called function `depth` bytes below its return address, which keeps every preserved register.
    pub const fn plain(depth: u16) -> Self {
        Self {
            cfa: Cfa::Above(depth + 8),
            return_address: ReturnAddress::At(depth),
            saved: [None; REGISTERS],
            signal: false,
        }
    }

    /// A frame whose return address is not in user memory; the caller's `rsp` is `depth` bytes above ours.
    pub const fn outermost(depth: u16) -> Self {
        Self { cfa: Cfa::Above(depth), return_address: ReturnAddress::Unknown, saved: [None; REGISTERS], signal: false }
    }

    /// The frame of signal delivery with `rsp` at the `ucontext_t`, as it is when the handler has returned.
    pub const SIGNAL: Self = Self {
        cfa: Cfa::StoredAt(ucontext::RSP),
        return_address: ReturnAddress::At(ucontext::RIP),
        saved: ucontext::SAVED,
        signal: true,
    };

    /// Whether both say the same of the caller. Of a caller nobody can find there is nothing to say.
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self.return_address, other.return_address) {
            (ReturnAddress::Unknown, ReturnAddress::Unknown) => true,
            _ => self == other,
        }
    }
}

/// Where Linux's x86-64 `ucontext_t` holds the interrupted registers, in bytes from its start.
pub mod ucontext {
    use super::REGISTERS;

    /// The interrupted stack pointer.
    pub const RSP: u16 = 160;
    /// The interrupted program counter.
    pub const RIP: u16 = 168;
    /// The other general registers, indexed by [`super::Register`]; `rsp` is the CFA and so not among them.
    pub const SAVED: [Option<u16>; REGISTERS] = [
        Some(144),
        Some(136),
        Some(152),
        Some(128),
        Some(112),
        Some(104),
        Some(120),
        None,
        Some(40),
        Some(48),
        Some(56),
        Some(64),
        Some(72),
        Some(80),
        Some(88),
        Some(96),
    ];
}

/// From which place in the image on a frame is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Offset in the image of the first instruction the row holds for.
    pub from: usize,
    /// The frame, until the next row or the function's end.
    pub frame: Frame,
}

/// A function of the gate image and its frames.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The function's symbol.
    pub name: &'static str,
    /// Offset in the image of the first byte its frames describe. That is before `entry` where code *returns* to the
    /// entry, since an unwinder looks up the byte before a return address. A multiple of 16.
    pub start: usize,
    /// Offset in the image of the symbol.
    pub entry: usize,
    /// Offset in the image of the first byte past the code itself.
    pub code_end: usize,
    /// Offset in the image of the first byte past the function and its padding. A multiple of 16.
    pub end: usize,
    /// The frames in ascending order; the first begins at `start`.
    pub rows: &'static [Row],
}

impl Function {
    /// The frame in force at `offset` in the image; `None` outside the function.
    pub fn frame_at(&self, offset: usize) -> Option<&'static Frame> {
        if offset < self.start || offset >= self.end {
            return None;
        }
        self.rows.iter().rev().find(|row| row.from <= offset).map(|row| &row.frame)
    }
}
