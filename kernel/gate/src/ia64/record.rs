//! The records an IA-64 unwind descriptor area is made of, and their text.
//!
//! Source: *IA-64 Software Conventions and Runtime Architecture*, chapter 11 and appendix B, whose format names
//! (R1, P7, X1 ...) the comments use. The text of a record is the one `readelf -u` prints for it.

use core::fmt;

/// A register as the X formats name it: 7 bits, two of them the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abstract {
    /// A general register, `r0` to `r31`.
    Gr(u8),
    /// A floating-point register, `f0` to `f31`.
    Fr(u8),
    /// A branch register, `b0` to `b31` (`b1` to `b5` are preserved).
    Br(u8),
    /// One of the special registers, in the order of [`SPECIAL_NAMES`].
    Special(u8),
}

/// Text of the abstract registers 0x60 and up.
pub const SPECIAL_NAMES: [&str; 11] =
    ["pr", "psp", "@priunat", "rp", "ar.bsp", "ar.bspstore", "ar.rnat", "ar.unat", "ar.fpsr", "ar.pfs", "ar.lc"];

/// Where a register goes that is moved to another one (X2, X4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A general register, 1 to 127: number 0 would mean [`Record::Restore`].
    Gr(u8),
    /// A floating-point register.
    Fr(u8),
    /// A branch register.
    Br(u8),
}

/// Registers that P7 and P8 know under "when saved" and "where in memory".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are the registers' own names")]
pub enum Special {
    Rp,
    Pfs,
    Preds,
    Lc,
    Unat,
    Fpsr,
    Bsp,
    BspStore,
    Rnat,
    Priunat,
}

impl Special {
    /// All of them, in the order of the names.
    pub const ALL: [Self; 10] = [
        Self::Rp,
        Self::Pfs,
        Self::Preds,
        Self::Lc,
        Self::Unat,
        Self::Fpsr,
        Self::Bsp,
        Self::BspStore,
        Self::Rnat,
        Self::Priunat,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Rp => "rp",
            Self::Pfs => "pfs",
            Self::Preds => "pr",
            Self::Lc => "lc",
            Self::Unat => "unat",
            Self::Fpsr => "fpsr",
            Self::Bsp => "bsp",
            Self::BspStore => "bspstore",
            Self::Rnat => "rnat",
            Self::Priunat => "priunat",
        }
    }
}

/// What P3 says is kept in a general register, in the order of its 4-bit code; code 6 is a branch register.
pub const P3_NAMES: [&str; 12] =
    ["psp", "rp", "pfs", "pr", "unat", "lc", "rp_br", "rnat", "bsp", "bspstore", "fpsr", "priunat"];
/// P3's code for the return link.
pub const P3_RP: u8 = 1;
/// P3's code for "the return link is in a branch register".
pub const P3_RP_BR: u8 = 6;

/// One record. Lengths and times (`t`) count slots; offsets (`spoff`, `pspoff`) count words of four bytes: the place
/// is `sp + 4 * spoff`, or `psp + 16 - 4 * pspoff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// R1, R3: a region of `rlen` slots that builds a frame begins.
    Prologue { rlen: u64 },
    /// R2: the same, and the registers of `mask` (8 rp, 4 ar.pfs, 2 psp, 1 pr) go to `grsave` and the ones after it.
    PrologueGr { mask: u8, grsave: u8, rlen: u64 },
    /// R1, R3: a region of `rlen` slots that leaves the frame alone begins.
    Body { rlen: u64 },
    /// P1: branch registers (bit 0 is b1) are in the spill area.
    BrMem { brmask: u8 },
    /// P2: branch registers are in `gr` and the ones after it.
    BrGr { brmask: u8, gr: u8 },
    /// P3: `what`, an index of [`P3_NAMES`], is in register `gr`.
    InGr { what: u8, gr: u8 },
    /// P4: two bits per slot of the region, most significant first, say what the slot spills.
    SpillMask { imask: &'a [u8], rlen: u64 },
    /// P5: general and floating-point registers are in the spill area.
    FrGrMem { grmask: u8, frmask: u32 },
    /// P6: floating-point registers (bit 0 is f2) are in the spill area.
    FrMem { frmask: u8 },
    /// P6: general registers (bit 0 is r4) are in the spill area.
    GrMem { grmask: u8 },
    /// P7: at `t` the stack pointer goes down by `size` units of 16 bytes.
    MemStackF { t: u64, size: u64 },
    /// P7: from `t` on the previous stack pointer is where a location record says.
    MemStackV { t: u64 },
    /// P7: the spill area's base.
    SpillBase { pspoff: u64 },
    /// P7: the previous stack pointer's value is stored there.
    PspSpRel { spoff: u64 },
    /// P7, P8: the register is saved at `t` (for priunat: saved to memory).
    When { reg: Special, t: u64 },
    /// P8: priunat is saved to a general register at `t`.
    PriunatWhenGr { t: u64 },
    /// P7, P8: the register's place, relative to the previous stack pointer.
    PspRel { reg: Special, pspoff: u64 },
    /// P8: the register's place, relative to the stack pointer.
    SpRel { reg: Special, spoff: u64 },
    /// P9: general registers (bit 0 is r4) are in `gr` and the ones after it.
    GrGr { grmask: u8, gr: u8 },
    /// P10: the frame follows rules of an operating system.
    Unwabi { abi: u8, context: u8 },
    /// B2, B3: counted back from the region's end, `t` slots before it the frame is gone, and `ecount + 1` prologues.
    Epilogue { t: u64, ecount: u64 },
    /// B1, B4: remember the state.
    LabelState { label: u64 },
    /// B1, B4: go back to a remembered state.
    CopyState { label: u64 },
    /// X1, X3: from `t` on the register is stored there (under predicate `qp`).
    SpillPspRel { qp: Option<u8>, t: u64, reg: Abstract, pspoff: u64 },
    /// X1, X3: from `t` on the register is stored there (under predicate `qp`).
    SpillSpRel { qp: Option<u8>, t: u64, reg: Abstract, spoff: u64 },
    /// X2, X4: from `t` on the register is in another one.
    SpillReg { qp: Option<u8>, t: u64, reg: Abstract, to: Target },
    /// X2, X4: from `t` on the register has its own value again.
    Restore { qp: Option<u8>, t: u64, reg: Abstract },
}

