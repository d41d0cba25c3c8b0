//! A process's timers: setitimer(2)'s three, and the POSIX timers.
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tollgate_abi::process::{RLIM_INFINITY, Resource};

use super::posix::PosixTimer;
use super::{Expire, Timer, arm, cancel};
use crate::arch::clock;
use crate::sync::{Once, Rank, SpinLock};
use crate::task::usage::Usage;
use crate::task::{Process, Task, current, signal};

/// See the module.
pub struct ProcessTimers {
    real: Once<Arc<RealTimer>>,
    /// Whether either CPU timer runs; read at every clock tick.
    cpu_armed: AtomicBool,
    cpu: SpinLock<[Setting; 2]>,
    /// Seconds of CPU time at which SIGXCPU was last sent.
    warned_at: AtomicU64,
    posix: SpinLock<BTreeMap<i32, Arc<PosixTimer>>>,
}

/// An interval timer's setting, nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Time to the first expiry; inside this module: the clock's time then. 0 = disarmed.
    pub value: u64,
    /// Period; 0 = once.
    pub interval: u64,
}

/// The two timers that count CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuTimer {
    /// User time, SIGVTALRM.
    Virtual,
    /// User and kernel time, SIGPROF.
    Profile,
}

/// The timer that counts real time: SIGALRM.
struct RealTimer {
    timer: Timer,
    process: Weak<Process>,
    setting: SpinLock<Setting>,
}

impl Expire for RealTimer {
    fn timer(&self) -> &Timer {
        &self.timer
    }

    /// A periodic timer is armed again when its signal is taken, so that a short period costs no more than the process
    /// itself can bear.
    fn expire(self: Arc<Self>, _now: u64) -> Option<u64> {
        if let Some(process) = self.process.upgrade() {
            signal::send_kernel(&process, signal::Signal::SIGALRM);
        }
        None
    }
}

impl ProcessTimers {
    /// None runs.
    pub const fn new() -> Self {
        Self {
            real: Once::new(),
            cpu_armed: AtomicBool::new(false),
            cpu: SpinLock::new(Rank::Timers, [Setting { value: 0, interval: 0 }; 2]),
            warned_at: AtomicU64::new(0),
            posix: SpinLock::new(Rank::Timers, BTreeMap::new()),
        }
    }

    /// What is left of the real-time timer.
    pub fn real(&self) -> Setting {
        let Some(real) = self.real.get() else { return Setting::default() };
        let setting = *real.setting.lock();
        if !real.timer.is_armed() {
            return Setting { value: 0, interval: setting.interval };
        }
        // Due this very moment: still armed, so not 0.
        Setting { value: setting.value.saturating_sub(clock::now_ns()).max(1), interval: setting.interval }
    }

    /// Sets the current process's real-time timer; returns what was left.
    pub fn set_real(&self, new: Setting) -> Setting {
        let old = self.real();
        let make = || {
            let process = Arc::downgrade(&current().process);
            Arc::new(RealTimer {
                timer: Timer::new(),
                process,
                setting: SpinLock::new(Rank::Timers, Setting::default()),
            })
        };
        let real = self.real.call_once(make);
        cancel(&**real);
        let at = clock::now_ns().saturating_add(new.value);
        *real.setting.lock() = Setting { value: at, interval: new.interval };
        if new.value != 0 {
            arm(real, at);
        }
        old
    }

    /// SIGALRM was taken off the queue: a periodic timer goes on, at the next multiple of its period.
    pub fn alarm_taken(&self) {
        let Some(real) = self.real.get() else { return };
        let at = {
            let mut setting = real.setting.lock();
            if setting.interval == 0 || setting.value == 0 || real.timer.is_armed() {
                return;
            }
            setting.value = next_multiple(setting.value, setting.interval, clock::now_ns()).0;
            setting.value
        };
        arm(real, at);
    }

    /// What is left of a CPU timer of the current process.
    pub fn cpu(&self, which: CpuTimer) -> Setting {
        let now = which.now(&current().process);
        remaining(self.cpu.lock()[which as usize], now)
    }

