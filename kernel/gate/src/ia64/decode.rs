//! Reads descriptor records back. Any bytes are safe to read: what is not a record is an error, never a panic.

use core::fmt;

use super::record::{Abstract, P3_NAMES, Record, SPECIAL_NAMES, Special, Target};

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The area ends inside a record.
    Truncated,
    /// No record begins with this byte in this kind of region.
    UnknownRecord(u8),
    /// A P3, P8 or X record names a register that does not exist.
    UnknownRegister(u8),
    /// A number has more than 64 bits.
    TooBig,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated => f.write_str("the descriptor area ends inside a record"),
            Self::UnknownRecord(code) => write!(f, "no record begins with {code:#04x} here"),
            Self::UnknownRegister(code) => write!(f, "no register has the code {code:#04x}"),
            Self::TooBig => f.write_str("a number has more than 64 bits"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// The records of a descriptor area, in order; stops after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    /// Codes from 0x80 on mean one thing in a prologue and another in a body.
    in_body: bool,
    rlen: u64,
}

impl<'a> Records<'a> {
    /// Reads `area`, which is what follows the header word of an info block.
    pub const fn new(area: &'a [u8]) -> Self {
        Self { rest: area, in_body: false, rlen: 0 }
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    fn uleb(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift >= 64 || bits << shift >> shift != bits {
                return Err(DecodeError::TooBig);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }

    fn record(&mut self) -> Result<Record<'a>, DecodeError> {
        let code = self.byte()?;
        match code >> 5 {
            0 => Ok(self.region(Record::Prologue { rlen: (code & 31).into() })),
            1 => Ok(self.region(Record::Body { rlen: (code & 31).into() })),
            2 if code & 0x18 == 0 => {
                let byte = self.byte()?;
                let mask = (code & 7) << 1 | byte >> 7;
                let rlen = self.uleb()?;
                Ok(self.region(Record::PrologueGr { mask, grsave: byte & 0x7f, rlen }))
            }
            3 if code & 0x1e == 0 => {
                let rlen = self.uleb()?;
                Ok(self.region(if code & 1 == 0 { Record::Prologue { rlen } } else { Record::Body { rlen } }))
            }
            2 | 3 => Err(DecodeError::UnknownRecord(code)),
            _ if self.in_body => self.body_record(code),
            _ => self.prologue_record(code),
        }
    }

    fn region(&mut self, record: Record<'a>) -> Record<'a> {
        self.in_body = matches!(record, Record::Body { .. });
        self.rlen = record.region().unwrap_or(0);
        record
    }

    fn prologue_record(&mut self, code: u8) -> Result<Record<'a>, DecodeError> {
        Ok(match code {
            0x80..=0x9f => Record::BrMem { brmask: code & 31 },
            0xa0..=0xaf => {
                let byte = self.byte()?;
                Record::BrGr { brmask: (code & 15) << 1 | byte >> 7, gr: byte & 0x7f }
            }
            0xb0..=0xb7 => {
                let byte = self.byte()?;
                let what = (code & 7) << 1 | byte >> 7;
                if usize::from(what) >= P3_NAMES.len() {
                    return Err(DecodeError::UnknownRegister(what));
                }
                Record::InGr { what, gr: byte & 0x7f }
            }
            0xb8 => {
                let len = usize::try_from(self.rlen.div_ceil(4)).map_err(|_| DecodeError::Truncated)?;
                let (imask, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
                self.rest = rest;
                Record::SpillMask { imask, rlen: self.rlen }
            }
            0xb9 => {
                let (a, b, c) = (self.byte()?, self.byte()?, self.byte()?);
                Record::FrGrMem { grmask: a >> 4, frmask: u32::from_be_bytes([0, a & 15, b, c]) }
            }
            0xc0..=0xcf => Record::FrMem { frmask: code & 15 },
            0xd0..=0xdf => Record::GrMem { grmask: code & 15 },
            0xe0 => Record::MemStackF { t: self.uleb()?, size: self.uleb()? },
            0xe1 => Record::MemStackV { t: self.uleb()? },
            0xe2 => Record::SpillBase { pspoff: self.uleb()? },
            0xe3 => Record::PspSpRel { spoff: self.uleb()? },
            0xe4..=0xef => {
                let reg = Special::ALL[usize::from(code - 0xe4) / 2];
                let value = self.uleb()?;
                if code & 1 == 0 { Record::When { reg, t: value } } else { Record::PspRel { reg, pspoff: value } }
            }
            0xf0 => self.p8()?,
            0xf1 => Record::GrGr { grmask: self.byte()? & 15, gr: self.byte()? & 0x7f },
            0xff => Record::Unwabi { abi: self.byte()?, context: self.byte()? },
            0xf9..=0xfc => self.x(code)?,
            _ => return Err(DecodeError::UnknownRecord(code)),
        })
    }

    fn p8(&mut self) -> Result<Record<'a>, DecodeError> {
        let code = self.byte()?;
        let value = self.uleb()?;
        Ok(match code {
            1..=6 => Record::SpRel { reg: Special::ALL[usize::from(code) - 1], spoff: value },
            16 => Record::PriunatWhenGr { t: value },
            19 => Record::When { reg: Special::Priunat, t: value },
            7..=18 => {
                let reg = Special::ALL[6 + usize::from(code - 7) / 3];
                match (code - 7) % 3 {
                    0 => Record::When { reg, t: value },
                    1 => Record::PspRel { reg, pspoff: value },
                    _ => Record::SpRel { reg, spoff: value },
                }
            }
            _ => return Err(DecodeError::UnknownRegister(code)),
        })
    }

    fn body_record(&mut self, code: u8) -> Result<Record<'a>, DecodeError> {
        Ok(match code {
            0x80..=0x9f => Record::LabelState { label: (code & 31).into() },
            0xa0..=0xbf => Record::CopyState { label: (code & 31).into() },
            0xc0..=0xdf => Record::Epilogue { t: self.uleb()?, ecount: (code & 31).into() },
            0xe0 => Record::Epilogue { t: self.uleb()?, ecount: self.uleb()? },
            0xf0 => Record::LabelState { label: self.uleb()? },
            0xf8 => Record::CopyState { label: self.uleb()? },
            0xf9..=0xfc => self.x(code)?,
            _ => return Err(DecodeError::UnknownRecord(code)),
        })
    }