impl Record<'_> {
    /// The region's length when the record begins one.
    pub const fn region(&self) -> Option<u64> {
        match *self {
            Self::Prologue { rlen } | Self::PrologueGr { rlen, .. } | Self::Body { rlen } => Some(rlen),
            _ => None,
        }
    }

    /// The short name of the format the encoder chooses for the record.
    pub const fn format(&self) -> &'static str {
        match *self {
            Self::Prologue { rlen } | Self::Body { rlen } => ["R1", "R3"][(rlen >= 32) as usize],
            Self::PrologueGr { .. } => "R2",
            Self::BrMem { .. } => "P1",
            Self::BrGr { .. } => "P2",
            Self::InGr { .. } => "P3",
            Self::SpillMask { .. } => "P4",
            Self::FrGrMem { .. } => "P5",
            Self::FrMem { .. } | Self::GrMem { .. } => "P6",
            Self::MemStackF { .. } | Self::MemStackV { .. } | Self::SpillBase { .. } | Self::PspSpRel { .. } => "P7",
            Self::When { reg, .. } | Self::PspRel { reg, .. } => {
                ["P7", "P8"][(reg as u8 > Special::Fpsr as u8) as usize]
            }
            Self::SpRel { .. } | Self::PriunatWhenGr { .. } => "P8",
            Self::GrGr { .. } => "P9",
            Self::Unwabi { .. } => "P10",
            Self::Epilogue { ecount, .. } => ["B2", "B3"][(ecount >= 32) as usize],
            Self::LabelState { label } | Self::CopyState { label } => ["B1", "B4"][(label >= 32) as usize],
            Self::SpillPspRel { qp, .. } | Self::SpillSpRel { qp, .. } => ["X1", "X3"][qp.is_some() as usize],
            Self::SpillReg { qp, .. } | Self::Restore { qp, .. } => ["X2", "X4"][qp.is_some() as usize],
        }
    }
}

/// `[r4,r6]`: the registers of a mask whose bit 0 is the register `first`.
struct List(&'static str, u32, u32);

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(prefix, first, mask) = *self;
        let mut comma = "";
        f.write_str("[")?;
        for bit in (0..32).filter(|bit| mask >> bit & 1 != 0) {
            // The preserved floating-point registers are f2 to f5 and f16 to f31.
            let gap = if prefix == "f" && bit >= 4 { 10 } else { 0 };
            write!(f, "{comma}{prefix}{}", first + bit + gap)?;
            comma = ",";
        }
        f.write_str("]")
    }
}

impl fmt::Display for Abstract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Gr(n) => write!(f, "r{n}"),
            Self::Fr(n) => write!(f, "f{n}"),
            Self::Br(n) => write!(f, "b{n}"),
            Self::Special(n) => f.write_str(SPECIAL_NAMES.get(usize::from(n)).unwrap_or(&"?")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Gr(n) => write!(f, "r{n}"),
            Self::Fr(n) => write!(f, "f{n}"),
            Self::Br(n) => write!(f, "b{n}"),
        }
    }
}

