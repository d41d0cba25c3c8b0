//! I/O ports.
use x86_64::instructions::port::Port;

/// Reads a byte.
///
/// # Safety
/// Reading `port` must have no effect that breaks memory safety; the caller knows the device.
pub(super) unsafe fn read(port: u16) -> u8 {
    // SAFETY: by contract.
    unsafe { Port::new(port).read() }
}

/// Writes a byte.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn write(port: u16, value: u8) {
    // SAFETY: by contract.
    unsafe { Port::new(port).write(value) }
}

/// Writes a 16-bit word.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn write_word(port: u16, value: u16) {
    // SAFETY: by contract.
    unsafe { Port::new(port).write(value) }
}

/// Reads a 32-bit word.
///
/// # Safety
/// As [`read`].
pub(super) unsafe fn read_long(port: u16) -> u32 {
    // SAFETY: by contract.
    unsafe { Port::new(port).read() }
}
