//! Who runs, and when.

use crate::cpu::{current, keep_to, numbers, only};
use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;
use tollgate_tests::memory::Shared;
use tollgate_tests::process::{fork, pid};
use tollgate_tests::{Errno, skip, sys, time};

/// Two threads that wait for each other without ever giving up the CPU get on only if both run.
pub(crate) fn several_at_once() {
    if numbers().len() < 2 {
        skip!("one CPU");
    }
    let turn = AtomicU32::new(0);
    let start = time::monotonic();
    let play = |own: u32| {
        for round in 0..1000 {
            while turn.load(SeqCst) != 2 * round + own {
                std::hint::spin_loop();
            }
            turn.fetch_add(1, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
    // One after the other, at the timer's pace, it would take seconds; the host may be busy, so no finer.
    assert!(time::monotonic() - start < Duration::from_secs(30));
}

pub(crate) fn spinning_tasks_share_a_cpu() {
    keep_to(0, &only(numbers()[0])).unwrap();
    let counts = [const { AtomicU64::new(0) }; 3];
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for count in &counts {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    count.fetch_add(1, SeqCst);
                }
            });
        }
        time::sleep_ms(600);
        stop.store(true, SeqCst);
    });
    let counts = counts.map(AtomicU64::into_inner);
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(least * 4 > *most, "unfair: {counts:?}");
}

/// A task that wakes up does not wait until the spinners are done.
pub(crate) fn sleepers_get_in_among_spinners() {
    keep_to(0, &only(numbers()[0])).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    std::hint::spin_loop();
                }
            });
        }
        let start = time::monotonic();
        (0..10).for_each(|_| time::sleep_ms(5));
        let passed = time::monotonic() - start;
        stop.store(true, SeqCst);
        assert!(passed < Duration::from_secs(5), "ten sleeps of 5 ms took {passed:?}");
    });
}

pub(crate) fn yield_lets_others_in() {
    assert_eq!(sys!(libc::SYS_sched_yield), Ok(0));
    keep_to(0, &only(numbers()[0])).unwrap();
    let turn = AtomicU32::new(0);
    let play = |own: u32| {
        for round in 0..500 {
            while turn.load(SeqCst) != 2 * round + own {
                sys!(libc::SYS_sched_yield).unwrap();
            }
            turn.fetch_add(1, SeqCst);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
}

pub(crate) fn many_threads() {
    let barrier = Barrier::new(101);
    let count = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                barrier.wait();
                count.fetch_add(1, SeqCst);
                barrier.wait();
            });
        }
        barrier.wait();
        barrier.wait();
    });
    assert_eq!(count.into_inner(), 100);
}

pub(crate) fn many_processes() {
    let count = Shared::new(AtomicU32::new(0));
    for _ in 0..3 {
        let work = |_| {
            fork(|| {
                count.fetch_add(1, SeqCst);
                (0..5).for_each(|_| assert_eq!(sys!(libc::SYS_sched_yield), Ok(0)));
                0
            })
        };
        let children: Vec<_> = (0..150).map(work).collect();
        children.into_iter().for_each(|child| child.succeed());
    }
    assert_eq!(count.load(SeqCst), 450);
}

/// Tasks that all started in one place are found at work in all.
pub(crate) fn work_spreads_over_the_cpus() {
    let cpus = numbers();
    let stop = AtomicBool::new(false);
    let seen = std::sync::Mutex::new(HashSet::new());
    std::thread::scope(|scope| {
        for _ in 0..2 * cpus.len() {
            scope.spawn(|| {
                while !stop.load(SeqCst) {
                    let cpu = current();
                    seen.lock().unwrap().insert(cpu);
                    (0..100_000).for_each(|_| std::hint::spin_loop());
                }
            });
        }
        time::wait_until("all CPUs have work", || seen.lock().unwrap().len() == cpus.len());
        stop.store(true, SeqCst);
    });
}

pub(crate) fn nice_values() {
    let get = || sys!(libc::SYS_getpriority, libc::PRIO_PROCESS, 0).map(|raw| 20 - raw as i32);
    assert_eq!(get(), Ok(0));
    assert_eq!(sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 7), Ok(0));
    assert_eq!(get(), Ok(7));
    assert_eq!(sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, pid(), -5), Ok(0));
    assert_eq!(get(), Ok(-5));
    assert_eq!(sys!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 1000), Ok(0), "brought into range");
    assert_eq!(get(), Ok(19));
    assert_eq!(sys!(libc::SYS_setpriority, 9, 0, 0), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_getpriority, libc::PRIO_PROCESS, i32::MAX), Err(Errno::ESRCH));
}

pub(crate) fn policy_is_the_ordinary_one() {
    assert_eq!(sys!(libc::SYS_sched_getscheduler, 0), Ok(libc::SCHED_OTHER as usize));
    assert_eq!(sys!(libc::SYS_sched_getscheduler, i32::MAX), Err(Errno::ESRCH));
    assert_eq!(sys!(libc::SYS_sched_get_priority_max, libc::SCHED_OTHER), Ok(0));
    assert_eq!(sys!(libc::SYS_sched_get_priority_min, libc::SCHED_OTHER), Ok(0));
}
