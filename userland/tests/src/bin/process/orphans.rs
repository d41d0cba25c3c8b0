//! Processes whose parent ends first.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tollgate_tests::memory::Shared;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{fork, kill, pid};
use tollgate_tests::{Errno, sys, time};

/// Makes a grandchild, lets its parent end, and returns the parent it then has and the one it had.
fn new_parent() -> (usize, usize) {
    let (ready, go, answer) = (Pipe::new(), Pipe::new(), Pipe::new());
    let middle = fork(|| {
        let middle = pid() as usize;
        let _orphan = fork(|| {
            assert_eq!(sys!(libc::SYS_getppid), Ok(middle));
            ready.notify();
            go.wait();
            answer.send(sys!(libc::SYS_getppid).unwrap() as u64);
            0
        });
        ready.wait();
        0
    });
    middle.succeed();
    go.notify();
    (answer.receive() as usize, middle.pid as usize)
}

pub(crate) fn get_a_new_parent() {
    let (parent, old) = new_parent();
    assert_ne!(parent, old);
    // Not the grandparent either.
    assert_ne!(parent, pid() as usize);
}

pub(crate) fn go_to_init() {
    assert_eq!(new_parent().0, 1);
}

/// A zombie whose parent ends is init's to reap.
pub(crate) fn zombies_of_the_dead_are_reaped() {
    let zombie = Shared::new(AtomicU32::new(0));
    fork(|| {
        let child = fork(|| 0);
        zombie.store(child.pid as u32, SeqCst);
        time::wait_until("it is a zombie", || tollgate_tests::process::state(child.pid) == Some('Z'));
        0
    })
    .succeed();
    let pid = zombie.load(SeqCst) as i32;
    time::wait_until("init has reaped it", || kill(pid, 0) == Err(Errno::ESRCH));
}
