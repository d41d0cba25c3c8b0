//! Writes descriptor records. Everything is `const`, so the tables of the gate page are made by the compiler and a
//! record that cannot be written stops the build.

use super::record::{Abstract, Record, Special, Target};

/// A descriptor area under construction, at most `N` bytes.
pub struct Encoder<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Encoder<N> {
    /// An empty area.
    #[expect(clippy::new_without_default, reason = "Default cannot be const, and the encoder is used in constants")]
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    /// The bytes written so far.
    pub const fn as_bytes(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    /// Number of bytes written so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is written yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    const fn byte(&mut self, byte: u8) {
        assert!(self.len < N, "descriptor area is full");
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    /// A number in the variable-length form of DWARF: seven bits a byte, low ones first.
    const fn uleb(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// P7: a code and one number.
    const fn p7(&mut self, code: u8, value: u64) {
        self.byte(0xe0 | code);
        self.uleb(value);
    }

    /// P8: a code byte and one number.
    const fn p8(&mut self, code: u8, value: u64) {
        self.byte(0xf0);
        self.byte(code);
        self.uleb(value);
    }

    /// Appends one record in its shortest form. Panics (in a constant: fails to compile) when a field is out of range
    /// or the area is full.
    pub const fn record(&mut self, record: Record<'_>) {
        match record {
            Record::Prologue { rlen } if rlen < 32 => self.byte(rlen as u8),
            Record::Body { rlen } if rlen < 32 => self.byte(0x20 | rlen as u8),
            Record::Prologue { rlen } => self.p_long(0x60, rlen),
            Record::Body { rlen } => self.p_long(0x61, rlen),
            Record::PrologueGr { mask, grsave, rlen } => {
                assert!(mask < 16 && grsave < 128);
                self.byte(0x40 | mask >> 1);
                self.byte(mask << 7 | grsave);
                self.uleb(rlen);
            }
            Record::BrMem { brmask } => {
                assert!(brmask < 32);
                self.byte(0x80 | brmask);
            }
            Record::BrGr { brmask, gr } => {
                assert!(brmask < 32 && gr < 128);
                self.byte(0xa0 | brmask >> 1);
                self.byte(brmask << 7 | gr);
            }
            Record::InGr { what, gr } => {
                assert!(what < 12 && gr < 128);
                self.byte(0xb0 | what >> 1);
                self.byte(what << 7 | gr);
            }
            Record::SpillMask { imask, rlen } => {
                assert!(imask.len() as u64 == rlen.div_ceil(4));
                self.byte(0xb8);
                let mut at = 0;
                while at < imask.len() {
                    self.byte(imask[at]);
                    at += 1;
                }
            }
            Record::FrGrMem { grmask, frmask } => {
                assert!(grmask < 16 && frmask < 1 << 20);
                self.byte(0xb9);
                self.byte(grmask << 4 | (frmask >> 16) as u8);
                self.byte((frmask >> 8) as u8);
                self.byte(frmask as u8);
            }
            Record::FrMem { frmask } => {
                assert!(frmask < 16);
                self.byte(0xc0 | frmask);
            }
            Record::GrMem { grmask } => {
                assert!(grmask < 16);
                self.byte(0xd0 | grmask);
            }
            Record::MemStackF { t, size } => {
                self.p7(0, t);
                self.uleb(size);
            }
            Record::MemStackV { t } => self.p7(1, t),
            Record::SpillBase { pspoff } => self.p7(2, pspoff),
            Record::PspSpRel { spoff } => self.p7(3, spoff),
            Record::When { reg, t } => match reg {
                Special::Rp => self.p7(4, t),
                Special::Pfs => self.p7(6, t),
                Special::Preds => self.p7(8, t),
                Special::Lc => self.p7(10, t),
                Special::Unat => self.p7(12, t),
                Special::Fpsr => self.p7(14, t),
                Special::Bsp => self.p8(7, t),
                Special::BspStore => self.p8(10, t),
                Special::Rnat => self.p8(13, t),
                Special::Priunat => self.p8(19, t),
            },
            Record::PriunatWhenGr { t } => self.p8(16, t),
            Record::PspRel { reg, pspoff } => match reg {
                Special::Rp => self.p7(5, pspoff),
                Special::Pfs => self.p7(7, pspoff),
                Special::Preds => self.p7(9, pspoff),
                Special::Lc => self.p7(11, pspoff),
                Special::Unat => self.p7(13, pspoff),
                Special::Fpsr => self.p7(15, pspoff),
                Special::Bsp => self.p8(8, pspoff),
                Special::BspStore => self.p8(11, pspoff),
                Special::Rnat => self.p8(14, pspoff),
                Special::Priunat => self.p8(17, pspoff),
            },
            Record::SpRel { reg, spoff } => match reg {
                Special::Rp => self.p8(1, spoff),
                Special::Pfs => self.p8(2, spoff),
                Special::Preds => self.p8(3, spoff),
                Special::Lc => self.p8(4, spoff),
                Special::Unat => self.p8(5, spoff),
                Special::Fpsr => self.p8(6, spoff),
                Special::Bsp => self.p8(9, spoff),
                Special::BspStore => self.p8(12, spoff),
                Special::Rnat => self.p8(15, spoff),
                Special::Priunat => self.p8(18, spoff),
            },
            Record::GrGr { grmask, gr } => {
                assert!(grmask < 16 && gr < 128);
                self.byte(0xf1);
                self.byte(grmask);
                self.byte(gr);
            }
            Record::Unwabi { abi, context } => {
                self.byte(0xff);
                self.byte(abi);
                self.byte(context);
            }
            Record::Epilogue { t, ecount } if ecount < 32 => {
                self.byte(0xc0 | ecount as u8);
                self.uleb(t);
            }
            Record::Epilogue { t, ecount } => {
                self.byte(0xe0);
                self.uleb(t);
                self.uleb(ecount);
            }
            Record::LabelState { label } if label < 32 => self.byte(0x80 | label as u8),
            Record::CopyState { label } if label < 32 => self.byte(0xa0 | label as u8),
            Record::LabelState { label } => self.p_long(0xf0, label),
            Record::CopyState { label } => self.p_long(0xf8, label),
            Record::SpillPspRel { qp, t, reg, pspoff } => {
                self.x_memory(qp, false, t, reg, pspoff);
            }
            Record::SpillSpRel { qp, t, reg, spoff } => {
                self.x_memory(qp, true, t, reg, spoff);
            }
            Record::SpillReg { qp, t, reg, to } => {
                let (x, y, number) = match to {
                    Target::Gr(number) => {
                        assert!(number != 0, "r0 as a target means restore");
                        (0, 0, number)
                    }
                    Target::Fr(number) => (0, 0x80, number),
                    Target::Br(number) => (0x80, 0, number),
                };
                assert!(number < 128);
                self.x_register(qp, x, y | number, t, reg);
            }
            Record::Restore { qp, t, reg } => self.x_register(qp, 0, 0, t, reg),
        }
    }

    /// R3 and B4: a whole byte and one number.
    const fn p_long(&mut self, code: u8, value: u64) {
        self.byte(code);
        self.uleb(value);
    }

    /// X1, X3: the register is in memory; bit 7 of the first operand says relative to what.
    const fn x_memory(&mut self, qp: Option<u8>, sp_relative: bool, t: u64, reg: Abstract, offset: u64) {
        let r = (sp_relative as u8) << 7;
        match qp {
            None => {
                self.byte(0xf9);
                self.byte(r | abstract_code(reg));
            }
            Some(qp) => {
                assert!(qp < 64);
                self.byte(0xfb);
                self.byte(r | qp);
                self.byte(abstract_code(reg));
            }
        }
        self.uleb(t);
        self.uleb(offset);
    }

    /// X2, X4: the register is in another one.
    const fn x_register(&mut self, qp: Option<u8>, x: u8, y_target: u8, t: u64, reg: Abstract) {
        match qp {
            None => self.byte(0xfa),
            Some(qp) => {
                assert!(qp < 64);
                self.byte(0xfc);
                self.byte(qp);
            }
        }
        self.byte(x | abstract_code(reg));
        self.byte(y_target);
        self.uleb(t);
    }
}

const fn abstract_code(reg: Abstract) -> u8 {
    let (class, number, count) = match reg {
        Abstract::Gr(number) => (0x00, number, 32),
        Abstract::Fr(number) => (0x20, number, 32),
        Abstract::Br(number) => (0x40, number, 32),
        Abstract::Special(number) => (0x60, number, 11),
    };
    assert!(number < count, "no such abstract register");
    class | number
}
