//! Each operation.

use crate::futex::{wait, wait_for, wake};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tollgate_tests::memory::{KERNEL, Mapping, PAGE, Shared};
use tollgate_tests::process::{Child, Status, fork, try_wait, wait_until_asleep};
use tollgate_tests::{Errno, sys, time};

fn shared() -> Shared<[AtomicU32; 4]> {
    Shared::new([const { AtomicU32::new(0) }; 4])
}

/// Children that wait at a word, asleep when this returns. They exit with 0 if they were woken.
fn waiters(word: &AtomicU32, count: usize) -> Vec<Child> {
    let children: Vec<Child> = (0..count).map(|_| fork(|| if wait(word, 0) == Ok(0) { 0 } else { 1 })).collect();
    children.iter().for_each(|child| wait_until_asleep(child.pid));
    children
}

/// Waits until exactly so many of them have ended well, and gives the others back.
fn woken(children: Vec<Child>, count: usize) -> Vec<Child> {
    let mut left = children;
    let total = left.len();
    time::wait_until("the waiters are woken", || {
        left.retain(|child| try_wait(child.pid).inspect(|status| assert_eq!(*status, Status::Exited(0))).is_none());
        total - left.len() >= count
    });
    time::sleep_ms(5);
    left.retain(|child| try_wait(child.pid).is_none());
    assert_eq!(total - left.len(), count, "as many as said");
    left
}

pub(crate) fn another_value_is_not_waited_for() {
    let word = AtomicU32::new(5);
    assert_eq!(wait(&word, 4), Err(Errno::EAGAIN));
    assert_eq!(wake(&word, 1), Ok(0), "nobody waits");
}

pub(crate) fn wait_gives_up() {
    let word = AtomicU32::new(0);
    let start = time::monotonic();
    assert_eq!(wait_for(&word, 0, Duration::from_millis(30)), Err(Errno::ETIMEDOUT));
    assert!(time::monotonic() - start >= Duration::from_millis(30));
    assert_eq!(wait_for(&word, 0, Duration::ZERO), Err(Errno::ETIMEDOUT));
}

pub(crate) fn wake_counts() {
    let words = shared();
    let children = waiters(&words[0], 5);
    assert_eq!(wake(&words[1], i32::MAX), Ok(0), "the neighbour");
    assert_eq!(wake(&words[0], 2), Ok(2));
    let children = woken(children, 2);
    assert_eq!(wake(&words[0], i32::MAX), Ok(3));
    assert!(woken(children, 3).is_empty());
    assert_eq!(wake(&words[0], 1), Ok(0));
}

pub(crate) fn between_processes() {
    let words = shared();
    let child = fork(|| {
        time::wait_until("the parent waits", || wake(&words[0], 1) == Ok(1));
        0
    });
    assert_eq!(wait(&words[0], 0), Ok(0));
    child.succeed();
}

/// What counts is the memory, not where it is mapped.
pub(crate) fn at_different_addresses() {
    let words = shared();
    let address = &raw const *words as usize;
    let child = fork(|| {
        let elsewhere = Mapping::anonymous(1).leak();
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        assert_eq!(sys!(libc::SYS_mremap, address, PAGE, PAGE, flags, elsewhere), Ok(elsewhere));
        time::wait_until("the parent waits", || sys!(libc::SYS_futex, elsewhere, libc::FUTEX_WAKE, 1) == Ok(1));
        0
    });
    assert_eq!(wait(&words[0], 0), Ok(0));
    child.succeed();
}

pub(crate) fn private_ones_stay_in_the_process() {
    let private = libc::FUTEX_PRIVATE_FLAG;
    let words = shared();
    let children = waiters(&words[0], 1);
    assert_eq!(sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAKE | private, 1), Ok(0));
    assert_eq!(wake(&words[0], 1), Ok(1));
    woken(children, 1);
    // Within it they work, on any memory.
    let word = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            time::wait_until("the other thread waits", || {
                sys!(libc::SYS_futex, &word, libc::FUTEX_WAKE | private, 1) == Ok(1)
            });
        });
        assert_eq!(sys!(libc::SYS_futex, &word, libc::FUTEX_WAIT | private, 0, 0), Ok(0));
    });
    // Copied memory is not shared: the parent's word is another one.
    let child = fork(|| if wait_for(&word, 0, Duration::from_millis(100)) == Err(Errno::ETIMEDOUT) { 0 } else { 1 });
    wait_until_asleep(child.pid);
    assert_eq!(wake(&word, 1), Ok(0));
    child.succeed();
}

pub(crate) fn requeue_moves_waiters() {
    let words = shared();
    let children = waiters(&words[0], 5);
    let moved = sys!(libc::SYS_futex, &words[0], libc::FUTEX_REQUEUE, 1, 3, &words[1]);
    assert!(matches!(moved, Ok(1 | 4)), "Linux counts both, POSIX nothing: {moved:?}");
    let children = woken(children, 1);
    assert_eq!(wake(&words[0], i32::MAX), Ok(1), "one stayed");
    let children = woken(children, 1);
    assert_eq!(wake(&words[1], i32::MAX), Ok(3));
    woken(children, 3);
}

