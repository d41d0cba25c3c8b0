//! Clocks.

use crate::cpu::{keep_to, numbers, only};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tollgate_tests::process::{fork, pid};
use tollgate_tests::time::{clock, monotonic};
use tollgate_tests::{Errno, sys, time};

pub(crate) fn monotonic_never_goes_back() {
    let mut last = monotonic();
    for _ in 0..20_000 {
        let now = monotonic();
        assert!(now >= last, "{now:?} after {last:?}");
        last = now;
    }
}

/// Read on one CPU after the other, and on all at once.
pub(crate) fn cpus_agree() {
    let mut last = monotonic();
    for _ in 0..100 {
        for cpu in numbers() {
            keep_to(0, &only(cpu)).unwrap();
            let now = monotonic();
            assert!(now >= last, "CPU {cpu}: {now:?} after {last:?}");
            last = now;
        }
    }
    keep_to(0, &[u64::MAX; 16]).unwrap();
    let (latest, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in numbers() {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let before = latest.load(SeqCst);
                    let now = monotonic().as_nanos() as u64;
                    assert!(now >= before, "{now} after another thread read {before}");
                    latest.fetch_max(now, SeqCst);
                }
            });
        }
        time::sleep_ms(100);
        stop.store(true, SeqCst);
    });
}

pub(crate) fn cpu_time_is_time_on_a_cpu() {
    for id in [libc::CLOCK_PROCESS_CPUTIME_ID, libc::CLOCK_THREAD_CPUTIME_ID] {
        let before = clock(id);
        time::sleep_ms(100);
        let slept = clock(id) - before;
        assert!(slept < Duration::from_millis(80), "{slept:?} for a sleep of 100 ms");
        let start = monotonic();
        while monotonic() - start < Duration::from_millis(100) {}
        let (worked, passed) = (clock(id) - before, monotonic() - start);
        // The host may have taken the CPU away for a while, but not most of it, and it is no more than there was.
        assert!(
            worked > Duration::from_millis(10) && worked <= slept + passed + Duration::from_millis(20),
            "{worked:?}"
        );
    }
    // Another thread's time counts for the process, not for this thread.
    let (process, thread) = (clock(libc::CLOCK_PROCESS_CPUTIME_ID), clock(libc::CLOCK_THREAD_CPUTIME_ID));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let start = monotonic();
            while monotonic() - start < Duration::from_millis(100) {}
        });
    });
    let process = clock(libc::CLOCK_PROCESS_CPUTIME_ID) - process;
    let thread = clock(libc::CLOCK_THREAD_CPUTIME_ID) - thread;
    assert!(process > Duration::from_millis(10) && thread < process / 2, "{process:?} and {thread:?}");
}

/// A clock id made of a process id, as clock_getcpuclockid makes them.
pub(crate) fn other_processes_cpu_time() {
    let id = |pid: i32| (!pid << 3) | 2;
    assert!(clock(id(pid())) <= clock(libc::CLOCK_PROCESS_CPUTIME_ID));
    let child = fork(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    time::wait_until("the child has worked", || clock(id(child.pid)) > Duration::from_millis(5));
    child.kill(libc::SIGKILL);
    child.wait();
    let mut now = time::timespec(Duration::ZERO);
    assert_eq!(sys!(libc::SYS_clock_gettime, id(child.pid), &mut now), Err(Errno::EINVAL));
}

pub(crate) fn clocks_agree_with_each_other() {
    let pairs = [
        (libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME),
        (libc::CLOCK_MONOTONIC, libc::CLOCK_MONOTONIC_RAW),
        (libc::CLOCK_MONOTONIC_COARSE, libc::CLOCK_MONOTONIC),
        (libc::CLOCK_REALTIME_COARSE, libc::CLOCK_REALTIME),
    ];
    for (first, second) in pairs {
        let (before, after) = (clock(first), clock(second));
        assert!(after + Duration::from_secs(5) > before, "clocks {first} and {second}: {before:?}, {after:?}");
    }
    // They run at the same speed.
    let start = pairs.map(|(first, second)| (clock(first), clock(second)));
    time::sleep_ms(100);
    for ((first, second), (first_start, second_start)) in pairs.into_iter().zip(start) {
        let (one, other) = (clock(first) - first_start, clock(second) - second_start);
        assert!(one > Duration::from_millis(80) && other > Duration::from_millis(80), "{first} {second}");
    }
    let mut now = libc::timeval { tv_sec: 0, tv_usec: 0 };
    sys!(libc::SYS_gettimeofday, &mut now, 0).unwrap();
    let real = clock(libc::CLOCK_REALTIME).as_secs() as i64;
    assert!((real - now.tv_sec).abs() <= 5);
    assert!((sys!(libc::SYS_time, 0).unwrap() as i64 - real).abs() <= 5);
    assert!(real > 1_600_000_000, "before 2020");
}

pub(crate) fn bad_clocks_are_refused() {
    let mut now = time::timespec(Duration::ZERO);
    for id in [10, 16, 99, i32::MAX] {
        assert_eq!(sys!(libc::SYS_clock_gettime, id, &mut now), Err(Errno::EINVAL), "clock {id}");
        assert_eq!(sys!(libc::SYS_clock_getres, id, &mut now), Err(Errno::EINVAL), "clock {id}");
    }
    assert_eq!(sys!(libc::SYS_clock_getres, libc::CLOCK_MONOTONIC, &mut now), Ok(0));
    assert!(now.tv_sec == 0 && (1..=10_000_000).contains(&now.tv_nsec), "{now:?}");
    assert_eq!(sys!(libc::SYS_clock_getres, libc::CLOCK_MONOTONIC, 0), Ok(0));
}
