//! mprotect, and what each protection permits.

use std::fs::File;
use std::os::fd::AsRawFd;
use tollgate_tests::memory::{ANONYMOUS, Mapping, PAGE, RW, mmap, munmap, peek, poke, touch};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::signal::{Fault, fault_of};
use tollgate_tests::{Errno, sys};

const SEGV_ACCERR: i32 = 2;

fn refused(address: usize) -> Option<Fault> {
    Some(Fault { signal: libc::SIGSEGV, code: SEGV_ACCERR, address })
}

pub(crate) fn read_only_refuses_writes() {
    let mapping = Mapping::anonymous(1);
    poke(mapping.address, 3);
    mapping.protect(0, 1, libc::PROT_READ).unwrap();
    assert_eq!(peek(mapping.address), 3);
    assert_eq!(fault_of(|| poke(mapping.address + 5, 1)), refused(mapping.address + 5));
    mapping.protect(0, 1, RW).unwrap();
    poke(mapping.address, 4);
    assert_eq!(peek(mapping.address), 4);
}

pub(crate) fn none_refuses_reads() {
    let mapping = Mapping::anonymous(1);
    poke(mapping.address, 3);
    mapping.protect(0, 1, libc::PROT_NONE).unwrap();
    assert_eq!(fault_of(|| touch(mapping.address)), refused(mapping.address));
    mapping.protect(0, 1, libc::PROT_READ).unwrap();
    assert_eq!(peek(mapping.address), 3, "the content stays");
    // And one that was never anything else.
    let nothing = Mapping::new(PAGE, libc::PROT_NONE, ANONYMOUS, -1, 0).unwrap();
    assert_eq!(fault_of(|| touch(nothing.address)), refused(nothing.address));
    nothing.protect(0, 1, RW).unwrap();
    poke(nothing.address, 1);
}

pub(crate) fn changing_the_middle_keeps_the_ends() {
    let mapping = Mapping::anonymous(5);
    mapping.fill(1);
    mapping.protect(1, 3, libc::PROT_READ).unwrap();
    mapping.protect(2, 1, RW).unwrap();
    for page in [0, 2, 4] {
        poke(mapping.page(page), 2);
    }
    for page in [1, 3] {
        assert_eq!(fault_of(|| poke(mapping.page(page), 2)), refused(mapping.page(page)));
        assert_eq!(peek(mapping.page(page)), 1);
    }
}

/// `mov $42, %eax; ret`.
const CODE: [u8; 6] = [0xb8, 42, 0, 0, 0, 0xc3];

pub(crate) fn data_cannot_be_executed() {
    let mapping = Mapping::anonymous(1);
    for (offset, byte) in CODE.iter().enumerate() {
        poke(mapping.address + offset, *byte);
    }
    // SAFETY: the page holds a function of this type; whether it may run is the test.
    let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(mapping.address) };
    assert_eq!(fault_of(|| assert_eq!(function(), 42)), refused(mapping.address));
    mapping.protect(0, 1, libc::PROT_READ | libc::PROT_EXEC).unwrap();
    assert_eq!(function(), 42);
    assert_eq!(fault_of(|| poke(mapping.address, 0)), refused(mapping.address));
}

pub(crate) fn bad_arguments_are_refused() {
    let mapping = Mapping::anonymous(2);
    let protect = |address: usize, length: usize, protection: i32| {
        sys!(libc::SYS_mprotect, address, length, protection) //
    };
    assert_eq!(protect(mapping.address + 1, PAGE, RW), Err(Errno::EINVAL), "unaligned");
    assert_eq!(protect(mapping.address, PAGE, 0x4000_0000), Err(Errno::EINVAL), "no such protection");
    assert_eq!(protect(mapping.address, 0, RW), Ok(0), "no length is nothing to do");
    assert_eq!(protect(mapping.address, usize::MAX - PAGE, RW), Err(Errno::ENOMEM), "too long");
    munmap(mapping.page(1), PAGE).unwrap();
    assert_eq!(protect(mapping.page(1), PAGE, RW), Err(Errno::ENOMEM), "nothing there");
}

pub(crate) fn a_hole_stops_the_change_halfway() {
    let mapping = Mapping::anonymous(3);
    munmap(mapping.page(1), PAGE).unwrap();
    assert_eq!(mapping.protect(0, 3, libc::PROT_READ), Err(Errno::ENOMEM));
    assert_eq!(fault_of(|| poke(mapping.page(0), 1)), refused(mapping.page(0)), "before the hole it is done");
    poke(mapping.page(2), 1);
}

pub(crate) fn files_limit_their_mappings() {
    let scratch = Scratch::new();
    scratch.file("file", b"content");
    let path = scratch.path().join("file");
    let reader = File::open(&path).unwrap();
    let writer = File::options().write(true).open(&path).unwrap();
    let map = |file: &File, protection, flags| {
        mmap(0, PAGE, protection, flags, file.as_raw_fd(), 0) //
    };
    assert_eq!(map(&writer, libc::PROT_READ, libc::MAP_PRIVATE), Err(Errno::EACCES), "a file not open to read");
    assert_eq!(map(&reader, RW, libc::MAP_SHARED), Err(Errno::EACCES), "writes to a file not open to write");
    let private = map(&reader, RW, libc::MAP_PRIVATE).expect("a private copy may be written");
    poke(private, b'C');
    assert_eq!(std::fs::read(&path).unwrap(), b"content");
    munmap(private, PAGE).unwrap();
}
