//! POSIX timers: timer_create(2) and its family.
//!
//! A timer has one signal pending at most. What it would have sent while that one waited it counts, and tells when the
//! signal is taken (si_overrun); only then does a periodic timer run on.
use alloc::sync::{Arc, Weak};

use tollgate_abi::signal::SigInfo;

use super::process::{Setting, next_multiple};
use super::{Expire, Timer, arm, cancel};
use crate::arch::clock;
use crate::sync::{Rank, SpinLock};
use crate::task::signal::{self, Charge, Signal};
use crate::task::{Process, Task};

/// A timer whose signal is ignored still counts its periods, but looks no more often than this, nanoseconds.
const IGNORED_PERIOD: u64 = 4_000_000;

/// What a timer does when it expires.
pub enum Notify {
    /// Nothing: it is only looked at.
    Nothing,
    /// A signal to the process.
    Process(Signal),
    /// A signal to one thread.
    Thread(Signal, Weak<Task>),
}

/// One timer.
pub struct PosixTimer {
    id: i32,
    timer: Timer,
    process: Weak<Process>,
    notify: Notify,
    /// sigev_value.
    value: u64,
    /// Whether its absolute times are by the wall clock.
    pub wall: bool,
    state: SpinLock<State>,
    /// It counts as one queued signal of its maker's.
    _charge: Charge,
}

#[derive(Default)]
struct State {
    /// `value` is the monotonic time of the next expiry; 0 = disarmed.
    setting: Setting,
    /// Its signal is on a queue.
    pending: bool,
    /// What the last signal taken said of missed expiries.
    overrun: i32,
}

impl PosixTimer {
    /// A disarmed timer of the process.
    pub fn new(
        id: i32,
        process: &Arc<Process>,
        charge: Charge,
        notify: Notify,
        value: Option<u64>,
        wall: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            timer: Timer::new(),
            process: Arc::downgrade(process),
            notify,
            value: value.unwrap_or(id as u64),
            wall,
            state: SpinLock::new(Rank::Timers, State::default()),
            _charge: charge,
        })
    }

    /// Sets it to first expire at `setting.value` (monotonic nanoseconds; 0 disarms); returns what was left.
    pub fn set(self: &Arc<Self>, setting: Setting) -> Setting {
        cancel(&**self);
        let old = self.remaining();
        *self.state.lock() = State { setting, pending: false, overrun: 0 };
        if setting.value != 0 && !matches!(self.notify, Notify::Nothing) {
            arm(self, setting.value);
        }
        old
    }

    /// Time to the next expiry, and the period.
    pub fn remaining(&self) -> Setting {
        let now = clock::now_ns();
        let Setting { value, interval } = self.state.lock().setting;
        let left = match value {
            0 => 0,
            at if at > now => at - now,
            at if interval != 0 => next_multiple(at, interval, now).0 - now,
            // It expired for good; one that tells nobody is not told either.
            _ => 0,
        };
        Setting { value: left, interval }
    }

    /// Expiries missed before the last signal taken.
    pub fn overrun(&self) -> i32 {
        self.state.lock().overrun
    }

    /// Stops it for good.
    pub fn disarm(&self) {
        cancel(self);
        *self.state.lock() = State::default();
    }

    /// Its signal was taken: says how often it expired besides, and goes on if it is periodic.
    pub fn delivered(self: &Arc<Self>, info: &mut SigInfo) {
        let overrun = self.go_on(0);
        *info = SigInfo { pad: info.pad, ..SigInfo::timer(info.signo as u8, self.id, overrun, self.value) };
    }

    /// Its signal was dropped because it is ignored now: goes on if it is periodic, but no faster than can be borne.
    pub fn discarded(self: &Arc<Self>) {
        self.go_on(IGNORED_PERIOD);
    }

    /// Arms a periodic timer for its next expiry, `pause` from now at least; how many expiries passed meanwhile.
    fn go_on(self: &Arc<Self>, pause: u64) -> i32 {
        let (next, overrun) = {
            let mut state = self.state.lock();
            if !core::mem::take(&mut state.pending) {
                return 0; // It was set anew since.
            }
            let Setting { value, interval } = state.setting;
            if interval == 0 {
                state.setting.value = 0;
                state.overrun = 0;
                return 0;
            }
            let (next, passed) = next_multiple(value, interval, clock::now_ns().saturating_add(pause));
            state.setting.value = next;
            // `value` itself is the expiry that sent the signal.
            state.overrun = i32::try_from(passed.saturating_sub(1)).unwrap_or(i32::MAX);
            (next, state.overrun)
        };
        arm(self, next);
        overrun
    }
}

impl Expire for PosixTimer {
    fn timer(&self) -> &Timer {
        &self.timer
    }

    fn expire(self: Arc<Self>, _now: u64) -> Option<u64> {
        let process = self.process.upgrade()?;
        let (signal, thread) = match &self.notify {
            Notify::Nothing => return None,
            Notify::Process(signal) => (*signal, None),
            Notify::Thread(signal, thread) => (*signal, Some(thread.upgrade()?)),
        };
        self.state.lock().pending = true;
        let info = SigInfo::timer(signal.number(), self.id, 0, self.value);
        if !signal::send_timer(&process, thread.as_ref(), signal, info, self.clone()) {
            self.discarded();
        }
        None
    }
}
