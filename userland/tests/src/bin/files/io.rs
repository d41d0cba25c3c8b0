//! read, write, lseek, truncate.

use crate::open::{close, open};
use std::fs;
use std::os::fd::AsRawFd;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn seek(fd: i32, offset: i64, whence: i32) -> sys::Result {
    sys!(libc::SYS_lseek, fd, offset, whence)
}

fn read(fd: i32, length: usize) -> Vec<u8> {
    let mut buffer = vec![0; length];
    let got = sys!(libc::SYS_read, fd, buffer.as_mut_ptr(), length).expect("read");
    buffer.truncate(got);
    buffer
}

fn write(fd: i32, bytes: &[u8]) -> sys::Result {
    sys!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len())
}

pub(crate) fn offsets_move() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"0123456789");
    let fd = file.as_raw_fd();
    assert_eq!(read(fd, 4), b"0123");
    assert_eq!(write(fd, b"xy"), Ok(2));
    assert_eq!(read(fd, 100), b"6789");
    assert_eq!(read(fd, 100), b"");
    assert_eq!(fs::read(scratch.path().join("file")).unwrap(), b"0123xy6789");
}

pub(crate) fn seeking() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"0123456789");
    let fd = file.as_raw_fd();
    assert_eq!(seek(fd, 3, libc::SEEK_SET), Ok(3));
    assert_eq!(seek(fd, 2, libc::SEEK_CUR), Ok(5));
    assert_eq!(seek(fd, -1, libc::SEEK_END), Ok(9));
    assert_eq!(read(fd, 9), b"9");
    assert_eq!(seek(fd, -1, libc::SEEK_SET), Err(Errno::EINVAL));
    assert_eq!(seek(fd, -100, libc::SEEK_CUR), Err(Errno::EINVAL));
    assert_eq!(seek(fd, 0, 99), Err(Errno::EINVAL));
    assert_eq!(seek(fd, 0, libc::SEEK_CUR), Ok(10), "failures change nothing");
    assert_eq!(seek(fd, 1 << 40, libc::SEEK_SET), Ok(1 << 40), "beyond the end is fine");
    assert_eq!(read(fd, 1), b"");
}

pub(crate) fn append_goes_to_the_end() {
    let scratch = Scratch::enter();
    scratch.file("file", b"start");
    let fd = open(c"file", libc::O_RDWR | libc::O_APPEND).unwrap() as i32;
    seek(fd, 0, libc::SEEK_SET).unwrap();
    write(fd, b"+1").unwrap();
    assert_eq!(seek(fd, 0, libc::SEEK_CUR), Ok(7));
    let mut other = fs::File::options().append(true).open("file").unwrap();
    std::io::Write::write_all(&mut other, b"+2").unwrap();
    write(fd, b"+3").unwrap();
    assert_eq!(fs::read("file").unwrap(), b"start+1+2+3");
    close(fd as usize);
}

pub(crate) fn holes_are_zero() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"start");
    let fd = file.as_raw_fd();
    seek(fd, 100_000, libc::SEEK_SET).unwrap();
    write(fd, b"end").unwrap();
    let content = fs::read(scratch.path().join("file")).unwrap();
    assert_eq!(content.len(), 100_003);
    assert!(content[5..100_000].iter().all(|&byte| byte == 0));
    assert_eq!(&content[100_000..], b"end");
}

pub(crate) fn positioned() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"0123456789");
    let fd = file.as_raw_fd();
    let mut buffer = [0u8; 3];
    assert_eq!(sys!(libc::SYS_pread64, fd, &mut buffer, 3, 4), Ok(3));
    assert_eq!(&buffer, b"456");
    assert_eq!(sys!(libc::SYS_pwrite64, fd, b"xyz", 3, 9), Ok(3));
    assert_eq!(sys!(libc::SYS_pread64, fd, &mut buffer, 3, 100), Ok(0));
    assert_eq!(sys!(libc::SYS_pread64, fd, &mut buffer, 3, -1), Err(Errno::EINVAL));
    assert_eq!(seek(fd, 0, libc::SEEK_CUR), Ok(0), "the offset stays");
    assert_eq!(read(fd, 100), b"012345678xyz");
}

