//! The unwind descriptors of the IA-64 architecture: records, and how they are written and read.
//!
//! Nothing here knows of x86-64; [`crate::unwind`] says what the records mean for its frames.
#![expect(missing_docs, reason = "the fields of records are named as in the format's own description")]

mod decode;
mod encode;
mod record;

pub use decode::{DecodeError, Records};
pub use encode::Encoder;
pub use record::{Abstract, P3_NAMES, P3_RP, P3_RP_BR, Record, SPECIAL_NAMES, Special, Target};

/// Version that the header of every info block carries.
pub const VERSION: u64 = 1;

/// The header word of an info block whose descriptor area has `words` words of eight bytes and which has no
/// personality routine.
pub const fn header(words: u64) -> u64 {
    VERSION << 48 | words
}

/// The fields of an info block's header word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header(pub u64);

impl Header {
    /// The format's version; only 1 is known.
    pub const fn version(self) -> u64 {
        self.0 >> 48
    }

    /// Bit 0: there is an exception handler; bit 1: there is a termination handler; others are the system's.
    pub const fn flags(self) -> u64 {
        self.0 >> 32 & 0xffff
    }

    /// The length of the descriptor area, in bytes.
    pub const fn area_len(self) -> usize {
        (self.0 & 0xffff_ffff) as usize * 8
    }
}
