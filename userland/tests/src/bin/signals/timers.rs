//! alarm and interval timers.

use crate::record::{count, note_signal, take};
use std::time::Duration;
use tollgate_tests::process::fork;
use tollgate_tests::signal::handle;
use tollgate_tests::{Errno, sys, time};

const ALRM: i32 = libc::SIGALRM;

fn itimerval(value: Duration, interval: Duration) -> libc::itimerval {
    let timeval =
        |time: Duration| libc::timeval { tv_sec: time.as_secs() as i64, tv_usec: time.subsec_micros() as i64 };
    libc::itimerval { it_value: timeval(value), it_interval: timeval(interval) }
}

/// Sets a timer and returns what was left of the old one, and its interval.
fn set(which: i32, value: Duration, interval: Duration) -> (Duration, Duration) {
    let mut old = itimerval(Duration::ZERO, Duration::ZERO);
    sys!(libc::SYS_setitimer, which, &itimerval(value, interval), &mut old).expect("setitimer");
    durations(&old)
}

fn get(which: i32) -> (Duration, Duration) {
    let mut now = itimerval(Duration::ZERO, Duration::ZERO);
    sys!(libc::SYS_getitimer, which, &mut now).expect("getitimer");
    durations(&now)
}

fn durations(timer: &libc::itimerval) -> (Duration, Duration) {
    let duration = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    (duration(timer.it_value), duration(timer.it_interval))
}

const NONE: Duration = Duration::ZERO;

pub(crate) fn alarm_rings_once() {
    handle(ALRM, 0, note_signal);
    let start = time::monotonic();
    assert_eq!(sys!(libc::SYS_alarm, 1), Ok(0));
    let request = time::timespec(Duration::from_secs(20));
    assert_eq!(sys!(libc::SYS_nanosleep, &request, 0), Err(Errno::EINTR));
    let passed = time::monotonic() - start;
    assert!((Duration::from_secs(1)..Duration::from_secs(15)).contains(&passed), "{passed:?}");
    time::sleep_ms(50);
    assert_eq!(take(), [ALRM as u64]);
}

pub(crate) fn alarm_is_replaced() {
    handle(ALRM, 0, note_signal);
    assert_eq!(sys!(libc::SYS_alarm, 100), Ok(0));
    let left = sys!(libc::SYS_alarm, 50).unwrap();
    assert!((99..=100).contains(&left), "{left}");
    // The alarm is the real-time interval timer.
    let (value, interval) = get(libc::ITIMER_REAL);
    assert!(value > Duration::from_secs(48) && interval.is_zero());
    assert!((49..=50).contains(&sys!(libc::SYS_alarm, 0).unwrap()));
    assert_eq!(get(libc::ITIMER_REAL).0, NONE);
    assert_eq!(count(), 0);
}

pub(crate) fn interval_timer_repeats() {
    handle(ALRM, libc::SA_RESTART, note_signal);
    let start = time::monotonic();
    set(libc::ITIMER_REAL, Duration::from_millis(30), Duration::from_millis(10));
    while count() < 5 {
        let _ = sys!(libc::SYS_pause);
    }
    let passed = time::monotonic() - start;
    assert!(passed >= Duration::from_millis(69), "five rings after {passed:?}");
    set(libc::ITIMER_REAL, NONE, NONE);
    let rings = count();
    time::sleep_ms(40);
    assert_eq!(count(), rings, "it rings on");
}

pub(crate) fn timer_tells_what_is_left() {
    let (value, interval) = (Duration::from_secs(100), Duration::from_secs(7));
    assert_eq!(set(libc::ITIMER_REAL, value, interval), (NONE, NONE));
    let (left, repeat) = get(libc::ITIMER_REAL);
    assert!(left <= value && left > value - Duration::from_secs(5) && repeat == interval, "{left:?}");
    assert_eq!(set(libc::ITIMER_REAL, NONE, NONE).1, interval);
}

/// These count time on a CPU: sleeping does not move them.
pub(crate) fn virtual_time() {
    for (which, signal) in [(libc::ITIMER_VIRTUAL, libc::SIGVTALRM), (libc::ITIMER_PROF, libc::SIGPROF)] {
        handle(signal, 0, note_signal);
        set(which, Duration::from_millis(50), NONE);
        time::sleep_ms(100);
        assert_eq!(count(), 0, "it counts while the process sleeps");
        let start = time::monotonic();
        while count() == 0 {
            assert!(time::monotonic() - start < Duration::from_secs(20), "it never rang");
        }
        assert_eq!(take(), [signal as u64]);
    }
}

pub(crate) fn children_have_none() {
    handle(ALRM, libc::SA_RESTART, note_signal);
    set(libc::ITIMER_REAL, Duration::from_millis(20), NONE);
    fork(|| {
        assert_eq!(get(libc::ITIMER_REAL), (NONE, NONE));
        let request = time::timespec(Duration::from_millis(60));
        assert_eq!(sys!(libc::SYS_nanosleep, &request, 0), Ok(0));
        0
    })
    .succeed();
    assert_eq!(count(), 1);
}

pub(crate) fn bad_arguments_are_refused() {
    let good = itimerval(NONE, NONE);
    for which in [3, -1, 100] {
        assert_eq!(sys!(libc::SYS_setitimer, which, &good, 0), Err(Errno::EINVAL));
        let mut now = good;
        assert_eq!(sys!(libc::SYS_getitimer, which, &mut now), Err(Errno::EINVAL));
    }
    for (seconds, micros) in [(0, 1_000_000), (0, -1), (-1, 0)] {
        let mut bad = good;
        bad.it_value = libc::timeval { tv_sec: seconds, tv_usec: micros };
        assert_eq!(sys!(libc::SYS_setitimer, libc::ITIMER_REAL, &bad, 0), Err(Errno::EINVAL));
    }
}
