//! Names: paths, links, rename.

use crate::open::{close, open};
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::symlink;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

const READ: i32 = libc::O_RDONLY;

fn rename(from: &std::ffi::CStr, to: &std::ffi::CStr) -> sys::Result {
    sys!(libc::SYS_rename, from, to)
}

pub(crate) fn dots_and_slashes() {
    let scratch = Scratch::enter();
    fs::create_dir_all("a/b").unwrap();
    scratch.file("a/b/file", b"x");
    for name in [c"a/b/file", c"./a/b/file", c"a//b///file", c"a/./b/./file", c"a/b/../b/file", c"a/../a/b/file"] {
        close(open(name, READ).unwrap_or_else(|error| panic!("{name:?}: {error:?}")));
    }
    close(open(c"a/b/", READ).unwrap());
    close(open(c"/../../../", READ).unwrap());
    assert_eq!(open(c"a/missing/../b/file", READ), Err(Errno::ENOENT), "each part must exist");
    assert_eq!(open(c"a/b/file/..", READ), Err(Errno::ENOTDIR));
    assert_eq!(open(c"a/b/file/.", READ), Err(Errno::ENOTDIR));
}

pub(crate) fn lengths() {
    let _scratch = Scratch::enter();
    let name = |length: usize| CString::new("n".repeat(length)).unwrap();
    close(open(&name(255), libc::O_RDWR | libc::O_CREAT).unwrap());
    assert_eq!(open(&name(256), libc::O_RDWR | libc::O_CREAT), Err(Errno::ENAMETOOLONG));
    // 4096 with the NUL is the most a path can have.
    let path = |length: usize| CString::new(format!("{}{}", "./".repeat(length / 2), &"."[..length % 2])).unwrap();
    close(open(&path(4095), READ).unwrap());
    assert_eq!(open(&path(4096), READ), Err(Errno::ENAMETOOLONG));
    assert_eq!(open(&path(100_000), READ), Err(Errno::ENAMETOOLONG));
    // Any byte but two may be in a name.
    let odd = CString::new(b"\x01\xff \n\"*?".to_vec()).unwrap();
    close(open(&odd, libc::O_RDWR | libc::O_CREAT).unwrap());
    close(open(&odd, READ).unwrap());
}

pub(crate) fn symbolic_links() {
    let scratch = Scratch::enter();
    fs::create_dir("directory").unwrap();
    scratch.file("directory/file", b"x");
    assert_eq!(sys!(libc::SYS_symlink, c"directory", c"link"), Ok(0));
    assert_eq!(sys!(libc::SYS_symlinkat, c"../directory/file", libc::AT_FDCWD, c"directory/up"), Ok(0));
    symlink(scratch.path().join("directory/file"), "absolute").unwrap();
    for name in [c"link/file", c"directory/up", c"link/up", c"absolute"] {
        close(open(name, READ).unwrap_or_else(|error| panic!("{name:?}: {error:?}")));
    }
    let mut buffer = [b'.'; 20];
    assert_eq!(sys!(libc::SYS_readlink, c"link", &mut buffer, 20), Ok(9));
    assert_eq!(&buffer[..10], b"directory.", "no NUL at its end");
    assert_eq!(sys!(libc::SYS_readlinkat, libc::AT_FDCWD, c"link", &mut buffer, 3), Ok(3), "cut off");
    assert_eq!(sys!(libc::SYS_readlink, c"directory", &mut buffer, 20), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_readlink, c"link", &mut buffer, 0), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_symlink, c"x", c"link"), Err(Errno::EEXIST));
    assert_eq!(sys!(libc::SYS_symlink, c"", c"empty"), Err(Errno::ENOENT));
    // Removing goes for the link, not for what it names.
    assert_eq!(sys!(libc::SYS_rmdir, c"link"), Err(Errno::ENOTDIR));
    assert_eq!(sys!(libc::SYS_unlink, c"link"), Ok(0));
    assert!(fs::exists("directory/file").unwrap());
    symlink("nowhere", "dangling").unwrap();
    assert_eq!(open(c"dangling", READ), Err(Errno::ENOENT));
}

pub(crate) fn endless_links() {
    let _scratch = Scratch::enter();
    symlink("b", "a").unwrap();
    symlink("a", "b").unwrap();
    symlink("self", "self").unwrap();
    assert_eq!(open(c"a", READ), Err(Errno::ELOOP));
    assert_eq!(open(c"self/x", READ), Err(Errno::ELOOP));
    fs::write("link-0", "there").unwrap();
    (1..=60).for_each(|number| symlink(format!("link-{}", number - 1), format!("link-{number}")).unwrap());
    let name = |number: usize| CString::new(format!("link-{number}")).unwrap();
    close(open(&name(40), READ).expect("forty links are fine"));
    assert_eq!(open(&name(41), READ), Err(Errno::ELOOP));
}

