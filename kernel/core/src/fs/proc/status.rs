//! What /proc tells of a task itself: stat, status, comm, limits.
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use tollgate_abi::Result;
use tollgate_abi::process::{RLIM_INFINITY, Resource};

use super::memory;
use super::process::Subject;
use super::system::TICK_NS;
use crate::arch::percpu;
use crate::mm::PAGE_SIZE;
use crate::sync::Sleep;
use crate::task::usage::Usage;
use crate::task::{Task, Tid, signal, tree};
use crate::tty;

/// /proc/PID/comm.
pub(super) fn comm(subject: &Subject) -> Result<Vec<u8>> {
    let mut name = name_of(&*subject.task()?);
    name.push(b'\n');
    Ok(name)
}

fn name_of(task: &Task) -> Vec<u8> {
    let name = *task.name.lock();
    name.split(|&b| b == 0).next().unwrap_or_default().to_vec()
}

/// State letter and its meaning.
fn state(subject: &Subject, task: &Task) -> (char, &'static str) {
    let zombie = subject.is_process() && task.process.is_zombie(&tree::lock())
        || task.exited.load(core::sync::atomic::Ordering::Acquire);
    if zombie {
        ('Z', "zombie")
    } else if signal::is_stopped(&task.process) {
        ('T', "stopped")
    } else {
        match task.sched.sleeping() {
            None => ('R', "running"),
            Some(Sleep::Interruptible) => ('S', "sleeping"),
            Some(Sleep::Killable | Sleep::Uninterruptible) => ('D', "disk sleep"),
        }
    }
}

/// Where a task stands among processes.
struct Family {
    parent: Tid,
    group: Tid,
    session: Tid,
    terminal: u64,
    foreground: Tid,
    children: Usage,
}

fn family(task: &Task) -> Family {
    let process = &task.process;
    let session = process.session();
    let (terminal, foreground) = tty::of_session(&session);
    let children = Usage::of_children(process, &tree::lock());
    Family {
        parent: process.parent_pid(),
        group: process.group().id,
        session: session.id,
        terminal,
        foreground,
        children,
    }
}

/// /proc/PID/stat: 52 numbers (and a name), as proc_pid_stat(5) counts them.
pub(super) fn stat(subject: &Subject) -> Result<Vec<u8>> {
    let task = subject.task()?;
    let process = &task.process;
    let Family { parent, group, session, terminal, foreground, children } = family(&task);
    let used = if subject.is_process() { Usage::of_process(process) } else { Usage::of_task(&task) };
    let memory = memory::usage(subject).unwrap_or_default();
    let program = process.program();
    let program = program.as_deref();
    let code = program.map_or(0..0, |program| program.code.start.0..program.code.end.0);
    let arguments = program.map_or(0..0, |program| program.arguments.start.0..program.arguments.end.0);
    let environment = program.map_or(0..0, |program| program.environment.start.0..program.environment.end.0);
    let sets = signal::sets(&task);
    let ticks = |ns: u64| ns / TICK_NS;
    let mut out = format!("{} (", number(subject, &task)).into_bytes();
    out.extend_from_slice(&name_of(&task));
    let nice = task.sched.nice();
    let fields = [
        u64::from(state(subject, &task).0 as u32), // Printed as a letter below.
        parent as u64,
        group as u64,
        session as u64,
        terminal,
        foreground as i64 as u64,
        0, // Kernel flags.
        used.minor_faults,
        children.minor_faults,
        0,
        0,
        ticks(used.user_ns),
        ticks(used.kernel_ns),
        ticks(children.user_ns),
        ticks(children.kernel_ns),
        (20 + nice) as u64,
        i64::from(nice) as u64,
        process.thread_count() as u64,
        0,
        ticks(if subject.is_process() { process.start_ns } else { task.start_ns }),
        memory.size,
        (memory.resident_anonymous + memory.resident_object) / PAGE_SIZE as u64,
        RLIM_INFINITY,
        code.start,
        code.end,
        program.map_or(0, |program| program.stack_start.0),
        0, // Stack pointer and program counter are told of exiting tasks only.
        0,
        sets.private.with(sets.shared).0 & 0x7fff_ffff,
        sets.blocked.0 & 0x7fff_ffff,
        sets.ignored.0 & 0x7fff_ffff,
        sets.caught.0 & 0x7fff_ffff,
        0,
        0,
        0,
        17, // The parent gets SIGCHLD.
        task.sched.cpu() as u64,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        memory.brk.0,
        arguments.start,
        arguments.end,
        environment.start,
        environment.end,
        0,
    ];
    out.extend_from_slice(b")");
    for (at, field) in fields.into_iter().enumerate() {
        let text = match at {
            0 => format!(" {}", field as u8 as char),
            // Foreground group and niceness can be negative.
            5 | 16 => format!(" {}", field as i64),
            _ => format!(" {field}"),
        };
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'\n');
    Ok(out)
}

/// The number shown: the process's, or the thread's own.
fn number(subject: &Subject, task: &Task) -> Tid {
    if subject.is_process() { task.process.pid } else { task.tid() }
}

