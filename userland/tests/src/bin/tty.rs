//! Terminals, as far as one can be tested from inside: the console is the runner's, and nobody types.

use std::fs::File;
use std::mem::zeroed;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{fork, new_session};
use tollgate_tests::{Errno, linux, skip, suite, sys};

/// The first serial port, opened so that it becomes nobody's controlling terminal.
fn console() -> File {
    let options = libc::O_NOCTTY | libc::O_NONBLOCK;
    match File::options().read(true).write(true).custom_flags(options).open("/dev/ttyS0") {
        Ok(console) if std::fs::exists("/etc/tollgate").unwrap_or(false) => console,
        _ => skip!("this is not a guest of the runner"),
    }
}

fn ioctl(file: &File, command: libc::c_ulong, argument: usize) -> sys::Result {
    sys!(libc::SYS_ioctl, file.as_raw_fd(), command, argument)
}

/// The kernel's `struct termios`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Settings {
    input: u32,
    output: u32,
    control: u32,
    local: u32,
    line: u8,
    characters: [u8; 19],
}

fn settings(console: &File) -> Settings {
    // SAFETY: plain integers, for which zero is a value.
    let mut settings: Settings = unsafe { zeroed() };
    assert_eq!(ioctl(console, libc::TCGETS as u64, &raw mut settings as usize), Ok(0));
    settings
}

fn change(console: &File, settings: &Settings, how: libc::Ioctl) {
    assert_eq!(ioctl(console, how as u64, settings as *const Settings as usize), Ok(0));
}

fn settings_are_kept() {
    let console = console();
    let before = settings(&console);
    assert_ne!(before.control & libc::CREAD, 0);
    assert_eq!(before.characters[libc::VEOF], 4);
    assert_eq!(before.characters[libc::VINTR], 3);
    for how in [libc::TCSETS, libc::TCSETSW, libc::TCSETSF] {
        let mut raw = before;
        raw.local &= !(libc::ICANON | libc::ECHO | libc::ISIG);
        raw.characters[libc::VMIN] = 5;
        raw.characters[libc::VTIME] = 2;
        change(&console, &raw, how);
        assert_eq!(settings(&console), raw);
        change(&console, &before, how);
        assert_eq!(settings(&console), before);
    }
    assert_eq!(ioctl(&console, libc::TCGETS as u64, 0x1000), Err(Errno::EFAULT));
    assert_eq!(ioctl(&console, libc::TCSETS as u64, 0x1000), Err(Errno::EFAULT));
}

fn window_size_is_kept() {
    let console = console();
    let mut size = [0u16; 4];
    assert_eq!(ioctl(&console, libc::TIOCGWINSZ as u64, &raw mut size as usize), Ok(0));
    let other = [50u16, 132, 0, 0];
    assert_eq!(ioctl(&console, libc::TIOCSWINSZ as u64, &raw const other as usize), Ok(0));
    let mut now = [0u16; 4];
    assert_eq!(ioctl(&console, libc::TIOCGWINSZ as u64, &raw mut now as usize), Ok(0));
    assert_eq!(now, other);
    assert_eq!(ioctl(&console, libc::TIOCSWINSZ as u64, &raw const size as usize), Ok(0));
}

/// The tests lead sessions of their own, without a terminal; the console is another session's.
fn other_sessions_terminal_is_not_ours() {
    let console = console();
    let mut group = 0i32;
    assert_eq!(ioctl(&console, libc::TIOCGPGRP as u64, &raw mut group as usize), Err(Errno::ENOTTY));
    assert_eq!(ioctl(&console, libc::TIOCSPGRP as u64, &raw const group as usize), Err(Errno::ENOTTY));
    assert_eq!(ioctl(&console, libc::TIOCSCTTY as u64, 0), Err(Errno::EPERM));
    assert_eq!(sys!(libc::SYS_openat, libc::AT_FDCWD, c"/dev/tty", libc::O_RDWR, 0), Err(Errno::ENXIO));
    fork(|| {
        new_session();
        // Opening it does not make it ours either, though a leader without a terminal could get one so.
        let fd = sys!(libc::SYS_openat, libc::AT_FDCWD, c"/dev/ttyS0", libc::O_RDWR | libc::O_NONBLOCK, 0);
        assert!(fd.is_ok());
        assert_eq!(sys!(libc::SYS_openat, libc::AT_FDCWD, c"/dev/tty", libc::O_RDWR, 0), Err(Errno::ENXIO));
        0
    })
    .succeed();
}

fn nothing_typed_is_nothing_to_read() {
    let console = console();
    let mut waiting = -1i32;
    assert_eq!(ioctl(&console, libc::FIONREAD as u64, &raw mut waiting as usize), Ok(0));
    assert_eq!(waiting, 0);
    assert_eq!(sys!(libc::SYS_read, console.as_raw_fd(), &mut [0u8], 1), Err(Errno::EAGAIN));
    let mut entry = libc::pollfd { fd: console.as_raw_fd(), events: libc::POLLIN | libc::POLLOUT, revents: 0 };
    assert_eq!(sys!(libc::SYS_poll, &mut entry, 1, 0), Ok(1));
    assert_eq!(entry.revents, libc::POLLOUT);
    assert_eq!(sys!(libc::SYS_write, console.as_raw_fd(), b"", 0), Ok(0));
    assert_eq!(ioctl(&console, libc::TCSBRK as u64, 1), Ok(0), "drained");
    assert_eq!(sys!(libc::SYS_lseek, console.as_raw_fd(), 0, 0), Err(Errno::ESPIPE));
}

fn other_files_are_no_terminals() {
    let console = console();
    let pipe = Pipe::new();
    let mut buffer = [0u64; 8];
    for command in [libc::TCGETS, libc::TIOCGWINSZ, libc::TIOCGPGRP, libc::TIOCSCTTY] {
        assert_eq!(sys!(libc::SYS_ioctl, pipe.reader(), command, &mut buffer), Err(Errno::ENOTTY));
    }
    assert_eq!(ioctl(&console, 0xdead_beef, 0), Err(Errno::ENOTTY), "no such command");
}

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(settings_are_kept),
        linux!(window_size_is_kept),
        linux!(other_sessions_terminal_is_not_ours),
        linux!(nothing_typed_is_nothing_to_read),
        linux!(other_files_are_no_terminals),
    ])
}
