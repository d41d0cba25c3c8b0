//! Clocks: what time it is, by each of them.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tollgate_abi::time::clock::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI, CLOCK_THREAD_CPUTIME_ID,
};
use tollgate_abi::{Errno, Result};

use crate::arch::clock;
use crate::mm::gate;
use crate::sync::{Sleep, WaitQueue};
use crate::task::process::{find_process, find_task};
use crate::task::usage::Usage;
use crate::task::{Process, Task, current, current_arc, sched};

/// Something that tells the time.
#[derive(Clone)]
pub enum Clock {
    /// Since 1970; can be set.
    Wall,
    /// Since boot. The machine is never suspended, so the boot-time clock is this one too.
    Monotonic,
    /// CPU time of a process.
    Process(Arc<Process>, CpuTime),
    /// CPU time of a thread.
    Thread(Arc<Task>, CpuTime),
}

/// Which CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuTime {
    /// In user mode.
    User,
    /// In user mode and in the kernel.
    All,
}

/// What is added to "boot time by the CMOS clock plus time since boot" since someone set the clock.
static CORRECTION: AtomicI64 = AtomicI64::new(0);
/// How often the wall clock was set.
static SETTINGS: AtomicU64 = AtomicU64::new(0);
/// Sleepers whose wake-up time is by the wall clock.
static SET: WaitQueue = WaitQueue::new();

impl Clock {
    /// The clock with this number: one of clock_gettime(2)'s, or a negative one made from a process or thread number
    /// (clock_getcpuclockid(3)).
    ///
    /// # Errors
    /// `EINVAL` when there is none.
    pub fn find(id: i32) -> Result<Self> {
        match id {
            CLOCK_REALTIME | CLOCK_REALTIME_COARSE | CLOCK_TAI => Ok(Self::Wall),
            CLOCK_MONOTONIC | CLOCK_MONOTONIC_RAW | CLOCK_MONOTONIC_COARSE | CLOCK_BOOTTIME => Ok(Self::Monotonic),
            CLOCK_PROCESS_CPUTIME_ID => Ok(Self::Process(current().process.clone(), CpuTime::All)),
            CLOCK_THREAD_CPUTIME_ID => Ok(Self::Thread(current_arc(), CpuTime::All)),
            id if id < 0 => Self::cpu_clock(id).ok_or(Errno::EINVAL),
            _ => Err(Errno::EINVAL),
        }
    }

    /// The clock of `!(id >> 3)`: bit 2 says thread or process, the low bits which time.
    fn cpu_clock(id: i32) -> Option<Self> {
        let number = !(id >> 3);
        let which = match id & 3 {
            0 | 2 => CpuTime::All,
            1 => CpuTime::User,
            _ => return None, // A descriptor's clock: there are no such devices.
        };
        if id & 4 == 0 {
            let process = if number == 0 { current().process.clone() } else { find_process(number)? };
            return Some(Self::Process(process, which));
        }
        let task = if number == 0 { current_arc() } else { find_task(number)? };
        Arc::ptr_eq(&task.process, &current().process).then_some(Self::Thread(task, which))
    }

    /// What it shows, nanoseconds.
    pub fn now(&self) -> i64 {
        match self {
            Self::Wall => wall_ns(),
            Self::Monotonic => clock::now_ns() as i64,
            Self::Process(process, which) => {
                let running = if Arc::ptr_eq(process, &current().process) { sched::unaccounted_ns() } else { 0 };
                which.of(&Usage::of_process(process), running)
            }
            Self::Thread(task, which) => {
                let running = if core::ptr::eq(&**task, current()) { sched::unaccounted_ns() } else { 0 };
                which.of(&Usage::of_task(task), running)
            }
        }
    }
}

impl CpuTime {
    /// `running` is what the running task used since it was last accounted, counted as kernel time.
    fn of(self, usage: &Usage, running: u64) -> i64 {
        match self {
            Self::User => usage.user_ns as i64,
            Self::All => (usage.user_ns + usage.kernel_ns + running) as i64,
        }
    }
}

/// When the wall clock will show `wall` (nanoseconds since 1970), as it is set now: monotonic nanoseconds, 0 if it is
/// past that since boot.
pub fn from_realtime(wall: u64) -> u64 {
    wall.saturating_add_signed(wall_offset().saturating_neg())
}

/// What wall time is ahead of monotonic time, nanoseconds.
fn wall_offset() -> i64 {
    (clock::boot_unix_ns() as i64).saturating_add(CORRECTION.load(Ordering::Relaxed))
}

/// Nanoseconds since 1970.
pub fn wall_ns() -> i64 {
    wall_offset().saturating_add(clock::now_ns() as i64)
}

/// Sets the wall clock. The caller may, and `ns` is no earlier than the machine's start by the monotonic clock.
pub fn set_wall(ns: i64) {
    let unset = (clock::boot_unix_ns() as i64).saturating_add(clock::now_ns() as i64);
    CORRECTION.store(ns.saturating_sub(unset), Ordering::Relaxed);
    gate::set_wall(|| wall_offset().max(0) as u64);
    SETTINGS.fetch_add(1, Ordering::SeqCst);
    SET.wake_all();
}

/// Monotonic time at wall time `at`, as the wall clock goes now; the past becomes 0.
pub fn monotonic_at(at: i64) -> u64 {
    at.saturating_sub(wall_offset()).max(0) as u64
}

/// Sleeps until monotonic time `deadline`.
///
/// # Errors
/// `ERESTARTSYS` when a signal ended the sleep.
pub fn sleep_until(deadline: u64) -> Result<()> {
    loop {
        sched::prepare_sleep(Sleep::Interruptible);
        let outcome = if sched::sleep_interrupted(Sleep::Interruptible) {
            Err(Errno::ERESTARTSYS)
        } else if clock::now_ns() >= deadline {
            Ok(())
        } else {
            sched::sleep_prepared(Some(deadline));
            continue;
        };
        sched::cancel_sleep();
        return outcome;
    }
}

/// Sleeps until wall time `at`, however the clock is set meanwhile.
///
/// # Errors
/// `ERESTARTSYS` when a signal ended the sleep.
pub fn sleep_until_wall(at: i64) -> Result<()> {
    loop {
        let settings = SETTINGS.load(Ordering::SeqCst);
        let was_set = || (SETTINGS.load(Ordering::SeqCst) != settings).then_some(());
        match SET.wait_until(Sleep::Interruptible, Some(monotonic_at(at)), was_set) {
            Ok(()) => {}
            Err(Errno::ETIMEDOUT) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
