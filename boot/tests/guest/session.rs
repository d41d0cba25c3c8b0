//! Boots machines and runs plans in them.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use tollgate_boot::cargo::Profile;
use tollgate_boot::machine::{self, Input, Limits, Outcome, Streams};
use tollgate_boot::options::Accel;
use tollgate_boot::qemu::{Kernel, Machine};
use tollgate_boot::{initramfs, symbols};

use crate::board::{Board, Verdict};
use crate::plan::{Guest, Plan, Target};
use crate::transcript::{End, Transcript};

/// A machine that says nothing for so long is stuck: every test in the guest has a shorter time-out.
const IDLE: Duration = Duration::from_secs(180);

/// How often a plan is taken up again after a test took the machine down. That is soon done after a panic, and
/// takes [`IDLE`] after a hang.
const RESTARTS: usize = 20;
/// How many of these may be hangs.
const HANGS: usize = 2;

/// Machines that run at the same time.
const MACHINES: usize = 2;

/// How much of the kernel log goes into the message of a failure.
const TAIL: usize = 60;

/// The script for busybox's shell.
const SHELL_SCRIPT: &str = include_str!("../shell/script.sh");

/// Starts threads that run the plans and post a result for every test in them.
pub(crate) fn start(guest: Guest, plans: Vec<Plan>, board: &Arc<Board>) -> Vec<JoinHandle<()>> {
    let plans: VecDeque<Plan> = plans.into_iter().filter(|plan| !plan.steps.is_empty()).collect();
    let machines = MACHINES.min(plans.len());
    let shared = Arc::new((guest, Mutex::new(plans), OnceLock::new()));
    let work = |board: Arc<Board>| {
        let shared = Arc::clone(&shared);
        move || {
            let (guest, plans, kernel) = &*shared;
            loop {
                let Some(plan) = plans.lock().expect("no holder panics").pop_front() else { return };
                Session { guest, board: &board, kernel, target: plan.target }.run(plan);
            }
        }
    };
    (0..machines).map(|_| thread::spawn(work(Arc::clone(board)))).collect()
}

/// Tollgate's kernel, once it is built: its file and its symbols.
type Built = OnceLock<Result<(PathBuf, String), String>>;

struct Session<'a> {
    guest: &'a Guest,
    board: &'a Board,
    kernel: &'a Built,
    target: Target,
}

impl Session<'_> {
    /// Runs a plan to its end, with as many boots as that takes.
    fn run(&self, mut plan: Plan) {
        let mut hangs = 0;
        for restart in 0..=RESTARTS {
            let (End { missing, begun, .. }, outcome, reason) = match self.boot(&plan, restart) {
                Ok(ended) => ended,
                Err(error) => return self.fail(&plan.names(), &format!("{error:#}")),
            };
            if !begun {
                return self.fail(&missing, &reason);
            }
            let [guilty, rest @ ..] = missing.as_slice() else { return };
            self.fail(std::slice::from_ref(guilty), &reason);
            plan.keep(|name| rest.iter().any(|test| test == name));
            hangs += usize::from(outcome == Outcome::TimedOut);
            if rest.is_empty() || hangs > HANGS {
                break;
            }
        }
        self.fail(&plan.names(), "not run: the machine went down too often");
    }

    fn fail(&self, names: &[String], reason: &str) {
        for name in names {
            self.post(name, Verdict::Failed(reason.to_owned()));
        }
    }

    fn post(&self, name: &str, verdict: Verdict) {
        self.board.post(format!("{}::{name}", self.target.name()), verdict);
    }

    /// Boots one machine for the plan. Returns what is left, and why.
    fn boot(&self, plan: &Plan, restart: usize) -> Result<(End, Outcome, String)> {
        let folder = self.guest.workspace.target.join("guest-tests").join(self.target.name());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let image = folder.join("initramfs.cpio");
        let log = folder.join(format!("log-{restart}"));

        let mut tree = initramfs::base(&self.guest.programs)?;
        tree.bytes("/etc/tollgate/tests.sh", 0o644, plan.script())?;
        tree.bytes("/etc/tollgate/shell.sh", 0o644, SHELL_SCRIPT)?;
        let command = ["sh", "/etc/tollgate/tests.sh"].map(String::from);
        let kernel = match (self.target, &self.guest.linux) {
            (Target::Linux, Some(linux)) => Kernel::Linux { kernel: linux.clone(), initramfs: image.clone() },
            _ => {
                let (kernel, _) = self.kernel()?;
                Kernel::Pvh { kernel: kernel.clone(), initramfs: image.clone() }
            }
        };
        let symbols = match &kernel {
            Kernel::Pvh { .. } => Some(self.kernel()?.1.as_str()),
            _ => None,
        };
        initramfs::complete(&mut tree, &command, symbols)?;
        tree.write(&image)?;

        let machine = Machine { smp: self.target.cpus(), accel: Accel::Tcg, ..Machine::new(kernel) };
        let mut transcript = Transcript::new(plan, |name, verdict| self.post(name, verdict));
        let streams =
            Streams { input: Input::Data(Box::new(io::empty())), output: &mut transcript, log: &log, show_log: false };
        let outcome = machine::run(&machine, Limits { total: None, idle: Some(IDLE) }, streams)?;
        let end = transcript.end();
        let reason = match outcome {
            Outcome::Exited(status) => format!("the tests' script ended early, with status {status}"),
            Outcome::Panicked => "the kernel panicked".to_owned(),
            Outcome::TimedOut => format!("the machine said nothing for {} s", IDLE.as_secs()),
            Outcome::Left | Outcome::Lost(_) => "the machine stopped".to_owned(),
        };
        let log = fs::read(&log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL)..].join("\n");
        let reason = format!("{reason}\n{}\n-- kernel log:\n{tail}", end.text.trim_end());
        Ok((end, outcome, reason))
    }

    /// Builds the kernel, once for all sessions.
    fn kernel(&self) -> Result<&(PathBuf, String)> {
        let build = || {
            let kernel = self.guest.workspace.kernel(Profile::Checked)?;
            let symbols = symbols::table(&kernel)?;
            Ok((kernel, symbols))
        };
        let built = self.kernel.get_or_init(|| build().map_err(|error: anyhow::Error| format!("{error:#}")));
        built.as_ref().map_err(|error| anyhow::Error::msg(error.clone()))
    }
}
