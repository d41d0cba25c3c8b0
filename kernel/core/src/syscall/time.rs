//! System calls on clocks and sleeping.
use core::sync::atomic::{AtomicI32, Ordering};

use tollgate_abi::time::clock::{CLOCK_REALTIME, CLOCK_THREAD_CPUTIME_ID};
use tollgate_abi::time::{NANOS, TIMER_ABSTIME, TimeSpec, TimeVal, TimeZone};
use tollgate_abi::{Errno, Result};

use crate::arch;
use crate::mm::user::UserPtr;
use crate::task::current;
use crate::task::signal;
use crate::task::timer::clock::{self, Clock};

/// Every clock here counts nanoseconds.
const RESOLUTION: TimeSpec = TimeSpec { sec: 0, nsec: 1 };

/// clock_gettime(2).
///
/// # Errors
/// `EINVAL` for an unknown clock, `EFAULT`.
pub fn clock_gettime(id: i32, time: UserPtr<TimeSpec>) -> Result<usize> {
    let now = Clock::find(id)?.now();
    time.write(&TimeSpec::from_nanos(now))?;
    Ok(0)
}

/// clock_getres(2).
///
/// # Errors
/// `EINVAL` for an unknown clock, `EFAULT`.
pub fn clock_getres(id: i32, resolution: UserPtr<TimeSpec>) -> Result<usize> {
    Clock::find(id)?;
    if let Some(resolution) = resolution.non_null() {
        resolution.write(&RESOLUTION)?;
    }
    Ok(0)
}

/// clock_settime(2).
///
/// # Errors
/// `EINVAL` for a clock that cannot be set or a bad time, `EPERM`, `EFAULT`.
pub fn clock_settime(id: i32, time: UserPtr<TimeSpec>) -> Result<usize> {
    if id != CLOCK_REALTIME {
        return Err(Errno::EINVAL); // The other clocks go by themselves.
    }
    let time = time.read()?.to_nanos().ok_or(Errno::EINVAL)?;
    set_wall(time)
}

fn set_wall(ns: i64) -> Result<usize> {
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    // Neither before boot (monotonic time would be negative) nor so late that counting on overflows.
    const FAR: i64 = (i64::MAX / NANOS - 30 * 365 * 86_400) * NANOS;
    if ns < arch::clock::now_ns() as i64 || ns > FAR {
        return Err(Errno::EINVAL);
    }
    clock::set_wall(ns);
    Ok(0)
}

/// The time zone that settimeofday(2) keeps for those who still ask.
static ZONE: [AtomicI32; 2] = [AtomicI32::new(0), AtomicI32::new(0)];

/// gettimeofday(2).
///
/// # Errors
/// `EFAULT`.
pub fn gettimeofday(time: UserPtr<TimeVal>, zone: UserPtr<TimeZone>) -> Result<usize> {
    if let Some(time) = time.non_null() {
        time.write(&TimeVal::from_nanos(clock::wall_ns()))?;
    }
    if let Some(zone) = zone.non_null() {
        let [minutes_west, dst_time] = [0, 1].map(|i: usize| ZONE[i].load(Ordering::Relaxed));
        zone.write(&TimeZone { minutes_west, dst_time })?;
    }
    Ok(0)
}

/// settimeofday(2).
///
/// # Errors
/// `EINVAL` for a bad time or zone, `EPERM`, `EFAULT`.
pub fn settimeofday(time: UserPtr<TimeVal>, zone: UserPtr<TimeZone>) -> Result<usize> {
    let time = time.non_null().map(UserPtr::read).transpose()?;
    let zone = zone.non_null().map(UserPtr::read).transpose()?;
    let time = time.map(|time| time.to_nanos().ok_or(Errno::EINVAL)).transpose()?;
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    if let Some(zone) = zone {
        if zone.minutes_west.abs() > 15 * 60 {
            return Err(Errno::EINVAL);
        }
        ZONE[0].store(zone.minutes_west, Ordering::Relaxed);
        ZONE[1].store(zone.dst_time, Ordering::Relaxed);
    }
    time.map_or(Ok(0), set_wall)
}

/// time(2).
///
/// # Errors
/// `EFAULT`.
pub fn time(to: UserPtr<i64>) -> Result<usize> {
    let seconds = clock::wall_ns().div_euclid(NANOS);
    if let Some(to) = to.non_null() {
        to.write(&seconds)?;
    }
    Ok(seconds as usize)
}

/// nanosleep(2).
///
/// # Errors
/// `ERESTARTBLOCK` when a signal came, `EINVAL`, `EFAULT`.
pub fn nanosleep(duration: UserPtr<TimeSpec>, remaining: UserPtr<TimeSpec>) -> Result<usize> {
    let duration = duration.read()?.to_nanos().ok_or(Errno::EINVAL)?;
    sleep(arch::clock::now_ns().saturating_add(duration as u64), remaining)
}

/// clock_nanosleep(2). Sleeping by CPU time is not supported.
///
/// # Errors
/// `ERESTARTBLOCK` or (with TIMER_ABSTIME) `ERESTARTNOHAND` when a signal came, `EINVAL`, `ENOTSUP`, `EFAULT`.
pub fn clock_nanosleep(id: i32, flags: i32, time: UserPtr<TimeSpec>, remaining: UserPtr<TimeSpec>) -> Result<usize> {
    if id == CLOCK_THREAD_CPUTIME_ID {
        return Err(Errno::EINVAL); // It would sleep for ever.
    }
    let clock = Clock::find(id)?;
    let time = time.read()?.to_nanos().ok_or(Errno::EINVAL)?;
    let absolute = flags & TIMER_ABSTIME != 0;
    let restart = |error| if error == Errno::ERESTARTSYS { Errno::ERESTARTNOHAND } else { error };
    match clock {
        Clock::Wall if absolute => clock::sleep_until_wall(time).map_err(restart)?,
        Clock::Monotonic if absolute => clock::sleep_until(time as u64).map_err(restart)?,
        Clock::Wall | Clock::Monotonic => {
            return sleep(arch::clock::now_ns().saturating_add(time as u64), remaining);
        }
        // Sleeping until others have used CPU time.
        Clock::Process(..) | Clock::Thread(..) => return Err(Errno::ENOTSUP),
    }
    Ok(0)
}

/// Sleeps for the rest of a relative sleep that ends at `deadline`; when a handler ends it, `remaining` says what is
/// left, and else it goes on after the signal.
fn sleep(deadline: u64, remaining: UserPtr<TimeSpec>) -> Result<usize> {
    if clock::sleep_until(deadline).is_ok() {
        return Ok(0);
    }
    let left = deadline.saturating_sub(arch::clock::now_ns());
    if left == 0 {
        return Ok(0);
    }
    if let Some(remaining) = remaining.non_null() {
        remaining.write(&TimeSpec::from_nanos(left.min(i64::MAX as u64) as i64))?;
    }
    Err(signal::restart_with(move || sleep(deadline, remaining)))
}
