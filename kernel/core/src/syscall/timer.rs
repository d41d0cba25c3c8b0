//! System calls on timers.
use alloc::sync::Arc;

use tollgate_abi::signal::{SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID, SigEvent};
use tollgate_abi::time::{
    ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, ITimerSpec, ITimerVal, NANOS, TIMER_ABSTIME, TimeSpec, TimeVal,
};
use tollgate_abi::{Errno, Result};

use crate::arch;
use crate::mm::user::UserPtr;
use crate::task::current;
use crate::task::process::find_task;
use crate::task::signal::{Charge, Signal};
use crate::task::timer::clock::{Clock, monotonic_at};
use crate::task::timer::posix::{Notify, PosixTimer};
use crate::task::timer::process::{CpuTimer, Setting};

/// One of setitimer(2)'s timers.
enum Which {
    Real,
    Cpu(CpuTimer),
}

fn which(number: i32) -> Result<Which> {
    match number {
        ITIMER_REAL => Ok(Which::Real),
        ITIMER_VIRTUAL => Ok(Which::Cpu(CpuTimer::Virtual)),
        ITIMER_PROF => Ok(Which::Cpu(CpuTimer::Profile)),
        _ => Err(Errno::EINVAL),
    }
}

/// As getitimer(2) shows it: what is not over yet is never 0.
fn show(setting: Setting) -> ITimerVal {
    let show = |ns: u64| TimeVal::from_nanos(ns.min(i64::MAX as u64) as i64);
    let value = if setting.value == 0 { 0 } else { setting.value.max(1000) };
    ITimerVal { interval: show(setting.interval), value: show(value) }
}

fn nanos(time: TimeVal) -> Result<u64> {
    time.to_nanos().map(|ns| ns as u64).ok_or(Errno::EINVAL)
}

/// getitimer(2).
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub fn getitimer(number: i32, setting: UserPtr<ITimerVal>) -> Result<usize> {
    let timers = &current().process.timers;
    let now = match which(number)? {
        Which::Real => timers.real(),
        Which::Cpu(timer) => timers.cpu(timer),
    };
    setting.write(&show(now))?;
    Ok(0)
}

/// setitimer(2).
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub fn setitimer(number: i32, new: UserPtr<ITimerVal>, old: UserPtr<ITimerVal>) -> Result<usize> {
    let timers = &current().process.timers;
    // A null pointer disarms, which Linux calls a mistake of the caller and does all the same.
    let new = new.non_null().map(UserPtr::read).transpose()?.unwrap_or_default();
    let setting = Setting { value: nanos(new.value)?, interval: nanos(new.interval)? };
    let before = match which(number)? {
        Which::Real => timers.set_real(setting),
        Which::Cpu(timer) => timers.set_cpu(timer, setting),
    };
    if let Some(old) = old.non_null() {
        old.write(&show(before))?;
    }
    Ok(0)
}

/// alarm(2).
///
/// # Errors
/// None.
pub fn alarm(seconds: u32) -> Result<usize> {
    let setting = Setting { value: u64::from(seconds) * NANOS as u64, interval: 0 };
    let left = current().process.timers.set_real(setting).value;
    // Rounded to whole seconds, but what is not over yet is never 0.
    let rounded = (left + NANOS as u64 / 2) / NANOS as u64;
    Ok(if left == 0 { 0 } else { rounded.max(1) as usize })
}

/// timer_create(2). CPU-time clocks are not supported.
///
/// # Errors
/// `EINVAL` for a bad clock, signal or thread, `ENOTSUP`, `EAGAIN` at the limit of queued signals, `EFAULT`.
pub fn timer_create(clock: i32, event: UserPtr<SigEvent>, id: UserPtr<i32>) -> Result<usize> {
    let event = event.non_null().map(UserPtr::read).transpose()?;
    let wall = match Clock::find(clock)? {
        Clock::Wall => true,
        Clock::Monotonic => false,
        Clock::Process(..) | Clock::Thread(..) => return Err(Errno::ENOTSUP),
    };
    let process = &current().process;
    let notify = match event {
        None => Notify::Process(Signal::SIGALRM),
        Some(event) => notification(&event)?,
    };
    let value = event.map(|event| event.value);
    let charge = Charge::new(process, current().creds().user.clone()).ok_or(Errno::EAGAIN)?;
    let number = process.timers.add_posix(|number| PosixTimer::new(number, process, charge, notify, value, wall));
    if let Err(error) = id.write(&number) {
        process.timers.remove_posix(number);
        return Err(error);
    }
    Ok(0)
}

fn notification(event: &SigEvent) -> Result<Notify> {
    let signal = || Signal::new(event.signo).ok_or(Errno::EINVAL);
    match event.notify {
        SIGEV_NONE => Ok(Notify::Nothing),
        SIGEV_SIGNAL => Ok(Notify::Process(signal()?)),
        SIGEV_THREAD_ID => {
            let task = find_task(event.tid).ok_or(Errno::EINVAL)?;
            if !Arc::ptr_eq(&task.process, &current().process) {
                return Err(Errno::EINVAL);
            }
            Ok(Notify::Thread(signal()?, Arc::downgrade(&task)))
        }
        _ => Err(Errno::EINVAL),
    }
}

fn find(id: i32) -> Result<Arc<PosixTimer>> {
    current().process.timers.posix(id).ok_or(Errno::EINVAL)
}

fn show_spec(setting: Setting) -> ITimerSpec {
    let show = |ns: u64| TimeSpec::from_nanos(ns.min(i64::MAX as u64) as i64);
    ITimerSpec { interval: show(setting.interval), value: show(setting.value) }
}

/// timer_settime(2).
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub fn timer_settime(id: i32, flags: i32, new: UserPtr<ITimerSpec>, old: UserPtr<ITimerSpec>) -> Result<usize> {
    let new = new.read()?;
    let value = new.value.to_nanos().ok_or(Errno::EINVAL)?;
    let interval = new.interval.to_nanos().ok_or(Errno::EINVAL)? as u64;
    let timer = find(id)?;
    let at = match value {
        0 => 0,
        value if flags & TIMER_ABSTIME == 0 => arch::clock::now_ns().saturating_add(value as u64),
        // Times long past expire at once; 0 would disarm.
        value if timer.wall => monotonic_at(value).max(1),
        value => value as u64,
    };
    let before = timer.set(Setting { value: at, interval });
    if let Some(old) = old.non_null() {
        old.write(&show_spec(before))?;
    }
    Ok(0)
}

/// timer_gettime(2).
///
/// # Errors
/// `EINVAL`, `EFAULT`.
pub fn timer_gettime(id: i32, setting: UserPtr<ITimerSpec>) -> Result<usize> {
    let left = find(id)?.remaining();
    setting.write(&show_spec(left))?;
    Ok(0)
}

/// timer_getoverrun(2).
///
/// # Errors
/// `EINVAL`.
pub fn timer_getoverrun(id: i32) -> Result<usize> {
    Ok(find(id)?.overrun() as usize)
}

/// timer_delete(2).
///
/// # Errors
/// `EINVAL`.
pub fn timer_delete(id: i32) -> Result<usize> {
    if current().process.timers.remove_posix(id) { Ok(0) } else { Err(Errno::EINVAL) }
}
