//! madvise.

use std::os::fd::AsRawFd;
use tollgate_tests::memory::{Mapping, PAGE, RW, munmap, peek, poke};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn madvise(address: usize, length: usize, advice: i32) -> sys::Result {
    sys!(libc::SYS_madvise, address, length, advice)
}

pub(crate) fn dontneed_zeroes_anonymous_memory() {
    let mapping = Mapping::anonymous(3);
    mapping.fill(4);
    madvise(mapping.page(1), PAGE, libc::MADV_DONTNEED).unwrap();
    assert_eq!([0, 1, 2].map(|page| peek(mapping.page(page))), [4, 0, 4]);
    poke(mapping.page(1), 1);
}

pub(crate) fn dontneed_brings_back_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"content");
    let mapping = Mapping::new(PAGE, RW, libc::MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    poke(mapping.address, b'C');
    madvise(mapping.address, PAGE, libc::MADV_DONTNEED).unwrap();
    assert_eq!(peek(mapping.address), b'c');
}

pub(crate) fn bad_arguments_are_refused() {
    let mapping = Mapping::anonymous(3);
    assert_eq!(madvise(mapping.address + 1, PAGE, libc::MADV_DONTNEED), Err(Errno::EINVAL), "unaligned");
    assert_eq!(madvise(mapping.address, PAGE, 12345), Err(Errno::EINVAL), "no such advice");
    assert_eq!(madvise(mapping.address, 0, libc::MADV_DONTNEED), Ok(0), "no length is nothing to do");
    mapping.fill(1);
    munmap(mapping.page(1), PAGE).unwrap();
    assert_eq!(madvise(mapping.address, 3 * PAGE, libc::MADV_DONTNEED), Err(Errno::ENOMEM), "a hole");
    assert_eq!((peek(mapping.page(0)), peek(mapping.page(2))), (0, 0), "done all the same around the hole");
}
