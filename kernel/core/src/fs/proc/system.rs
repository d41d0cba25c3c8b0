//! What /proc tells of the system as a whole.
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::{Fixed, Kind, text};
use crate::arch::{clock, cpu, percpu};
use crate::fs::Follow;
use crate::mm::{PAGE_SIZE, frame};
use crate::syscall::system as names;
use crate::task::usage::Usage;
use crate::task::{self, tree};

/// Clock ticks per second in what /proc shows (USER_HZ).
pub(super) const TICKS: u64 = 100;
/// Nanoseconds in one of them.
pub(super) const TICK_NS: u64 = 1_000_000_000 / TICKS;

/// The files of /proc that are not processes'.
pub(super) const ROOT: Fixed = Fixed(&[
    ("cpuinfo", || text(cpuinfo)),
    ("filesystems", || text(|| b"nodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\n".to_vec())),
    ("loadavg", || text(loadavg)),
    ("meminfo", || text(meminfo)),
    ("mounts", || link(|| b"self/mounts".as_slice().into())),
    ("self", || link(|| format!("{}", task::current().process.pid).into_bytes().into())),
    ("stat", || text(stat)),
    ("sys", || directory(&SYS)),
    ("thread-self", || link(thread_self)),
    ("tollgate", || directory(&TOLLGATE)),
    ("uptime", || text(uptime)),
    ("version", || text(version)),
]);

const SYS: Fixed =
    Fixed(&[("fs", || directory(&SYS_FS)), ("kernel", || directory(&SYS_KERNEL)), ("vm", || directory(&SYS_VM))]);
const SYS_FS: Fixed = Fixed(&[
    ("file-max", || text(|| line(crate::fs::table::MAX_DESCRIPTORS))),
    ("nr_open", || text(|| line(crate::fs::table::MAX_DESCRIPTORS))),
    ("pipe-max-size", || text(|| line(crate::fs::pipe::MAX_CAPACITY))),
]);
const SYS_KERNEL: Fixed = Fixed(&[
    ("hostname", || text(|| line(String::from_utf8_lossy(&names::host_name())))),
    ("osrelease", || text(|| line(names::RELEASE))),
    ("ostype", || text(|| line("Linux"))),
    ("pid_max", || text(|| line(tree::PID_MAX))),
    ("random", || directory(&SYS_RANDOM)),
    ("threads-max", || text(|| line(tree::PID_MAX))),
    ("version", || text(|| line(names::VERSION))),
]);
const SYS_RANDOM: Fixed = Fixed(&[("boot_id", || text(boot_id)), ("uuid", || text(uuid))]);
const SYS_VM: Fixed = Fixed(&[("overcommit_memory", || text(|| line(0)))]);
const TOLLGATE: Fixed = Fixed(&[("frames", || text(frames))]);

fn directory(fixed: &'static Fixed) -> Kind {
    Kind::Directory(Box::new(Fixed(fixed.0)))
}

fn link(target: fn() -> Box<[u8]>) -> Kind {
    Kind::Link(Box::new(move || Ok(Follow::Text(target()))))
}

fn line(value: impl core::fmt::Display) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn thread_self() -> Box<[u8]> {
    let task = task::current();
    format!("{}/task/{}", task.process.pid, task.tid()).into_bytes().into()
}

/// Exact counts for leak checks: frames the allocator manages, frames in use, tasks that exist.
fn frames() -> Vec<u8> {
    let frame::Stats { total, used } = frame::stats();
    let tasks = tree::lock().task_count();
    format!("total {total}\nused {used}\ntasks {tasks}\n").into_bytes()
}

fn meminfo() -> Vec<u8> {
    let stats = frame::stats();
    let kib = |frames: usize| frames * PAGE_SIZE / 1024;
    let (total, free) = (kib(stats.total), kib(stats.total - stats.used));
    let rows = [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", 0),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("Shmem", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
    ];
    let mut out = String::new();
    for (name, value) in rows {
        let _ = writeln!(out, "{:<15} {value:>8} kB", format!("{name}:"));
    }
    out.into_bytes()
}

/// What all processes, dead ones too, have used: reaped ones count with their parents.
fn total_usage() -> Usage {
    let tree = tree::lock();
    let mut sum = Usage::default();
    for process in tree.processes() {
        sum.add(&Usage::of_process(process));
        sum.add(&Usage::of_children(process, &tree));
    }
    sum
}

/// Idle time of all CPUs together: what is left of the time since boot.
fn idle_ns(used: &Usage) -> u64 {
    (clock::now_ns() * percpu::cpu_count() as u64).saturating_sub(used.user_ns + used.kernel_ns)
}

fn uptime() -> Vec<u8> {
    let hundredths = |ns: u64| format!("{}.{:02}", ns / 1_000_000_000, ns / 10_000_000 % 100);
    format!("{} {}\n", hundredths(clock::now_ns()), hundredths(idle_ns(&total_usage()))).into_bytes()
}

/// Load is not averaged over time here: what is shown is the number of tasks that run right now.
fn loadavg() -> Vec<u8> {
    let (running, _) = running_and_total();
    let tree = tree::lock();
    let (total, last) = (tree.task_count(), tree.last_pid());
    drop(tree);
    format!("{running}.00 {running}.00 {running}.00 {running}/{total} {last}\n").into_bytes()
}

