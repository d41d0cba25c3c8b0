//! The child process a test runs in.
//!
//! The child leads a session of its own, so that all it started can be killed with it. A panic in it, or in any
//! process it forks, sends its message up a pipe and ends that process; a test that has sent a message has failed
//! however it ended.

use crate::pipe::Pipe;
use crate::process::{self, Status};
use crate::suite::Test;
use crate::time;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How a test went.
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should; why.
    Failed(String),
    /// It cannot run here; why.
    Skipped(String),
}

/// Exit status of a process that panicked.
const PANICKED: i32 = 101;
/// Marks a message in the pipe as the reason of a failure.
const FAILURE: u8 = b'F';
/// Marks a message in the pipe as the reason why a test was skipped.
const SKIP: u8 = b'S';

/// In a child: the pipe up to the frame.
static REPORT: OnceLock<Pipe> = OnceLock::new();

/// Ends the test as one that cannot run here, with a reason like `format!`'s.
#[macro_export]
macro_rules! skip {
    ($($argument:tt)*) => { $crate::child::skip(&format!($($argument)*)) };
}

/// Ends the test as one that cannot run here. Only in the test's own process, not in those it forks.
pub fn skip(reason: &str) -> ! {
    report(SKIP, reason);
    process::exit(0)
}

/// Runs a test in a child process and tells how it went.
pub fn run(test: &Test) -> Outcome {
    let report = Pipe::new();
    let child = process::fork(|| {
        process::new_session();
        REPORT.set(report.duplicate()).ok();
        std::panic::set_hook(Box::new(report_panic));
        crate::signal::reset_all();
        (test.run)();
        0
    });
    let status = wait(child.pid, test.timeout);
    // The child led a group of its own; what is left of it has no one to wait for it but init.
    let _ = process::kill(-child.pid, libc::SIGKILL);
    report.close_writer();
    if let Some(message) = first_message(&report) {
        return message;
    }
    match status {
        None => Outcome::Failed(format!("timed out after {} s", test.timeout.as_secs())),
        Some(Status::Exited(0)) => Outcome::Passed,
        Some(status) => Outcome::Failed(format!("ended unexpectedly: {status:?}")),
    }
}

/// Waits for the test to end, and kills it if it takes too long. Looks again and again rather than sleeping until
/// a signal, so that the frame needs as little as possible of what it tests.
fn wait(pid: i32, timeout: Duration) -> Option<Status> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(200);
    loop {
        if let Some(status) = process::try_wait(pid) {
            return Some(status);
        }
        if start.elapsed() > timeout {
            let _ = process::kill(-pid, libc::SIGKILL);
            let _ = process::kill(pid, libc::SIGKILL);
            process::wait(pid);
            return None;
        }
        time::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

/// The first message in the pipe, if there is one. Does not wait: a process that survived may hold the other end.
fn first_message(report: &Pipe) -> Option<Outcome> {
    report.set_nonblocking();
    let mut buffer = [0; 4096];
    let length = report.read(&mut buffer).unwrap_or(0);
    let (&kind, text) = buffer[..length].split_first()?;
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text).into_owned();
    Some(if kind == SKIP { Outcome::Skipped(text) } else { Outcome::Failed(text) })
}

fn report(kind: u8, text: &str) {
    let mut message = vec![kind];
    // Less than PIPE_BUF in all, so that messages never mix.
    message.extend(text.bytes().filter(|&byte| byte != 0).take(1000));
    message.push(0);
    if let Some(pipe) = REPORT.get() {
        let _ = pipe.write(&message);
    }
}

/// The panic hook of children: no backtrace, no abort, just the reason.
fn report_panic(info: &PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("panic");
    let place = info.location().map(|place| {
        let file = place.file().rsplit("/src/").next().unwrap_or_default();
        format!("{file}:{}: ", place.line())
    });
    report(FAILURE, &format!("{}{text}", place.unwrap_or_default()));
    process::exit(PANICKED)
}
