//! Signal numbers and sets of them.
use core::fmt;

use tollgate_abi::signal::{SIGRTMAX, SIGRTMIN, number};

/// A signal number, 1 to 64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

macro_rules! names {
    ($($name:ident)*) => {
        #[expect(dead_code, reason = "all of signal(7) are named, those the kernel never sends itself too")]
        impl Signal {
            $(pub const $name: Self = Self(number::$name);)*

            /// Its name; `None` for real-time signals.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $(number::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}
names! {
    SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM
    SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ SIGVTALRM SIGPROF SIGWINCH SIGIO
    SIGPWR SIGSYS
}

/// What a signal does that has no handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The process ends.
    Terminate,
    /// The process ends, with core status.
    Core,
    /// The process stops.
    Stop,
    /// A stopped process goes on (which happens when the signal is sent); otherwise nothing.
    Continue,
    /// Nothing.
    Ignore,
}

impl Signal {
    /// The signal with this number, if there is one.
    pub const fn new(number: i32) -> Option<Self> {
        if number >= 1 && number <= SIGRTMAX as i32 { Some(Self(number as u8)) } else { None }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its number, counted from 0; below 64, as the compiler can see.
    pub const fn index(self) -> usize {
        (self.0.wrapping_sub(1) & 63) as usize
    }

    /// Whether it is queued as often as it is sent.
    pub const fn is_realtime(self) -> bool {
        self.0 >= SIGRTMIN
    }

    /// What it does without a handler.
    pub const fn default_action(self) -> DefaultAction {
        if SigSet::CORE.has(self) {
            DefaultAction::Core
        } else if SigSet::STOP.has(self) {
            DefaultAction::Stop
        } else if SigSet::IGNORE.has(self) {
            if self.0 == number::SIGCONT { DefaultAction::Continue } else { DefaultAction::Ignore }
        } else {
            DefaultAction::Terminate
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "SIGRTMIN+{}", self.0 - SIGRTMIN),
        }
    }
}

/// A set of signals; bit n-1 is signal n, as in sigset_t.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: Self = Self(0);
    /// Can be neither blocked, caught nor ignored.
    pub const UNBLOCKABLE: Self = Self::of(&[Signal::SIGKILL, Signal::SIGSTOP]);
    /// Made by the task's own instructions; delivered first.
    pub const SYNCHRONOUS: Self =
        Self::of(&[Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGTRAP, Signal::SIGFPE, Signal::SIGSYS]);
    /// Stop the process by default.
    pub const STOP: Self = Self::of(&[Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU]);
    /// SIGCONT alone.
    pub const CONT: Self = Self::of(&[Signal::SIGCONT]);
    /// Do nothing by default (SIGCONT's work is done when it is sent).
    pub const IGNORE: Self = Self::of(&[Signal::SIGCONT, Signal::SIGCHLD, Signal::SIGWINCH, Signal::SIGURG]);
    /// End the process with core status by default.
    pub const CORE: Self = Self::of(&[
        Signal::SIGQUIT,
        Signal::SIGILL,
        Signal::SIGTRAP,
        Signal::SIGABRT,
        Signal::SIGFPE,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGSYS,
        Signal::SIGXCPU,
        Signal::SIGXFSZ,
    ]);

    /// The set of these.
    pub const fn of(signals: &[Signal]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < signals.len() {
            bits |= 1 << signals[i].index();
            i += 1;
        }
        Self(bits)
    }

    /// The set of one.
    pub const fn only(signal: Signal) -> Self {
        Self(1 << signal.index())
    }

    /// Whether it is in.
    pub const fn has(self, signal: Signal) -> bool {
        self.0 >> signal.index() & 1 != 0
    }

    /// Whether nothing is in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In either.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// In this one but not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// In both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The one to deliver first: a fault's before others, then the lowest number.
    pub fn first(self) -> Option<Signal> {
        let synchronous = self.and(Self::SYNCHRONOUS);
        let bits = if synchronous.is_empty() { self.0 } else { synchronous.0 };
        (bits != 0).then(|| Signal(bits.trailing_zeros() as u8 + 1))
    }
}

impl fmt::Debug for SigSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((1..=SIGRTMAX).map(Signal).filter(|&s| self.has(s))).finish()
    }
}
