//! What /proc tells of a process's memory.
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;
use core::ops::Range;

use tollgate_abi::{Errno, Result};
use zerocopy::IntoBytes;

use super::process::Subject;
use crate::mm::PAGE_SIZE;
use crate::mm::addr::UserAddr;
use crate::mm::space::{AddressSpace, MapFlags, Protection, Usage};
use crate::task::program::Program;

/// Most bytes shown of arguments or environment.
const STRINGS_MAX: u64 = 2 << 20;

fn space(subject: &Subject) -> Option<Arc<AddressSpace>> {
    subject.live_task().ok()?.space()
}

/// A part of the memory that the program was started with. Empty for what has none any more.
fn strings(subject: &Subject, range: fn(&Program) -> Range<UserAddr>) -> Result<Vec<u8>> {
    let process = subject.get()?;
    let (Some(space), Some(program)) = (space(subject), process.program()) else { return Ok(Vec::new()) };
    let Range { start, end } = range(&program);
    let mut bytes = vec![0; end.0.saturating_sub(start.0).min(STRINGS_MAX) as usize];
    let got = space.read_remote(start, &mut bytes);
    bytes.truncate(got);
    Ok(bytes)
}

/// /proc/PID/cmdline.
pub(super) fn cmdline(subject: &Subject) -> Result<Vec<u8>> {
    strings(subject, |program| program.arguments.clone())
}

/// /proc/PID/environ.
pub(super) fn environ(subject: &Subject) -> Result<Vec<u8>> {
    strings(subject, |program| program.environment.clone())
}

/// /proc/PID/auxv.
pub(super) fn auxv(subject: &Subject) -> Result<Vec<u8>> {
    let program = subject.get()?.program();
    Ok(program.map_or(Vec::new(), |program| program.auxv.as_bytes().to_vec()))
}

/// How much memory the process uses; nothing once it has ended.
pub(super) fn usage(subject: &Subject) -> Option<Usage> {
    Some(space(subject)?.usage())
}

/// /proc/PID/statm: total, resident, shared, text, library, data, dirty; pages.
pub(super) fn statm(subject: &Subject) -> Result<Vec<u8>> {
    drop(subject.get()?);
    let usage = usage(subject).unwrap_or_default();
    let pages = |bytes: u64| bytes / PAGE_SIZE as u64;
    let program = subject.get()?.program();
    let text = program.map_or(0, |program| program.code.end.0.saturating_sub(program.code.start.0));
    let resident = usage.resident_anonymous + usage.resident_object;
    let line = format!(
        "{} {} {} {} 0 {} 0\n",
        pages(usage.size),
        pages(resident),
        pages(usage.resident_object),
        pages(text.next_multiple_of(PAGE_SIZE as u64)),
        pages(usage.data + usage.stack)
    );
    Ok(line.into_bytes())
}

/// /proc/PID/maps.
pub(super) fn maps(subject: &Subject) -> Result<Vec<u8>> {
    drop(subject.get()?);
    let mut out = String::new();
    let Some(space) = space(subject) else { return Ok(Vec::new()) };
    let mut failed = Ok(());
    space.for_each_area(0, |area| {
        let letter = |has, letter: char| if has { letter } else { '-' };
        let start = out.len();
        let shared = area.flags.contains(MapFlags::SHARED);
        let _ = write!(
            out,
            "{:08x}-{:08x} {}{}{}{} {:08x} ",
            area.range.start,
            area.range.end,
            letter(area.protection.contains(Protection::READ), 'r'),
            letter(area.protection.contains(Protection::WRITE), 'w'),
            letter(area.protection.contains(Protection::EXEC), 'x'),
            if shared { 's' } else { 'p' },
            area.offset,
        );
        let description = area.object.and_then(|object| object.describe());
        let description = match (&description, area.name) {
            (Some(description), _) => description,
            (None, Some(name)) => &format!("00:00 0 {name}"),
            (None, None) if shared => "00:01 0 /dev/zero (deleted)",
            (None, None) => "00:00 0",
        };
        // Names begin in column 74, as everyone who parses this by eye expects.
        let mut fields = description.splitn(3, ' ');
        let (device, inode) = (fields.next().unwrap_or("00:00"), fields.next().unwrap_or("0"));
        let _ = write!(out, "{device} {inode} ");
        if let Some(name) = fields.next() {
            let width = 73usize.saturating_sub(out.len() - start);
            let _ = write!(out, "{:width$}{}", "", name.replace('\n', "\\012"));
        }
        out.push('\n');
        if out.len() > 16 << 20 {
            failed = Err(Errno::ENOMEM);
        }
        failed.is_ok()
    });
    failed.map(|()| out.into_bytes())
}
