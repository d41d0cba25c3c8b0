//! The end of the machine.

use crate::console;
use std::fs::OpenOptions;
use std::io::Write;

/// Writes `status` to the kernel log, lets output finish, and powers off. Does not return; should the kernel
/// refuse, init exits, which panics the kernel: a machine that stays up with nothing to run helps nobody.
pub(crate) fn off(status: i32) -> ! {
    console::drain();
    // One write is one record. Level 2 (critical) shows however quiet the log is.
    let line = format!("<2>tollgate: exit-status {status}\n");
    let logged = OpenOptions::new().write(true).open("/dev/kmsg").and_then(|mut log| log.write_all(line.as_bytes()));
    if let Err(error) = logged {
        eprintln!("init: /dev/kmsg: {error}");
        console::drain();
    }
    // SAFETY: neither takes a pointer. Nothing of this process is needed after them.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
    eprintln!("init: cannot power off: {}", std::io::Error::last_os_error());
    std::process::exit(1);
}
