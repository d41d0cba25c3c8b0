//! wait4.

use std::mem::zeroed;
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{Status, fork, kill, pid, state, try_wait, wait4};
use tollgate_tests::{Errno, signal, sys, time};

pub(crate) fn status_of_each_end() {
    assert_eq!(fork(|| 7).wait(), Status::Exited(7));
    for number in [libc::SIGKILL, libc::SIGTERM, libc::SIGUSR1, signal::RT + 5] {
        let child = fork(|| {
            kill(pid(), number).unwrap();
            0
        });
        assert_eq!(child.wait(), Status::Killed(number));
    }
    for number in [libc::SIGQUIT, libc::SIGABRT, libc::SIGSEGV, libc::SIGSYS, libc::SIGXCPU] {
        // Whether the core bit is set depends on RLIMIT_CORE; that the signal is told does not.
        let child = fork(|| {
            kill(pid(), number).unwrap();
            0
        });
        assert_eq!(child.wait().signal(), Some(number));
    }
}

pub(crate) fn no_child_is_an_error() {
    assert_eq!(wait4(-1, 0), Err(Errno::ECHILD));
    assert_eq!(wait4(1, 0), Err(Errno::ECHILD), "not our child");
    assert_eq!(wait4(pid(), libc::WNOHANG), Err(Errno::ECHILD), "ourselves");
    let child = fork(|| 0);
    child.succeed();
    assert_eq!(wait4(child.pid, 0), Err(Errno::ECHILD), "waited for already");
    assert_eq!(wait4(i32::MIN, 0), Err(Errno::ESRCH), "no such group can be");
}

pub(crate) fn nohang_does_not_wait() {
    let pipe = Pipe::new();
    let child = fork(|| {
        pipe.wait();
        0
    });
    assert_eq!(try_wait(child.pid), None);
    pipe.notify();
    time::wait_until("the child has ended", || try_wait(child.pid) == Some(Status::Exited(0)));
}

pub(crate) fn chooses_by_id_and_group() {
    let (first, second) = (fork(|| 1), fork(|| 2));
    assert_eq!(second.wait(), Status::Exited(2));
    let third = fork(|| {
        sys!(libc::SYS_setpgid, 0, 0).unwrap();
        3
    });
    assert_eq!(wait4(0, 0), Ok((first.pid, Status::Exited(1))), "our own group");
    assert_eq!(wait4(-1, 0), Ok((third.pid, Status::Exited(3))));
    let fourth = fork(|| {
        time::sleep_ms(20);
        4
    });
    sys!(libc::SYS_setpgid, fourth.pid, 0).unwrap();
    assert_eq!(wait4(0, libc::WNOHANG), Err(Errno::ECHILD), "none is in our own group");
    assert_eq!(wait4(-fourth.pid, 0), Ok((fourth.pid, Status::Exited(4))));
}

pub(crate) fn stops_and_continues() {
    let child = fork(|| {
        loop {
            time::sleep_ms(1000);
        }
    });
    // Two rounds: a stop and a continuation leave nothing behind.
    for _ in 0..2 {
        child.kill(libc::SIGSTOP);
        assert_eq!(wait4(child.pid, libc::WUNTRACED), Ok((child.pid, Status::Stopped(libc::SIGSTOP))));
        assert_eq!(wait4(child.pid, libc::WUNTRACED | libc::WNOHANG).unwrap().0, 0, "told only once");
        assert_eq!(state(child.pid), Some('T'));
        child.kill(libc::SIGCONT);
        assert_eq!(wait4(child.pid, libc::WCONTINUED), Ok((child.pid, Status::Continued)));
        assert_eq!(wait4(child.pid, libc::WCONTINUED | libc::WNOHANG).unwrap().0, 0, "told only once");
    }
    child.kill(libc::SIGSTOP);
    time::wait_until("it stops", || state(child.pid) == Some('T'));
    assert_eq!(try_wait(child.pid), None, "a stop is told only to those who ask");
    child.kill(libc::SIGKILL);
    assert_eq!(child.wait(), Status::Killed(libc::SIGKILL), "a stopped process can be killed");
}

pub(crate) fn another_thread_may_wait() {
    let pipe = Pipe::new();
    let child = fork(|| {
        pipe.wait();
        6
    });
    let waiter = std::thread::spawn(move || child.wait());
    time::sleep_ms(10);
    pipe.notify();
    assert_eq!(waiter.join().unwrap(), Status::Exited(6));
}

pub(crate) fn ignored_children_reap_themselves() {
    signal::ignore(libc::SIGCHLD);
    let child = fork(|| {
        time::sleep_ms(20);
        0
    });
    assert_eq!(wait4(child.pid, 0), Err(Errno::ECHILD), "waits for the end and finds nothing");
    time::wait_until("no zombie is left", || kill(child.pid, 0) == Err(Errno::ESRCH));
    signal::handle(libc::SIGCHLD, libc::SA_NOCLDWAIT, signal::nothing);
    let child = fork(|| {
        time::sleep_ms(20);
        0
    });
    let result = wait4(child.pid, 0);
    assert!(matches!(result, Err(Errno::ECHILD | Errno::EINTR)), "{result:?}");
    time::wait_until("no zombie is left", || kill(child.pid, 0) == Err(Errno::ESRCH));
}

pub(crate) fn zombies_stay_until_waited_for() {
    let child = fork(|| 0);
    time::wait_until("it is a zombie", || state(child.pid) == Some('Z'));
    assert_eq!(kill(child.pid, libc::SIGTERM), Ok(0), "signals to it are accepted");
    assert_eq!(sys!(libc::SYS_getpgid, child.pid), sys!(libc::SYS_getpgid, 0));
    child.succeed();
    assert_eq!(kill(child.pid, 0), Err(Errno::ESRCH));
    assert_eq!(state(child.pid), None);
}

pub(crate) fn bad_options_are_refused() {
    for options in [libc::WEXITED, libc::WNOWAIT, 0x100, 1 << 20] {
        assert_eq!(wait4(-1, options), Err(Errno::EINVAL), "{options:#x}");
    }
}

pub(crate) fn resource_usage_is_told() {
    let child = fork(|| {
        let start = time::monotonic();
        while time::monotonic() - start < std::time::Duration::from_millis(60) {}
        0
    });
    // SAFETY: rusage is plain integers, for which zero is a value.
    let mut usage: libc::rusage = unsafe { zeroed() };
    assert_eq!(sys!(libc::SYS_wait4, child.pid, 0, 0, &mut usage), Ok(child.pid as usize));
    let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
    assert!(micros(usage.ru_utime) + micros(usage.ru_stime) > 1000, "no CPU time for 60 ms of spinning");
}