fn running_and_total() -> (usize, usize) {
    let tree = tree::lock();
    let (mut running, mut total) = (0, 0);
    for process in tree.processes() {
        process.with_threads(|threads| {
            total += threads.len();
            running += threads.iter().filter(|task| task.sched.sleeping().is_none()).count();
        });
    }
    (running, total)
}

fn stat() -> Vec<u8> {
    let used = total_usage();
    let cpus = percpu::cpu_count() as u64;
    let mut out = String::new();
    let mut row = |name: &str, share: u64| {
        let ticks = |ns: u64| ns / TICK_NS / share;
        let _ = writeln!(
            out,
            "cpu{name} {} 0 {} {} 0 0 0 0 0 0",
            ticks(used.user_ns),
            ticks(used.kernel_ns),
            ticks(idle_ns(&used))
        );
    };
    row(" ", 1);
    // Time is accounted per task: of one CPU only its even share is known.
    for cpu in 0..cpus {
        row(&format!("{cpu}"), cpus);
    }
    let (running, _) = running_and_total();
    let _ = writeln!(out, "intr 0");
    let _ = writeln!(out, "ctxt {}", used.voluntary_switches + used.involuntary_switches);
    let _ = writeln!(out, "btime {}", clock::boot_unix_ns() / 1_000_000_000);
    let _ = writeln!(out, "processes {}", tree::lock().last_pid());
    let _ = writeln!(out, "procs_running {running}\nprocs_blocked 0");
    out.into_bytes()
}

fn version() -> Vec<u8> {
    line(format_args!("Linux version {} {}", names::RELEASE, names::VERSION))
}

/// The CPU's name and features, once per CPU: they are all alike.
fn cpuinfo() -> Vec<u8> {
    let word = |value: u32| value.to_le_bytes();
    let (_, b, c, d) = cpu::cpuid(0, 0);
    let vendor = [word(b), word(d), word(c)].concat();
    let mut model_name = Vec::new();
    if cpu::cpuid(0x8000_0000, 0).0 >= 0x8000_0004 {
        for leaf in 0x8000_0002..=0x8000_0004 {
            let (a, b, c, d) = cpu::cpuid(leaf, 0);
            model_name.extend([word(a), word(b), word(c), word(d)].concat());
        }
    }
    let model_name = String::from_utf8_lossy(&model_name);
    let model_name = model_name.trim_matches(|c: char| c == '\0' || c == ' ');
    let (signature, _, features_c, features_d) = cpu::cpuid(1, 0);
    let base_family = signature >> 8 & 0xf;
    let family = base_family + if base_family == 0xf { signature >> 20 & 0xff } else { 0 };
    let extended = if matches!(base_family, 0x6 | 0xf) { signature >> 12 & 0xf0 } else { 0 };
    let model = signature >> 4 & 0xf | extended;
    let mut flags = String::new();
    for (register, names) in [(features_d, &FLAGS_D[..]), (features_c, &FLAGS_C[..])] {
        for (bit, name) in names.iter().filter(|(bit, _)| register & 1 << bit != 0) {
            let _ = (bit, write!(flags, " {name}"));
        }
    }
    let mhz = clock::tsc_hz() / 1_000_000;
    let mut out = String::new();
    for cpu in 0..percpu::cpu_count() {
        let _ = writeln!(
            out,
            "processor\t: {cpu}\nvendor_id\t: {}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {model_name}\n\
             stepping\t: {}\ncpu MHz\t\t: {mhz}.000\nphysical id\t: 0\ncore id\t\t: {cpu}\nfpu\t\t: yes\n\
             flags\t\t:{flags}\nbogomips\t: {}.00\n",
            String::from_utf8_lossy(&vendor),
            signature & 0xf,
            2 * mhz,
        );
    }
    out.into_bytes()
}

/// Feature bits of CPUID leaf 1, EDX, by the names Linux gives them.
const FLAGS_D: [(u32, &str); 18] = [
    (0, "fpu"),
    (3, "pse"),
    (4, "tsc"),
    (5, "msr"),
    (6, "pae"),
    (8, "cx8"),
    (9, "apic"),
    (11, "sep"),
    (12, "mtrr"),
    (13, "pge"),
    (15, "cmov"),
    (16, "pat"),
    (19, "clflush"),
    (23, "mmx"),
    (24, "fxsr"),
    (25, "sse"),
    (26, "sse2"),
    (28, "ht"),
];
/// Those of ECX.
const FLAGS_C: [(u32, &str); 14] = [
    (0, "pni"),
    (1, "pclmulqdq"),
    (9, "ssse3"),
    (12, "fma"),
    (13, "cx16"),
    (19, "sse4_1"),
    (20, "sse4_2"),
    (22, "movbe"),
    (23, "popcnt"),
    (25, "aes"),
    (26, "xsave"),
    (28, "avx"),
    (29, "f16c"),
    (30, "rdrand"),
];

/// A random UUID (version 4), as text.
fn uuid() -> Vec<u8> {
    let mut bytes = [0; 16];
    crate::fs::devices::random::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(out, "{dash}{byte:02x}");
    }
    out.push('\n');
    out.into_bytes()
}

/// The UUID of this boot.
fn boot_id() -> Vec<u8> {
    static ID: crate::sync::Once<Vec<u8>> = crate::sync::Once::new();
    ID.call_once(uuid).clone()
}
