//! Bad pointers, in every position that takes one: EFAULT and nothing else.

use std::os::fd::AsRawFd;
use tollgate_tests::memory::{KERNEL, Mapping, NON_CANONICAL, PAGE, munmap, peek};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{self, Status, fork};
use tollgate_tests::{Errno, sys};

/// A call with one pointer left open, and the size of what is there in bytes.
type Row<'a> = (&'a str, usize, &'a dyn Fn(usize) -> sys::Result);

/// Nothing there, the kernel's, impossible, and the very last byte.
const NOWHERE: [usize; 5] = [0x1000, KERNEL, NON_CANONICAL, usize::MAX, 0xffff_8000_0000_0000];

/// What the rows work on.
struct World {
    pipe: Pipe,
    directory: std::fs::File,
    good: Mapping,
}

impl World {
    fn new() -> World {
        let pipe = Pipe::new();
        pipe.write(&[0; 100]).unwrap();
        World { pipe, directory: std::fs::File::open("/proc").unwrap(), good: Mapping::anonymous(2) }
    }

    /// Calls that write to the pointer.
    fn outputs(&self, check: impl Fn(&[Row<'_>])) {
        let reader = self.pipe.reader();
        let directory = self.directory.as_raw_fd();
        let good = self.good.address;
        check(&[
            ("read", 8, &|p| sys!(libc::SYS_read, reader, p, 8)),
            ("pipe2", 8, &|p| sys!(libc::SYS_pipe2, p, 0)),
            ("fstat", 144, &|p| sys!(libc::SYS_fstat, reader, p)),
            ("stat", 144, &|p| sys!(libc::SYS_stat, c"/", p)),
            ("newfstatat", 144, &|p| sys!(libc::SYS_newfstatat, libc::AT_FDCWD, c"/", p, 0)),
            ("getcwd", 2, &|p| sys!(libc::SYS_getcwd, p, 100)),
            ("getdents64", 24, &|p| sys!(libc::SYS_getdents64, directory, p, 1000)),
            ("readlink", 1, &|p| sys!(libc::SYS_readlink, c"/proc/self", p, 100)),
            ("uname", 390, &|p| sys!(libc::SYS_uname, p)),
            ("clock_gettime", 16, &|p| sys!(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, p)),
            ("clock_getres", 16, &|p| sys!(libc::SYS_clock_getres, libc::CLOCK_MONOTONIC, p)),
            ("gettimeofday", 16, &|p| sys!(libc::SYS_gettimeofday, p, 0)),
            ("getitimer", 32, &|p| sys!(libc::SYS_getitimer, 0, p)),
            ("rt_sigaction old", 32, &|p| sys!(libc::SYS_rt_sigaction, libc::SIGUSR1, 0, p, 8)),
            ("rt_sigprocmask old", 8, &|p| sys!(libc::SYS_rt_sigprocmask, 0, 0, p, 8)),
            ("rt_sigpending", 8, &|p| sys!(libc::SYS_rt_sigpending, p, 8)),
            ("sigaltstack old", 24, &|p| sys!(libc::SYS_sigaltstack, 0, p)),
            ("prlimit64 old", 16, &|p| sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_AS, 0, p)),
            ("getrlimit", 16, &|p| sys!(libc::SYS_getrlimit, libc::RLIMIT_AS, p)),
            ("sched_getaffinity", 8, &|p| sys!(libc::SYS_sched_getaffinity, 0, 8, p)),
            ("getrusage", 144, &|p| sys!(libc::SYS_getrusage, 0, p)),
            ("getrandom", 8, &|p| sys!(libc::SYS_getrandom, p, 8, 0)),
            ("poll", 8, &|p| sys!(libc::SYS_poll, p, 1, 0)),
            ("get_robust_list head", 8, &|p| sys!(libc::SYS_get_robust_list, 0, p, good)),
            ("get_robust_list size", 8, &|p| sys!(libc::SYS_get_robust_list, 0, good, p)),
            ("arch_prctl", 8, &|p| sys!(libc::SYS_arch_prctl, 0x1003, p)),
        ]);
    }

    /// Calls that read from the pointer.
    fn inputs(&self, check: impl Fn(&[Row<'_>])) {
        let writer = self.pipe.writer();
        let good = self.good.address;
        check(&[
            ("write", 8, &|p| sys!(libc::SYS_write, writer, p, 8)),
            ("open", 1, &|p| sys!(libc::SYS_open, p, 0)),
            ("openat", 1, &|p| sys!(libc::SYS_openat, libc::AT_FDCWD, p, 0)),
            ("stat path", 1, &|p| sys!(libc::SYS_stat, p, good)),
            ("access", 1, &|p| sys!(libc::SYS_access, p, 0)),
            ("chdir", 1, &|p| sys!(libc::SYS_chdir, p)),
            ("mkdir", 1, &|p| sys!(libc::SYS_mkdir, p, 0)),
            ("rmdir", 1, &|p| sys!(libc::SYS_rmdir, p)),
            ("unlink", 1, &|p| sys!(libc::SYS_unlink, p)),
            ("rename from", 1, &|p| sys!(libc::SYS_rename, p, c"/tmp/x")),
            ("rename to", 1, &|p| sys!(libc::SYS_rename, c"/tmp/x", p)),
            ("symlink target", 1, &|p| sys!(libc::SYS_symlink, p, c"/tmp/x")),
            ("symlink name", 1, &|p| sys!(libc::SYS_symlink, c"/tmp/x", p)),
            ("readlink path", 1, &|p| sys!(libc::SYS_readlink, p, good, 100)),
            ("execve path", 1, &|p| sys!(libc::SYS_execve, p, 0, 0)),
            ("execve argv", 8, &|p| sys!(libc::SYS_execve, c"/proc/self/exe", p, 0)),
            ("execve envp", 8, &|p| sys!(libc::SYS_execve, c"/proc/self/exe", 0, p)),
            ("nanosleep", 16, &|p| sys!(libc::SYS_nanosleep, p, 0)),
            ("clock_nanosleep", 16, &|p| sys!(libc::SYS_clock_nanosleep, 1, 0, p, 0)),
            ("setitimer", 32, &|p| sys!(libc::SYS_setitimer, 0, p, 0)),
            ("rt_sigaction", 32, &|p| sys!(libc::SYS_rt_sigaction, libc::SIGUSR1, p, 0, 8)),
            ("rt_sigprocmask", 8, &|p| sys!(libc::SYS_rt_sigprocmask, 0, p, 0, 8)),
            ("rt_sigsuspend", 8, &|p| sys!(libc::SYS_rt_sigsuspend, p, 8)),
            ("rt_sigtimedwait set", 8, &|p| sys!(libc::SYS_rt_sigtimedwait, p, 0, 0, 8)),
            ("rt_sigtimedwait time", 16, &|p| sys!(libc::SYS_rt_sigtimedwait, good, 0, p, 8)),
            ("rt_sigqueueinfo", 128, &|p| sys!(libc::SYS_rt_sigqueueinfo, process::pid(), libc::SIGUSR1, p)),
            ("sigaltstack", 24, &|p| sys!(libc::SYS_sigaltstack, p, 0)),
            ("prlimit64", 16, &|p| sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_AS, p, 0)),
            ("sched_setaffinity", 8, &|p| sys!(libc::SYS_sched_setaffinity, 0, 8, p)),
            ("writev", 16, &|p| sys!(libc::SYS_writev, writer, p, 1)),
        ]);
    }
}

pub(crate) fn outputs() {
    World::new().outputs(|rows| {
        let read_only = Mapping::new(PAGE, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0).unwrap();
        for (name, _, call) in rows {
            for pointer in NOWHERE.into_iter().chain([read_only.address]) {
                assert_eq!(call(pointer), Err(Errno::EFAULT), "{name} to {pointer:#x}");
            }
        }
        assert_eq!(peek(read_only.address), 0);
    });
}

pub(crate) fn inputs() {
    World::new().inputs(|rows| {
        for (name, _, call) in rows {
            for pointer in NOWHERE {
                assert_eq!(call(pointer), Err(Errno::EFAULT), "{name} from {pointer:#x}");
            }
        }
    });
    // futex checks alignment first.
    for pointer in [0x1000, KERNEL, NON_CANONICAL] {
        assert_eq!(sys!(libc::SYS_futex, pointer, libc::FUTEX_WAIT, 0, 0), Err(Errno::EFAULT), "futex {pointer:#x}");
    }
}

/// Structures of which only the last byte is missing. Transfers that may be partial are in the next test.
pub(crate) fn straddling_outputs() {
    let partial = ["read", "getrandom", "getcwd", "getdents64", "readlink"];
    let mapping = Mapping::anonymous(2);
    munmap(mapping.page(1), PAGE).unwrap();
    let world = World::new();
    let check = |rows: &[Row<'_>]| {
        for (name, size, call) in rows.iter().filter(|row| row.1 > 1 && !partial.contains(&row.0)) {
            assert_eq!(call(mapping.page(1) - size + 1), Err(Errno::EFAULT), "{name} across the end");
        }
    };
    world.outputs(check);
}

/// What fits is transferred, or nothing is: never more than was asked, never a success that was none.
pub(crate) fn partial_transfers() {
    let mapping = Mapping::anonymous(2);
    munmap(mapping.page(1), PAGE).unwrap();
    let zero = std::fs::File::open("/dev/zero").unwrap();
    let place = mapping.page(1) - 100;
    let read = sys!(libc::SYS_read, zero.as_raw_fd(), place, 300);
    assert!(matches!(read, Ok(1..=100) | Err(Errno::EFAULT)), "read: {read:?}");
    let pipe = Pipe::new();
    let written = sys!(libc::SYS_write, pipe.writer(), place, 300);
    assert!(matches!(written, Ok(1..=100) | Err(Errno::EFAULT)), "write: {written:?}");
    pipe.set_nonblocking();
    let mut buffer = [0; 400];
    match written {
        Ok(length) => assert_eq!(pipe.read(&mut buffer), Ok(length)),
        Err(_) => assert_eq!(pipe.read(&mut buffer), Err(Errno::EAGAIN)),
    }
}

/// A wait that cannot store the status has waited all the same, as on Linux.
pub(crate) fn waiting_keeps_the_status() {
    let child = fork(|| 7);
    assert_eq!(sys!(libc::SYS_wait4, child.pid, KERNEL, 0, 0), Err(Errno::EFAULT));
    let again = process::wait4(child.pid, 0);
    assert!(matches!(again, Err(Errno::ECHILD) | Ok((_, Status::Exited(7)))), "{again:?}");
}
