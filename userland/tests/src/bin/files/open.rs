//! open and openat.

use std::ffi::CStr;
use std::fs;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

pub(crate) fn open(name: &CStr, flags: i32) -> sys::Result {
    sys!(libc::SYS_openat, libc::AT_FDCWD, name, flags, 0o644)
}

pub(crate) fn close(fd: usize) {
    sys!(libc::SYS_close, fd).expect("close");
}

pub(crate) fn creates_and_truncates() {
    let _scratch = Scratch::enter();
    assert_eq!(open(c"file", libc::O_RDWR), Err(Errno::ENOENT));
    close(open(c"file", libc::O_RDWR | libc::O_CREAT).unwrap());
    fs::write("file", "content").unwrap();
    close(open(c"file", libc::O_RDWR | libc::O_CREAT).unwrap());
    assert_eq!(fs::read("file").unwrap(), b"content", "what is there stays");
    close(open(c"file", libc::O_WRONLY | libc::O_TRUNC).unwrap());
    assert_eq!(fs::read("file").unwrap(), b"");
    // The old calls.
    close(sys!(libc::SYS_creat, c"other", 0o600).unwrap());
    close(sys!(libc::SYS_open, c"other", libc::O_RDONLY, 0).unwrap());
}

pub(crate) fn exclusive_creation() {
    let _scratch = Scratch::enter();
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    close(open(c"file", flags).unwrap());
    assert_eq!(open(c"file", flags), Err(Errno::EEXIST));
    fs::create_dir("directory").unwrap();
    assert_eq!(open(c"directory", flags), Err(Errno::EEXIST));
    // A link counts as the name, wherever it leads.
    std::os::unix::fs::symlink("nowhere", "link").unwrap();
    assert_eq!(open(c"link", flags), Err(Errno::EEXIST));
    close(open(c"link", libc::O_RDWR | libc::O_CREAT).unwrap());
    assert!(fs::exists("nowhere").unwrap(), "without O_EXCL the link is followed");
}

pub(crate) fn access_modes_are_kept() {
    let scratch = Scratch::enter();
    scratch.file("file", b"content");
    let mut byte = [0u8];
    let reader = open(c"file", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_write, reader, b"x", 1), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_read, reader, &mut byte, 1), Ok(1));
    let writer = open(c"file", libc::O_WRONLY).unwrap();
    assert_eq!(sys!(libc::SYS_read, writer, &mut byte, 1), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_write, writer, b"C", 1), Ok(1));
    assert_eq!(fs::read("file").unwrap(), b"Content");
    // With O_PATH it is only a place.
    let place = open(c"file", libc::O_PATH).unwrap();
    assert_eq!(sys!(libc::SYS_read, place, &mut byte, 1), Err(Errno::EBADF));
    [reader, writer, place].into_iter().for_each(close);
}

pub(crate) fn errors() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    fs::create_dir("directory").unwrap();
    let read = libc::O_RDONLY;
    assert_eq!(open(c"", read), Err(Errno::ENOENT));
    assert_eq!(open(c"missing/file", read | libc::O_CREAT), Err(Errno::ENOENT));
    assert_eq!(open(c"file/file", read), Err(Errno::ENOTDIR));
    assert_eq!(open(c"file/", read), Err(Errno::ENOTDIR));
    assert_eq!(open(c"file", read | libc::O_DIRECTORY), Err(Errno::ENOTDIR));
    assert_eq!(open(c"directory", libc::O_WRONLY), Err(Errno::EISDIR));
    assert_eq!(open(c"directory", libc::O_RDWR), Err(Errno::EISDIR));
    assert_eq!(open(c"new/", libc::O_RDWR | libc::O_CREAT), Err(Errno::EISDIR));
    std::os::unix::fs::symlink("file", "link").unwrap();
    assert_eq!(open(c"link", read | libc::O_NOFOLLOW), Err(Errno::ELOOP));
    assert_eq!(sys!(libc::SYS_openat, 999, c"file", read, 0), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_openat, 999, c"/dev/null", read, 0).map(close), Ok(()), "absolute names need none");
}

pub(crate) fn names_through_directories() {
    let scratch = Scratch::enter();
    fs::create_dir_all("a/b").unwrap();
    fs::write("a/b/file", "deep").unwrap();
    let a = open(c"a", libc::O_RDONLY | libc::O_DIRECTORY).unwrap();
    let file = sys!(libc::SYS_openat, a, c"b/file", libc::O_RDONLY, 0).unwrap();
    close(file);
    let file = sys!(libc::SYS_openat, a, c"../a/./b//file", libc::O_RDONLY, 0).unwrap();
    assert_eq!(sys!(libc::SYS_openat, file, c"x", libc::O_RDONLY, 0), Err(Errno::ENOTDIR));
    close(file);
    close(open(&scratch.name("a/b/file"), libc::O_RDONLY).unwrap());
    close(a);
}

pub(crate) fn lowest_free_number() {
    let _scratch = Scratch::enter();
    let fds: Vec<usize> = (0..5).map(|_| open(c"/dev/null", libc::O_RDONLY).unwrap()).collect();
    assert!(fds.windows(2).all(|pair| pair[0] < pair[1]));
    close(fds[3]);
    close(fds[1]);
    assert_eq!(open(c"/dev/null", libc::O_RDONLY), Ok(fds[1]));
    assert_eq!(open(c"/dev/null", libc::O_RDONLY), Ok(fds[3]));
    fds.into_iter().for_each(close);
}

pub(crate) fn umask_is_applied() {
    let _scratch = Scratch::enter();
    let mode = |name: &str| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(name).unwrap().mode() & 0o7777
    };
    sys!(libc::SYS_umask, 0o027).unwrap();
    close(sys!(libc::SYS_openat, libc::AT_FDCWD, c"file", libc::O_CREAT | libc::O_RDWR, 0o666).unwrap());
    assert_eq!(mode("file"), 0o640);
    sys!(libc::SYS_mkdir, c"directory", 0o777).unwrap();
    assert_eq!(mode("directory"), 0o750);
    assert_eq!(sys!(libc::SYS_umask, 0o7777), Ok(0o027));
    assert_eq!(sys!(libc::SYS_umask, 0), Ok(0o777), "only the permission bits are kept");
}
