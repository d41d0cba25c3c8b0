//! Whole programs that know nothing of the kernel they run on: what they print is known.

use std::process::{Command, Stdio};
use tollgate_tests::{linux, skip, suite};

/// Runs a sample program and compares what it prints.
fn prints(name: &str, arguments: &[&str], expected: &str) {
    let path = format!("/tests/programs/{name}");
    if !std::path::Path::new(&path).exists() {
        skip!("{path} is not there: this is not a guest of the runner");
    }
    let output = Command::new(&path).args(arguments).stderr(Stdio::inherit()).output().expect("spawn");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(output.status.success(), "{:?}", output.status);
}

/// C with glibc: stdio, malloc, threads, queued signals, forks and a pipe.
fn everyday_c_program() {
    let expected = "everyday: 2 arguments\nargument 1: first\nargument 2: the second\n\
                    memory: 500 blocks, 7925350 bytes, 0 wrong\n\
                    files: 1000 lines, sum 499500, fractions 62437.500\n\
                    threads: 8, sum 1279200, of this thread 0\n\
                    signals: in order waited for, in order handled\n\
                    processes: 16, 400 lines, 0 wrong, statuses 120\n";
    for _ in 0..3 {
        prints("everyday", &["first", "the second"], expected);
    }
}

/// Rust with std: threads, channels, locks.
fn rust_program_with_threads() {
    let expected = "work: 3000 done, 3000 results, 215063 steps, 2919 takes 216\nring: 3000 passes\n\
                    meetings: [1275, 1275, 1275, 1275, 1275, 1275]\nwaits: timed out true, long enough true\n";
    for _ in 0..3 {
        prints("crew", &[], expected);
    }
}

fn main() -> std::process::ExitCode {
    suite::main(&[linux!(everyday_c_program).seconds(120), linux!(rust_program_with_threads).seconds(120)])
}
