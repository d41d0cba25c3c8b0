//! Sessions and process groups.

use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{Child, Status, execve, fork, kill, new_session, pid};
use tollgate_tests::{Errno, signal, sys};

fn session(pid: i32) -> sys::Result {
    sys!(libc::SYS_getsid, pid)
}

fn group(pid: i32) -> sys::Result {
    sys!(libc::SYS_getpgid, pid)
}

fn set_group(pid: i32, group: i32) -> sys::Result {
    sys!(libc::SYS_setpgid, pid, group)
}

/// A child that waits to be killed, after it has done something.
fn sleeper(before: impl FnOnce()) -> Child {
    let ready = Pipe::new();
    let child = fork(|| {
        before();
        ready.notify();
        loop {
            let _ = sys!(libc::SYS_pause);
        }
    });
    ready.wait();
    child
}

fn end(child: Child) {
    child.kill(libc::SIGKILL);
    assert_eq!(child.wait(), Status::Killed(libc::SIGKILL));
}

pub(crate) fn a_new_session() {
    fork(|| {
        let (old, own) = (session(0).unwrap(), pid() as usize);
        assert_ne!(old, own);
        assert_eq!(sys!(libc::SYS_setsid), Ok(own));
        assert_eq!((session(0), group(0)), (Ok(own), Ok(own)));
        assert_eq!(sys!(libc::SYS_getpgrp), Ok(own));
        fork(|| {
            assert_eq!((session(0), group(0)), (Ok(own), Ok(own)), "inherited");
            0
        })
        .succeed();
        0
    })
    .succeed();
}

pub(crate) fn leaders_cannot_make_one() {
    // The test itself leads a session.
    assert_eq!(sys!(libc::SYS_setsid), Err(Errno::EPERM));
    fork(|| {
        set_group(0, 0).unwrap();
        assert_eq!(sys!(libc::SYS_setsid), Err(Errno::EPERM), "the leader of a group");
        0
    })
    .succeed();
}

pub(crate) fn groups_of_children() {
    let first = sleeper(|| {});
    let second = sleeper(|| {});
    assert_eq!(group(first.pid), group(0));
    assert_eq!(set_group(first.pid, 0), Ok(0));
    assert_eq!(group(first.pid), Ok(first.pid as usize));
    assert_eq!(set_group(second.pid, first.pid), Ok(0));
    assert_eq!(group(second.pid), Ok(first.pid as usize));
    assert_eq!(set_group(second.pid, pid()), Ok(0), "and back to ours");
    end(first);
    end(second);
}

pub(crate) fn group_errors() {
    assert_eq!(set_group(0, -1), Err(Errno::EINVAL));
    assert_eq!(set_group(1, 0), Err(Errno::ESRCH), "not a child");
    assert_eq!(set_group(i32::MAX, 0), Err(Errno::ESRCH), "nobody");
    assert_eq!(set_group(0, 0), Err(Errno::EPERM), "a session's leader");
    let child = sleeper(|| {});
    assert_eq!(set_group(child.pid, i32::MAX), Err(Errno::EPERM), "no such group");
    end(child);
    let elsewhere = sleeper(new_session);
    assert_eq!(set_group(elsewhere.pid, pid()), Err(Errno::EPERM), "in another session");
    let child = sleeper(|| {});
    assert_eq!(set_group(child.pid, elsewhere.pid), Err(Errno::EPERM), "a group of another session");
    end(child);
    end(elsewhere);
    // A child that has executed a program is beyond our reach.
    let pipe = Pipe::with(libc::O_CLOEXEC);
    let child = fork(|| execve("/bin/sh", &["sh", "-c", "sleep 100"], &["PATH=/bin"]) as i32);
    pipe.close_writer();
    // The exec closes the child's end.
    assert_eq!(pipe.read(&mut [0]), Ok(0));
    assert_eq!(set_group(child.pid, 0), Err(Errno::EACCES));
    end(child);
}

pub(crate) fn signals_to_a_group() {
    let leader = sleeper(|| {
        set_group(0, 0).unwrap();
    });
    let member = sleeper(|| {
        set_group(0, leader.pid).unwrap();
    });
    let outsider = sleeper(|| {});
    kill(-leader.pid, libc::SIGTERM).unwrap();
    assert_eq!(leader.wait(), Status::Killed(libc::SIGTERM));
    assert_eq!(member.wait(), Status::Killed(libc::SIGTERM));
    assert_eq!(kill(outsider.pid, 0), Ok(0));
    assert_eq!(kill(-leader.pid, 0), Err(Errno::ESRCH), "the group is gone with its last member");
    // Signal to group 0 is to our own.
    signal::block(&[libc::SIGUSR1]);
    kill(0, libc::SIGUSR1).unwrap();
    assert_eq!(signal::pending(), signal::set(&[libc::SIGUSR1]));
    assert_eq!(outsider.wait(), Status::Killed(libc::SIGUSR1));
}

pub(crate) fn others_are_visible() {
    assert_eq!(session(i32::MAX), Err(Errno::ESRCH));
    assert_eq!(group(i32::MAX), Err(Errno::ESRCH));
    assert_eq!(session(-1), Err(Errno::ESRCH));
    let child = sleeper(new_session);
    assert_eq!(session(child.pid), Ok(child.pid as usize));
    assert!(group(1).is_ok());
    end(child);
}
