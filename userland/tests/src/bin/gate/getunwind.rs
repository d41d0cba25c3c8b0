//! getunwind(2): every way to ask, and what comes back.

use crate::image::image;
use tollgate_gate::frame::ReturnAddress;
use tollgate_gate::unwind::table::Entries;
use tollgate_tests::memory::{KERNEL, Mapping, NON_CANONICAL, PAGE, munmap, peek};
use tollgate_tests::process::{Status, in_child};
use tollgate_tests::{Errno, sys};
use tollgate_unwind::dwarf::Frames;
use tollgate_unwind::table::{SYS_GETUNWIND, Table};

/// A byte that the data do not begin or end with.
const MARK: u8 = 0x5a;
const NOWHERE: [usize; 5] = [8, 0x1000, KERNEL, NON_CANONICAL, usize::MAX - 7];

fn size() -> usize {
    sys!(SYS_GETUNWIND, 0, 0).expect("getunwind")
}

fn data() -> Vec<u8> {
    Table::get().expect("getunwind").bytes().to_vec()
}

pub(crate) fn only_the_size_is_asked() {
    assert!(size() > 0 && size().is_multiple_of(8));
    for huge in [size() - 1, size(), 1 << 40, usize::MAX] {
        assert_eq!(sys!(SYS_GETUNWIND, 0, huge), Ok(size()), "NULL with {huge:#x} bytes");
    }
}

pub(crate) fn a_small_buffer_is_not_looked_at() {
    let mapping = Mapping::anonymous(1);
    mapping.fill(MARK);
    let before = bytes(&mapping, PAGE);
    for small in [0, 1, size() / 2, size() - 1] {
        assert_eq!(sys!(SYS_GETUNWIND, mapping.address, small), Ok(size()));
        for nowhere in NOWHERE {
            assert_eq!(sys!(SYS_GETUNWIND, nowhere, small), Ok(size()), "{small} bytes at {nowhere:#x}");
        }
    }
    assert_eq!(bytes(&mapping, PAGE), before);
}

fn bytes(mapping: &Mapping, len: usize) -> Vec<u8> {
    (mapping.address..mapping.address + len).map(peek).collect()
}

pub(crate) fn the_data_and_no_more_are_copied() {
    let size = size();
    for room in [size, size + 1, size + 100, 1 << 40, usize::MAX] {
        let mut buffer = vec![MARK; size + 200];
        assert_eq!(sys!(SYS_GETUNWIND, buffer[100..].as_mut_ptr(), room), Ok(size), "{room:#x} bytes of room");
        assert_eq!(buffer[100..100 + size], data());
        assert!(buffer[..100].iter().chain(&buffer[100 + size..]).all(|byte| *byte == MARK));
    }
    // To the last byte of a page, with nothing behind it; and across a boundary.
    let mapping = Mapping::anonymous(3);
    munmap(mapping.page(2), PAGE).expect("munmap");
    for start in [mapping.page(2) - size, mapping.page(1) - size / 2, mapping.page(1) - 1] {
        assert_eq!(sys!(SYS_GETUNWIND, start, size), Ok(size));
        let copied: Vec<u8> = (start..start + size).map(peek).collect();
        assert_eq!(copied, data());
    }
}

pub(crate) fn a_bad_buffer_is_a_fault() {
    let size = size();
    for nowhere in NOWHERE {
        for room in [size, size + 1, usize::MAX] {
            assert_eq!(sys!(SYS_GETUNWIND, nowhere, room), Err(Errno::EFAULT), "{nowhere:#x}");
        }
    }
    let mapping = Mapping::anonymous(2);
    mapping.fill(MARK);
    mapping.protect(1, 1, libc::PROT_READ).expect("mprotect");
    for start in [mapping.page(1), mapping.page(1) - 1, mapping.page(1) - size + 1] {
        assert_eq!(sys!(SYS_GETUNWIND, start, size), Err(Errno::EFAULT));
    }
    assert_eq!((peek(mapping.page(1)), peek(mapping.end() - 1)), (MARK, MARK), "a byte was written");
    munmap(mapping.page(1), PAGE).expect("munmap");
    assert_eq!(sys!(SYS_GETUNWIND, mapping.page(1) - size + 1, size), Err(Errno::EFAULT));
    assert_eq!(sys!(SYS_GETUNWIND, mapping.page(1) - size, size), Ok(size));
}

pub(crate) fn is_the_same_again_and_in_a_child() {
    let here = data();
    assert_eq!(data(), here);
    assert_eq!(in_child(|| assert_eq!(data(), here)), Status::Exited(0));
}

pub(crate) fn describes_the_image_where_it_is() {
    assert_eq!(data(), tollgate_gate::unwind_data(image().base));
    let data = data();
    for entry in Entries::new(&data).map(|entry| entry.expect("an entry")) {
        assert!(image().contains(entry.start) && image().contains(entry.end - 1));
        assert!(entry.records().all(|record| record.is_ok()));
    }
}

pub(crate) fn agrees_with_the_dwarf_of_the_image() {
    let table = Table::get().expect("getunwind");
    let image = image();
    let frames = Frames::new(image.bytes, image.frame_index().expect("an index")).expect("frames");
    let mut places = 0;
    for entry in table.entries().map(|entry| entry.expect("an entry")) {
        for ip in entry.start..entry.end {
            let (_, dwarf) = frames.frame_at(ip - image.base).expect("a DWARF frame");
            let ia64 = table.frame_at(ip).expect("an IA-64 frame");
            match dwarf.return_address {
                ReturnAddress::Unknown => assert_eq!(ia64.return_address, ReturnAddress::Unknown, "{ip:#x}"),
                ReturnAddress::At(_) => assert_eq!(ia64, dwarf, "{ip:#x}"),
            }
            places += 1;
        }
    }
    assert!(places > 100);
}