    /// Sets a CPU timer of the current process; returns what was left.
    pub fn set_cpu(&self, which: CpuTimer, new: Setting) -> Setting {
        let now = which.now(&current().process);
        let mut timers = self.cpu.lock();
        let old = remaining(timers[which as usize], now);
        let value = if new.value == 0 { 0 } else { now.saturating_add(new.value) };
        timers[which as usize] = Setting { value, interval: new.interval };
        self.cpu_armed.store(timers.iter().any(|timer| timer.value != 0), Ordering::Relaxed);
        old
    }

    /// Sends what the CPU timers and RLIMIT_CPU call for. By the clock tick, for the process that was interrupted.
    fn cpu_tick(&self, process: &Process) {
        let limit = process.limits.get(Resource::Cpu);
        if !self.cpu_armed.load(Ordering::Relaxed) && limit.soft == RLIM_INFINITY {
            return;
        }
        let usage = Usage::of_process(process);
        for which in [CpuTimer::Virtual, CpuTimer::Profile] {
            let now = which.of(&usage);
            let fired = {
                let timer = &mut self.cpu.lock()[which as usize];
                let due = timer.value != 0 && now >= timer.value;
                if due {
                    let again = timer.interval != 0;
                    timer.value = if again { next_multiple(timer.value, timer.interval, now).0 } else { 0 };
                }
                due
            };
            if fired {
                signal::send_kernel(process, which.signal());
            }
        }
        let seconds = (usage.user_ns + usage.kernel_ns) / 1_000_000_000;
        if seconds >= limit.hard {
            signal::send_kernel(process, signal::Signal::SIGKILL);
        } else if seconds >= limit.soft && self.warned_at.swap(seconds, Ordering::Relaxed) != seconds {
            signal::send_kernel(process, signal::Signal::SIGXCPU);
        }
    }

    /// Adds a POSIX timer, made by `make` from its number.
    pub fn add_posix(&self, make: impl FnOnce(i32) -> Arc<PosixTimer>) -> i32 {
        let mut timers = self.posix.lock();
        let id = (0..).find(|id| !timers.contains_key(id)).expect("more numbers than timers");
        timers.insert(id, make(id));
        id
    }

    /// The POSIX timer with this number.
    pub fn posix(&self, id: i32) -> Option<Arc<PosixTimer>> {
        self.posix.lock().get(&id).cloned()
    }

    /// Deletes a POSIX timer; false when there is none.
    pub fn remove_posix(&self, id: i32) -> bool {
        let removed = self.posix.lock().remove(&id);
        if let Some(timer) = &removed {
            timer.disarm();
        }
        removed.is_some()
    }

    /// execve: POSIX timers go, interval timers stay.
    pub fn exec(&self) {
        let timers = core::mem::take(&mut *self.posix.lock());
        for timer in timers.values() {
            timer.disarm();
        }
    }

    /// The process ends: all go.
    pub fn exit(&self) {
        self.exec();
        if let Some(real) = self.real.get() {
            cancel(&**real);
        }
        self.cpu_armed.store(false, Ordering::Relaxed);
    }
}

impl Default for ProcessTimers {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuTimer {
    fn signal(self) -> signal::Signal {
        match self {
            Self::Virtual => signal::Signal::SIGVTALRM,
            Self::Profile => signal::Signal::SIGPROF,
        }
    }

    fn now(self, process: &Process) -> u64 {
        self.of(&Usage::of_process(process))
    }

    fn of(self, usage: &Usage) -> u64 {
        match self {
            Self::Virtual => usage.user_ns,
            Self::Profile => usage.user_ns + usage.kernel_ns,
        }
    }
}

/// The clock tick interrupted `task`: its process's CPU timers may be due. Interrupts are off, no lock is held.
pub fn cpu_tick(task: &Task) {
    task.process.timers.cpu_tick(&task.process);
}

fn remaining(timer: Setting, now: u64) -> Setting {
    let value = if timer.value == 0 { 0 } else { timer.value.saturating_sub(now).max(1) };
    Setting { value, interval: timer.interval }
}

/// The first of `from`, `from + step`, `from + 2 * step` ... that is after `now`, and how many of them are not.
pub(super) fn next_multiple(from: u64, step: u64, now: u64) -> (u64, u64) {
    if now < from {
        return (from, 0);
    }
    let passed = (now - from) / step + 1;
    (from.saturating_add(step.saturating_mul(passed)), passed)
}
