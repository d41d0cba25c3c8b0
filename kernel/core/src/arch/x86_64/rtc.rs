//! The CMOS clock: wall-clock time at boot.
use super::port;

fn register(index: u8) -> u8 {
    // SAFETY: the CMOS index and data ports; reading changes nothing.
    unsafe {
        port::write(0x70, index);
        port::read(0x71)
    }
}

/// Second, minute, hour, day, month, year, as stored.
fn fields() -> [u8; 6] {
    [0, 2, 4, 7, 8, 9].map(register)
}

/// Days from 1970-01-01 to the given day of the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let leap = |y: u64| u64::from(y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400)));
    let years: u64 = (1970..year).map(|y| 365 + leap(y)).sum();
    let lengths = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    years + lengths[..(month as usize - 1).min(11)].iter().sum::<u64>() + day.saturating_sub(1)
}

/// Seconds since 1970-01-01 UTC; the clock is taken to run on UTC, as QEMU's does.
pub(super) fn unix_seconds() -> u64 {
    const UPDATING: u8 = 0x80;
    // Two equal readings outside an update are a consistent one; a broken clock is believed after a while.
    let mut last = fields();
    for _ in 0..1000 {
        if register(0x0a) & UPDATING != 0 {
            continue;
        }
        let now = fields();
        if now == last {
            break;
        }
        last = now;
    }
    let mode = register(0x0b);
    let binary = |v: u8| if mode & 4 != 0 { v } else { (v >> 4) * 10 + (v & 15) };
    let [second, minute, hour, day, month, year] = last;
    let afternoon = mode & 2 == 0 && hour & 0x80 != 0;
    let mut hour = u64::from(binary(hour & 0x7f));
    if mode & 2 == 0 {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    let days = days(2000 + u64::from(binary(year)), u64::from(binary(month)).max(1), u64::from(binary(day)));
    ((days * 24 + hour) * 60 + u64::from(binary(minute))) * 60 + u64::from(binary(second))
}
