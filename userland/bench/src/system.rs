//! System calls that do next to nothing, and signals.

use crate::measure::{Cost, Row, measure};
use std::fs::File;
use std::os::fd::AsRawFd;
use tollgate_tests::process::{pid, tid};
use tollgate_tests::{signal, sys};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "null system call (getppid)", run: null },
    Row { name: "write of one byte to /dev/null", run: write },
    Row { name: "read of one byte from /dev/zero", run: read },
    Row { name: "open and close of /dev/null", run: open },
    Row { name: "stat of a file", run: stat },
    Row { name: "clock_gettime as a system call", run: clock_call },
    Row { name: "clock_gettime by the C library (vDSO)", run: clock_library },
    Row { name: "signal to self with handler", run: signal },
];

fn null() -> Cost {
    measure(2000, || {
        let _ = sys!(libc::SYS_getppid);
    })
}

fn write() -> Cost {
    let file = File::options().write(true).open("/dev/null").expect("/dev/null");
    let fd = file.as_raw_fd();
    measure(2000, || {
        let _ = sys!(libc::SYS_write, fd, b"x", 1);
    })
}

fn read() -> Cost {
    let file = File::open("/dev/zero").expect("/dev/zero");
    let fd = file.as_raw_fd();
    let mut byte = 0u8;
    measure(2000, || {
        let _ = sys!(libc::SYS_read, fd, &mut byte, 1);
    })
}

fn open() -> Cost {
    measure(500, || {
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, c"/dev/null", libc::O_RDONLY, 0).expect("open");
        let _ = sys!(libc::SYS_close, fd);
    })
}

fn stat() -> Cost {
    // Room for struct stat.
    let mut buffer = [0u64; 18];
    measure(500, || {
        sys!(libc::SYS_newfstatat, libc::AT_FDCWD, c"/dev/null", &mut buffer, 0).expect("stat");
    })
}

fn clock_call() -> Cost {
    let mut time = [0u64; 2];
    measure(2000, || {
        let _ = sys!(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &mut time);
    })
}

fn clock_library() -> Cost {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    measure(2000, || {
        // SAFETY: the library writes to a timespec of ours.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    })
}

fn signal() -> Cost {
    signal::handle(libc::SIGUSR1, 0, signal::nothing);
    let (group, thread) = (pid(), tid());
    measure(500, || {
        let _ = sys!(libc::SYS_tgkill, group, thread, libc::SIGUSR1);
    })
}
