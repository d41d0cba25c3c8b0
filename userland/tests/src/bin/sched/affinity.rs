//! sched_setaffinity and sched_getaffinity.

use crate::cpu::{allowed, current, keep_to, numbers, only};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};
use tollgate_tests::process::{fork, tid};
use tollgate_tests::{Errno, skip, sys, time};

pub(crate) fn is_told_and_set() {
    let all = allowed();
    let cpus = numbers();
    assert!(!cpus.is_empty());
    keep_to(0, &only(cpus[0])).unwrap();
    assert_eq!(allowed(), only(cpus[0]));
    // CPUs that are not there are left out without a word.
    keep_to(0, &[u64::MAX; 16]).unwrap();
    assert_eq!(allowed(), all);
}

pub(crate) fn decides_where_a_task_runs() {
    for _ in 0..20 {
        for cpu in numbers() {
            keep_to(0, &only(cpu)).unwrap();
            assert_eq!(current(), cpu, "moved before the call returns");
            sys!(libc::SYS_sched_yield).unwrap();
            assert_eq!(current(), cpu);
            keep_to(0, &[u64::MAX; 16]).unwrap();
        }
    }
}

/// Another task's affinity, while that runs.
pub(crate) fn moves_a_running_task() {
    let cpus = numbers();
    if cpus.len() < 2 {
        skip!("one CPU");
    }
    let (id, place, stop) = (AtomicI32::new(0), AtomicUsize::new(usize::MAX), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            id.store(tid(), SeqCst);
            while !stop.load(SeqCst) {
                place.store(current(), SeqCst);
            }
        });
        time::wait_until("the thread runs", || place.load(SeqCst) != usize::MAX);
        for round in 0..20 {
            let cpu = cpus[round % cpus.len()];
            keep_to(id.load(SeqCst), &only(cpu)).unwrap();
            time::wait_until("the thread is there", || place.load(SeqCst) == cpu);
        }
        stop.store(true, SeqCst);
    });
}

pub(crate) fn is_inherited() {
    let cpu = *numbers().last().unwrap();
    keep_to(0, &only(cpu)).unwrap();
    fork(|| {
        assert_eq!((allowed(), current()), (only(cpu), cpu));
        0
    })
    .succeed();
    assert_eq!(std::thread::spawn(allowed).join().unwrap(), only(cpu));
}

pub(crate) fn bad_arguments_are_refused() {
    let mut set = allowed();
    assert_eq!(keep_to(0, &[0; 16]), Err(Errno::EINVAL), "no CPU");
    assert_eq!(keep_to(i32::MAX, &set), Err(Errno::ESRCH));
    assert_eq!(sys!(libc::SYS_sched_getaffinity, i32::MAX, 128, &mut set), Err(Errno::ESRCH));
    assert_eq!(sys!(libc::SYS_sched_getaffinity, 0, 7, &mut set), Err(Errno::EINVAL), "no whole words");
    let length = sys!(libc::SYS_sched_getaffinity, 0, 128, &mut set).unwrap();
    assert!((8..=128).contains(&length) && length % 8 == 0, "{length}");
    // Nothing of that changed anything.
    assert_eq!(allowed(), set);
}
