//! The tests that run inside the guest, each by its own name.
//!
//! `smp1::BINARY::TEST` and `smp4::BINARY::TEST` run on Tollgate with that many CPUs, `linux::BINARY::TEST` on a
//! stock Linux: the tests of an interface that Linux also has must pass there too. A machine is booted for many
//! tests at once, and again for the rest when a test takes it down. Names, filters and output are cargo's own.

mod board;
mod plan;
mod session;
mod transcript;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use board::Board;
use plan::{Guest, Target};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let guest = match Guest::prepare() {
        Ok(guest) => guest,
        Err(error) => {
            eprintln!("cannot prepare the guest tests: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let board = Arc::new(Board::default());
    let mut trials = Vec::new();
    let mut plans = Vec::new();
    for target in Target::ALL {
        let ignored = target == Target::Linux && guest.linux.is_none();
        let mut plan = guest.plan(target);
        for name in plan.names() {
            let board = Arc::clone(&board);
            let full = format!("{}::{name}", target.name());
            trials.push(Trial::ignorable_test(full.clone(), move || board.wait(&full)).with_ignored_flag(ignored));
        }
        plan.keep(|name| selected(&arguments, &format!("{}::{name}", target.name()), ignored));
        plans.push(plan);
    }
    if arguments.list {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let sessions = session::start(guest, plans, &board);
    let conclusion = libtest_mimic::run(&arguments, trials);
    for session in sessions {
        session.join().expect("a session does not panic");
    }
    conclusion.exit_code()
}

/// Whether libtest-mimic is going to run this test: the rules of cargo's own tests.
fn selected(arguments: &Arguments, name: &str, ignored: bool) -> bool {
    let matches = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
    let wanted = arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches);
    let runs = if arguments.ignored { ignored } else { !ignored || arguments.include_ignored };
    wanted && runs && !arguments.bench
}
