//! /dev/null, /dev/zero, and random numbers.

use std::fs::File;
use std::os::fd::AsRawFd;
use tollgate_tests::memory::{Mapping, PAGE, RW, peek, poke};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn device(name: &str) -> File {
    File::options().read(true).write(true).open(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn null_and_zero() {
    let (null, zero) = (device("/dev/null"), device("/dev/zero"));
    let mut buffer = [7u8; 100];
    assert_eq!(sys!(libc::SYS_read, null.as_raw_fd(), &mut buffer, 100), Ok(0));
    assert_eq!(sys!(libc::SYS_write, null.as_raw_fd(), &buffer, 100), Ok(100));
    assert_eq!(sys!(libc::SYS_read, zero.as_raw_fd(), &mut buffer, 100), Ok(100));
    assert_eq!(buffer, [0; 100]);
    assert_eq!(sys!(libc::SYS_write, zero.as_raw_fd(), &buffer, 100), Ok(100));
    // A private mapping of zeroes is anonymous memory.
    let mapping = Mapping::new(PAGE, RW, libc::MAP_PRIVATE, zero.as_raw_fd(), 0).expect("mmap");
    assert_eq!(peek(mapping.address), 0);
    poke(mapping.address, 1);
}

pub(crate) fn large_transfers() {
    let (null, zero) = (device("/dev/null"), device("/dev/zero"));
    let mapping = Mapping::anonymous(1000);
    mapping.fill(5);
    assert_eq!(sys!(libc::SYS_read, zero.as_raw_fd(), mapping.address, mapping.length), Ok(mapping.length));
    assert!((0..1000).all(|page| peek(mapping.page(page)) == 0));
    assert_eq!(sys!(libc::SYS_write, null.as_raw_fd(), mapping.address, mapping.length), Ok(mapping.length));
}

pub(crate) fn random_numbers() {
    let (mut first, mut second) = ([0u8; 64], [0u8; 64]);
    assert_eq!(sys!(libc::SYS_getrandom, &mut first, 64, 0), Ok(64));
    assert_eq!(sys!(libc::SYS_getrandom, &mut second, 64, libc::GRND_NONBLOCK), Ok(64));
    assert_ne!(first, second);
    assert!(first.iter().any(|&byte| byte != first[0]));
    assert_eq!(sys!(libc::SYS_getrandom, &mut first, 64, 0x100), Err(Errno::EINVAL));
}

pub(crate) fn only_terminals_are_terminals() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"");
    let mut settings = [0u8; 100];
    for fd in [file.as_raw_fd(), device("/dev/null").as_raw_fd()] {
        assert_eq!(sys!(libc::SYS_ioctl, fd, libc::TCGETS, &mut settings), Err(Errno::ENOTTY));
    }
}
