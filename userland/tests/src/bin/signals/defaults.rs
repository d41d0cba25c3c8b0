//! What each signal does when nothing else was said.

use tollgate_tests::process::{Status, fork, kill, pid, wait4};
use tollgate_tests::signal::{self, LAST, set};
use tollgate_tests::{Errno, sys};

const IGNORED: [i32; 4] = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
const STOPPING: [i32; 4] = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];

pub(crate) fn each_signal_has_its_action() {
    // No core files, please.
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_CORE, &none, 0).expect("prlimit");
    for number in 1..=LAST {
        let child = fork(|| {
            // A group of its own, with its parent in the session: not an orphan, so it can stop.
            sys!(libc::SYS_setpgid, 0, 0).unwrap();
            kill(pid(), number).unwrap();
            66
        });
        let (_, status) = wait4(child.pid, libc::WUNTRACED).unwrap();
        if IGNORED.contains(&number) {
            assert_eq!(status, Status::Exited(66), "signal {number}");
        } else if STOPPING.contains(&number) {
            assert_eq!(status, Status::Stopped(number));
            child.kill(libc::SIGKILL);
            assert_eq!(child.wait(), Status::Killed(libc::SIGKILL));
        } else {
            assert_eq!(status.signal(), Some(number), "{status:?}");
        }
    }
}

pub(crate) fn dead_processes_take_no_signal() {
    let child = fork(|| 0);
    child.succeed();
    assert_eq!(kill(child.pid, libc::SIGTERM), Err(Errno::ESRCH));
    assert_eq!(signal::pending() & set(&[libc::SIGTERM]), 0);
}
