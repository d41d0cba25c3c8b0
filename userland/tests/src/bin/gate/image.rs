//! The vDSO as an ELF file in memory, read as a C library reads it.

use tollgate_unwind::dwarf::Frames;
use tollgate_unwind::image::Image;

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_SONAME: u64 = 14;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERDEF: u64 = 0x6fff_fffc;
const PT_DYNAMIC: u64 = 2;
const FUNC: u8 = 2;

/// The image of this process.
pub(crate) fn image() -> Image {
    Image::of_process().expect("AT_SYSINFO_EHDR")
}

/// A number of `len` bytes at an offset in the image.
fn number(at: usize, len: usize) -> u64 {
    image().bytes[at..at + len].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn string(at: usize) -> String {
    let bytes = &image().bytes[at..];
    let end = bytes.iter().position(|byte| *byte == 0).expect("a string ends");
    String::from_utf8(bytes[..end].to_vec()).expect("a name")
}

/// The value of an entry of the dynamic section.
fn dynamic(tag: u64) -> Option<usize> {
    let (table, size, count) = (number(32, 8) as usize, number(54, 2) as usize, number(56, 2) as usize);
    let header = (0..count).map(|index| table + index * size).find(|at| number(*at, 4) == PT_DYNAMIC)?;
    let start = number(header + 8, 8) as usize;
    let mut entries =
        (start..).step_by(16).map(|at| (number(at, 8), number(at + 8, 8))).take_while(|entry| entry.0 != 0);
    entries.find(|entry| entry.0 == tag).map(|entry| entry.1 as usize)
}

fn need(tag: u64) -> usize {
    dynamic(tag).unwrap_or_else(|| panic!("no dynamic entry {tag:#x}"))
}

/// Address of a function: by its name, and by the version the C libraries ask for.
pub(crate) fn function(name: &str) -> Option<usize> {
    let count = number(need(DT_HASH) + 4, 4) as usize;
    (1..count).find_map(|index| {
        let symbol = need(DT_SYMTAB) + 24 * index;
        let matches = string(need(DT_STRTAB) + number(symbol, 4) as usize) == name
            && image().bytes[symbol + 4] & 15 == FUNC
            && version(number(need(DT_VERSYM) + 2 * index, 2) & 0x7fff) == "LINUX_2.6";
        matches.then(|| image().base as usize + number(symbol + 8, 8) as usize)
    })
}

/// The name of a version by its index.
fn version(index: u64) -> String {
    let mut at = need(DT_VERDEF);
    loop {
        if number(at + 4, 2) == index {
            let name = at + number(at + 12, 4) as usize;
            return string(need(DT_STRTAB) + number(name, 4) as usize);
        }
        match number(at + 16, 4) {
            0 => return String::new(),
            next => at += next as usize,
        }
    }
}

pub(crate) fn is_a_versioned_shared_object() {
    assert_eq!(image().bytes[..4], *b"\x7fELF");
    assert_eq!(image().base % 4096, 0);
    assert_eq!((number(16, 2), number(18, 2)), (3, 62), "ET_DYN for x86-64");
    assert_eq!(string(need(DT_STRTAB) + need(DT_SONAME)), "linux-vdso.so.1");
    for name in ["clock_gettime", "gettimeofday", "time", "clock_getres", "getcpu"] {
        let whole = function(&format!("__vdso_{name}")).unwrap_or_else(|| panic!("no __vdso_{name}"));
        assert_eq!(function(name), Some(whole), "{name}");
    }
}

/// musl counts the symbols by the old table; glibc prefers the new one.
pub(crate) fn both_hash_tables_are_there() {
    need(DT_HASH);
    need(DT_GNU_HASH);
}

pub(crate) fn debuggers_find_sections_and_frames() {
    let (sections, count) = (number(40, 8) as usize, number(60, 2) as usize);
    assert!(count > 0 && sections + 64 * count <= image().bytes.len().next_multiple_of(4096));
    let index = image().frame_index().expect("PT_GNU_EH_FRAME");
    let frames = Frames::new(image().bytes, index).expect("frames");
    let at = function("__vdso_clock_gettime").expect("__vdso_clock_gettime") as u64 - image().base;
    let (_, frame) = frames.frame_at(at).expect("a frame");
    assert_eq!(frame, tollgate_gate::frame::Frame::plain(0), "at its first instruction every function has this frame");
}
