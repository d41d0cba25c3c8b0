//! The functions that answer without a system call.

use std::arch::x86_64::_rdtsc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use proptest::prelude::*;
use tollgate_gate::vvar::{CLOCKS, NANOS_PER_SEC, Vvar};

use crate::mapped::Gate;

const EINVAL: i64 = -(libc::EINVAL as i64);

/// The set of all clocks that the page has room for.
const ALL: u32 = (1 << CLOCKS) - 1;

/// Calls one of the functions that fill two words; the lower half of the result is an `int`.
fn pair(gate: &Gate, name: &str, clock: usize) -> (i32, [u64; 2]) {
    let mut time = [u64::MAX; 2];
    let result = gate.call(name, [clock, time.as_mut_ptr() as usize, 0]);
    (result as i32, time)
}

fn gettime(gate: &Gate, clock: usize) -> [u64; 2] {
    let (result, time) = pair(gate, "__vdso_clock_gettime", clock);
    assert_eq!(result, 0, "clock {clock}");
    time
}

fn system(number: i64, clock: usize) -> (i64, [u64; 2]) {
    let mut time = [u64::MAX; 2];
    // SAFETY: both calls take a number and a pointer to two words.
    let result = unsafe { libc::syscall(number, clock, time.as_mut_ptr()) };
    (result, time)
}

fn tsc() -> u64 {
    // SAFETY: every x86-64 machine that runs tests lets programs read the counter.
    unsafe { _rdtsc() }
}

/// A page on which no time passes: the counter is behind the base.
fn standing(vvar: &Vvar, known: u32) {
    vvar.update(|vvar| {
        vvar.known.store(known, Relaxed);
        vvar.tsc_base.store(u64::MAX, Relaxed);
        vvar.multiplier.store(1 << 31, Relaxed);
        vvar.shift.store(32, Relaxed);
    });
}

fn set(vvar: &Vvar, clock: usize, seconds: u64, nanoseconds: u64) {
    vvar.update(|vvar| {
        vvar.clocks[clock].seconds.store(seconds, Relaxed);
        vvar.clocks[clock].nanoseconds.store(nanoseconds, Relaxed);
    });
}

#[test]
fn an_empty_page_means_the_system_call() {
    let gate = Gate::new();
    for clock in 0..=12 {
        let (result, before) = system(libc::SYS_clock_gettime, clock);
        let (ours, time) = pair(&gate, "__vdso_clock_gettime", clock);
        let (_, after) = system(libc::SYS_clock_gettime, clock);
        if result == 0 {
            assert_eq!(ours, 0);
            assert!(before <= time && time <= after, "clock {clock}: {before:?} {time:?} {after:?}");
        } else {
            assert_eq!(i64::from(ours), EINVAL);
        }
        let (result, resolution) = system(libc::SYS_clock_getres, clock);
        let expected = if result == 0 { (0, resolution) } else { (EINVAL as i32, [u64::MAX; 2]) };
        assert_eq!(pair(&gate, "__vdso_clock_getres", clock), expected, "clock {clock}");
    }
    let mut cpu = [u32::MAX; 2];
    let node = cpu.as_mut_ptr().wrapping_add(1) as usize;
    assert_eq!(gate.call("__vdso_getcpu", [cpu.as_mut_ptr() as usize, node, 0]) as i32, 0);
    assert!(cpu.iter().all(|number| *number < 4096));
    assert_eq!(gate.call("__vdso_getcpu", [0, 0, 0]) as i32, 0);
    let seconds = gate.call("__vdso_time", [0; 3]) as u64;
    let (_, [now, _]) = system(libc::SYS_clock_gettime, 0);
    assert!(now - seconds <= 1);
}

#[test]
fn unknown_clocks_are_the_system_calls_to_refuse() {
    let gate = Gate::new();
    standing(gate.vvar, ALL);
    for clock in [12, 31, 32, 33, i32::MAX, i32::MIN, -1_000_000] {
        let (result, _) = system(libc::SYS_clock_gettime, clock as u32 as usize);
        if result != 0 {
            let clock = clock as u32 as usize;
            assert_eq!(i64::from(pair(&gate, "__vdso_clock_gettime", clock).0), EINVAL, "clock {clock:#x}");
            assert_eq!(i64::from(pair(&gate, "__vdso_clock_getres", clock).0), EINVAL, "clock {clock:#x}");
        }
    }
}

#[test]
fn each_clock_has_its_own_start() {
    let gate = Gate::new();
    standing(gate.vvar, ALL);
    for clock in 0..CLOCKS {
        set(gate.vvar, clock, 1000 * clock as u64 + 7, 123_456_789 + clock as u64);
    }
    for clock in 0..CLOCKS {
        assert_eq!(gettime(&gate, clock), [1000 * clock as u64 + 7, 123_456_789 + clock as u64]);
        assert_eq!(pair(&gate, "__vdso_clock_getres", clock), (0, [0, 1]));
        assert_eq!(gate.call("__vdso_clock_getres", [clock, 0, 0]) as i32, 0);
    }
    let mut time = [u64::MAX; 2];
    let address = time.as_mut_ptr() as usize;
    assert_eq!(gate.call("__vdso_gettimeofday", [address, 0, 0]) as i32, 0);
    assert_eq!(time, [7, 123_456]);
    assert_eq!(gate.call("__vdso_gettimeofday", [0, 0, 0]) as i32, 0);
    assert_eq!(gate.call("__vdso_time", [0; 3]), 7);
    assert_eq!(gate.call("__vdso_time", [address, 0, 0]), 7);
    assert_eq!(time, [7, 123_456]);
}

