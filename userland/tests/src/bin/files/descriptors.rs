//! The descriptor table: dup, fcntl, limits.

use crate::open::{close, open};
use std::os::fd::AsRawFd;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn fcntl(fd: usize, command: i32, argument: usize) -> sys::Result {
    sys!(libc::SYS_fcntl, fd, command, argument)
}

pub(crate) fn dup_shares_everything_but_the_flag() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"0123456789");
    let first = file.as_raw_fd() as usize;
    fcntl(first, libc::F_SETFD, libc::FD_CLOEXEC as usize).unwrap();
    let second = sys!(libc::SYS_dup, first).unwrap();
    assert_eq!(fcntl(second, libc::F_GETFD, 0), Ok(0));
    sys!(libc::SYS_lseek, second, 5, libc::SEEK_SET).unwrap();
    assert_eq!(sys!(libc::SYS_lseek, first, 0, libc::SEEK_CUR), Ok(5));
    fcntl(second, libc::F_SETFL, libc::O_APPEND as usize).unwrap();
    assert_ne!(fcntl(first, libc::F_GETFL, 0).unwrap() & libc::O_APPEND as usize, 0);
    close(second);
    assert_eq!(sys!(libc::SYS_lseek, first, 0, libc::SEEK_CUR), Ok(5), "the other one stays open");
}

pub(crate) fn dup2_replaces() {
    let pipe = Pipe::new();
    let target = open(c"/dev/null", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_dup2, pipe.writer(), target), Ok(target));
    assert_eq!(sys!(libc::SYS_write, target, b"x", 1), Ok(1));
    assert_eq!(pipe.read(&mut [0]), Ok(1));
    assert_eq!(sys!(libc::SYS_dup2, target, target), Ok(target), "onto itself is nothing");
    assert_eq!(sys!(libc::SYS_dup2, 999, target), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_dup2, 999, 999), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_dup2, target, -1), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_dup2, target, 1 << 30), Err(Errno::EBADF), "beyond the limit");
    assert_eq!(sys!(libc::SYS_write, target, b"x", 1), Ok(1), "failures leave the target open");
    // The replaced file is closed: with its last writer gone the pipe ends.
    pipe.close_writer();
    pipe.read(&mut [0]).unwrap();
    let null = open(c"/dev/null", libc::O_RDONLY).unwrap();
    sys!(libc::SYS_dup2, null, target).unwrap();
    assert_eq!(pipe.read(&mut [0]), Ok(0));
    close(null);
    close(target);
}

pub(crate) fn dup3_takes_flags() {
    let source = open(c"/dev/null", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_dup3, source, 77, libc::O_CLOEXEC), Ok(77));
    assert_eq!(fcntl(77, libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC as usize));
    assert_eq!(sys!(libc::SYS_dup3, source, source, 0), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_dup3, source, 78, libc::O_APPEND), Err(Errno::EINVAL));
    close(77);
    close(source);
}

pub(crate) fn fcntl_duplicates_above() {
    let source = open(c"/dev/null", libc::O_RDONLY).unwrap();
    assert_eq!(fcntl(source, libc::F_DUPFD, 100), Ok(100));
    assert_eq!(fcntl(source, libc::F_DUPFD_CLOEXEC, 100), Ok(101));
    assert_eq!((fcntl(100, libc::F_GETFD, 0), fcntl(101, libc::F_GETFD, 0)), (Ok(0), Ok(1)));
    assert_eq!(fcntl(source, libc::F_DUPFD, usize::MAX), Err(Errno::EINVAL));
    assert_eq!(fcntl(source, libc::F_DUPFD, 1 << 30), Err(Errno::EINVAL));
    assert_eq!(fcntl(source, 12345, 0), Err(Errno::EINVAL));
    [source, 100, 101].into_iter().for_each(close);
}

pub(crate) fn status_flags() {
    let _scratch = Scratch::enter();
    let fd = open(c"file", libc::O_RDWR | libc::O_CREAT | libc::O_APPEND).unwrap();
    let flags = fcntl(fd, libc::F_GETFL, 0).unwrap() as i32;
    assert_eq!(flags & libc::O_ACCMODE, libc::O_RDWR);
    assert_eq!(flags & (libc::O_APPEND | libc::O_CREAT), libc::O_APPEND, "creation flags are not kept");
    fcntl(fd, libc::F_SETFL, (libc::O_NONBLOCK | libc::O_WRONLY) as usize).unwrap();
    let flags = fcntl(fd, libc::F_GETFL, 0).unwrap() as i32;
    assert_eq!(flags & libc::O_ACCMODE, libc::O_RDWR, "the access mode does not change");
    assert_eq!(flags & (libc::O_APPEND | libc::O_NONBLOCK), libc::O_NONBLOCK);
    close(fd);
}

pub(crate) fn limit_is_an_error() {
    let limit = libc::rlimit { rlim_cur: 50, rlim_max: 1000 };
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &limit, 0).unwrap();
    let mut opened = Vec::new();
    let error = loop {
        match open(c"/dev/null", libc::O_RDONLY) {
            Ok(fd) => opened.push(fd),
            Err(error) => break error,
        }
    };
    assert_eq!(error, Errno::EMFILE);
    assert_eq!(opened.last(), Some(&49));
    assert_eq!(sys!(libc::SYS_dup, 0), Err(Errno::EMFILE));
    let mut ends = [0i32; 2];
    assert_eq!(sys!(libc::SYS_pipe, &mut ends), Err(Errno::EMFILE));
    close(49);
    assert_eq!(sys!(libc::SYS_pipe, &mut ends), Err(Errno::EMFILE), "room for one end only");
    assert_eq!(open(c"/dev/null", libc::O_RDONLY), Ok(49), "and that one is free again");
    opened.into_iter().for_each(close);
}

pub(crate) fn closing_twice_is_an_error() {
    let fd = open(c"/dev/null", libc::O_RDONLY).unwrap();
    close(fd);
    assert_eq!(sys!(libc::SYS_close, fd), Err(Errno::EBADF));
}
