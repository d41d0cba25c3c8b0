//! PID 1. It mounts the kernel's file systems, runs one command (or a shell) on the serial line, reaps
//! whatever the command leaves behind, and powers the machine off with the command's status.
//!
//! The command is in [`COMMAND`], NUL-terminated strings; without that file init starts a login shell. The
//! status goes to the kernel log as `tollgate: exit-status N`, where the runner finds it.

mod console;
mod kmsg;
mod mounts;
mod power;
mod session;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;

/// The arguments of the command to run, each ended by a NUL byte. Absent for an interactive shell.
const COMMAND: &str = "/etc/tollgate/command";

fn main() {
    if std::process::id() != 1 {
        eprintln!("init: only the kernel starts this program, as process 1");
        std::process::exit(1);
    }
    mounts::mount_all();
    let tty = console::adopt();
    session::lead();
    let command = command();
    if tty && matches!(command, Ok(Some(_))) {
        console::make_transparent();
    }
    // From here on input is safe: the runner holds it back until it reads this.
    if let Err(error) = kmsg::tell("ready") {
        eprintln!("init: /dev/kmsg: {error}");
    }
    let status = match command {
        Ok(None) => session::run(&["/bin/sh".into(), "-l".into()]),
        Ok(Some(arguments)) => session::run(&arguments),
        Err(error) => {
            eprintln!("init: {COMMAND}: {error}");
            session::NOT_EXECUTABLE
        }
    };
    power::off(status);
}

/// Reads the command's arguments; `None` if the file does not exist.
fn command() -> io::Result<Option<Vec<OsString>>> {
    let bytes = match fs::read(COMMAND) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match arguments(&bytes) {
        Some(list) => Ok(Some(list)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "not a list of NUL-terminated strings")),
    }
}

/// Splits NUL-terminated strings; `None` if there is none or the last one is not terminated.
fn arguments(bytes: &[u8]) -> Option<Vec<OsString>> {
    let body = bytes.strip_suffix(&[0])?;
    Some(body.split(|&byte| byte == 0).map(|string| OsString::from_vec(string.to_vec())).collect())
}