    fn x(&mut self, code: u8) -> Result<Record<'a>, DecodeError> {
        let predicate = if code >= 0xfb { Some(self.byte()?) } else { None };
        let qp = predicate.map(|byte| byte & 63);
        let first = self.byte()?;
        let reg = abstract_register(first & 0x7f)?;
        if matches!(code, 0xf9 | 0xfb) {
            let (t, offset) = (self.uleb()?, self.uleb()?);
            return Ok(match predicate.unwrap_or(first) & 0x80 {
                0 => Record::SpillPspRel { qp, t, reg, pspoff: offset },
                _ => Record::SpillSpRel { qp, t, reg, spoff: offset },
            });
        }
        let second = self.byte()?;
        let t = self.uleb()?;
        let number = second & 0x7f;
        let to = match (first & 0x80, second) {
            (0, 0) => return Ok(Record::Restore { qp, t, reg }),
            (0, 1..=0x7f) => Target::Gr(number),
            (0, _) => Target::Fr(number),
            _ => Target::Br(number),
        };
        Ok(Record::SpillReg { qp, t, reg, to })
    }
}

fn abstract_register(code: u8) -> Result<Abstract, DecodeError> {
    let number = code & 31;
    match code >> 5 {
        0 => Ok(Abstract::Gr(number)),
        1 => Ok(Abstract::Fr(number)),
        2 => Ok(Abstract::Br(number)),
        _ if usize::from(number) < SPECIAL_NAMES.len() => Ok(Abstract::Special(number)),
        _ => Err(DecodeError::UnknownRegister(code)),
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}
