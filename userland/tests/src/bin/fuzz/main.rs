//! Random system calls with random and hostile arguments: the kernel stays alive and loses nothing.
//!
//! ```text
//! fuzz [--calls N] [--seed S] [--children N]
//! ```
//!
//! Without these it is a test binary like the others, with one test of [`CALLS`] calls. Children that die, as most
//! do sooner or later, are replaced. What each does follows from the seed and its number alone; only how the
//! children interleave does not.

mod arguments;
mod child;
mod supervisor;

use std::process::ExitCode;
use supervisor::Plan;
use tollgate_tests::leaks::Counts;
use tollgate_tests::process::{self, Status};
use tollgate_tests::{linux, skip, suite};

/// Calls of the test.
const CALLS: u64 = 200_000;

/// The test's seed.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Plan::parse(&arguments) {
        None => suite::main(&[linux!(random_system_calls).seconds(600)]),
        Some(Err(error)) => {
            eprintln!("{error}\nusage: fuzz [--calls N] [--seed S] [--children N]");
            ExitCode::from(2)
        }
        Some(Ok(plan)) => by_hand(&plan),
    }
}

/// Only where there is nothing to break: a random call of the superuser can do a lot to a machine.
fn is_guest() -> bool {
    std::fs::exists("/etc/tollgate").is_ok_and(|exists| exists)
        && std::fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim() == "init")
}

fn random_system_calls() {
    if !is_guest() {
        skip!("this is not a guest of the runner");
    }
    let result = supervisor::run(&Plan { calls: CALLS, seed: SEED, ..Plan::default() });
    assert!(result.is_ok(), "seed {SEED}: {}", result.err().unwrap_or_default());
}

/// A run with options of its own, and the result as a test's.
fn by_hand(plan: &Plan) -> ExitCode {
    if !is_guest() {
        eprintln!("fuzz: this is not a guest of the runner");
        return ExitCode::from(2);
    }
    // In a child: what the run leaves in the supervisor's own memory is no loss.
    let run = |plan: &Plan| {
        process::in_child(|| match supervisor::run(plan) {
            Ok(told) => println!("{told}"),
            Err(reason) => panic!("{reason}"),
        })
    };
    // And a short one first: it touches what memory of ours is touched by looking after a child and counting.
    run(&Plan { calls: 1000, ..plan.clone() });
    let _ = Counts::read().and_then(Counts::lost);
    let before = Counts::read();
    let run = run(plan);
    let result = match before.and_then(Counts::lost) {
        _ if run != Status::Exited(0) => Err("the run failed".to_owned()),
        None => Ok(()),
        Some(lost) => Err(lost),
    };
    let name = format!("random_system_calls calls={} seed={} children={}", plan.calls, plan.seed, plan.children);
    match result {
        Ok(()) => {
            println!("ok {name}\n1 passed, 0 failed, 0 skipped");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("not ok {name}: {reason}\n0 passed, 1 failed, 0 skipped");
            ExitCode::FAILURE
        }
    }
}
