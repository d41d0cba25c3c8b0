//! Laying a program out in a new address space.
use alloc::sync::Arc;
use alloc::vec;
use core::ops::Range;

use tollgate_abi::process::Resource;
use tollgate_abi::{Errno, Result};
use tollgate_elf::{Header, Kind, Plan, Segment};

use super::HEAD;
use super::dice::Dice;
use crate::fs::{self, File};
use crate::mm::addr::UserAddr;
use crate::mm::gate;
use crate::mm::space::{AddressSpace, MemoryObject, Protection};
use crate::mm::{PAGE_SIZE, USER_END, frame};
use crate::task::current;

/// Where movable programs go before randomisation: two thirds up user space, as on Linux.
const MOVABLE_BASE: u64 = (USER_END / 3 * 2) & !(PAGE_SIZE as u64 - 1);
/// Bits of randomness, in pages, of the program's base and of where mappings go.
const MAP_RANDOM_BITS: u32 = 28;
/// Bits of randomness, in pages, of the stack's top.
const STACK_RANDOM_BITS: u32 = 22;
/// Bits of randomness, in pages, of the heap's start.
const HEAP_RANDOM_BITS: u32 = 13;
/// Least and most room below the stack's top that mappings leave to it.
const STACK_GAP: Range<u64> = 128 << 20..USER_END / 6 * 5;

/// A program in memory, ready to start but for its stack's contents.
pub(super) struct Image {
    /// The address space.
    pub(super) space: Arc<AddressSpace>,
    /// Where execution starts: in the interpreter, if there is one.
    pub(super) start: u64,
    /// The program's own entry point.
    pub(super) entry: u64,
    /// Where the program headers lie; 0 = nowhere.
    pub(super) headers: u64,
    /// How many there are.
    pub(super) header_count: usize,
    /// Where the interpreter lies; 0 = there is none.
    pub(super) interpreter_base: u64,
    /// The gate image (vDSO).
    pub(super) gate: UserAddr,
    /// End of the stack.
    pub(super) stack_top: UserAddr,
    /// The first executable segment.
    pub(super) code: Range<UserAddr>,
}

/// A program's file, read as far as its plan.
struct Loadable {
    plan: Plan,
    table_count: usize,
    object: Arc<dyn MemoryObject>,
}

/// Lays the program in `file`, which begins with `head`, out in a new address space, and its interpreter if it has one.
///
/// # Errors
/// `ENOEXEC` when it is no program, `EINVAL` when it cannot be laid out as it says, `ENOMEM`, `EIO`; for the interpreter
/// those of opening it, and `ELIBBAD` when it is none.
pub(super) fn build(file: &Arc<File>, head: &[u8; HEAD], dice: &mut Dice) -> Result<Image> {
    let program = load(file, head)?;
    let interpreter = match &program.plan.interpreter {
        Some(range) => Some(load_interpreter(file, range)?),
        None => None,
    };
    let space = AddressSpace::new()?;
    current().process.limits.tell_space(&space);
    let plan = &program.plan;
    let bias = match plan.kind {
        Kind::Fixed => 0,
        Kind::Movable => {
            let base = MOVABLE_BASE + dice.pages(MAP_RANDOM_BITS);
            let base = base & !(plan.align - 1);
            if USER_END - base < plan.span.end {
                return Err(Errno::ENOMEM);
            }
            // Biases may wrap below zero: a movable program can be linked anywhere.
            base.wrapping_sub(plan.span.start & !(plan.align - 1))
        }
    };
    let stack_top = USER_END - dice.pages(STACK_RANDOM_BITS);
    let heap = plan.span.end.wrapping_add(bias) + dice.pages(HEAP_RANDOM_BITS);
    space.set_layout(UserAddr(mmap_top(dice)), UserAddr(heap));
    map(&space, &program, bias)?;
    let mut start = plan.entry.wrapping_add(bias);
    let mut interpreter_base = 0;
    if let Some(interpreter) = interpreter {
        let plan = &interpreter.plan;
        let base = match plan.kind {
            Kind::Fixed => plan.span.start,
            Kind::Movable => space.find_free(plan.span.end - plan.span.start, plan.align)?.0,
        };
        interpreter_base = base.wrapping_sub(plan.span.start);
        map(&space, &interpreter, interpreter_base)?;
        start = plan.entry.wrapping_add(interpreter_base);
    }
    if start >= USER_END {
        return Err(Errno::EINVAL);
    }
    let mut protection = Protection::READ | Protection::WRITE;
    if plan.executable_stack == Some(true) {
        protection |= Protection::EXEC;
    }
    space.map_stack(UserAddr(stack_top), protection)?;
    let gate = gate::map(&space)?;
    let code = plan.segments.iter().find(|s| s.execute).map_or(0..0, |s| s.start..s.end);
    Ok(Image {
        start,
        entry: plan.entry.wrapping_add(bias),
        headers: plan.headers_at.map_or(0, |at| at.wrapping_add(bias)),
        header_count: program.table_count,
        interpreter_base,
        gate,
        stack_top: UserAddr(stack_top),
        code: UserAddr(code.start.wrapping_add(bias))..UserAddr(code.end.wrapping_add(bias)),
        space,
    })
}