pub(crate) fn compare_requeue_looks_first() {
    let words = shared();
    let requeue = |value: u32| sys!(libc::SYS_futex, &words[0], libc::FUTEX_CMP_REQUEUE, 1, 10, &words[1], value);
    let children = waiters(&words[0], 4);
    assert_eq!(requeue(7), Err(Errno::EAGAIN));
    assert_eq!(requeue(0), Ok(4), "woken and moved");
    let children = woken(children, 1);
    assert_eq!(wake(&words[0], 10), Ok(0));
    assert_eq!(wake(&words[1], 10), Ok(3));
    woken(children, 3);
}

pub(crate) fn bitsets_choose() {
    let words = shared();
    let wait = |bits: u32| {
        let woken = || sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAIT_BITSET, 0, 0, 0, bits) == Ok(0);
        fork(|| if woken() { 0 } else { 1 })
    };
    let wake = |count: i32, bits: u32| sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAKE_BITSET, count, 0, 0, bits);
    let (first, second) = (wait(0b01), wait(0b10));
    wait_until_asleep(first.pid);
    wait_until_asleep(second.pid);
    assert_eq!(wake(10, 0b100), Ok(0));
    assert_eq!(wake(10, 0b110), Ok(1));
    second.succeed();
    assert_eq!(try_wait(first.pid), None);
    // A plain wake has all bits.
    assert_eq!(sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAKE, 10), Ok(1));
    first.succeed();
    assert_eq!(wake(1, 0), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAIT_BITSET, 0, 0, 0, 0), Err(Errno::EINVAL));
}

/// With a bit set the limit is a moment, of one of two clocks.
pub(crate) fn absolute_time_outs() {
    let word = AtomicU32::new(0);
    let wait = |flags: i32, until: Duration| {
        let operation = libc::FUTEX_WAIT_BITSET | flags;
        sys!(libc::SYS_futex, &word, operation, 0, &time::timespec(until), 0, u32::MAX)
    };
    for (flags, clock) in [(0, libc::CLOCK_MONOTONIC), (libc::FUTEX_CLOCK_REALTIME, libc::CLOCK_REALTIME)] {
        let until = time::clock(clock) + Duration::from_millis(30);
        assert_eq!(wait(flags, until), Err(Errno::ETIMEDOUT));
        assert!(time::clock(clock) >= until);
        assert_eq!(wait(flags, Duration::from_nanos(1)), Err(Errno::ETIMEDOUT), "long past");
    }
}

pub(crate) fn wake_and_operate() {
    let words = shared();
    let children = waiters(&words[0], 1);
    let others = waiters(&words[1], 1);
    // Add 5 to the second word; wake there if the old value was 0.
    let operation = (libc::FUTEX_OP_ADD << 28) | (libc::FUTEX_OP_CMP_EQ << 24) | (5 << 12);
    let result = sys!(libc::SYS_futex, &words[0], libc::FUTEX_WAKE_OP, 1, 1, &words[1], operation);
    if result == Err(Errno::ENOSYS) && tollgate_tests::on_tollgate() {
        children.iter().chain(&others).for_each(|child| child.kill(libc::SIGKILL));
        children.iter().chain(&others).for_each(|child| assert_eq!(child.wait(), Status::Killed(libc::SIGKILL)));
        tollgate_tests::skip!("FUTEX_WAKE_OP is not there");
    }
    assert_eq!(result, Ok(2));
    assert_eq!(words[1].load(SeqCst), 5);
    woken(children, 1);
    woken(others, 1);
}

pub(crate) fn bad_arguments_are_refused() {
    let word = AtomicU32::new(0);
    let address = &raw const word as usize;
    for operation in [libc::FUTEX_WAIT, libc::FUTEX_WAKE] {
        assert_eq!(sys!(libc::SYS_futex, address + 1, operation, 0, 0), Err(Errno::EINVAL), "unaligned");
        assert_eq!(sys!(libc::SYS_futex, 0x1000, operation, 0, 0), Err(Errno::EFAULT), "not mapped");
        assert_eq!(sys!(libc::SYS_futex, KERNEL, operation, 0, 0), Err(Errno::EFAULT), "the kernel's");
    }
    assert_eq!(sys!(libc::SYS_futex, address, libc::FUTEX_WAIT, 0, 0x1000), Err(Errno::EFAULT), "no time there");
    let strange = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000_000 };
    assert_eq!(sys!(libc::SYS_futex, address, libc::FUTEX_WAIT, 0, &strange), Err(Errno::EINVAL));
    let negative = libc::timespec { tv_sec: -1, tv_nsec: 0 };
    assert_eq!(sys!(libc::SYS_futex, address, libc::FUTEX_WAIT, 0, &negative), Err(Errno::EINVAL));
    assert_eq!(sys!(libc::SYS_futex, address, 99, 0, 0), Err(Errno::ENOSYS), "no such operation");
    let requeue = |count: i32, moved: i32| sys!(libc::SYS_futex, address, libc::FUTEX_REQUEUE, count, moved, address);
    assert_eq!(requeue(-1, 0), Err(Errno::EINVAL));
    assert_eq!(requeue(0, -1), Err(Errno::EINVAL));
}

pub(crate) fn priority_inheritance_is_refused() {
    let word = AtomicU32::new(0);
    for operation in [libc::FUTEX_LOCK_PI, libc::FUTEX_UNLOCK_PI, libc::FUTEX_TRYLOCK_PI] {
        assert_eq!(sys!(libc::SYS_futex, &word, operation, 0, 0), Err(Errno::ENOSYS));
    }
}
