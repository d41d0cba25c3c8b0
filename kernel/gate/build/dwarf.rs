//! Writes the frames as DWARF call frame information: `.eh_frame`, and the index in `.eh_frame_hdr`.

use gimli::constants::{DW_EH_PE_datarel, DW_EH_PE_pcrel, DW_EH_PE_sdata4, DW_EH_PE_udata4};
use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec, Expression, FrameDescriptionEntry,
    FrameTable,
};
use gimli::{Encoding, Format, LittleEndian, Register, X86_64};

use crate::frame::{Cfa, Frame, ReturnAddress};
use crate::text::Assembled;

/// The section `.eh_frame`, which will be at `section` in the image.
pub fn eh_frame(functions: &[Assembled], section: usize) -> gimli::write::Result<Vec<u8>> {
    let mut table = FrameTable::default();
    let plain = table.add_cie(cie(false));
    let signal = table.add_cie(cie(true));
    for function in functions {
        // The writer counts addresses from the section's start.
        let address = Address::Constant((function.start as u64).wrapping_sub(section as u64));
        let mut fde = FrameDescriptionEntry::new(address, (function.end - function.start) as u32);
        let mut last = None;
        for (from, frame) in &function.rows {
            for instruction in instructions(last, frame) {
                fde.add_instruction((from - function.start) as u32, instruction);
            }
            last = Some(frame);
        }
        table.add_fde(if function.rows[0].1.signal { signal } else { plain }, fde);
    }
    let mut section = EhFrame::from(EndianVec::new(LittleEndian));
    table.write_eh_frame(&mut section)?;
    let mut bytes = section.0.take();
    bytes.extend([0; 4]); // ends the section
    Ok(bytes)
}

/// What all functions have in common. The mark of a signal frame is here, so there are two.
fn cie(signal: bool) -> CommonInformationEntry {
    let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 1 };
    let mut cie = CommonInformationEntry::new(encoding, 1, -8, X86_64::RA);
    cie.fde_address_encoding = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
    cie.signal_trampoline = signal;
    cie
}

/// What must be said for `frame` to be in force where `last` was.
fn instructions(last: Option<&Frame>, frame: &Frame) -> Vec<CallFrameInstruction> {
    let mut list = Vec::new();
    if last.map(|last| last.cfa) != Some(frame.cfa) {
        list.push(match frame.cfa {
            Cfa::Above(depth) => CallFrameInstruction::Cfa(X86_64::RSP, depth.into()),
            Cfa::StoredAt(place) => {
                let mut expression = above_rsp(place);
                expression.op_deref();
                CallFrameInstruction::CfaExpression(expression)
            }
        });
    }
    // DWARF says places relative to the CFA, so some rules stay the same while rsp moves.
    let rules = |frame: &Frame| {
        let saved = frame.saved.iter().enumerate().map(|(register, place)| (Register(register as u16), *place));
        let saved: Vec<_> = saved.map(|(register, place)| place.map(|place| rule(frame, register, place))).collect();
        let return_address = match frame.return_address {
            ReturnAddress::At(place) => rule(frame, X86_64::RA, place),
            ReturnAddress::Unknown => CallFrameInstruction::Undefined(X86_64::RA),
        };
        (saved, return_address)
    };
    let (saved, return_address) = rules(frame);
    let (old_saved, old_return_address) = match last.map(rules) {
        Some((saved, return_address)) => (saved, Some(return_address)),
        None => (vec![None; saved.len()], None),
    };
    for (number, (new, old)) in saved.into_iter().zip(old_saved).enumerate() {
        match (new, old) {
            (new, old) if new == old => {}
            (Some(new), _) => list.push(new),
            (None, _) => list.push(CallFrameInstruction::SameValue(Register(number as u16))),
        }
    }
    if old_return_address.as_ref() != Some(&return_address) {
        list.push(return_address);
    }
    list
}

/// `register` is saved `place` bytes above rsp.
fn rule(frame: &Frame, register: Register, place: u16) -> CallFrameInstruction {
    match frame.cfa {
        Cfa::Above(depth) => CallFrameInstruction::Offset(register, i32::from(place) - i32::from(depth)),
        Cfa::StoredAt(_) => CallFrameInstruction::Expression(register, above_rsp(place)),
    }
}

fn above_rsp(place: u16) -> Expression {
    let mut expression = Expression::new();
    expression.op_breg(X86_64::RSP, place.into());
    expression
}

/// The section `.eh_frame_hdr`: a table of all descriptions by address, for a binary search. It will be at `section` in
/// the image, and `eh_frame`, which is at `eh_frame_at`, is what it indexes.
pub fn eh_frame_hdr(eh_frame: &[u8], eh_frame_at: usize, section: usize) -> Vec<u8> {
    let word = |at: usize| i32::from_le_bytes(eh_frame[at..at + 4].try_into().expect("four bytes"));
    let mut table = Vec::new();
    let mut at = 0;
    while word(at) != 0 {
        // Length, distance back to the common part (0: this is one), address relative to its own place.
        if word(at + 4) != 0 {
            let function = (eh_frame_at + at + 8) as i32 + word(at + 8);
            table.push([function - section as i32, (eh_frame_at + at) as i32 - section as i32]);
        }
        at += 4 + word(at) as usize;
    }
    table.sort_unstable();
    let encodings = [DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4, DW_EH_PE_datarel | DW_EH_PE_sdata4]
        .map(|encoding| encoding.0);
    let mut bytes = vec![1]; // the version
    bytes.extend(encodings);
    bytes.extend((eh_frame_at as i32 - (section as i32 + 4)).to_le_bytes());
    bytes.extend((table.len() as u32).to_le_bytes());
    bytes.extend(table.as_flattened().iter().flat_map(|word| word.to_le_bytes()));
    bytes
}
