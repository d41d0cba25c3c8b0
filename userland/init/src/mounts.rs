//! The file systems that come from the kernel rather than from the initramfs.

use std::ffi::CStr;
use std::fs;
use std::io;

/// One mount: file system type, where, and whether to speak of a failure.
struct Mount {
    kind: &'static CStr,
    target: &'static CStr,
    required: bool,
}

const MOUNTS: [Mount; 4] = [
    Mount { kind: c"proc", target: c"/proc", required: true },
    Mount { kind: c"devtmpfs", target: c"/dev", required: true },
    Mount { kind: c"tmpfs", target: c"/tmp", required: true },
    Mount { kind: c"sysfs", target: c"/sys", required: false },
];

/// Mounts them all. A failure is reported and not fatal: a shell without /proc is better than none.
pub(crate) fn mount_all() {
    for entry in &MOUNTS {
        if let Err(error) = mount(entry)
            && entry.required
        {
            let target = entry.target.to_string_lossy();
            eprintln!("init: cannot mount {} on {target}: {error}", entry.kind.to_string_lossy());
        }
    }
}

fn mount(entry: &Mount) -> io::Result<()> {
    // The directory may be missing from the initramfs; an existing one is not an error.
    let _ = fs::create_dir_all(&*entry.target.to_string_lossy());
    // SAFETY: all pointers are NUL-terminated static strings, and null data means "no options".
    let result =
        unsafe { libc::mount(entry.kind.as_ptr(), entry.target.as_ptr(), entry.kind.as_ptr(), 0, std::ptr::null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
