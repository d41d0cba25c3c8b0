//! The vDSO's functions: the same answers as the system calls they stand for.

use crate::image::function;
use std::time::Duration;
use tollgate_tests::time::{clock, timespec};
use tollgate_tests::{Errno, sys};

/// Calls a function of the vDSO with two arguments; its result is an `int`.
fn call(name: &str, first: usize, second: usize) -> i32 {
    let address = function(name).unwrap_or_else(|| panic!("no {name}"));
    // SAFETY: all the vDSO's functions follow the C calling convention and take at most three words; the pointers
    // among them are the tests' own or null.
    let function: extern "C" fn(usize, usize, usize) -> i64 = unsafe { std::mem::transmute(address) };
    function(first, second, 0) as i32
}

fn time_of(name: &str, id: i32) -> Result<Duration, i32> {
    let mut time = timespec(Duration::MAX.min(Duration::from_secs(1)));
    match call(name, id as u32 as usize, &raw mut time as usize) {
        0 => Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32)),
        error => Err(error),
    }
}

fn vdso_clock(id: i32) -> Duration {
    time_of("__vdso_clock_gettime", id).unwrap_or_else(|error| panic!("clock {id}: {error}"))
}

/// Those that a page of data can answer, and some that it cannot.
const CLOCKS: [i32; 9] = [
    libc::CLOCK_REALTIME,
    libc::CLOCK_MONOTONIC,
    libc::CLOCK_PROCESS_CPUTIME_ID,
    libc::CLOCK_THREAD_CPUTIME_ID,
    libc::CLOCK_MONOTONIC_RAW,
    libc::CLOCK_REALTIME_COARSE,
    libc::CLOCK_MONOTONIC_COARSE,
    libc::CLOCK_BOOTTIME,
    libc::CLOCK_TAI,
];

pub(crate) fn clocks_agree_with_the_calls() {
    for id in CLOCKS {
        for _ in 0..100 {
            let before = clock(id);
            let time = vdso_clock(id);
            let after = clock(id);
            assert!(before <= time && time <= after, "clock {id}: {before:?}, {time:?}, {after:?}");
        }
    }
}

pub(crate) fn resolutions_agree_with_the_calls() {
    for id in CLOCKS {
        let mut resolution = timespec(Duration::ZERO);
        sys!(libc::SYS_clock_getres, id, &mut resolution).expect("clock_getres");
        let expected = Duration::new(resolution.tv_sec as u64, resolution.tv_nsec as u32);
        assert_eq!(time_of("__vdso_clock_getres", id), Ok(expected), "clock {id}");
        assert_eq!(call("__vdso_clock_getres", id as usize, 0), 0);
    }
}

pub(crate) fn unknown_clocks_are_refused() {
    for id in [-1, 12, 31, 32, 33, 1000, i32::MAX, i32::MIN] {
        let mut time = timespec(Duration::ZERO);
        if sys!(libc::SYS_clock_gettime, id, &mut time) == Err(Errno::EINVAL) {
            assert_eq!(time_of("__vdso_clock_gettime", id), Err(-libc::EINVAL), "clock {id}");
            assert_eq!(time_of("__vdso_clock_getres", id), Err(-libc::EINVAL), "clock {id}");
        }
    }
}

pub(crate) fn gettimeofday_and_time_agree_with_the_clock() {
    for _ in 0..100 {
        let before = clock(libc::CLOCK_REALTIME);
        let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
        assert_eq!(call("__vdso_gettimeofday", &raw mut time as usize, 0), 0);
        let after = clock(libc::CLOCK_REALTIME);
        let micros = u128::from(time.tv_sec as u64) * 1_000_000 + u128::from(time.tv_usec as u64);
        assert!(before.as_micros() <= micros && micros <= after.as_micros());
        assert!((0..1_000_000).contains(&time.tv_usec));
    }
    // Linux's time may be a tick behind.
    let before = clock(libc::CLOCK_REALTIME) - Duration::from_millis(20);
    let mut stored = 0i64;
    let seconds = call("__vdso_time", &raw mut stored as usize, 0);
    assert_eq!(i64::from(seconds), stored);
    assert!(before.as_secs() as i64 <= stored && stored <= clock(libc::CLOCK_REALTIME).as_secs() as i64);
    assert!(call("__vdso_time", 0, 0) >= seconds);
    let mut zone = [7u32; 2];
    assert_eq!(call("__vdso_gettimeofday", 0, zone.as_mut_ptr() as usize), 0);
    assert_eq!(zone, [0, 0], "the kernel has no time zone");
    assert_eq!(call("__vdso_gettimeofday", 0, 0), 0);
}

/// On each CPU that this process may use.
pub(crate) fn getcpu_names_the_cpu() {
    let mut allowed = [0u64; 16];
    sys!(libc::SYS_sched_getaffinity, 0, size_of_val(&allowed), &mut allowed).expect("sched_getaffinity");
    for cpu in (0..1024).filter(|cpu| allowed[cpu / 64] >> (cpu % 64) & 1 != 0) {
        let mut one = [0u64; 16];
        one[cpu / 64] = 1 << (cpu % 64);
        sys!(libc::SYS_sched_setaffinity, 0, size_of_val(&one), &one).expect("sched_setaffinity");
        let (mut number, mut node) = ([u32::MAX; 2], [u32::MAX; 2]);
        assert_eq!(call("__vdso_getcpu", &raw mut number[0] as usize, &raw mut node[0] as usize), 0);
        sys!(libc::SYS_getcpu, &mut number[1], &mut node[1], 0).expect("getcpu");
        assert_eq!(number, [cpu as u32; 2]);
        assert_eq!(node[0], node[1]);
    }
    assert_eq!(call("__vdso_getcpu", 0, 0), 0);
}

/// Not on one CPU, and not from one to another.
pub(crate) fn time_never_goes_back() {
    let latest = std::sync::Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5000 {
                    let mut latest = latest.lock().expect("no panic");
                    let time = vdso_clock(libc::CLOCK_MONOTONIC);
                    assert!(*latest <= time, "{:?}, then {time:?}", *latest);
                    *latest = time;
                }
            });
        }
    });
}
