//! mkdir, rmdir, getdents64, chdir.

use crate::open::{close, open};
use std::collections::BTreeSet;
use std::fs;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

/// The names getdents64 gives with a buffer of some size, and the kinds.
fn list(fd: usize, size: usize) -> Result<Vec<(String, u8)>, Errno> {
    let mut names = Vec::new();
    let mut buffer = vec![0u8; size];
    loop {
        let length = sys!(libc::SYS_getdents64, fd, buffer.as_mut_ptr(), size)?;
        if length == 0 {
            return Ok(names);
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let record = u16::from_ne_bytes([rest[16], rest[17]]) as usize;
            let name = rest[19..record].split(|&byte| byte == 0).next().unwrap();
            names.push((String::from_utf8(name.to_vec()).unwrap(), rest[18]));
            rest = &rest[record..];
        }
    }
}

pub(crate) fn make_list_and_remove() {
    let scratch = Scratch::enter();
    assert_eq!(sys!(libc::SYS_mkdir, c"a", 0o755), Ok(0));
    assert_eq!(sys!(libc::SYS_mkdirat, libc::AT_FDCWD, c"a/b", 0o755), Ok(0));
    scratch.file("a/file", b"");
    std::os::unix::fs::symlink("x", "a/link").unwrap();
    let fd = open(c"a", libc::O_RDONLY | libc::O_DIRECTORY).unwrap();
    let names: BTreeSet<_> = list(fd, 4096).unwrap().into_iter().collect();
    let expected = [(".", 4), ("..", 4), ("b", 4), ("file", 8), ("link", 10)];
    assert_eq!(names, expected.map(|(name, kind)| (name.to_owned(), kind)).into());
    close(fd);
    assert_eq!(sys!(libc::SYS_rmdir, c"a"), Err(Errno::ENOTEMPTY));
    assert_eq!(sys!(libc::SYS_rmdir, c"a/b"), Ok(0));
    fs::remove_file("a/file").unwrap();
    assert_eq!(sys!(libc::SYS_unlinkat, libc::AT_FDCWD, c"a/link", 0), Ok(0));
    assert_eq!(sys!(libc::SYS_unlinkat, libc::AT_FDCWD, c"a", libc::AT_REMOVEDIR), Ok(0));
    assert!(!fs::exists("a").unwrap());
}

pub(crate) fn many_entries() {
    let _scratch = Scratch::enter();
    let names: BTreeSet<String> = (0..500).map(|number| format!("file-{number}")).collect();
    names.iter().for_each(|name| fs::write(name, "").unwrap());
    let seen: BTreeSet<String> =
        fs::read_dir(".").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(seen, names);
    // Removed while they are listed: those that are left still come, none comes twice.
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(".").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        fs::remove_file(&name).unwrap();
        assert!(seen.insert(name), "an entry came twice");
    }
    assert_eq!(seen, names);
}

pub(crate) fn listing_in_small_pieces() {
    let _scratch = Scratch::enter();
    (0..20).for_each(|number| fs::write(format!("file-{number}"), "").unwrap());
    let fd = open(c".", libc::O_RDONLY).unwrap();
    let names: Vec<_> = list(fd, 40).unwrap();
    assert_eq!(names.len(), 22);
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>().len(), 22);
    sys!(libc::SYS_lseek, fd, 0, libc::SEEK_SET).unwrap();
    assert_eq!(list(fd, 10), Err(Errno::EINVAL), "not even one fits");
    close(fd);
}

pub(crate) fn listing_goes_back() {
    let _scratch = Scratch::enter();
    fs::write("file", "").unwrap();
    let fd = open(c".", libc::O_RDONLY).unwrap();
    assert_eq!(list(fd, 4096).unwrap().len(), 3);
    assert_eq!(list(fd, 4096).unwrap().len(), 0);
    sys!(libc::SYS_lseek, fd, 0, libc::SEEK_SET).unwrap();
    assert_eq!(list(fd, 4096).unwrap().len(), 3);
    close(fd);
}

pub(crate) fn errors() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    fs::create_dir("directory").unwrap();
    assert_eq!(sys!(libc::SYS_mkdir, c"file", 0o755), Err(Errno::EEXIST));
    assert_eq!(sys!(libc::SYS_mkdir, c"directory/", 0o755), Err(Errno::EEXIST));
    assert_eq!(sys!(libc::SYS_mkdir, c"missing/x", 0o755), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_mkdir, c"file/x", 0o755), Err(Errno::ENOTDIR));
    assert_eq!(sys!(libc::SYS_mkdir, c"", 0o755), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_mkdir, c"/", 0o755), Err(Errno::EEXIST));
    assert_eq!(sys!(libc::SYS_rmdir, c"file"), Err(Errno::ENOTDIR));
    assert_eq!(sys!(libc::SYS_rmdir, c"missing"), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_rmdir, c"directory/."), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_rmdir, c"directory/.."), Err(Errno::ENOTEMPTY));
    assert_eq!(sys!(libc::SYS_unlink, c"directory"), Err(Errno::EISDIR));
    let file = open(c"file", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_getdents64, file, &mut [0u8; 100], 100), Err(Errno::ENOTDIR));
    close(file);
}

pub(crate) fn working_directory() {
    let scratch = Scratch::enter();
    fs::create_dir_all("a/b").unwrap();
    let cwd = || {
        let mut buffer = [0u8; 200];
        let length = sys!(libc::SYS_getcwd, &mut buffer, 200).unwrap();
        String::from_utf8(buffer[..length - 1].to_vec()).unwrap()
    };
    let start = scratch.path().to_str().unwrap().to_owned();
    assert_eq!(cwd(), start);
    assert_eq!(sys!(libc::SYS_chdir, c"a/b"), Ok(0));
    assert_eq!(cwd(), format!("{start}/a/b"));
    assert_eq!(sys!(libc::SYS_chdir, c".."), Ok(0));
    assert_eq!(cwd(), format!("{start}/a"));
    let fd = open(c"b", libc::O_RDONLY).unwrap();
    assert_eq!(sys!(libc::SYS_fchdir, fd), Ok(0));
    close(fd);
    assert_eq!(cwd(), format!("{start}/a/b"));
    assert_eq!(sys!(libc::SYS_chdir, c"missing"), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_chdir, c"/dev/null"), Err(Errno::ENOTDIR));
    assert_eq!(sys!(libc::SYS_getcwd, &mut [0u8; 4], 4), Err(Errno::ERANGE));
    assert_eq!(sys!(libc::SYS_chdir, c"/"), Ok(0));
    assert_eq!(sys!(libc::SYS_chdir, c".."), Ok(0), "nothing is above the root");
    assert_eq!(cwd(), "/");
}

pub(crate) fn removed_while_open() {
    let _scratch = Scratch::enter();
    fs::create_dir("gone").unwrap();
    let fd = open(c"gone", libc::O_RDONLY).unwrap();
    std::env::set_current_dir("gone").unwrap();
    fs::remove_dir("../gone").unwrap();
    assert_eq!(open(c"file", libc::O_RDWR | libc::O_CREAT), Err(Errno::ENOENT), "nothing can be made in it");
    assert_eq!(sys!(libc::SYS_mkdir, c"x", 0o755), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_getcwd, &mut [0u8; 200], 200), Err(Errno::ENOENT));
    close(fd);
}
