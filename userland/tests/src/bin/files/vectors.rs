//! readv and writev.

use std::os::fd::AsRawFd;
use tollgate_tests::memory::KERNEL;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, sys};

fn piece(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr() as *mut libc::c_void, iov_len: bytes.len() }
}

pub(crate) fn gather_and_scatter() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"");
    let pieces = [piece(b"one "), piece(b""), piece(b"two "), piece(b"three")];
    assert_eq!(sys!(libc::SYS_writev, file.as_raw_fd(), &pieces, 4), Ok(13));
    assert_eq!(std::fs::read(scratch.path().join("file")).unwrap(), b"one two three");
    let (first, second) = ([0u8; 6], [0u8; 20]);
    sys!(libc::SYS_lseek, file.as_raw_fd(), 0, libc::SEEK_SET).unwrap();
    assert_eq!(sys!(libc::SYS_readv, file.as_raw_fd(), &[piece(&first), piece(&second)], 2), Ok(13));
    assert_eq!((std::hint::black_box(&first), &std::hint::black_box(&second)[..7]), (b"one tw", &b"o three"[..]));
    assert_eq!(sys!(libc::SYS_writev, file.as_raw_fd(), &pieces, 0), Ok(0));
}

pub(crate) fn errors() {
    let pipe = Pipe::new();
    pipe.set_nonblocking();
    let writev = |pieces: &[libc::iovec], count: i64| sys!(libc::SYS_writev, pipe.writer(), pieces.as_ptr(), count);
    let pieces = [piece(b"x"); 2];
    assert_eq!(writev(&pieces, -1), Err(Errno::EINVAL));
    assert_eq!(writev(&pieces, 1025), Err(Errno::EINVAL), "more than UIO_MAXIOV");
    let endless = libc::iovec { iov_base: pieces[0].iov_base, iov_len: usize::MAX };
    assert_eq!(writev(&[pieces[0], endless], 2), Err(Errno::EINVAL), "a length that is negative");
    let bad = libc::iovec { iov_base: KERNEL as *mut libc::c_void, iov_len: 1 };
    assert_eq!(writev(&[bad], 1), Err(Errno::EFAULT));
    assert_eq!(pipe.read(&mut [0; 10]), Err(Errno::EAGAIN), "nothing was written");
}
