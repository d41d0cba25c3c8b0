//! Pipes.

use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{Status, fork, in_child, wait_until_asleep};
use tollgate_tests::{Errno, signal, sys, time};

pub(crate) fn bytes_in_order() {
    let pipe = Pipe::new();
    for round in 0..1000u32 {
        pipe.write(&round.to_le_bytes()).unwrap();
        pipe.write(&[7; 3]).unwrap();
        let mut buffer = [0; 7];
        assert_eq!(pipe.read(&mut buffer), Ok(7));
        assert_eq!(buffer[..4], round.to_le_bytes());
    }
    pipe.write(b"abc").unwrap();
    let mut one = [0];
    for expected in b"abc" {
        assert_eq!((pipe.read(&mut one), one[0]), (Ok(1), *expected));
    }
}

pub(crate) fn end_of_file() {
    let pipe = Pipe::new();
    let second = pipe.duplicate();
    second.close_reader();
    pipe.write(b"last").unwrap();
    pipe.close_writer();
    let mut buffer = [0; 10];
    assert_eq!(pipe.read(&mut buffer), Ok(4));
    second.close_writer();
    assert_eq!(pipe.read(&mut buffer), Ok(0));
    assert_eq!(pipe.read(&mut buffer), Ok(0), "and again");
    // A reader that waits is told.
    let pipe = Pipe::new();
    let child = fork(|| {
        pipe.close_writer();
        assert_eq!(pipe.read(&mut [0]), Ok(0));
        0
    });
    wait_until_asleep(child.pid);
    pipe.close_writer();
    child.succeed();
}

pub(crate) fn broken_pipe() {
    let pipe = Pipe::new();
    pipe.close_reader();
    let status = in_child(|| {
        let _ = pipe.write(b"x");
    });
    assert_eq!(status, Status::Killed(libc::SIGPIPE));
    signal::ignore(libc::SIGPIPE);
    assert_eq!(pipe.write(b"x"), Err(Errno::EPIPE));
    // A writer that waits is told.
    let pipe = Pipe::new();
    let child = fork(|| {
        pipe.close_reader();
        // All that fits, and then the error.
        while pipe.write(&[0; 4096]).is_ok() {}
        assert_eq!(pipe.write(b"x"), Err(Errno::EPIPE));
        0
    });
    wait_until_asleep(child.pid);
    pipe.close_reader();
    child.succeed();
}

pub(crate) fn capacity() {
    let pipe = Pipe::with(libc::O_NONBLOCK);
    let mut total = 0;
    while let Ok(written) = pipe.write(&[1; 1000]) {
        total += written;
    }
    assert!((4096..=1 << 20).contains(&total), "{total}");
    let mut buffer = vec![0; 1 << 20];
    let mut back = 0;
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        back += read;
    }
    assert_eq!(back, total);
}

/// Up to PIPE_BUF bytes go in whole or not at all.
pub(crate) fn small_writes_are_whole() {
    let pipe = Pipe::with(libc::O_NONBLOCK);
    while pipe.write(&[1; 4096]).is_ok() {}
    while pipe.write(&[1]).is_ok() {}
    let mut buffer = [0; 4000];
    assert_eq!(pipe.read(&mut buffer), Ok(4000));
    // Linux counts in pages and may not give the 4000 bytes free; whichever, nothing goes in by halves.
    match pipe.write(&[2; 4096]) {
        Err(Errno::EAGAIN) | Ok(4096) => {}
        other => panic!("{other:?}"),
    }
}

pub(crate) fn nonblocking() {
    let pipe = Pipe::with(libc::O_NONBLOCK);
    assert_eq!(pipe.read(&mut [0]), Err(Errno::EAGAIN));
    let large = vec![0; 1 << 21];
    let written = pipe.write(&large).expect("part of it");
    assert!(written < large.len());
    assert_eq!(pipe.write(&large), Err(Errno::EAGAIN));
    pipe.close_writer();
    let mut buffer = vec![0; 1 << 21];
    let mut back = 0;
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => back += read,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(back, written);
    let mut ends = [0i32; 2];
    assert_eq!(sys!(libc::SYS_pipe2, &mut ends, 0x4000_0000), Err(Errno::EINVAL));
}

pub(crate) fn wrong_end() {
    let pipe = Pipe::new();
    assert_eq!(sys!(libc::SYS_read, pipe.writer(), &mut [0u8], 1), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_write, pipe.reader(), &[0u8], 1), Err(Errno::EBADF));
}

pub(crate) fn cannot_seek() {
    let pipe = Pipe::new();
    assert_eq!(sys!(libc::SYS_lseek, pipe.reader(), 0, libc::SEEK_SET), Err(Errno::ESPIPE));
    assert_eq!(sys!(libc::SYS_pread64, pipe.reader(), &mut [0u8], 1, 0), Err(Errno::ESPIPE));
    assert_eq!(sys!(libc::SYS_ftruncate, pipe.writer(), 0), Err(Errno::EINVAL));
}

pub(crate) fn large_writes_wait_for_readers() {
    let pipe = Pipe::new();
    let content: Vec<u8> = (0..500_000u32).map(|index| (index % 253) as u8).collect();
    let child = fork(|| {
        pipe.close_reader();
        assert_eq!(pipe.write(&content), Ok(content.len()), "a blocking write is complete");
        0
    });
    pipe.close_writer();
    let mut back: Vec<u8> = Vec::new();
    let mut buffer = [0; 3333];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        back.extend(&buffer[..length]);
    }
    assert!(back == content);
    child.succeed();
}

/// Writers that write lines of their own: no line is torn.
pub(crate) fn many_writers() {
    let pipe = Pipe::new();
    let children: Vec<_> = (0..8u8)
        .map(|number| {
            fork(|| {
                let line = [number; 64];
                for _ in 0..500 {
                    assert_eq!(pipe.write(&line), Ok(64));
                }
                0
            })
        })
        .collect();
    pipe.close_writer();
    time::sleep_ms(5);
    let mut content: Vec<u8> = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        content.extend(&buffer[..length]);
    }
    assert_eq!(content.len(), 8 * 500 * 64);
    assert!(content.chunks(64).all(|line| line.iter().all(|&byte| byte == line[0])));
    children.into_iter().for_each(|child| child.succeed());
}
