//! mmap and munmap.

use tollgate_tests::memory::{ANONYMOUS, Mapping, NON_CANONICAL, PAGE, RW, is_mapped, mmap, munmap, peek, poke};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::{Errno, sys};

pub(crate) fn anonymous_memory_is_zero() {
    let mapping = Mapping::anonymous(5);
    assert_eq!(mapping.address % PAGE, 0);
    assert!((mapping.address..mapping.end()).step_by(64).all(|address| peek(address) == 0));
    mapping.fill(0x5a);
    assert_eq!(peek(mapping.end() - 1), 0x5a);
}

pub(crate) fn bad_arguments_are_refused() {
    let private = libc::MAP_PRIVATE;
    assert_eq!(mmap(0, 0, RW, ANONYMOUS, -1, 0), Err(Errno::EINVAL), "no length");
    assert_eq!(mmap(0, PAGE, RW, libc::MAP_ANONYMOUS, -1, 0), Err(Errno::EINVAL), "neither private nor shared");
    assert_eq!(mmap(0, PAGE, RW, private, -1, 0), Err(Errno::EBADF), "no file");
    assert_eq!(mmap(0, PAGE, RW, private, 0, 1), Err(Errno::EINVAL), "offset within a page");
    assert_eq!(mmap(123, PAGE, RW, ANONYMOUS | libc::MAP_FIXED, -1, 0), Err(Errno::EINVAL), "unaligned place");
    let high = NON_CANONICAL;
    assert_eq!(mmap(high, PAGE, RW, ANONYMOUS | libc::MAP_FIXED, -1, 0), Err(Errno::ENOMEM), "no such place");
    assert_eq!(mmap(0, usize::MAX - 10, RW, ANONYMOUS, -1, 0), Err(Errno::ENOMEM), "too long to round up");
    assert_eq!(munmap(0x1001, PAGE), Err(Errno::EINVAL), "unaligned");
    assert_eq!(munmap(0x10000, 0), Err(Errno::EINVAL), "no length");
    assert_eq!(munmap(0x10000, usize::MAX - PAGE), Err(Errno::EINVAL), "longer than the address space");
    let pipe = Pipe::new();
    assert_eq!(mmap(0, PAGE, libc::PROT_READ, private, pipe.reader(), 0), Err(Errno::ENODEV), "a pipe");
}

pub(crate) fn a_free_hint_is_taken() {
    let place = Mapping::anonymous(4).address + PAGE;
    assert_eq!(mmap(place, PAGE, RW, ANONYMOUS, -1, 0), Ok(place));
    let elsewhere = mmap(place, PAGE, RW, ANONYMOUS, -1, 0).expect("a taken hint is only a hint");
    assert_ne!(elsewhere, place);
    munmap(place, PAGE).unwrap();
    munmap(elsewhere, PAGE).unwrap();
}

pub(crate) fn fixed_replaces_what_was_there() {
    let mapping = Mapping::anonymous(3);
    mapping.fill(7);
    assert_eq!(mmap(mapping.page(1), PAGE, RW, ANONYMOUS | libc::MAP_FIXED, -1, 0), Ok(mapping.page(1)));
    assert_eq!([0, 1, 2].map(|page| peek(mapping.page(page))), [7, 0, 7]);
}

pub(crate) fn noreplace_refuses_what_is_taken() {
    let mapping = Mapping::anonymous(3);
    let flags = ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    assert_eq!(mmap(mapping.page(1), PAGE, RW, flags, -1, 0), Err(Errno::EEXIST));
    munmap(mapping.page(1), PAGE).unwrap();
    assert_eq!(mmap(mapping.page(1), 2 * PAGE, RW, flags, -1, 0), Err(Errno::EEXIST), "taken in part");
    assert_eq!(mmap(mapping.page(1), PAGE, RW, flags, -1, 0), Ok(mapping.page(1)));
}

pub(crate) fn unmapping_the_middle_leaves_the_ends() {
    let mapping = Mapping::anonymous(3);
    mapping.fill(9);
    munmap(mapping.page(1), PAGE).unwrap();
    assert_eq!([0, 1, 2].map(|page| is_mapped(mapping.page(page))), [true, false, true]);
    assert_eq!((peek(mapping.page(0)), peek(mapping.page(2))), (9, 9));
}

pub(crate) fn unmapping_nothing_succeeds() {
    let mapping = Mapping::anonymous(4);
    munmap(mapping.page(1), PAGE).unwrap();
    munmap(mapping.page(1), PAGE).unwrap();
    munmap(mapping.address, mapping.length).expect("over a hole");
}

/// Eight times more than a small machine has, eight megabytes at a time.
pub(crate) fn unmapped_memory_comes_back() {
    for _ in 0..64 {
        Mapping::anonymous(2048).fill(1);
    }
}

/// Each other page is read-only, so that neighbours cannot be one mapping.
pub(crate) fn many_small_mappings() {
    let mapping = Mapping::anonymous(1000);
    for page in (0..1000).step_by(2) {
        mapping.protect(page, 1, libc::PROT_READ).unwrap();
    }
    for page in 0..1000 {
        assert_eq!(peek(mapping.page(page)), 0);
        if page % 2 == 1 {
            poke(mapping.page(page), 1);
        }
    }
    for page in (1..1000).step_by(2) {
        munmap(mapping.page(page), PAGE).unwrap();
    }
    assert!(is_mapped(mapping.page(500)) && !is_mapped(mapping.page(501)));
}

pub(crate) fn populate_fills_at_once() {
    let mapping = Mapping::new(16 * PAGE, RW, ANONYMOUS | libc::MAP_POPULATE, -1, 0).expect("MAP_POPULATE");
    assert_eq!(peek(mapping.page(15)), 0);
}

pub(crate) fn the_kernel_fills_pages_on_its_own_access() {
    let mapping = Mapping::anonymous(2);
    let pipe = Pipe::new();
    pipe.write(b"abcdef").unwrap();
    // Never touched before: read must fault both pages in, write must see zeroes.
    let place = mapping.page(1) - 3;
    assert_eq!(sys!(libc::SYS_read, pipe.reader(), place, 6), Ok(6));
    assert_eq!((peek(place), peek(place + 5)), (b'a', b'f'));
    let untouched = Mapping::anonymous(1);
    assert_eq!(sys!(libc::SYS_write, pipe.writer(), untouched.address, 4), Ok(4));
    let mut bytes = [1; 4];
    assert_eq!(pipe.read(&mut bytes), Ok(4));
    assert_eq!(bytes, [0; 4]);
}
