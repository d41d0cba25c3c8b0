//! The one command init runs, and the reaping of all that comes out of it.
//!
//! Init itself leads the session; the command is its foreground process group. Were the command the leader,
//! its end would hang up the terminal, and a hang-up throws away output that is still on its way.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A shell's status for a program that does not exist.
const NOT_FOUND: i32 = 127;
/// A shell's status for a program that exists and cannot be run.
pub(crate) const NOT_EXECUTABLE: i32 = 126;

const ENVIRONMENT: [(&str, &str); 5] = [
    ("HOME", "/root"),
    ("PATH", "/bin:/sbin:/usr/bin:/usr/sbin"),
    ("TERM", "vt100"),
    ("USER", "root"),
    ("SHELL", "/bin/sh"),
];

/// Makes this process the leader of a session that has standard input as its controlling terminal. Without a
/// terminal there, the session has none.
pub(crate) fn lead() {
    // SAFETY: none takes a pointer. A background group that sets the terminal up is sent SIGTTOU, and between
    // two commands that is us: ignore it.
    unsafe {
        libc::signal(libc::SIGTTOU, libc::SIG_IGN);
        libc::setsid();
        libc::ioctl(0, libc::TIOCSCTTY, 0);
    }
}

/// Runs a program in the terminal's foreground, waits for it, and reaps every orphan meanwhile. Returns its
/// status as a shell would: the exit code, or 128 + the signal.
pub(crate) fn run(arguments: &[OsString]) -> i32 {
    let _ = fs::create_dir_all("/root");
    let program = &arguments[0];
    let mut command = Command::new(program);
    command.args(&arguments[1..]).env_clear().envs(ENVIRONMENT).current_dir("/");
    // SAFETY: the closure runs between fork and exec and makes only system calls: no allocation, no locks.
    unsafe { command.pre_exec(take_foreground) };
    let status = match command.spawn() {
        Ok(child) => reap_until(child.id()),
        Err(error) => {
            eprintln!("init: {}: {error}", program.display());
            if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE }
        }
    };
    // SAFETY: takes no pointer.
    unsafe { libc::tcsetpgrp(0, libc::getpgrp()) };
    status
}

/// In the child: a process group of its own, in the terminal's foreground, with default signal actions.
fn take_foreground() -> io::Result<()> {
    // SAFETY: none takes a pointer. tcsetpgrp fails without a terminal, and then there is nothing to take.
    unsafe {
        if libc::setpgid(0, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::tcsetpgrp(0, libc::getpid());
        libc::signal(libc::SIGTTOU, libc::SIG_DFL);
    }
    Ok(())
}

/// Waits for children, ours and adopted ones, until `pid` has ended.
fn reap_until(pid: u32) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to an integer of our own.
        let ended = unsafe { libc::wait(&mut status) };
        if ended < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            eprintln!("init: wait: {error}");
            return NOT_EXECUTABLE;
        }
        if ended as u32 == pid {
            return shell_status(status);
        }
    }
}

/// A wait status as `$?` shows it.
fn shell_status(status: i32) -> i32 {
    if libc::WIFSIGNALED(status) { 128 + libc::WTERMSIG(status) } else { libc::WEXITSTATUS(status) }
}
