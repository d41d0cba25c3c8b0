//! The image's DWARF frames, by its index, as an unwinder in the process reads them: from memory, without sections.

use std::ops::Range;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, Expression, LittleEndian, Operation, ParsedEhFrameHdr,
    Pointer, RegisterRule, UnwindContext, UnwindSection, X86_64,
};
use tollgate_gate::frame::{Cfa, Frame, REGISTERS, ReturnAddress};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The frames of an image. Addresses are offsets in it.
pub struct Frames<'a> {
    index: ParsedEhFrameHdr<Slice<'a>>,
    frames: EhFrame<Slice<'a>>,
    bases: BaseAddresses,
}

impl<'a> Frames<'a> {
    /// Reads the index at an offset in the image. `None` if it is none, or leads nowhere.
    pub fn new(image: &'a [u8], index_at: usize) -> Option<Self> {
        let bases = BaseAddresses::default().set_eh_frame_hdr(index_at as u64);
        let index = EhFrameHdr::new(image.get(index_at..)?, LittleEndian).parse(&bases, 8).ok()?;
        let Pointer::Direct(frames_at) = index.eh_frame_ptr() else { return None };
        let frames = EhFrame::new(image.get(frames_at as usize..)?, LittleEndian);
        Some(Self { index, frames, bases: bases.set_eh_frame(frames_at) })
    }

    /// The range of addresses around an offset that has one frame, and the frame. `None` outside of functions, and for
    /// rules that gate code has no use for.
    pub fn frame_at(&self, offset: u64) -> Option<(Range<u64>, Frame)> {
        let fde = self.index.table()?.fde_for_address(&self.frames, &self.bases, offset, EhFrame::cie_from_offset);
        let fde = fde.ok()?;
        let mut context = UnwindContext::new();
        let row = fde.unwind_info_for_address(&self.frames, &self.bases, &mut context, offset).ok()?;
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => Cfa::Above(u16::try_from(*offset).ok()?),
            CfaRule::RegisterAndOffset { .. } => return None,
            CfaRule::Expression(expression) => match operations(expression.get(&self.frames).ok()?)?[..] {
                [place, Operation::Deref { space: false, .. }] => Cfa::StoredAt(above_rsp(&place)?),
                _ => return None,
            },
        };
        let place = |register| self.place(row.register(register), cfa);
        let mut saved = [None; REGISTERS];
        for (number, saved) in (0..).zip(&mut saved) {
            *saved = place(gimli::Register(number))?;
        }
        let return_address = place(X86_64::RA)?.map_or(ReturnAddress::Unknown, ReturnAddress::At);
        let frame = Frame { cfa, return_address, saved, signal: fde.is_signal_trampoline() };
        Some((row.start_address()..row.end_address(), frame))
    }

    /// Where a register is stored, in bytes above rsp; an inner `None`: nowhere.
    fn place(&self, rule: Option<RegisterRule<usize>>, cfa: Cfa) -> Option<Option<u16>> {
        Some(match (rule, cfa) {
            (None | Some(RegisterRule::Undefined | RegisterRule::SameValue), _) => None,
            (Some(RegisterRule::Offset(offset)), Cfa::Above(depth)) => {
                Some(u16::try_from(i64::from(depth) + offset).ok()?)
            }
            (Some(RegisterRule::Expression(expression)), _) => {
                match operations(expression.get(&self.frames).ok()?)?[..] {
                    [place] => Some(above_rsp(&place)?),
                    _ => return None,
                }
            }
            _ => return None,
        })
    }
}

fn operations<'a>(expression: Expression<Slice<'a>>) -> Option<Vec<Operation<Slice<'a>>>> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut operations = expression.operations(encoding);
    let mut list = Vec::new();
    while let Some(operation) = operations.next().ok()? {
        list.push(operation);
    }
    Some(list)
}

fn above_rsp(operation: &Operation<Slice<'_>>) -> Option<u16> {
    match operation {
        Operation::RegisterOffset { register: X86_64::RSP, offset, .. } => u16::try_from(*offset).ok(),
        _ => None,
    }
}
