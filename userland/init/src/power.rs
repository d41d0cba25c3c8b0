//! The end of the machine.

use crate::{console, kmsg};

/// Writes `status` to the kernel log, lets output finish, and powers off. Does not return; should the kernel
/// refuse, init exits, which panics the kernel: a machine that stays up with nothing to run helps nobody.
pub(crate) fn off(status: i32) -> ! {
    console::drain();
    if let Err(error) = kmsg::tell(&format!("exit-status {status}")) {
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
