//! Lists of tests, the options of a test binary, and the loop that runs them.

use crate::child::{self, Outcome};
use crate::leaks::Counts;
use std::process::ExitCode;
use std::time::Duration;

/// How long a test may take unless it says otherwise. TCG is slow and the host may be busy.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a test is run again when it seems to lose memory.
const REPEATS: usize = 8;

/// One test.
#[derive(Clone, Copy)]
pub struct Test {
    /// What it is called, unique in its binary: `module::function`.
    pub name: &'static str,
    /// Whether it is of an interface Linux has, and so must pass there too.
    pub linux: bool,
    /// How long it may take.
    pub timeout: Duration,
    /// Returns if it passes, panics if not.
    pub run: fn(),
}

impl Test {
    /// A test with the usual time-out.
    pub const fn new(name: &'static str, linux: bool, run: fn()) -> Test {
        Test { name, linux, timeout: TIMEOUT, run }
    }

    /// Gives it another time-out, in seconds.
    pub const fn seconds(mut self, seconds: u64) -> Test {
        self.timeout = Duration::from_secs(seconds);
        self
    }
}

/// A [`Test`] of an interface Linux has, named after the function.
#[macro_export]
macro_rules! linux {
    ($function:path) => {
        $crate::Test::new(stringify!($function), true, $function)
    };
}

/// A [`Test`] of an interface that is Tollgate's alone, named after the function.
#[macro_export]
macro_rules! tollgate {
    ($function:path) => {
        $crate::Test::new(stringify!($function), false, $function)
    };
}

/// What the arguments ask for.
#[derive(Default)]
struct Options {
    list: bool,
    exact: bool,
    filters: Vec<String>,
}

impl Options {
    fn parse() -> Result<Options, String> {
        let mut options = Options::default();
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                _ => options.filters.push(argument),
            }
        }
        Ok(options)
    }

    fn selects(&self, name: &str) -> bool {
        let matches = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        self.filters.is_empty() || self.filters.iter().any(matches)
    }
}

/// The whole of a test binary's `main`: reads the arguments, runs the tests, prints the results.
pub fn main(tests: &[Test]) -> ExitCode {
    let options = match Options::parse() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\nusage: [--list] [--exact] [FILTER...]");
            return ExitCode::from(2);
        }
    };
    let selected = tests.iter().filter(|test| options.selects(test.name));
    if options.list {
        selected.for_each(|test| println!("{}{}", test.name, if test.linux { " linux" } else { "" }));
        return ExitCode::SUCCESS;
    }
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for test in selected {
        match run(test) {
            Outcome::Passed => {
                passed += 1;
                println!("ok {}", test.name);
            }
            Outcome::Failed(reason) => {
                failed += 1;
                println!("not ok {}: {}", test.name, reason.replace('\n', " "));
            }
            Outcome::Skipped(reason) => {
                skipped += 1;
                println!("skip {}: {}", test.name, reason.replace('\n', " "));
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if passed + failed + skipped == 0 && !options.filters.is_empty() {
        eprintln!("no test has such a name");
        return ExitCode::FAILURE;
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs a test and looks for what it lost. A first run may fill a cache of the kernel's that stays; a leak grows
/// with every run. So one that grows is run again, and only one that never stops growing has failed.
fn run(test: &Test) -> Outcome {
    if !test.linux && !crate::on_tollgate() {
        return Outcome::Skipped("needs Tollgate".into());
    }
    let mut lost = None;
    for _ in 0..REPEATS {
        let before = Counts::read();
        let outcome = child::run(test);
        if !matches!(outcome, Outcome::Passed) {
            return outcome;
        }
        lost = before.and_then(|before| before.lost());
        if lost.is_none() {
            return Outcome::Passed;
        }
    }
    Outcome::Failed(lost.unwrap_or_default())
}