pub(crate) fn truncation() {
    let scratch = Scratch::enter();
    let file = scratch.file("file", &[7; 10_000]);
    let fd = file.as_raw_fd();
    assert_eq!(sys!(libc::SYS_ftruncate, fd, 5000), Ok(0));
    assert_eq!(sys!(libc::SYS_truncate, c"file", 9000), Ok(0));
    let content = fs::read("file").unwrap();
    assert_eq!(content.len(), 9000);
    assert!(content[..5000].iter().all(|&byte| byte == 7) && content[5000..].iter().all(|&byte| byte == 0));
    assert_eq!(sys!(libc::SYS_ftruncate, fd, -1), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_truncate, c"missing", 0), Err(Errno::ENOENT));
    fs::create_dir("directory").unwrap();
    assert_eq!(sys!(libc::SYS_truncate, c"directory", 0), Err(Errno::EISDIR));
    let reader = open(c"file", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_ftruncate, reader, 0), Err(Errno::EINVAL), "not open to write");
    close(reader);
}

pub(crate) fn large_transfers() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"");
    let fd = file.as_raw_fd();
    let content: Vec<u8> = (0..3_000_000u32).map(|index| (index / 3) as u8).collect();
    let mut written = 0;
    while written < content.len() {
        written += write(fd, &content[written..]).unwrap();
    }
    assert!(fs::read(scratch.path().join("file")).unwrap() == content);
}

/// Reads and writes across page ends in steps that fit nothing.
pub(crate) fn odd_lengths() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"");
    let fd = file.as_raw_fd();
    let content: Vec<u8> = (0..50_000u32).map(|index| (index * 7 % 251) as u8).collect();
    for chunk in content.chunks(997) {
        assert_eq!(write(fd, chunk), Ok(chunk.len()));
    }
    seek(fd, 0, libc::SEEK_SET).unwrap();
    let mut back = Vec::new();
    loop {
        let part = read(fd, 1009);
        if part.is_empty() {
            break;
        }
        back.extend(part);
    }
    assert!(back == content);
    assert_eq!(write(fd, b""), Ok(0));
    assert_eq!(read(fd, 0), b"");
}

pub(crate) fn bad_descriptors() {
    let mut byte = 0u8;
    for fd in [-1, 999, i32::MAX, i32::MIN] {
        assert_eq!(sys!(libc::SYS_read, fd, &mut byte, 1), Err(Errno::EBADF));
        assert_eq!(write(fd, b"x"), Err(Errno::EBADF));
        assert_eq!(seek(fd, 0, libc::SEEK_SET), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_close, fd), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_dup, fd), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_fcntl, fd, libc::F_GETFL), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_ioctl, fd, libc::TCGETS, 0), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_ftruncate, fd, 0), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_getdents64, fd, &mut byte, 1), Err(Errno::EBADF));
        assert_eq!(sys!(libc::SYS_fchdir, fd), Err(Errno::EBADF));
    }
    let directory = open(c"/", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_read, directory, &mut byte, 1), Err(Errno::EISDIR));
    close(directory);
}

pub(crate) fn open_files_outlive_their_names() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"content");
    fs::remove_file(scratch.path().join("file")).unwrap();
    assert_eq!(read(file.as_raw_fd(), 100), b"content");
    write(file.as_raw_fd(), b"more").unwrap();
    seek(file.as_raw_fd(), 0, libc::SEEK_SET).unwrap();
    assert_eq!(read(file.as_raw_fd(), 100), b"contentmore");
    assert_eq!(std::os::unix::fs::MetadataExt::nlink(&file.metadata().unwrap()), 0);
}
