//! Sleeping and clocks.

use crate::sys;
use std::time::Duration;

/// Sleeps, going on after signals.
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Sleeps some milliseconds.
pub fn sleep_ms(milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds));
}

/// A duration as the kernel takes it.
pub fn timespec(time: Duration) -> libc::timespec {
    libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos() as i64 }
}

/// A clock's time, read with a system call.
pub fn clock(id: libc::clockid_t) -> Duration {
    let mut now = timespec(Duration::ZERO);
    sys!(libc::SYS_clock_gettime, id, &mut now).expect("clock_gettime");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// The monotonic clock, read with a system call.
pub fn monotonic() -> Duration {
    clock(libc::CLOCK_MONOTONIC)
}

/// Waits for a condition that another task brings about; panics after ten seconds.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = monotonic();
    while !condition() {
        assert!(monotonic() - start < Duration::from_secs(10), "waited 10 s until {what}");
        sleep(Duration::from_micros(500));
    }
}
