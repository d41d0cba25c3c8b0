//! Sleeps.

use std::time::Duration;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::fork;
use tollgate_tests::{Errno, sys, time};

fn sleep(time: Duration) -> sys::Result {
    sys!(libc::SYS_nanosleep, &time::timespec(time), 0)
}

pub(crate) fn no_sleep_is_too_short() {
    for micros in [0, 1, 50, 500, 999, 1000, 1001, 5000, 20_000] {
        let wanted = Duration::from_micros(micros);
        for _ in 0..3 {
            let start = time::monotonic();
            assert_eq!(sleep(wanted), Ok(0));
            let slept = time::monotonic() - start;
            assert!(slept >= wanted, "{slept:?} instead of {wanted:?}");
            assert!(slept < wanted + Duration::from_secs(5), "{slept:?} instead of {wanted:?}");
        }
    }
}

pub(crate) fn absolute_sleeps() {
    for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_REALTIME] {
        let until = time::clock(clock) + Duration::from_millis(20);
        let sleep =
            |until: Duration| sys!(libc::SYS_clock_nanosleep, clock, libc::TIMER_ABSTIME, &time::timespec(until), 0);
        assert_eq!(sleep(until), Ok(0));
        assert!(time::clock(clock) >= until);
        let start = time::monotonic();
        assert_eq!(sleep(until), Ok(0), "long past");
        assert!(time::monotonic() - start < Duration::from_secs(2));
    }
}

/// Started in the wrong order, they end in the right one.
pub(crate) fn sleeps_end_in_order() {
    let pipe = Pipe::new();
    let start = time::monotonic();
    let child = |step: u64| {
        fork(|| {
            let until = time::timespec(start + Duration::from_millis(100 + 100 * step));
            sys!(libc::SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &until, 0).unwrap();
            pipe.send(step);
            0
        })
    };
    let children = [4, 1, 3, 0, 2].map(child);
    let order: Vec<u64> = (0..5).map(|_| pipe.receive()).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
    children.into_iter().for_each(|child| child.succeed());
}

pub(crate) fn bad_times_are_refused() {
    for (seconds, nanos) in [(0, 1_000_000_000), (0, -1), (-1, 0), (i64::MIN, 0)] {
        let bad = libc::timespec { tv_sec: seconds, tv_nsec: nanos };
        assert_eq!(sys!(libc::SYS_nanosleep, &bad, 0), Err(Errno::EINVAL), "{bad:?}");
        assert_eq!(sys!(libc::SYS_clock_nanosleep, libc::CLOCK_MONOTONIC, 0, &bad, 0), Err(Errno::EINVAL));
    }
    let good = time::timespec(Duration::ZERO);
    assert_eq!(sys!(libc::SYS_clock_nanosleep, 99, 0, &good, 0), Err(Errno::EINVAL), "no such clock");
    let on_cpu = sys!(libc::SYS_clock_nanosleep, libc::CLOCK_THREAD_CPUTIME_ID, 0, &good, 0);
    assert!(matches!(on_cpu, Err(Errno::EINVAL | Errno::ENOTSUP)), "time that only passes while it runs: {on_cpu:?}");
}
