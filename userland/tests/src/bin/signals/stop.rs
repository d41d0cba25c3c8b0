//! Stopping and continuing.

use crate::record::{note, take};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tollgate_tests::memory::Shared;
use tollgate_tests::process::{Child, Status, fork, new_session, pid, state, wait4};
use tollgate_tests::signal::{self, Context, handle};
use tollgate_tests::{sys, time};

/// A child in a group of its own that sleeps and counts.
fn sleeper(counter: &Shared<AtomicU32>, before: impl FnOnce()) -> Child {
    let child = fork(|| {
        sys!(libc::SYS_setpgid, 0, 0).unwrap();
        before();
        loop {
            counter.fetch_add(1, SeqCst);
            time::sleep_ms(1);
        }
    });
    time::wait_until("the child runs", || counter.load(SeqCst) > 2);
    child
}

fn end(child: Child) {
    child.kill(libc::SIGKILL);
    assert_eq!(child.wait(), Status::Killed(libc::SIGKILL));
}

fn counter() -> Shared<AtomicU32> {
    Shared::new(AtomicU32::new(0))
}

fn wait_for_stop(child: Child, signal: i32) {
    assert_eq!(wait4(child.pid, libc::WUNTRACED), Ok((child.pid, Status::Stopped(signal))));
}

pub(crate) fn terminal_stops() {
    let counter = counter();
    let child = sleeper(&counter, || {});
    for stop in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGSTOP] {
        child.kill(stop);
        wait_for_stop(child, stop);
        let before = counter.load(SeqCst);
        time::sleep_ms(20);
        assert_eq!(counter.load(SeqCst), before, "it runs on");
        child.kill(libc::SIGCONT);
        time::wait_until("it continues", || counter.load(SeqCst) > before);
    }
    end(child);
}

/// A group none of whose members has a parent elsewhere in the session: nobody could continue it.
pub(crate) fn orphaned_groups_do_not_stop() {
    let counter = counter();
    let child = fork(|| {
        new_session();
        loop {
            counter.fetch_add(1, SeqCst);
            time::sleep_ms(1);
        }
    });
    time::wait_until("the child runs", || counter.load(SeqCst) > 2);
    for stop in [libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
        child.kill(stop);
        let before = counter.load(SeqCst);
        time::wait_until("it runs on", || counter.load(SeqCst) > before + 2);
    }
    child.kill(libc::SIGSTOP);
    wait_for_stop(child, libc::SIGSTOP);
    end(child);
}

pub(crate) fn all_threads_stop() {
    let counter = counter();
    let child = sleeper(&counter, || {
        for _ in 0..3 {
            // One that sleeps is a separate test; these run all the time.
            std::thread::spawn(|| {
                let mut own = 0u64;
                loop {
                    own = std::hint::black_box(own + 1);
                }
            });
        }
    });
    child.kill(libc::SIGSTOP);
    wait_for_stop(child, libc::SIGSTOP);
    let stopped = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.pid)).unwrap();
        let states = tasks.filter_map(|task| state(task.unwrap().file_name().to_str()?.parse().ok()?));
        states.filter(|&state| state == 'T').count()
    };
    assert_eq!(stopped(), 4, "told before all had stopped");
    child.kill(libc::SIGCONT);
    let before = counter.load(SeqCst);
    time::wait_until("it continues", || counter.load(SeqCst) > before && stopped() == 0);
    end(child);
}

pub(crate) fn continues_though_blocked_or_ignored() {
    for block in [true, false] {
        let counter = counter();
        let child = sleeper(&counter, || {
            if block {
                signal::block(&[libc::SIGCONT]);
            } else {
                signal::ignore(libc::SIGCONT);
            }
        });
        child.kill(libc::SIGSTOP);
        wait_for_stop(child, libc::SIGSTOP);
        let before = counter.load(SeqCst);
        child.kill(libc::SIGCONT);
        time::wait_until("it continues", || counter.load(SeqCst) > before);
        end(child);
    }
}

/// A pending stop is dropped by SIGCONT and a pending SIGCONT by a stop.
pub(crate) fn stops_and_continues_cancel() {
    signal::block(&[libc::SIGTSTP, libc::SIGCONT]);
    let own = pid();
    let send = |signal| tollgate_tests::process::kill(own, signal).unwrap();
    send(libc::SIGTSTP);
    assert_eq!(signal::pending(), signal::set(&[libc::SIGTSTP]));
    send(libc::SIGCONT);
    // SIGCONT's default is to be ignored, but a blocked signal is kept: a handler may yet come.
    assert_eq!(signal::pending(), signal::set(&[libc::SIGCONT]));
    send(libc::SIGTSTP);
    assert_eq!(signal::pending(), signal::set(&[libc::SIGTSTP]));
}

extern "C" fn note_child(_: i32, info: *mut libc::siginfo_t, _: *mut Context) {
    // SAFETY: the kernel's siginfo of a SIGCHLD.
    unsafe { note(((*info).si_code as u64) << 32 | (*info).si_status() as u64) };
}

fn noted(code: i32, status: i32) -> u64 {
    (code as u64) << 32 | status as u64
}

pub(crate) fn parent_is_told() {
    handle(libc::SIGCHLD, libc::SA_RESTART, note_child);
    let counter = counter();
    let child = sleeper(&counter, || {});
    let expect = |code, status| {
        time::wait_until("SIGCHLD comes", || crate::record::count() > 0);
        assert_eq!(take(), [noted(code, status)]);
    };
    child.kill(libc::SIGSTOP);
    expect(libc::CLD_STOPPED, libc::SIGSTOP);
    child.kill(libc::SIGCONT);
    expect(libc::CLD_CONTINUED, libc::SIGCONT);
    child.kill(libc::SIGTERM);
    expect(libc::CLD_KILLED, libc::SIGTERM);
    assert_eq!(child.wait(), Status::Killed(libc::SIGTERM));
    fork(|| 7).wait();
    expect(libc::CLD_EXITED, 7);
}

pub(crate) fn parent_may_not_want_to_know() {
    handle(libc::SIGCHLD, libc::SA_NOCLDSTOP, note_child);
    let counter = counter();
    let child = sleeper(&counter, || {});
    child.kill(libc::SIGSTOP);
    wait_for_stop(child, libc::SIGSTOP);
    child.kill(libc::SIGCONT);
    assert_eq!(wait4(child.pid, libc::WCONTINUED), Ok((child.pid, Status::Continued)));
    assert!(take().is_empty());
    child.kill(libc::SIGKILL);
    time::wait_until("SIGCHLD of the end", || crate::record::count() == 1);
    assert_eq!(child.wait(), Status::Killed(libc::SIGKILL));
}

/// A sleep that was stopped and continued goes on, to its end and without an error.
pub(crate) fn sleeps_go_on_afterwards() {
    let child = fork(|| {
        let start = time::monotonic();
        let request = time::timespec(Duration::from_millis(100));
        assert_eq!(sys!(libc::SYS_nanosleep, &request, 0), Ok(0));
        assert!(time::monotonic() - start >= Duration::from_millis(100));
        0
    });
    time::sleep_ms(20);
    for _ in 0..3 {
        child.kill(libc::SIGSTOP);
        wait_for_stop(child, libc::SIGSTOP);
        child.kill(libc::SIGCONT);
        time::sleep_ms(10);
    }
    child.succeed();
}
