//! stat and what changes what it tells.

use std::ffi::CStr;
use std::fs;
use std::mem::zeroed;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn stat(name: &CStr, flags: i32) -> Result<libc::stat, Errno> {
    // SAFETY: stat is plain integers, for which zero is a value.
    let mut stat: libc::stat = unsafe { zeroed() };
    sys!(libc::SYS_newfstatat, libc::AT_FDCWD, name, &mut stat, flags).map(|_| stat)
}

fn kind(stat: &libc::stat) -> u32 {
    stat.st_mode & libc::S_IFMT
}

pub(crate) fn stat_tells_kind_and_size() {
    let scratch = Scratch::enter();
    scratch.file("file", &[1; 5000]);
    fs::create_dir("directory").unwrap();
    std::os::unix::fs::symlink("file", "link").unwrap();
    let file = stat(c"file", 0).unwrap();
    assert_eq!((kind(&file), file.st_size, file.st_nlink), (libc::S_IFREG, 5000, 1));
    assert!(file.st_blocks > 0 && file.st_blksize > 0 && file.st_ino > 0);
    assert_eq!((file.st_uid, file.st_gid), (0, 0));
    assert_eq!(kind(&stat(c"directory", 0).unwrap()), libc::S_IFDIR);
    let link = stat(c"link", libc::AT_SYMLINK_NOFOLLOW).unwrap();
    assert_eq!((kind(&link), link.st_size), (libc::S_IFLNK, 4));
    assert_eq!(stat(c"link", 0).unwrap().st_ino, file.st_ino);
    let null = stat(c"/dev/null", 0).unwrap();
    assert_eq!((kind(&null), null.st_rdev), (libc::S_IFCHR, libc::makedev(1, 3)));
    // SAFETY: as in `stat`.
    let mut pipe: libc::stat = unsafe { zeroed() };
    sys!(libc::SYS_fstat, Pipe::new().reader(), &mut pipe).unwrap();
    assert_eq!(kind(&pipe), libc::S_IFIFO);
    assert_eq!(stat(c"missing", 0).err(), Some(Errno::ENOENT));
    assert_eq!(stat(c"file/x", 0).err(), Some(Errno::ENOTDIR));
    assert_eq!(stat(c"file", 0x4000_0000).err(), Some(Errno::EINVAL));
}

pub(crate) fn links_are_counted() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    fs::hard_link("file", "other").unwrap();
    assert_eq!(stat(c"file", 0).unwrap().st_nlink, 2);
    assert_eq!(stat(c"file", 0).unwrap().st_ino, stat(c"other", 0).unwrap().st_ino);
    fs::remove_file("file").unwrap();
    assert_eq!(stat(c"other", 0).unwrap().st_nlink, 1);
}

pub(crate) fn modes_change() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    assert_eq!(sys!(libc::SYS_chmod, c"file", 0o4711), Ok(0));
    assert_eq!(stat(c"file", 0).unwrap().st_mode, libc::S_IFREG | 0o4711);
    assert_eq!(sys!(libc::SYS_fchmodat, libc::AT_FDCWD, c"file", 0o600), Ok(0));
    assert_eq!(stat(c"file", 0).unwrap().st_mode, libc::S_IFREG | 0o600);
    assert_eq!(sys!(libc::SYS_chmod, c"missing", 0o600), Err(Errno::ENOENT));
}

pub(crate) fn empty_path() {
    let scratch = Scratch::new();
    let file = scratch.file("file", &[1; 123]);
    use std::os::fd::AsRawFd;
    // SAFETY: as in `stat`.
    let mut told: libc::stat = unsafe { zeroed() };
    let fd = file.as_raw_fd();
    assert_eq!(sys!(libc::SYS_newfstatat, fd, c"", &mut told, 0), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_newfstatat, fd, c"", &mut told, libc::AT_EMPTY_PATH), Ok(0));
    assert_eq!(told.st_size, 123);
}

pub(crate) fn access_looks() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    assert_eq!(sys!(libc::SYS_access, c"file", libc::F_OK), Ok(0));
    assert_eq!(sys!(libc::SYS_access, c"file", libc::R_OK | libc::W_OK), Ok(0), "the superuser may");
    assert_eq!(sys!(libc::SYS_access, c"file", libc::X_OK), Err(Errno::EACCES), "but nobody may execute it");
    assert_eq!(sys!(libc::SYS_access, c"missing", libc::F_OK), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_access, c"file", 8), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_faccessat, libc::AT_FDCWD, c"file", libc::F_OK), Ok(0));
}