#[test]
fn each_bit_is_a_clock() {
    let gate = Gate::new();
    for known in [0, 1, 2, 1 << 4, 1 << 11, ALL] {
        standing(gate.vvar, known);
        for clock in [0, 1, 4, 5, 6, 7, 11] {
            set(gate.vvar, clock, 5, 6);
            assert_eq!(gettime(&gate, clock) == [5, 6], known >> clock & 1 != 0, "{clock} of {known:#x}");
        }
        assert_eq!(gate.call("__vdso_time", [0; 3]) == 5, known & 1 != 0);
    }
}

proptest! {
    /// With no time passed, the nanoseconds come from the page alone, and any number of them must be split right.
    #[test]
    fn nanoseconds_become_seconds(seconds in 0..1u64 << 40, nanoseconds: u64) {
        let gate = Gate::new();
        standing(gate.vvar, 1);
        for nanoseconds in [nanoseconds, nanoseconds % (1 << 40), nanoseconds / NANOS_PER_SEC * NANOS_PER_SEC] {
            for nanoseconds in [nanoseconds, nanoseconds.wrapping_sub(1), nanoseconds.wrapping_add(1)] {
                set(gate.vvar, 0, seconds, nanoseconds);
                let expected = [seconds + nanoseconds / NANOS_PER_SEC, nanoseconds % NANOS_PER_SEC];
                prop_assert_eq!(gettime(&gate, 0), expected);
                let mut time = [0u64; 2];
                gate.call("__vdso_gettimeofday", [time.as_mut_ptr() as usize, 0, 0]);
                prop_assert_eq!(time, [expected[0], expected[1] / 1000]);
                prop_assert_eq!(gate.call("__vdso_time", [0; 3]) as u64, expected[0]);
                prop_assert_eq!(gate.vvar.time(0, tsc), Some((expected[0], expected[1])));
            }
        }
    }

    /// The code and the formula of the data page give the same time for the same counter.
    #[test]
    fn the_counter_is_scaled_as_defined(ago in 0..1u64 << 45, multiplier in 1..1u64 << 32, shift in 24..36u32) {
        let gate = Gate::new();
        let base = tsc().saturating_sub(ago);
        gate.vvar.update(|vvar| {
            vvar.known.store(1 << 11, Relaxed);
            vvar.tsc_base.store(base, Relaxed);
            vvar.multiplier.store(multiplier, Relaxed);
            vvar.shift.store(shift, Relaxed);
        });
        set(gate.vvar, 11, 77, 999_999_999);
        for _ in 0..20 {
            let before = gate.vvar.time(11, tsc).expect("a time");
            let [seconds, nanoseconds] = gettime(&gate, 11);
            let after = gate.vvar.time(11, tsc).expect("a time");
            prop_assert!(before <= (seconds, nanoseconds) && (seconds, nanoseconds) <= after);
        }
    }
}

/// Readers see a change whole or not at all.
#[test]
fn changes_are_never_seen_half_done() {
    let gate = Gate::new();
    standing(gate.vvar, ALL);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 0..2_000_000 {
                gate.vvar.update(|vvar| {
                    for clock in [&vvar.clocks[1], &vvar.clocks[6]] {
                        clock.seconds.store(value % 1000, Relaxed);
                        clock.nanoseconds.store(value % 1000, Relaxed);
                    }
                });
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            for clock in [1, 6] {
                let [seconds, nanoseconds] = gettime(&gate, clock);
                assert_eq!(seconds, nanoseconds);
                let (seconds, nanoseconds) = gate.vvar.time(clock as u32, tsc).expect("a time");
                assert_eq!(seconds, nanoseconds);
            }
        }
    });
}

/// Linux puts into TSC_AUX what the page's flag promises, so its processors can tell.
#[test]
fn getcpu_reads_the_number_from_the_cpu() {
    let gate = Gate::new();
    gate.vvar.update(|vvar| vvar.cpu_known.store(1, Relaxed));
    let mut cpu = [u32::MAX; 2];
    let node = cpu.as_mut_ptr().wrapping_add(1) as usize;
    // The thread may move between two questions, but not for ever.
    let agree = (0..1000).any(|_| {
        assert_eq!(gate.call("__vdso_getcpu", [cpu.as_mut_ptr() as usize, node, 0]) as i32, 0);
        let mut system = [u32::MAX; 2];
        // SAFETY: the call takes two pointers to numbers.
        let result =
            unsafe { libc::syscall(libc::SYS_getcpu, system.as_mut_ptr(), system.as_mut_ptr().wrapping_add(1), 0) };
        result == 0 && system == cpu
    });
    assert!(agree, "{cpu:?}");
    assert_eq!(gate.call("__vdso_getcpu", [0, 0, 0]) as i32, 0);
}