/// `_p(qp=p5,` or `(`: how the X formats begin their operands.
struct Predicate(Option<u8>);

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(qp) => write!(f, "_p(qp=p{qp},"),
            None => f.write_str("("),
        }
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |words: u64| words.wrapping_mul(4);
        write!(f, "{}:", self.format())?;
        match *self {
            Self::Prologue { rlen } => write!(f, "prologue(rlen={rlen})"),
            Self::Body { rlen } => write!(f, "body(rlen={rlen})"),
            Self::PrologueGr { mask, grsave, rlen } => {
                f.write_str("prologue_gr(mask=[")?;
                let mut comma = "";
                for (bit, name) in [(8, "rp"), (4, "ar.pfs"), (2, "psp"), (1, "pr")] {
                    if mask & bit != 0 {
                        write!(f, "{comma}{name}")?;
                        comma = ",";
                    }
                }
                write!(f, "],grsave=r{grsave},rlen={rlen})")
            }
            Self::BrMem { brmask } => write!(f, "br_mem(brmask={})", List("b", 1, brmask.into())),
            Self::BrGr { brmask, gr } => write!(f, "br_gr(brmask={},gr=r{gr})", List("b", 1, brmask.into())),
            Self::InGr { what: P3_RP_BR, gr } => write!(f, "rp_br(reg=b{gr})"),
            Self::InGr { what, gr } => {
                write!(f, "{}_gr(reg=r{gr})", P3_NAMES.get(usize::from(what)).unwrap_or(&"?"))
            }
            Self::SpillMask { imask, rlen } => {
                f.write_str("spill_mask(imask=[")?;
                for slot in 0..rlen {
                    let byte = imask.get((slot / 4) as usize).copied().unwrap_or(0);
                    let kind = byte >> (2 * (3 - slot % 4)) & 3;
                    let comma = if slot != 0 && slot % 3 == 0 { "," } else { "" };
                    write!(f, "{comma}{}", ["-", "f", "r", "b"][usize::from(kind)])?;
                }
                f.write_str("])")
            }
            Self::FrGrMem { grmask, frmask } => {
                write!(f, "frgr_mem(grmask={},frmask={})", List("r", 4, grmask.into()), List("f", 2, frmask))
            }
            Self::FrMem { frmask } => write!(f, "fr_mem(frmask={})", List("f", 2, frmask.into())),
            Self::GrMem { grmask } => write!(f, "gr_mem(grmask={})", List("r", 4, grmask.into())),
            Self::MemStackF { t, size } => write!(f, "mem_stack_f(t={t},size={})", size.wrapping_mul(16)),
            Self::MemStackV { t } => write!(f, "mem_stack_v(t={t})"),
            Self::SpillBase { pspoff } => write!(f, "spill_base(pspoff=0x10-{:#x})", bytes(pspoff)),
            Self::PspSpRel { spoff } => write!(f, "psp_sprel(spoff={:#x})", bytes(spoff)),
            Self::When { reg: Special::Priunat, t } => write!(f, "priunat_when_mem(t={t})"),
            Self::When { reg, t } => write!(f, "{}_when(t={t})", reg.name()),
            Self::PriunatWhenGr { t } => write!(f, "priunat_when_gr(t={t})"),
            Self::PspRel { reg, pspoff } => write!(f, "{}_psprel(pspoff=0x10-{:#x})", reg.name(), bytes(pspoff)),
            Self::SpRel { reg, spoff } => write!(f, "{}_sprel(spoff={:#x})", reg.name(), bytes(spoff)),
            Self::GrGr { grmask, gr } => write!(f, "gr_gr(grmask={},r{gr})", List("r", 4, grmask.into())),
            Self::Unwabi { abi, context } => match ["@svr4", "@hpux", "@nt"].get(usize::from(abi)) {
                Some(name) => write!(f, "unwabi(abi={name},context=0x{context:02x})"),
                None => write!(f, "unwabi(abi={abi:#x},context=0x{context:02x})"),
            },
            Self::Epilogue { t, ecount } => write!(f, "epilogue(t={t},ecount={ecount})"),
            Self::LabelState { label } => write!(f, "label_state(label={label})"),
            Self::CopyState { label } => write!(f, "copy_state(label={label})"),
            Self::SpillPspRel { qp, t, reg, pspoff } => {
                let pspoff = bytes(pspoff);
                match qp {
                    None => write!(f, "spill_psprel(reg={reg},t={t},pspoff=0x10-{pspoff:#x})"),
                    Some(qp) => write!(f, "spill_psprel_p(qp=p{qp},t={t},reg={reg},pspoff=0x10-{pspoff:#x})"),
                }
            }
            Self::SpillSpRel { qp, t, reg, spoff } => {
                let spoff = bytes(spoff);
                match qp {
                    None => write!(f, "spill_sprel(reg={reg},t={t},spoff={spoff:#x})"),
                    Some(qp) => write!(f, "spill_sprel_p(qp=p{qp},t={t},reg={reg},spoff={spoff:#x})"),
                }
            }
            Self::SpillReg { qp, t, reg, to } => write!(f, "spill_reg{}t={t},reg={reg},treg={to})", Predicate(qp)),
            Self::Restore { qp, t, reg } => write!(f, "restore{}t={t},reg={reg})", Predicate(qp)),
        }
    }
}
