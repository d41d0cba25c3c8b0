//! Pipes, for tests of them and for processes of a test to wait for each other.

use crate::Errno;
use crate::sys;
use std::cell::Cell;

/// Both ends of a pipe, closed when dropped.
pub struct Pipe {
    reader: Cell<i32>,
    writer: Cell<i32>,
}

// SAFETY: the cells change only in `close_*`, which a test calls from one thread; the rest is descriptor numbers.
unsafe impl Sync for Pipe {}

impl Pipe {
    /// A new pipe.
    pub fn new() -> Pipe {
        Pipe::with(0)
    }

    /// A new pipe with flags of pipe2.
    pub fn with(flags: i32) -> Pipe {
        let mut ends = [0i32; 2];
        sys!(libc::SYS_pipe2, &mut ends, flags).expect("pipe2");
        Pipe { reader: Cell::new(ends[0]), writer: Cell::new(ends[1]) }
    }

    /// The same pipe by other descriptors.
    pub fn duplicate(&self) -> Pipe {
        let dup = |fd: i32| sys!(libc::SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, 0).expect("F_DUPFD_CLOEXEC") as i32;
        Pipe { reader: Cell::new(dup(self.reader())), writer: Cell::new(dup(self.writer())) }
    }

    /// The descriptor to read from; -1 once closed.
    pub fn reader(&self) -> i32 {
        self.reader.get()
    }

    /// The descriptor to write to; -1 once closed.
    pub fn writer(&self) -> i32 {
        self.writer.get()
    }

    /// Closes the end to read from.
    pub fn close_reader(&self) {
        close(self.reader.replace(-1));
    }

    /// Closes the end to write to.
    pub fn close_writer(&self) {
        close(self.writer.replace(-1));
    }

    /// Makes both ends return EAGAIN rather than wait.
    pub fn set_nonblocking(&self) {
        for fd in [self.reader(), self.writer()] {
            let _ = sys!(libc::SYS_fcntl, fd, libc::F_SETFL, libc::O_NONBLOCK);
        }
    }

    /// One read.
    pub fn read(&self, buffer: &mut [u8]) -> sys::Result {
        sys!(libc::SYS_read, self.reader(), buffer.as_mut_ptr(), buffer.len())
    }

    /// One write.
    pub fn write(&self, bytes: &[u8]) -> sys::Result {
        sys!(libc::SYS_write, self.writer(), bytes.as_ptr(), bytes.len())
    }

    /// Wakes a process that is in [`wait`](Pipe::wait).
    pub fn notify(&self) {
        assert_eq!(self.write(b"!"), Ok(1));
    }

    /// Waits for a [`notify`](Pipe::notify) in another process.
    pub fn wait(&self) {
        let mut byte = [0];
        loop {
            match self.read(&mut byte) {
                Err(Errno::EINTR) => continue,
                result => return assert_eq!(result, Ok(1), "the other process ended without a word"),
            }
        }
    }

    /// Sends a plain value; small ones arrive whole.
    pub fn send(&self, value: u64) {
        assert_eq!(self.write(&value.to_ne_bytes()), Ok(8));
    }

    /// Receives what [`send`](Pipe::send) sent.
    pub fn receive(&self) -> u64 {
        let mut bytes = [0; 8];
        assert_eq!(self.read(&mut bytes), Ok(8), "the other process ended without a word");
        u64::from_ne_bytes(bytes)
    }
}

impl Default for Pipe {
    fn default() -> Pipe {
        Pipe::new()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close_reader();
        self.close_writer();
    }
}

fn close(fd: i32) {
    if fd >= 0 {
        let _ = sys!(libc::SYS_close, fd);
    }
}
