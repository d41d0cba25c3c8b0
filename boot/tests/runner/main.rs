//! Tests of the runner's contract: exit statuses, streams, added files, disk images, failures.
//!
//! Each runs the `tollgate` program as a user would. Those that need a Linux kernel are ignored without one.

mod boots;
mod gate;
mod refusals;
mod statuses;
mod streams;

use std::cell::RefCell;
use std::io::Write;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;
use std::thread;

use libtest_mimic::{Arguments, Trial};

thread_local! {
    /// What the test that this thread runs said when it panicked.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A test and whether it needs a Linux kernel.
type Test = (&'static str, fn(), bool);

/// Names a test function, as [`Test`].
macro_rules! test {
    ($function:path) => {
        (concat!(module_path!(), "::", stringify!($function)), $function, false)
    };
    ($function:path, linux) => {
        (concat!(module_path!(), "::", stringify!($function)), $function, true)
    };
}
use test;

fn main() -> ExitCode {
    panic::set_hook(Box::new(|panic| PANIC.set(panic.to_string())));
    let lists = [statuses::TESTS, streams::TESTS, boots::TESTS, gate::TESTS, refusals::TESTS];
    let trials = lists.into_iter().flatten().map(|&(name, run, needs_linux)| {
        let trial = Trial::test(name, move || panic::catch_unwind(run).map_err(|_| PANIC.take().into()));
        trial.with_ignored_flag(needs_linux && linux().is_none())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// A stock Linux kernel, if one has been fetched.
fn linux() -> Option<&'static Path> {
    static LINUX: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("get-linux.sh");
        let output = Command::new(script).arg("--cached").output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().into())
    };
    LINUX.get_or_init(find).as_deref()
}

/// The options that boot Linux.
fn linux_options() -> [&'static str; 2] {
    ["--linux", linux().and_then(Path::to_str).expect("tests that need Linux are ignored without it")]
}

/// A path for a file that the test called `name` writes.
fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The runner's program, with a log file of its own and a time-out.
fn tollgate(log: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.arg("--log").arg(scratch(log)).args(["--accel", "tcg"]);
    command
}

/// Runs the command with this standard input.
fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the runner's program starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let input = input.to_vec();
    // A runner that fails early does not read it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the runner ends");
    writer.join().expect("the writer does not panic");
    output
}

/// Checks the exit status; a failure shows what the runner said.
fn assert_status(output: &Output, status: i32) {
    assert_eq!(
        output.status.code(),
        Some(status),
        "\n-- standard output:\n{}\n-- standard error:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Boots with the checked kernel, runs the command, and checks the status.
fn guest(log: &str, options: &[&str], command: &[&str], input: &[u8], status: i32) -> Output {
    let mut runner = tollgate(log);
    if !options.contains(&"--linux") {
        runner.arg("--checked");
    }
    if !options.contains(&"--timeout") {
        runner.args(["--timeout", "150"]);
    }
    runner.args(options);
    if !command.is_empty() {
        runner.arg("--").args(command);
    }
    let output = run(&mut runner, input);
    assert_status(&output, status);
    output
}
