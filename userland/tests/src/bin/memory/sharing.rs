//! What a fork copies, what it shares, and files in memory.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use tollgate_tests::memory::{Mapping, PAGE, RW, mmap, munmap, peek, poke, touch};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::fork;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::signal::{Fault, fault_of};
use tollgate_tests::{Errno, on_tollgate, skip, sys};

pub(crate) fn a_child_has_its_own_copy() {
    let mapping = Mapping::anonymous(64);
    mapping.fill(1);
    let (to_child, to_parent) = (Pipe::new(), Pipe::new());
    let child = fork(|| {
        to_child.wait();
        assert!((0..64).all(|page| peek(mapping.page(page)) == 1), "the parent's write came through");
        mapping.fill(3);
        to_parent.notify();
        to_child.wait();
        assert!((0..64).all(|page| peek(mapping.page(page)) == 3));
        0
    });
    mapping.fill(2);
    to_child.notify();
    to_parent.wait();
    assert!((0..64).all(|page| peek(mapping.page(page)) == 2), "the child's write came through");
    to_child.notify();
    child.succeed();
}

/// Each generation adds one to a page of its own and to a page of all.
pub(crate) fn copies_through_generations() {
    let mapping = Mapping::anonymous(10);
    fn descend(mapping: &Mapping, depth: usize) -> i32 {
        if depth == 10 {
            return 0;
        }
        poke(mapping.page(depth), 1);
        let before = peek(mapping.address + 100);
        poke(mapping.address + 100, before + 1);
        fork(|| descend(mapping, depth + 1)).succeed();
        assert_eq!(peek(mapping.address + 100), before + 1);
        assert!((0..10).all(|page| peek(mapping.page(page)) == u8::from(page <= depth)));
        0
    }
    descend(&mapping, 0);
}

pub(crate) fn the_kernel_copies_before_it_writes() {
    let mapping = Mapping::anonymous(1);
    poke(mapping.address, 1);
    let pipe = Pipe::new();
    pipe.write(&[9]).unwrap();
    fork(|| {
        assert_eq!(sys!(libc::SYS_read, pipe.reader(), mapping.address, 1), Ok(1));
        assert_eq!(peek(mapping.address), 9);
        0
    })
    .succeed();
    assert_eq!(peek(mapping.address), 1);
}

pub(crate) fn shared_memory_is_shared() {
    let mapping = Mapping::shared(4);
    poke(mapping.page(0), 1);
    fork(|| {
        assert_eq!(peek(mapping.page(0)), 1);
        // One page the parent has touched, one it has not.
        poke(mapping.page(0), 2);
        poke(mapping.page(3), 3);
        0
    })
    .succeed();
    assert_eq!((peek(mapping.page(0)), peek(mapping.page(3))), (2, 3));
}

pub(crate) fn shared_memory_outlives_its_maker() {
    let mapping = Mapping::shared(1);
    let (go, done) = (Pipe::new(), Pipe::new());
    fork(|| {
        let _orphan = fork(|| {
            go.wait();
            poke(mapping.address, 5);
            done.notify();
            0
        });
        0
    })
    .succeed();
    go.notify();
    done.wait();
    assert_eq!(peek(mapping.address), 5);
}

pub(crate) fn private_file_shows_the_file() {
    let scratch = Scratch::new();
    let content: Vec<u8> = (0..3 * PAGE + 100).map(|index| (index / 7) as u8).collect();
    let file = scratch.file("file", &content);
    let mapping = Mapping::new(content.len(), libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    drop(file);
    assert!(content.iter().enumerate().all(|(index, &byte)| peek(mapping.address + index) == byte));
    assert_eq!(peek(mapping.page(3) + 100), 0, "zeroes up to the end of the page");
    assert_eq!(peek(mapping.page(4) - 1), 0);
    let file = File::open(scratch.path().join("file")).unwrap();
    let second = Mapping::new(PAGE, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 2 * PAGE).unwrap();
    assert_eq!(peek(second.address + 9), content[2 * PAGE + 9]);
}

pub(crate) fn private_file_keeps_writes_to_itself() {
    let scratch = Scratch::new();
    let file = scratch.file("file", &[7; PAGE]);
    let map = || Mapping::new(PAGE, RW, libc::MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    let (first, second) = (map(), map());
    poke(first.address, 8);
    fork(|| {
        poke(first.address + 1, 9);
        0
    })
    .succeed();
    assert_eq!((peek(first.address), peek(first.address + 1), peek(second.address)), (8, 7, 7));
    assert_eq!(fs::read(scratch.path().join("file")).unwrap(), [7; PAGE]);
}

pub(crate) fn beyond_the_file_is_a_bus_error() {
    const BUS_ADRERR: i32 = 2;
    let scratch = Scratch::new();
    let file = scratch.file("file", b"short");
    let mapping = Mapping::new(3 * PAGE, RW, libc::MAP_PRIVATE, file.as_raw_fd(), 0).unwrap();
    assert_eq!(peek(mapping.page(0)), b's');
    let expected = |address| Some(Fault { signal: libc::SIGBUS, code: BUS_ADRERR, address });
    assert_eq!(fault_of(|| touch(mapping.page(1))), expected(mapping.page(1)));
    assert_eq!(fault_of(|| poke(mapping.page(2) + 1, 1)), expected(mapping.page(2) + 1));
    // The kernel's own access is an errno.
    assert_eq!(sys!(libc::SYS_clock_gettime, 0, mapping.page(1)), Err(Errno::EFAULT));
}

pub(crate) fn shared_file_writes_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"content");
    let mapping = match mmap(0, PAGE, RW, libc::MAP_SHARED, file.as_raw_fd(), 0) {
        Ok(address) => address,
        Err(error) if on_tollgate() => skip!("{error:?}"),
        Err(error) => panic!("mmap: {error:?}"),
    };
    poke(mapping, b'C');
    assert_eq!(fs::read(scratch.path().join("file")).unwrap(), b"Content");
    fs::write(scratch.path().join("file"), b"CONTENT").unwrap();
    assert_eq!(peek(mapping + 6), b'T');
    munmap(mapping, PAGE).unwrap();
}

/// Memory that was only read may all be one page of zeroes; a write must not go there.
pub(crate) fn the_zero_page_is_never_written() {
    let (first, second) = (Mapping::anonymous(2), Mapping::anonymous(2));
    assert_eq!((peek(first.address), peek(second.address)), (0, 0));
    poke(first.address, 1);
    let pipe = Pipe::new();
    pipe.write(&[1]).unwrap();
    assert_eq!(peek(first.page(1)), 0);
    assert_eq!(sys!(libc::SYS_read, pipe.reader(), first.page(1), 1), Ok(1));
    assert_eq!((peek(second.address), peek(second.page(1))), (0, 0));
    assert_eq!(peek(Mapping::anonymous(1).address), 0);
}
