//! Keeps the children going, and kills those that sleep.

use crate::child;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tollgate_tests::memory::Shared;
use tollgate_tests::process::{self, Status};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{cpus, elf, time};

/// What to do.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// System calls in all.
    pub(crate) calls: u64,
    /// Where the random numbers start.
    pub(crate) seed: u64,
    /// Children at a time.
    pub(crate) children: usize,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { calls: 200_000, seed: 1, children: (2 * cpus()).min(MOST) }
    }
}

impl Plan {
    /// Reads our own options; `None` if there are none of them.
    pub(crate) fn parse(arguments: &[String]) -> Option<Result<Plan, String>> {
        let own = ["--calls", "--seed", "--children"];
        if !arguments.iter().any(|argument| own.contains(&argument.as_str())) {
            return None;
        }
        let mut plan = Plan::default();
        for pair in arguments.chunks(2) {
            let number = pair.get(1).and_then(|text| text.parse::<u64>().ok());
            match (pair[0].as_str(), number) {
                ("--calls", Some(number)) => plan.calls = number,
                ("--seed", Some(number)) => plan.seed = number,
                ("--children", Some(number @ 1..)) => plan.children = (number as usize).min(MOST),
                (option, _) => return Some(Err(format!("{option} and what follows it make no sense"))),
            }
        }
        Some(Ok(plan))
    }
}

/// Children at a time, at most.
pub(crate) const MOST: usize = 32;

/// What the children tell, in memory shared with them.
pub(crate) struct Progress {
    /// Calls made by each.
    pub(crate) calls: [AtomicU64; MOST],
    /// The call each is in: its number and six arguments.
    pub(crate) current: [[AtomicU64; 7]; MOST],
}

/// Where that is: far from all else, so that no call that writes too much for its buffer gets there.
const PROGRESS: usize = 0x1357_9bdf_5000;

/// How long a child may stay in one call. Its own timer interrupts most before.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a killed child may take to be gone.
const DEADLINE: Duration = Duration::from_secs(20);

/// How often what dead children left behind is cleared away.
const SWEEP: Duration = Duration::from_millis(250);

/// One place for a child.
struct Place {
    pid: i32,
    generation: u64,
    seen: u64,
    since: Duration,
    killed: Option<Duration>,
}

/// Runs a plan. What came of it, or what went wrong.
pub(crate) fn run(plan: &Plan) -> Result<String, String> {
    let scratch = Scratch::enter();
    let program = elf::program(&elf::exit_code(0));
    let progress = Progress {
        calls: [const { AtomicU64::new(0) }; MOST],
        current: [const { [const { AtomicU64::new(0) }; 7] }; MOST],
    };
    let progress = Shared::at(PROGRESS, progress);
    let start = |number: usize, generation: u64| {
        child::prepare(scratch.path(), &program);
        let seed = plan.seed ^ (number as u64) << 56 ^ generation << 32;
        Place {
            pid: process::fork(|| child::run(&progress, number, seed)).pid,
            generation,
            seen: progress.calls[number].load(Relaxed),
            since: time::monotonic(),
            killed: None,
        }
    };
    // What children leave behind when they die comes to us, not to init.
    // SAFETY: takes no pointers.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
    let mut ends = BTreeMap::new();
    let mut places: Vec<Place> = (0..plan.children).map(|number| start(number, 0)).collect();
    let total = || progress.calls.iter().map(|calls| calls.load(Relaxed)).sum::<u64>();
    let mut swept = time::monotonic();
    while total() < plan.calls {
        time::sleep(Duration::from_millis(2));
        if time::monotonic() - swept > SWEEP {
            sweep(&places);
            swept = time::monotonic();
        }
        for (number, place) in places.iter_mut().enumerate() {
            if let Some(status) = process::try_wait(place.pid) {
                *ends.entry(end(status)).or_insert(0) += 1;
                *place = start(number, place.generation + 1);
            } else {
                look_after(place, &progress, number)?;
            }
        }
    }
    for place in &places {
        let _ = process::kill(place.pid, libc::SIGKILL);
    }
    for (number, place) in places.iter_mut().enumerate() {
        place.killed = Some(time::monotonic());
        while process::try_wait(place.pid).is_none() {
            look_after(place, &progress, number)?;
            time::sleep(Duration::from_millis(1));
        }
    }
    let deadline = time::monotonic() + DEADLINE;
    while sweep(&[]) > 0 {
        if time::monotonic() > deadline {
            return Err("what the children left behind cannot be killed".to_owned());
        }
        time::sleep(Duration::from_millis(1));
    }
    // Still alive: a process can be made and ends as it should.
    process::fork(|| 0).succeed();
    let ends: Vec<String> = ends.iter().map(|(end, times)| format!("{end} {times}")).collect();
    Ok(format!("{} calls; children ended: {}", total(), ends.join(", ")))
}

/// Kills and awaits the processes that dead children left behind; returns how many there were.
fn sweep(places: &[Place]) -> usize {
    let own = std::process::id().to_string();
    let mut found = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let stat = std::fs::read(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold anything: state and parent.
        let Some(at) = stat.iter().rposition(|&byte| byte == b')') else { continue };
        let parent = String::from_utf8_lossy(&stat[at..]).split(' ').nth(2).unwrap_or_default().to_owned();
        if parent == own && places.iter().all(|place| place.pid != pid) {
            found += 1;
            let _ = process::kill(pid, libc::SIGKILL);
            let mut status = 0;
            // SAFETY: `status` outlives the call.
            unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG | libc::__WALL) };
        }
    }
    found
}

/// Kills a child that has been in one call for too long.
fn look_after(place: &mut Place, progress: &Progress, number: usize) -> Result<(), String> {
    let (now, calls) = (time::monotonic(), progress.calls[number].load(Relaxed));
    match place.killed {
        Some(when) if now - when > DEADLINE => {
            let current = progress.current[number].each_ref().map(|word| word.load(Relaxed));
            return Err(format!("child {} cannot be killed in system call {current:x?}", place.pid));
        }
        Some(_) => {}
        None if calls != place.seen => {
            place.seen = calls;
            place.since = now;
        }
        None if now - place.since > PATIENCE => {
            let _ = process::kill(place.pid, libc::SIGKILL);
            place.killed = Some(now);
        }
        None => {}
    }
    Ok(())
}

/// The end of a child, in a word.
fn end(status: Status) -> String {
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => "exit".to_owned(),
    }
}
