//! poll, ppoll and select.

use std::time::Duration;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{fork, pid, wait_until_asleep};
use tollgate_tests::{Errno, sys, time};

const IN: i16 = libc::POLLIN;
const OUT: i16 = libc::POLLOUT;

fn entry(fd: i32, events: i16) -> libc::pollfd {
    libc::pollfd { fd, events, revents: -1 }
}

fn poll(entries: &mut [libc::pollfd], timeout: i32) -> sys::Result {
    sys!(libc::SYS_poll, entries.as_mut_ptr(), entries.len(), timeout)
}

/// What one descriptor is ready for now.
fn ready(fd: i32, events: i16) -> i16 {
    let mut entries = [entry(fd, events)];
    let count = poll(&mut entries, 0).expect("poll");
    assert_eq!(count, usize::from(entries[0].revents != 0));
    entries[0].revents
}

pub(crate) fn pipe_states() {
    let pipe = Pipe::new();
    assert_eq!(ready(pipe.reader(), IN), 0);
    assert_eq!(ready(pipe.writer(), OUT), OUT);
    pipe.write(b"x").unwrap();
    assert_eq!(ready(pipe.reader(), IN | OUT), IN);
    pipe.set_nonblocking();
    while pipe.write(&[0; 4096]).is_ok() {}
    assert_eq!(ready(pipe.writer(), OUT), 0);
    pipe.close_writer();
    assert_eq!(ready(pipe.reader(), IN), IN | libc::POLLHUP, "what is in it can still be read");
    while pipe.read(&mut [0; 4096]) != Ok(0) {}
    assert_eq!(ready(pipe.reader(), IN), libc::POLLHUP);
    let pipe = Pipe::new();
    pipe.close_reader();
    assert_eq!(ready(pipe.writer(), OUT) & libc::POLLERR, libc::POLLERR);
    let file = std::fs::File::open("/dev/zero").unwrap();
    assert_eq!(ready(std::os::fd::AsRawFd::as_raw_fd(&file), IN | OUT), IN | OUT);
}

pub(crate) fn time_out() {
    let pipe = Pipe::new();
    let start = time::monotonic();
    assert_eq!(poll(&mut [entry(pipe.reader(), IN)], 30), Ok(0));
    assert!(time::monotonic() - start >= Duration::from_millis(30));
    let start = time::monotonic();
    assert_eq!(poll(&mut [], 20), Ok(0), "without descriptors it is a sleep");
    assert!(time::monotonic() - start >= Duration::from_millis(20));
    let limit = time::timespec(Duration::from_millis(20));
    let mut entries = [entry(pipe.reader(), IN)];
    assert_eq!(sys!(libc::SYS_ppoll, &mut entries, 1, &limit, 0, 8), Ok(0));
    let strange = libc::timespec { tv_sec: 0, tv_nsec: -1 };
    assert_eq!(sys!(libc::SYS_ppoll, &mut entries, 1, &strange, 0, 8), Err(Errno::EINVAL));
}

pub(crate) fn wakes_up() {
    for what in 0..3 {
        let pipes = [Pipe::new(), Pipe::new(), Pipe::new()];
        let parent = pid();
        let child = fork(|| {
            pipes[1].close_reader();
            wait_until_asleep(parent);
            match what {
                0 => pipes[1].notify(),
                1 => pipes[1].close_writer(),
                // Its end closes the writer as well.
                _ => {}
            }
            0
        });
        if what > 0 {
            pipes[1].close_writer();
        }
        let mut entries = [0, 1, 2].map(|number: usize| entry(pipes[number].reader(), IN));
        assert_eq!(poll(&mut entries, -1), Ok(1));
        assert_eq!((entries[0].revents, entries[2].revents), (0, 0));
        assert_ne!(entries[1].revents, 0);
        child.succeed();
    }
}

pub(crate) fn odd_entries() {
    let pipe = Pipe::new();
    let mut entries = [entry(-1, IN), entry(999, IN), entry(pipe.writer(), 0)];
    assert_eq!(poll(&mut entries, -1), Ok(1), "a closed descriptor is an event");
    assert_eq!(entries.map(|entry| entry.revents), [0, libc::POLLNVAL, 0]);
    assert_eq!(poll(&mut [entry(-5, IN)], 0), Ok(0));
    assert_eq!(sys!(libc::SYS_poll, 0, 0, 0), Ok(0));
    assert_eq!(sys!(libc::SYS_poll, 0, usize::MAX, 0), Err(Errno::EINVAL));
}

pub(crate) fn select_works() {
    let pipe = Pipe::new();
    pipe.write(b"x").unwrap();
    let (reader, writer) = (pipe.reader() as usize, pipe.writer() as usize);
    assert!(reader < 64 && writer < 64);
    let mut read_set = [1u64 << reader, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut write_set = [0u64; 16];
    write_set[0] = 1 << writer | 1 << reader;
    let nothing = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let count = sys!(libc::SYS_select, 64, &mut read_set, &mut write_set, 0, &nothing);
    assert_eq!((count, read_set[0], write_set[0]), (Ok(2), 1 << reader, 1 << writer));
    pipe.read(&mut [0]).unwrap();
    read_set[0] = 1 << reader;
    let limit = libc::timeval { tv_sec: 0, tv_usec: 20_000 };
    assert_eq!((sys!(libc::SYS_select, 64, &mut read_set, 0, 0, &limit), read_set[0]), (Ok(0), 0));
    read_set[0] = 1 << 63;
    assert_eq!(sys!(libc::SYS_select, 64, &mut read_set, 0, 0, &nothing), Err(Errno::EBADF));
    assert_eq!(sys!(libc::SYS_select, -1, 0, 0, 0, &nothing), Err(Errno::EINVAL));
}
