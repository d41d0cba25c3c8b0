//! Processes: making them, waiting for them, and what they end with.

use crate::Errno;
use crate::sys;
use std::ffi::CString;

/// What wait says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It called exit with this code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
    /// This signal ended it and it dumped core (or would have).
    Core(i32),
    /// This signal stopped it.
    Stopped(i32),
    /// SIGCONT continued it.
    Continued,
}

impl Status {
    /// Takes the integer of wait4 apart.
    pub fn decode(status: i32) -> Status {
        if libc::WIFEXITED(status) {
            Status::Exited(libc::WEXITSTATUS(status))
        } else if libc::WIFSTOPPED(status) {
            Status::Stopped(libc::WSTOPSIG(status))
        } else if libc::WIFCONTINUED(status) {
            Status::Continued
        } else if libc::WCOREDUMP(status) {
            Status::Core(libc::WTERMSIG(status))
        } else {
            Status::Killed(libc::WTERMSIG(status))
        }
    }

    /// The signal that ended the process, whether with a core or not: whether depends on RLIMIT_CORE and more.
    pub fn signal(self) -> Option<i32> {
        match self {
            Status::Killed(signal) | Status::Core(signal) => Some(signal),
            _ => None,
        }
    }
}

/// A child process. It is not waited for when dropped.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Child {
    /// Its process id.
    pub pid: i32,
}

impl Child {
    /// Waits for it to end.
    pub fn wait(self) -> Status {
        wait(self.pid)
    }

    /// Waits for it to end, and panics unless it exited with 0.
    pub fn succeed(self) {
        assert_eq!(self.wait(), Status::Exited(0));
    }

    /// Sends it a signal.
    pub fn kill(self, signal: i32) {
        kill(self.pid, signal).expect("kill");
    }
}

/// Makes a child process that runs `body` and exits with what that returns.
pub fn fork(body: impl FnOnce() -> i32) -> Child {
    // SAFETY: the child goes on with a copy of everything. The tests that have other threads then do in the child
    // only what needs no lock that such a thread may hold.
    match unsafe { libc::fork() } {
        0 => exit(body()),
        pid if pid > 0 => Child { pid },
        _ => panic!("fork: {}", std::io::Error::last_os_error()),
    }
}

/// Runs `body` in a child process and tells how that ended.
pub fn in_child(body: impl FnOnce()) -> Status {
    fork(|| {
        body();
        0
    })
    .wait()
}

/// Ends this process at once: no destructors, no flushing.
pub fn exit(code: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

/// One wait4; the process and its status.
pub fn wait4(pid: i32, options: i32) -> Result<(i32, Status), Errno> {
    let mut status = 0i32;
    let ended = sys!(libc::SYS_wait4, pid, &mut status, options, 0)?;
    Ok((ended as i32, Status::decode(status)))
}

/// Waits for a child to end.
pub fn wait(pid: i32) -> Status {
    loop {
        match wait4(pid, 0) {
            Err(Errno::EINTR) => continue,
            result => return result.unwrap_or_else(|error| panic!("wait4({pid}): {error:?}")).1,
        }
    }
}

/// Looks whether a child has ended.
pub fn try_wait(pid: i32) -> Option<Status> {
    match wait4(pid, libc::WNOHANG) {
        Ok((0, _)) | Err(Errno::EINTR) => None,
        Ok((_, status)) => Some(status),
        Err(error) => panic!("wait4({pid}): {error:?}"),
    }
}

/// This process's id.
pub fn pid() -> i32 {
    sys!(libc::SYS_getpid).expect("getpid") as i32
}

/// This thread's id.
pub fn tid() -> i32 {
    sys!(libc::SYS_gettid).expect("gettid") as i32
}

/// Sends a signal to a process, or to a group if the id is negative.
pub fn kill(pid: i32, signal: i32) -> sys::Result {
    sys!(libc::SYS_kill, pid, signal)
}

/// Makes this process lead a new session.
pub fn new_session() {
    sys!(libc::SYS_setsid).expect("setsid");
}

/// The letter of a task's state in /proc: `S` asleep, `T` stopped, `Z` zombie ...
pub fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses included.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits until a process is asleep, in a system call that it is not about to leave.
pub fn wait_until_asleep(pid: i32) {
    crate::time::wait_until("the process sleeps", || state(pid) == Some('S'));
}

/// execve. Returns only if it failed, with why.
pub fn execve(path: &str, arguments: &[&str], environment: &[&str]) -> Errno {
    let strings = |list: &[&str]| -> Vec<CString> {
        list.iter().map(|&string| CString::new(string).expect("no NUL in strings")).collect()
    };
    let pointers = |list: &[CString]| -> Vec<usize> {
        list.iter().map(|string| string.as_ptr() as usize).chain([0]).collect() //
    };
    let path = CString::new(path).expect("no NUL in paths");
    let (arguments, environment) = (strings(arguments), strings(environment));
    let (argv, envp) = (pointers(&arguments), pointers(&environment));
    let result = sys!(libc::SYS_execve, path.as_c_str(), argv.as_ptr(), envp.as_ptr());
    result.expect_err("execve returned")
}
