//! waitid and the siginfo it fills.

use std::mem::zeroed;
use tollgate_tests::process::{fork, kill, pid};
use tollgate_tests::{Errno, sys, time};

/// The fields of siginfo that waitid fills: code, process, status.
type Told = (i32, i32, i32);

fn waitid(kind: u32, id: i32, options: i32) -> Result<Told, Errno> {
    // SAFETY: siginfo_t is plain data, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    sys!(libc::SYS_waitid, kind, id, &mut info, options, 0)?;
    // SAFETY: the fields are those of a child's signal; without one all is zero.
    let (pid, status, uid) = unsafe { (info.si_pid(), info.si_status(), info.si_uid()) };
    assert_eq!(info.si_signo, if pid == 0 { 0 } else { libc::SIGCHLD });
    assert_eq!(uid, 0);
    Ok((info.si_code, pid, status))
}

pub(crate) fn tells_each_end() {
    let child = fork(|| 7);
    assert_eq!(waitid(libc::P_PID, child.pid, libc::WEXITED), Ok((libc::CLD_EXITED, child.pid, 7)));
    let child = fork(|| {
        kill(pid(), libc::SIGTERM).unwrap();
        0
    });
    assert_eq!(waitid(libc::P_ALL, 0, libc::WEXITED), Ok((libc::CLD_KILLED, child.pid, libc::SIGTERM)));
    let child = fork(|| 9);
    sys!(libc::SYS_setpgid, child.pid, child.pid).ok();
    let group = sys!(libc::SYS_getpgid, child.pid).unwrap() as i32;
    assert_eq!(waitid(libc::P_PGID, group, libc::WEXITED), Ok((libc::CLD_EXITED, child.pid, 9)));
    assert_eq!(waitid(libc::P_ALL, 0, libc::WEXITED), Err(Errno::ECHILD));
}

pub(crate) fn nowait_leaves_the_child() {
    let child = fork(|| 3);
    for _ in 0..2 {
        let told = waitid(libc::P_PID, child.pid, libc::WEXITED | libc::WNOWAIT);
        assert_eq!(told, Ok((libc::CLD_EXITED, child.pid, 3)));
    }
    assert_eq!(child.wait(), tollgate_tests::process::Status::Exited(3));
}

pub(crate) fn stops_and_continues() {
    let child = fork(|| {
        loop {
            time::sleep_ms(1000);
        }
    });
    assert_eq!(waitid(libc::P_PID, child.pid, libc::WEXITED | libc::WSTOPPED | libc::WNOHANG), Ok((0, 0, 0)));
    child.kill(libc::SIGSTOP);
    let stopped = Ok((libc::CLD_STOPPED, child.pid, libc::SIGSTOP));
    assert_eq!(waitid(libc::P_PID, child.pid, libc::WSTOPPED), stopped);
    child.kill(libc::SIGCONT);
    let continued = Ok((libc::CLD_CONTINUED, child.pid, libc::SIGCONT));
    assert_eq!(waitid(libc::P_PID, child.pid, libc::WCONTINUED), continued);
    child.kill(libc::SIGKILL);
    let killed = Ok((libc::CLD_KILLED, child.pid, libc::SIGKILL));
    assert_eq!(waitid(libc::P_PID, child.pid, libc::WEXITED), killed);
}

pub(crate) fn bad_arguments_are_refused() {
    assert_eq!(waitid(libc::P_ALL, 0, 0), Err(Errno::EINVAL), "nothing to wait for");
    assert_eq!(waitid(libc::P_ALL, 0, libc::WNOHANG), Err(Errno::EINVAL), "still nothing to wait for");
    assert_eq!(waitid(libc::P_ALL, 0, libc::WEXITED | 0x100), Err(Errno::EINVAL), "no such option");
    assert_eq!(waitid(77, 0, libc::WEXITED), Err(Errno::EINVAL), "no such kind");
    assert_eq!(waitid(libc::P_PID, 0, libc::WEXITED), Err(Errno::EINVAL), "no such process can be");
    assert_eq!(waitid(libc::P_PID, pid(), libc::WEXITED), Err(Errno::ECHILD), "not a child");
}
