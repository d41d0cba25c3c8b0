//! Reads the image's DWARF frames, by its index, with a library that is not ours.
#![allow(dead_code, reason = "each test binary uses its part")]

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Expression, LittleEndian, Operation, RegisterRule, UnwindContext,
    UnwindSection, X86_64,
};
use object::{Object, ObjectSection};
use tollgate_gate::frame::{Cfa, Frame, REGISTERS, ReturnAddress};
use tollgate_gate::image;

type Slice = gimli::EndianSlice<'static, LittleEndian>;

fn section(file: &object::File<'static>, name: &str) -> (u64, &'static [u8]) {
    let section = file.section_by_name(name).unwrap_or_else(|| panic!("no section {name}"));
    (section.address(), section.data().expect("the section's bytes"))
}

/// The range of addresses and the frame that the tables give for an offset in the image.
pub(crate) fn frame_at(offset: u64) -> Option<(std::ops::Range<u64>, Frame)> {
    let file = object::File::parse(image()).expect("the image is an ELF file");
    let (frames_at, frames) = section(&file, ".eh_frame");
    let (index_at, index) = section(&file, ".eh_frame_hdr");
    let bases = BaseAddresses::default().set_eh_frame(frames_at).set_eh_frame_hdr(index_at);
    let index = EhFrameHdr::new(index, LittleEndian).parse(&bases, 8).expect("the index");
    let frames: EhFrame<Slice> = EhFrame::new(frames, LittleEndian);
    let table = index.table().expect("the index has a table");
    let fde = table.fde_for_address(&frames, &bases, offset, EhFrame::cie_from_offset).ok()?;
    let mut context = UnwindContext::new();
    let row = fde.unwind_info_for_address(&frames, &bases, &mut context, offset).expect("a row");

    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset } => Cfa::Above(*offset as u16),
        CfaRule::Expression(expression) => {
            let expression = expression.get(&frames).expect("an expression");
            let operations = operations(expression);
            assert!(matches!(operations[..], [_, Operation::Deref { space: false, .. }]));
            Cfa::StoredAt(above_rsp(&operations[0]))
        }
        other => panic!("unexpected {other:?}"),
    };
    let place = |rule: Option<RegisterRule<usize>>| match (rule?, cfa) {
        (RegisterRule::Undefined | RegisterRule::SameValue, _) => None,
        (RegisterRule::Offset(offset), Cfa::Above(depth)) => Some((i64::from(depth) + offset) as u16),
        (RegisterRule::Expression(expression), _) => {
            let operations = operations(expression.get(&frames).expect("an expression"));
            assert_eq!(operations.len(), 1);
            Some(above_rsp(&operations[0]))
        }
        other => panic!("unexpected {other:?}"),
    };
    let mut saved = [None; REGISTERS];
    for (number, saved) in saved.iter_mut().enumerate() {
        *saved = place(row.register(gimli::Register(number as u16)));
    }
    let return_address = place(row.register(X86_64::RA)).map_or(ReturnAddress::Unknown, ReturnAddress::At);
    let frame = Frame { cfa, return_address, saved, signal: fde.is_signal_trampoline() };
    Some((row.start_address()..row.end_address(), frame))
}

fn operations(expression: Expression<Slice>) -> Vec<Operation<Slice>> {
    let encoding = gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 4 };
    let mut operations = expression.operations(encoding);
    std::iter::from_fn(|| operations.next().expect("an operation")).collect()
}

fn above_rsp(operation: &Operation<Slice>) -> u16 {
    match operation {
        Operation::RegisterOffset { register: X86_64::RSP, offset, .. } => *offset as u16,
        other => panic!("unexpected {other:?}"),
    }
}