/// /proc/PID/status.
pub(super) fn status(subject: &Subject) -> Result<Vec<u8>> {
    let task = subject.task()?;
    let process = &task.process;
    let (letter, meaning) = state(subject, &task);
    let creds = task.creds();
    let files = task.files.lock().clone();
    let sets = signal::sets(&task);
    let name = name_of(&task);
    let mut out = String::new();
    let mut row = |name: &str, value: core::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{name}:\t{value}");
    };
    row("Name", format_args!("{}", name.escape_ascii()));
    if let Some(fs) = task.fs.lock().clone() {
        row("Umask", format_args!("{:04o}", fs.umask()));
    }
    row("State", format_args!("{letter} ({meaning})"));
    row("Tgid", format_args!("{}", process.pid));
    row("Ngid", format_args!("0"));
    row("Pid", format_args!("{}", number(subject, &task)));
    row("PPid", format_args!("{}", process.parent_pid()));
    row("TracerPid", format_args!("0"));
    row("Uid", format_args!("{}\t{}\t{}\t{}", creds.uid, creds.euid, creds.suid, creds.fsuid));
    row("Gid", format_args!("{}\t{}\t{}\t{}", creds.gid, creds.egid, creds.sgid, creds.fsgid));
    row("FDSize", format_args!("{}", files.map_or(0, |files| files.capacity())));
    let groups: Vec<String> = creds.groups.iter().map(|gid| format!("{gid} ")).collect();
    row("Groups", format_args!("{}", groups.concat()));
    if let Some(usage) = memory::usage(subject) {
        let mut size = |name: &str, bytes: u64| row(name, format_args!("{:>8} kB", bytes / 1024));
        size("VmPeak", usage.peak_size);
        size("VmSize", usage.size);
        size("VmLck", usage.locked);
        size("VmHWM", usage.peak_resident);
        size("VmRSS", usage.resident_anonymous + usage.resident_object);
        size("RssAnon", usage.resident_anonymous);
        size("RssFile", usage.resident_object);
        size("VmData", usage.data);
        size("VmStk", usage.stack);
        size("VmPTE", usage.tables);
        size("VmSwap", 0);
    }
    row("Threads", format_args!("{}", process.thread_count()));
    row("SigPnd", format_args!("{:016x}", sets.private.0));
    row("ShdPnd", format_args!("{:016x}", sets.shared.0));
    row("SigBlk", format_args!("{:016x}", sets.blocked.0));
    row("SigIgn", format_args!("{:016x}", sets.ignored.0));
    row("SigCgt", format_args!("{:016x}", sets.caught.0));
    let no_new_privileges = task.no_new_privs.load(core::sync::atomic::Ordering::Relaxed);
    row("NoNewPrivs", format_args!("{}", u8::from(no_new_privileges)));
    let present = u64::MAX >> (64 - percpu::cpu_count());
    let allowed = task.sched.affinity() & present;
    row("Cpus_allowed", format_args!("{allowed:x}"));
    row("Cpus_allowed_list", format_args!("{}", ranges(allowed)));
    let used = Usage::of_task(&task);
    row("voluntary_ctxt_switches", format_args!("{}", used.voluntary_switches));
    row("nonvoluntary_ctxt_switches", format_args!("{}", used.involuntary_switches));
    Ok(out.into_bytes())
}

/// The numbers of the bits in `mask`, runs of them joined: `0-3,5`.
fn ranges(mask: u64) -> String {
    let is_set = |bit: u32| bit < 64 && mask & 1 << bit != 0;
    let mut out = String::new();
    let mut bit = 0;
    while bit < 64 {
        if is_set(bit) {
            let first = bit;
            while is_set(bit + 1) {
                bit += 1;
            }
            let comma = if out.is_empty() { "" } else { "," };
            let _ = if first == bit { write!(out, "{comma}{first}") } else { write!(out, "{comma}{first}-{bit}") };
        }
        bit += 1;
    }
    out
}

/// /proc/PID/limits.
pub(super) fn limits(subject: &Subject) -> Result<Vec<u8>> {
    let process = subject.get()?;
    let mut out = format!("{:<26}{:<21}{:<21}{:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    let value = |limit: u64| if limit == RLIM_INFINITY { String::from("unlimited") } else { format!("{limit}") };
    for (name, resource, unit) in [
        ("Max cpu time", Resource::Cpu, "seconds"),
        ("Max file size", Resource::FileSize, "bytes"),
        ("Max data size", Resource::Data, "bytes"),
        ("Max stack size", Resource::Stack, "bytes"),
        ("Max core file size", Resource::Core, "bytes"),
        ("Max resident set", Resource::Rss, "bytes"),
        ("Max processes", Resource::Processes, "processes"),
        ("Max open files", Resource::OpenFiles, "files"),
        ("Max locked memory", Resource::LockedMemory, "bytes"),
        ("Max address space", Resource::AddressSpace, "bytes"),
        ("Max file locks", Resource::Locks, "locks"),
        ("Max pending signals", Resource::PendingSignals, "signals"),
        ("Max msgqueue size", Resource::MessageQueues, "bytes"),
        ("Max nice priority", Resource::Nice, ""),
        ("Max realtime priority", Resource::RealtimePriority, ""),
        ("Max realtime timeout", Resource::RealtimeTime, "us"),
    ] {
        let limit = process.limits.get(resource);
        let _ = writeln!(out, "{name:<26}{:<21}{:<21}{unit:<10}", value(limit.soft), value(limit.hard));
    }
    Ok(out.into_bytes())
}
