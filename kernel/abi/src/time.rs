//! Time: clocks, timespec, timers.
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds in a second.
pub const NANOS: i64 = 1_000_000_000;

/// struct timespec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeSpec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds, 0 to 999,999,999.
    pub nsec: i64,
}

/// struct timeval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeVal {
    /// Seconds.
    pub sec: i64,
    /// Microseconds, 0 to 999,999.
    pub usec: i64,
}

/// struct timezone, which nobody should use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct TimeZone {
    /// Minutes west of Greenwich.
    pub minutes_west: i32,
    /// Kind of daylight saving time.
    pub dst_time: i32,
}

/// struct itimerspec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ITimerSpec {
    /// Period; 0 = once.
    pub interval: TimeSpec,
    /// First expiry; 0 = disarmed.
    pub value: TimeSpec,
}

/// struct itimerval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ITimerVal {
    /// Period; 0 = once.
    pub interval: TimeVal,
    /// First expiry; 0 = disarmed.
    pub value: TimeVal,
}

impl TimeSpec {
    /// From nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { sec: nanos.div_euclid(NANOS), nsec: nanos.rem_euclid(NANOS) }
    }

    /// In nanoseconds, as long as that can be told apart from for ever (292 years); `None` when it is no valid time
    /// span (negative, or nanoseconds out of range).
    pub const fn to_nanos(self) -> Option<i64> {
        if self.sec < 0 || self.nsec < 0 || self.nsec >= NANOS {
            return None;
        }
        Some(self.sec.saturating_mul(NANOS).saturating_add(self.nsec))
    }
}

impl TimeVal {
    /// From nanoseconds, rounded down.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self { sec: nanos.div_euclid(NANOS), usec: nanos.rem_euclid(NANOS) / 1000 }
    }

    /// In nanoseconds; `None` as for [`TimeSpec::to_nanos`].
    pub const fn to_nanos(self) -> Option<i64> {
        if self.usec < 0 || self.usec >= 1_000_000 {
            return None;
        }
        TimeSpec { sec: self.sec, nsec: self.usec * 1000 }.to_nanos()
    }
}

/// Clock numbers (clock_gettime(2)).
#[expect(missing_docs, reason = "the names are their documentation; clock_gettime(2)")]
pub mod clock {
    pub const CLOCK_REALTIME: i32 = 0;
    pub const CLOCK_MONOTONIC: i32 = 1;
    pub const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    pub const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    pub const CLOCK_MONOTONIC_RAW: i32 = 4;
    pub const CLOCK_REALTIME_COARSE: i32 = 5;
    pub const CLOCK_MONOTONIC_COARSE: i32 = 6;
    pub const CLOCK_BOOTTIME: i32 = 7;
    pub const CLOCK_REALTIME_ALARM: i32 = 8;
    pub const CLOCK_BOOTTIME_ALARM: i32 = 9;
    pub const CLOCK_TAI: i32 = 11;
}

/// clock_nanosleep, timer_settime: the time is absolute.
pub const TIMER_ABSTIME: i32 = 1;

/// setitimer(2): wall time, SIGALRM.
pub const ITIMER_REAL: i32 = 0;
/// setitimer(2): user CPU time, SIGVTALRM.
pub const ITIMER_VIRTUAL: i32 = 1;
/// setitimer(2): all CPU time, SIGPROF.
pub const ITIMER_PROF: i32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_checked_and_saturate() {
        assert_eq!(TimeSpec { sec: 1, nsec: 5 }.to_nanos(), Some(1_000_000_005));
        assert_eq!(TimeSpec { sec: 0, nsec: NANOS }.to_nanos(), None);
        assert_eq!(TimeSpec { sec: -1, nsec: 0 }.to_nanos(), None);
        assert_eq!(TimeSpec { sec: i64::MAX, nsec: 0 }.to_nanos(), Some(i64::MAX));
        assert_eq!(TimeVal { sec: 0, usec: 1_000_000 }.to_nanos(), None);
        assert_eq!(TimeVal { sec: 2, usec: 7 }.to_nanos(), Some(2_000_007_000));
    }

    #[test]
    fn times_before_the_epoch_round_down() {
        assert_eq!(TimeSpec::from_nanos(-1), TimeSpec { sec: -1, nsec: NANOS - 1 });
        assert_eq!(TimeVal::from_nanos(-1), TimeVal { sec: -1, usec: 999_999 });
    }
}
