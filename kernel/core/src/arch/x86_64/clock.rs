//! The machine's clock: the time stamp counter, calibrated, and the timer interrupt.

/// Nanoseconds since boot, monotonic across CPUs.
pub fn now_ns() -> u64 {
    todo!("lead")
}

/// Asks for a timer interrupt on this CPU at `at` (monotonic nanoseconds) or soon after; the earliest wish wins until
/// the interrupt, which calls [`crate::task::timer::expire`] and the scheduler's tick.
pub fn wake_at(at: u64) {
    let _ = at;
    todo!("lead")
}

/// Wall-clock time at boot, nanoseconds since 1970 (from the CMOS clock).
pub fn boot_unix_ns() -> u64 {
    todo!("lead")
}

/// Time stamp counter ticks per second.
pub fn tsc_hz() -> u64 {
    todo!("lead")
}
