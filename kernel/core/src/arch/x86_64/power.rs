//! Turning the machine off or round.
use super::{acpi, cpu, port};
use crate::sync::Once;

/// Port and value that power the machine off, and that reset it.
struct Registers {
    off: Option<(u16, u16)>,
    reset: Option<(u16, u8)>,
}

static REGISTERS: Once<Registers> = Once::new();

/// Remembers what the ACPI tables say.
pub(super) fn init(acpi: &acpi::Tables) {
    REGISTERS.call_once(|| Registers { off: acpi.power_off, reset: acpi.reset });
}

/// Powers the machine off; halts where ACPI gives no way to.
pub fn off() -> ! {
    if let Some(&Registers { off: Some((port, value)), .. }) = REGISTERS.get() {
        // SAFETY: the FADT names this register, and the value asks for S5.
        unsafe { port::write_word(port, value) };
    }
    super::clock::spin_ns(100_000_000); // The machine may take a moment.
    log::warn!("the machine does not turn off; halting");
    cpu::halt()
}

/// Stops this CPU for good, and leaves the machine on (RB_HALT_SYSTEM).
pub fn halt() -> ! {
    cpu::halt()
}

/// Resets the machine: by ACPI, else by the keyboard controller.
pub fn restart() -> ! {
    if let Some(&Registers { reset: Some((port, value)), .. }) = REGISTERS.get() {
        // SAFETY: the FADT names this register and value.
        unsafe { port::write(port, value) };
    }
    // SAFETY: the keyboard controller's command port; FEh pulses the reset line.
    unsafe { port::write(0x64, 0xfe) };
    cpu::halt()
}

/// Tells QEMU's isa-debug-exit device that the kernel panicked (status 123); nothing happens elsewhere.
pub fn report_panic() {
    const DEBUG_EXIT: u16 = 0xf4;
    // SAFETY: an unused port on machines without the device.
    unsafe { port::write(DEBUG_EXIT, 0x3d) };
}
