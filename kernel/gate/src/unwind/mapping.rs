//! What IA-64 unwind records mean for x86-64 frames, in both directions.
//!
//! | x86-64 | IA-64 |
//! |---|---|
//! | a byte of code | a slot (a function's region lengths add up to its size in bytes) |
//! | address of the return address | `psp`; the caller's `rsp` is `psp + 8` |
//! | the interrupted `rsp` | `psp`, in a frame with `unwabi(3,'s')` |
//! | rip of the caller | `rp` |
//! | rbx rbp r12 r13 r14 r15 | r4 r5 r6 r7 b1 b2 |
//! | other registers | a frame with `unwabi(3,'s')` has them in the `ucontext_t` at `sp`; else they are lost |
//! | the return address is unknown | `rp` is kept in `r0`, the register that is always 0: the chain ends |
//!
//! Each entry describes one constant state: a prologue of length 0, records with `t` = 0, a body over all its bytes.
//! So it makes no difference whether a reader counts a slot per byte or, as on IA-64, three per 16 bytes.

use crate::frame::{Cfa, Frame, REGISTERS, Register, ReturnAddress, ucontext};
use crate::ia64::{Abstract, DecodeError, Encoder, P3_RP, Record, Records, Special, header};

/// The ABI of Linux in `unwabi` records.
pub const ABI_LINUX: u8 = 3;
/// The context of `unwabi` that marks a frame made by signal delivery.
pub const CONTEXT_SIGNAL: u8 = b's';

/// The preserved registers of x86-64 and what stands for them: all preserved on IA-64 and eight bytes wide.
pub const PRESERVED: [(Register, Abstract); 6] = [
    (Register::Rbx, Abstract::Gr(4)),
    (Register::Rbp, Abstract::Gr(5)),
    (Register::R12, Abstract::Gr(6)),
    (Register::R13, Abstract::Gr(7)),
    (Register::R14, Abstract::Br(1)),
    (Register::R15, Abstract::Br(2)),
];

/// `pspoff` of a place at `psp` itself: the encoding counts down from `psp + 16`, in words of four bytes.
const AT_PSP: u64 = 4;

/// Room for the longest info block: the header, and the records of a signal frame.
const INFO_MAX: usize = 64;

/// An info block: header word and records, padded with zeros to a multiple of eight bytes.
pub struct InfoBlock {
    bytes: [u8; INFO_MAX],
    len: usize,
}

impl InfoBlock {
    /// Describes `frame`, which is in force over `size` bytes of code. Panics (in a constant: fails to compile) when
    /// the mapping has no records for such a frame.
    pub const fn new(frame: &Frame, size: u64) -> Self {
        let mut area = Encoder::<{ INFO_MAX - 8 }>::new();
        describe(&mut area, frame, size);
        let words = area.len().div_ceil(8);
        let mut block = Self { bytes: [0; INFO_MAX], len: 8 + 8 * words };
        let (head, rest) = block.bytes.split_at_mut(8);
        head.copy_from_slice(&header(words as u64).to_le_bytes());
        rest.split_at_mut(area.len()).0.copy_from_slice(area.as_bytes());
        block
    }

    /// The block's bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    /// The block's size in bytes, a multiple of eight.
    #[expect(clippy::len_without_is_empty, reason = "an info block always has a header")]
    pub const fn len(&self) -> usize {
        self.len
    }
}

/// Whether the two frames have the same records.
pub const fn indistinct(one: &Frame, other: &Frame) -> bool {
    matches!((one.return_address, other.return_address), (ReturnAddress::Unknown, ReturnAddress::Unknown))
}

/// Appends the records of one entry.
const fn describe<const N: usize>(area: &mut Encoder<N>, frame: &Frame, size: u64) {
    area.record(Record::Prologue { rlen: 0 });
    if frame.signal {
        area.record(Record::Unwabi { abi: ABI_LINUX, context: CONTEXT_SIGNAL });
    }
    match (frame.return_address, frame.cfa) {
        (ReturnAddress::Unknown, _) => {
            area.record(Record::When { reg: Special::Rp, t: 0 });
            area.record(Record::InGr { what: P3_RP, gr: 0 });
        }
        (ReturnAddress::At(at), Cfa::Above(depth)) => {
            assert!(!frame.signal && depth == at + 8, "the caller's rsp is just above the return address");
            assert!(at.is_multiple_of(16), "mem_stack_f counts in units of 16 bytes");
            if at != 0 {
                area.record(Record::MemStackF { t: 0, size: (at / 16) as u64 });
            }
            area.record(Record::When { reg: Special::Rp, t: 0 });
            area.record(Record::PspRel { reg: Special::Rp, pspoff: AT_PSP });
        }
        (ReturnAddress::At(at), Cfa::StoredAt(stored)) => {
            assert!(frame.signal, "only psp of a signal frame is the caller's rsp itself");
            area.record(Record::When { reg: Special::Rp, t: 0 });
            area.record(Record::SpRel { reg: Special::Rp, spoff: words(at) });
            area.record(Record::MemStackV { t: 0 });
            area.record(Record::PspSpRel { spoff: words(stored) });
        }
    }
    let mut at = 0;
    while at < PRESERVED.len() {
        let (register, reg) = PRESERVED[at];
        if let Some(place) = frame.saved[register as usize] {
            area.record(Record::SpillSpRel { qp: None, t: 0, reg, spoff: words(place) });
        }
        at += 1;
    }
    area.record(Record::Body { rlen: size });
}

