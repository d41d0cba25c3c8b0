//! The serial line the command talks over.
//!
//! /dev/console, which the kernel opened for us, may be the log's line instead (it is when a Linux kernel is
//! booted with `console=ttyS1`), so the first serial port is opened by name.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

/// The first serial port.
const TTY: &str = "/dev/ttyS0";

/// Puts [`TTY`] in place of standard input, output and error. Whether that worked; if not, what the kernel
/// opened stays.
pub(crate) fn adopt() -> bool {
    // O_NOCTTY: the line is to be the command's controlling terminal, not ours.
    let tty = match OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(TTY) {
        Ok(tty) => tty,
        Err(error) => {
            eprintln!("init: {TTY}: {error}");
            return false;
        }
    };
    for standard in 0..=2 {
        // SAFETY: dup2 touches only the descriptor table; 0, 1 and 2 belong to no Rust object that owns them.
        if unsafe { libc::dup2(tty.as_raw_fd(), standard) } < 0 {
            return false;
        }
    }
    true
}

/// Lets bytes through unchanged: no newline translation on output, no echo of what is typed, no flow control
/// (Linux acts on a Ctrl-S even behind a Ctrl-V when its buffer is full). Input stays line by line, so that
/// Ctrl-D ends it.
pub(crate) fn make_transparent() {
    // SAFETY: termios is plain integers, for which zero is a value.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a termios of our own.
    if unsafe { libc::tcgetattr(0, &mut settings) } != 0 {
        eprintln!("init: cannot read the line's settings: {}", io::Error::last_os_error());
        return;
    }
    settings.c_iflag &= !(libc::IXON | libc::ICRNL);
    settings.c_oflag &= !libc::OPOST;
    settings.c_lflag &= !(libc::ECHO | libc::ECHONL);
    // SAFETY: as above; the call only reads it.
    if unsafe { libc::tcsetattr(0, libc::TCSANOW, &settings) } != 0 {
        eprintln!("init: cannot change the line's settings: {}", io::Error::last_os_error());
    }
}

/// Waits until everything written has left the machine.
pub(crate) fn drain() {
    // SAFETY: takes no pointer; on a descriptor that is no terminal it fails and changes nothing.
    unsafe { libc::tcdrain(1) };
}