fn load(file: &Arc<File>, head: &[u8]) -> Result<Loadable> {
    let header = Header::parse(head)?;
    let mut table = vec![0; header.table_size()];
    let got = file.read_at(header.table_offset, &mut table).map_err(|_| Errno::ENOEXEC)?;
    if got < table.len() {
        return Err(Errno::ENOEXEC);
    }
    let plan = Plan::new(&header, &table, USER_END)?;
    // A segment that the file ends before: it was cut off.
    let size = file.size();
    let whole = |s: &Segment| s.file_end == s.start || s.file_offset + (s.file_end - s.start) <= size;
    if !plan.segments.iter().all(whole) {
        return Err(Errno::ENOEXEC);
    }
    let object = file.ops().memory_object(file).map_err(|_| Errno::ENOEXEC)?;
    Ok(Loadable { plan, table_count: header.table_count, object })
}

fn load_interpreter(program: &File, at: &Range<u64>) -> Result<Loadable> {
    let mut path = vec![0; (at.end - at.start) as usize];
    if program.read_at(at.start, &mut path)? < path.len() {
        return Err(Errno::EIO);
    }
    if path.pop() != Some(0) {
        return Err(Errno::ENOEXEC);
    }
    let end = path.iter().position(|&b| b == 0).unwrap_or(path.len());
    let file = fs::open_exec(&path[..end])?;
    let mut head = [0; HEAD];
    super::read_head(&file, &mut head)?;
    load(&file, &head).map_err(|error| if error == Errno::ENOEXEC { Errno::ELIBBAD } else { error })
}

fn map(space: &AddressSpace, program: &Loadable, bias: u64) -> Result<()> {
    for segment in &program.plan.segments {
        map_segment(space, &program.object, segment, bias)?;
    }
    Ok(())
}

fn map_segment(space: &AddressSpace, object: &Arc<dyn MemoryObject>, segment: &Segment, bias: u64) -> Result<()> {
    let mut protection = Protection::empty();
    protection.set(Protection::READ, segment.read);
    protection.set(Protection::WRITE, segment.write);
    protection.set(Protection::EXEC, segment.execute);
    let at = |address: u64| UserAddr(address.wrapping_add(bias));
    let file_pages_end = segment.file_pages_end();
    if file_pages_end > segment.start {
        let file = Some((object.clone(), segment.file_offset));
        space.map_segment(at(segment.start), file_pages_end - segment.start, protection, file)?;
    }
    if segment.end > file_pages_end {
        // Zeros that no machine state could ever back: say so now rather than kill the program later.
        if segment.end - file_pages_end > (frame::stats().total * PAGE_SIZE) as u64 {
            return Err(Errno::ENOMEM);
        }
        space.map_segment(at(file_pages_end), segment.end - file_pages_end, protection, None)?;
    }
    let tail = file_pages_end - segment.file_end;
    if segment.zero_tail && tail > 0 {
        const ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
        let zeroed = space.write_remote(at(segment.file_end), &ZEROS[..tail as usize]);
        // Past the end of the file there is nothing to write to; the program finds that out itself, if it goes there.
        // A read-only tail nobody counts on.
        if let Err(error @ Errno::ENOMEM) = zeroed {
            return Err(error);
        }
    }
    Ok(())
}

/// Where mappings without a wish go: below the stack, with room for it to grow to its limit.
fn mmap_top(dice: &mut Dice) -> u64 {
    let limit = current().process.limits.soft(Resource::Stack);
    let stack_random = PAGE_SIZE as u64 * ((1 << STACK_RANDOM_BITS) + 256);
    let gap = limit.saturating_add(stack_random).clamp(STACK_GAP.start, STACK_GAP.end);
    (USER_END - gap - dice.pages(MAP_RANDOM_BITS)) & !(PAGE_SIZE as u64 - 1)
}