pub(crate) fn hard_links() {
    let scratch = Scratch::enter();
    scratch.file("file", b"content");
    fs::create_dir("directory").unwrap();
    assert_eq!(sys!(libc::SYS_link, c"file", c"directory/other"), Ok(0));
    fs::write("file", "changed").unwrap();
    assert_eq!(fs::read("directory/other").unwrap(), b"changed");
    assert_eq!(sys!(libc::SYS_link, c"file", c"directory/other"), Err(Errno::EEXIST));
    assert_eq!(sys!(libc::SYS_link, c"missing", c"x"), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_link, c"directory", c"x"), Err(Errno::EPERM));
    assert_eq!(sys!(libc::SYS_linkat, libc::AT_FDCWD, c"file", libc::AT_FDCWD, c"third", 0), Ok(0));
}

pub(crate) fn unlinking() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    assert_eq!(sys!(libc::SYS_unlink, c"file"), Ok(0));
    assert_eq!(sys!(libc::SYS_unlink, c"file"), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_unlink, c"missing/file"), Err(Errno::ENOENT));
    assert_eq!(sys!(libc::SYS_unlinkat, libc::AT_FDCWD, c"x", 0x4000), Err(Errno::EINVAL));
}

pub(crate) fn renaming() {
    let scratch = Scratch::enter();
    scratch.file("a", b"a");
    scratch.file("b", b"b");
    fs::create_dir("directory").unwrap();
    assert_eq!(rename(c"a", c"directory/a"), Ok(0));
    assert!(!fs::exists("a").unwrap());
    assert_eq!(rename(c"directory/a", c"b"), Ok(0), "replaces");
    assert_eq!(fs::read("b").unwrap(), b"a");
    assert_eq!(rename(c"b", c"b"), Ok(0), "to itself is nothing");
    // Two names of one file: nothing happens, both stay.
    fs::hard_link("b", "c").unwrap();
    assert_eq!(rename(c"b", c"c"), Ok(0));
    assert!(fs::exists("b").unwrap() && fs::exists("c").unwrap());
    // A file that is replaced while open lives on.
    let open_file = fs::File::open("c").unwrap();
    fs::write("new", "new").unwrap();
    assert_eq!(rename(c"new", c"c"), Ok(0));
    assert_eq!(std::io::read_to_string(open_file).unwrap(), "a");
    // A link is renamed, not what it names.
    symlink("c", "link").unwrap();
    assert_eq!(rename(c"link", c"moved"), Ok(0));
    assert_eq!(fs::read_link("moved").unwrap().to_str(), Some("c"));
}

pub(crate) fn renaming_directories() {
    let scratch = Scratch::enter();
    fs::create_dir_all("a/b").unwrap();
    fs::create_dir_all("empty").unwrap();
    fs::create_dir_all("full/x").unwrap();
    scratch.file("a/b/file", b"x");
    assert_eq!(rename(c"a/b", c"empty"), Ok(0), "replaces an empty one");
    assert!(fs::exists("empty/file").unwrap() && !fs::exists("a/b").unwrap());
    assert_eq!(rename(c"empty", c"full"), Err(Errno::ENOTEMPTY));
    assert_eq!(rename(c"empty", c"a/moved"), Ok(0));
    // Its `..` moved with it.
    std::env::set_current_dir("a/moved").unwrap();
    assert!(fs::exists("../../full").unwrap());
    assert_eq!(std::env::current_dir().unwrap(), scratch.path().join("a/moved"));
}

pub(crate) fn renaming_errors() {
    let scratch = Scratch::enter();
    scratch.file("file", b"");
    fs::create_dir_all("a/b").unwrap();
    assert_eq!(rename(c"missing", c"x"), Err(Errno::ENOENT));
    assert_eq!(rename(c"file", c"missing/x"), Err(Errno::ENOENT));
    assert_eq!(rename(c"file", c"a"), Err(Errno::EISDIR));
    assert_eq!(rename(c"a", c"file"), Err(Errno::ENOTDIR));
    assert_eq!(rename(c"a", c"a/b/c"), Err(Errno::EINVAL), "into itself");
    assert_eq!(rename(c"a/b", c"a"), Err(Errno::ENOTEMPTY), "onto its parent");
    assert_eq!(rename(c"file/x", c"y"), Err(Errno::ENOTDIR));
    assert_eq!(rename(c"a/.", c"y"), Err(Errno::EBUSY));
    assert_eq!(rename(c"file", c"/dev/x"), Err(Errno::EXDEV));
}