const fn words(bytes: u16) -> u64 {
    assert!(bytes.is_multiple_of(4), "places are multiples of four bytes");
    (bytes / 4) as u64
}

/// Why records do not say what a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingError {
    /// The bytes are not records.
    Records(DecodeError),
    /// The records are sound, but the mapping gives them no meaning for x86-64.
    Meaningless,
    /// The regions end before the slot asked for.
    OutOfRange,
}

impl From<DecodeError> for MappingError {
    fn from(error: DecodeError) -> Self {
        Self::Records(error)
    }
}

/// The frame that a descriptor area describes at `slot` (the byte counted from the entry's start).
///
/// This reads what [`InfoBlock`] writes and its like: any sequence of regions, but every frame is set up at the
/// beginning of one. Records outside the mapping are refused, so a frame is never guessed.
pub fn frame_at(area: &[u8], slot: u64) -> Result<Frame, MappingError> {
    let mut state = State::default();
    let mut end = 0u64;
    for record in Records::new(area) {
        let record = record?;
        match record.region() {
            Some(rlen) if slot < end || rlen > u64::MAX - end => break,
            Some(rlen) => end += rlen,
            None => state.apply(record)?,
        }
    }
    if slot >= end {
        return Err(MappingError::OutOfRange);
    }
    state.frame()
}

/// What the records up to some slot have said.
#[derive(Default)]
struct State {
    signal: bool,
    /// Bytes from `sp` up to `psp`.
    depth: u16,
    psp_stored: Option<u16>,
    rp: Option<Rp>,
    saved: [Option<u16>; REGISTERS],
}

#[derive(Clone, Copy)]
enum Rp {
    AtPsp,
    At(u16),
    Zero,
}

impl State {
    fn apply(&mut self, record: Record<'_>) -> Result<(), MappingError> {
        match record {
            Record::Unwabi { abi: ABI_LINUX, context: CONTEXT_SIGNAL } => self.signal = true,
            Record::MemStackF { t: 0, size } => self.depth = offset(size, 16)?,
            Record::MemStackV { t: 0 } | Record::When { reg: Special::Rp, t: 0 } => {}
            Record::PspSpRel { spoff } => self.psp_stored = Some(offset(spoff, 4)?),
            Record::PspRel { reg: Special::Rp, pspoff: AT_PSP } => self.rp = Some(Rp::AtPsp),
            Record::SpRel { reg: Special::Rp, spoff } => self.rp = Some(Rp::At(offset(spoff, 4)?)),
            Record::InGr { what: P3_RP, gr: 0 } => self.rp = Some(Rp::Zero),
            Record::SpillSpRel { qp: None, t: 0, reg, spoff } => {
                let (register, _) = PRESERVED.iter().find(|(_, name)| *name == reg).ok_or(MappingError::Meaningless)?;
                self.saved[*register as usize] = Some(offset(spoff, 4)?);
            }
            _ => return Err(MappingError::Meaningless),
        }
        Ok(())
    }

    fn frame(mut self) -> Result<Frame, MappingError> {
        if self.signal {
            // The marker implies where the registers are that no record can name; a record for one of the others
            // has precedence, though the kernel's tables say the same twice.
            for (place, implied) in self.saved.iter_mut().zip(ucontext::SAVED) {
                *place = place.or(implied);
            }
        }
        let (return_address, cfa) = match (self.rp, self.psp_stored) {
            (Some(Rp::Zero), _) => (ReturnAddress::Unknown, Cfa::Above(self.depth)),
            (Some(Rp::At(at)), Some(stored)) if self.signal => (ReturnAddress::At(at), Cfa::StoredAt(stored)),
            (Some(Rp::AtPsp), None) if !self.signal => (ReturnAddress::At(self.depth), Cfa::Above(self.depth + 8)),
            _ => return Err(MappingError::Meaningless),
        };
        Ok(Frame { cfa, return_address, saved: self.saved, signal: self.signal })
    }
}

/// `count` units in bytes, if a frame of gate code can be that large.
fn offset(count: u64, unit: u16) -> Result<u16, MappingError> {
    let bytes = count.checked_mul(unit.into()).filter(|bytes| *bytes <= u64::from(u16::MAX / 2));
    bytes.map(|bytes| bytes as u16).ok_or(MappingError::Meaningless)
}
