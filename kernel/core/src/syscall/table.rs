//! The table: every system call of the kernel, one row each.
use core::fmt;

use tollgate_abi::mm::{Advice, MlockFlags, MlockallFlags, MremapFlags, MsyncFlags, Prot};
use tollgate_abi::process::{CloneArgs, Rlimit, Rusage, SysInfo, Tms, UtsName, WaitOptions};
use tollgate_abi::signal::{SigAction, SigEvent, SigInfo, SigStack};
use tollgate_abi::time::{ITimerSpec, ITimerVal, TimeSpec, TimeVal, TimeZone};

use super::args::Fd;
use super::{futex, ids, mm, process, sched, signal, system, thread, time, timer, usage};
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task;
use crate::trace::getunwind;

/// A row of the table, for those who print calls.
pub struct Description {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// Prints name and arguments.
    pub print: fn(&[u64; 6], &mut fmt::Formatter<'_>) -> fmt::Result,
}

// `NUMBER => name(arg: Type, ...) = handler;`, in blocks by family and there by number.
syscalls! {
    // ---- files (syscall/file.rs, dir.rs, poll.rs, mount.rs) ----

    // ---- memory (syscall/mm.rs) ----
    9 => mmap(addr: UserAddr, len: u64, prot: Prot, flags: mm::MmapArg, fd: Fd, offset: u64) = mm::mmap;
    10 => mprotect(addr: UserAddr, len: u64, prot: Prot) = mm::mprotect;
    11 => munmap(addr: UserAddr, len: u64) = mm::munmap;
    12 => brk(end: UserAddr) = mm::brk;
    25 => mremap(addr: UserAddr, old_len: u64, new_len: u64, flags: MremapFlags, target: UserAddr) = mm::mremap;
    26 => msync(addr: UserAddr, len: u64, flags: MsyncFlags) = mm::msync;
    27 => mincore(addr: UserAddr, len: u64, vector: UserAddr) = mm::mincore;
    28 => madvise(addr: UserAddr, len: u64, advice: Advice) = mm::madvise;
    149 => mlock(addr: UserAddr, len: u64) = mm::mlock;
    150 => munlock(addr: UserAddr, len: u64) = mm::munlock;
    151 => mlockall(flags: MlockallFlags) = mm::mlockall;
    152 => munlockall() = mm::munlockall;
    325 => mlock2(addr: UserAddr, len: u64, flags: MlockFlags) = mm::mlock2;

    // ---- signals (syscall/signal.rs) ----
    13 => rt_sigaction(signal: i32, new: UserPtr<SigAction>, old: UserPtr<SigAction>, size: usize) = signal::sigaction;
    14 => rt_sigprocmask(how: i32, new: UserPtr<u64>, old: UserPtr<u64>, size: usize) = signal::sigprocmask;
    15 => rt_sigreturn() = signal::sigreturn;
    34 => pause() = task::signal::pause;
    62 => kill(pid: i32, signal: i32) = signal::kill;
    127 => rt_sigpending(set: UserPtr<u64>, size: usize) = signal::sigpending;
    128 => rt_sigtimedwait(set: UserPtr<u64>, info: UserAddr, timeout: UserPtr<TimeSpec>, size: usize) = signal::sigtimedwait;
    129 => rt_sigqueueinfo(pid: i32, signal: i32, info: UserAddr) = signal::sigqueueinfo;
    130 => rt_sigsuspend(mask: UserPtr<u64>, size: usize) = signal::sigsuspend;
    131 => sigaltstack(new: UserPtr<SigStack>, old: UserPtr<SigStack>) = signal::sigaltstack;
    200 => tkill(tid: i32, signal: i32) = signal::tkill;
    219 => restart_syscall() = task::signal::restart;
    234 => tgkill(pid: i32, tid: i32, signal: i32) = signal::tgkill;
    297 => rt_tgsigqueueinfo(pid: i32, tid: i32, signal: i32, info: UserAddr) = signal::tgsigqueueinfo;

    // ---- processes (syscall/process.rs, ids.rs, usage.rs) ----
    39 => getpid() = ids::getpid;
    56 => clone(flags: u64, stack: u64, parent_tid: UserPtr<i32>, child_tid: UserAddr, tls: u64)
        = process::clone;
    57 => fork() = process::fork;
    58 => vfork() = process::vfork;
    59 => execve(path: UserAddr, argv: UserPtr<u64>, envp: UserPtr<u64>) = process::execve;
    60 => exit(code: i32) = process::exit;
    61 => wait4(pid: i32, status: UserPtr<u32>, options: WaitOptions, usage: UserPtr<Rusage>) = process::wait4;
    97 => getrlimit(resource: u32, limit: UserPtr<Rlimit>) = usage::getrlimit;
    98 => getrusage(who: i32, usage: UserPtr<Rusage>) = usage::getrusage;
    100 => times(times: UserPtr<Tms>) = usage::times;
    102 => getuid() = ids::getuid;
    104 => getgid() = ids::getgid;
    105 => setuid(uid: u32) = ids::setuid;
    106 => setgid(gid: u32) = ids::setgid;
    107 => geteuid() = ids::geteuid;
    108 => getegid() = ids::getegid;
    109 => setpgid(pid: i32, pgid: i32) = ids::setpgid;
    110 => getppid() = ids::getppid;
    111 => getpgrp() = ids::getpgrp;
    112 => setsid() = ids::setsid;
    113 => setreuid(real: u32, effective: u32) = ids::setreuid;
    114 => setregid(real: u32, effective: u32) = ids::setregid;
    115 => getgroups(size: i32, list: UserPtr<u32>) = ids::getgroups;
    116 => setgroups(size: usize, list: UserPtr<u32>) = ids::setgroups;
    117 => setresuid(real: u32, effective: u32, saved: u32) = ids::setresuid;
    118 => getresuid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) = ids::getresuid;
    119 => setresgid(real: u32, effective: u32, saved: u32) = ids::setresgid;
    120 => getresgid(real: UserPtr<u32>, effective: UserPtr<u32>, saved: UserPtr<u32>) = ids::getresgid;
    121 => getpgid(pid: i32) = ids::getpgid;
    122 => setfsuid(uid: u32) = ids::setfsuid;
    123 => setfsgid(gid: u32) = ids::setfsgid;
    124 => getsid(pid: i32) = ids::getsid;
    160 => setrlimit(resource: u32, limit: UserPtr<Rlimit>) = usage::setrlimit;
    186 => gettid() = ids::gettid;
    231 => exit_group(code: i32) = process::exit_group;
    247 => waitid(kind: i32, id: i32, info: UserPtr<SigInfo>, options: WaitOptions, usage: UserPtr<Rusage>)
        = process::waitid;
    272 => unshare(flags: u64) = process::unshare;
    302 => prlimit64(pid: i32, resource: u32, new: UserPtr<Rlimit>, old: UserPtr<Rlimit>) = usage::prlimit64;
    322 => execveat(dirfd: Fd, path: UserAddr, argv: UserPtr<u64>, envp: UserPtr<u64>, flags: u32)
        = process::execveat;
    435 => clone3(args: UserPtr<CloneArgs>, size: usize) = process::clone3;

    // ---- threads, futexes, scheduling (syscall/thread.rs, futex.rs, sched.rs) ----
    24 => sched_yield() = sched::sched_yield;
    135 => personality(persona: u32) = thread::personality;
    140 => getpriority(which: i32, who: i32) = sched::getpriority;
    141 => setpriority(which: i32, who: i32, nice: i32) = sched::setpriority;
    142 => sched_setparam(tid: i32, parameters: UserPtr<i32>) = sched::sched_setparam;
    143 => sched_getparam(tid: i32, parameters: UserPtr<i32>) = sched::sched_getparam;
    144 => sched_setscheduler(tid: i32, policy: i32, parameters: UserPtr<i32>) = sched::sched_setscheduler;
    145 => sched_getscheduler(tid: i32) = sched::sched_getscheduler;
    146 => sched_get_priority_max(policy: i32) = sched::sched_get_priority_max;
    147 => sched_get_priority_min(policy: i32) = sched::sched_get_priority_min;
    148 => sched_rr_get_interval(tid: i32, interval: UserPtr<TimeSpec>) = sched::sched_rr_get_interval;
    157 => prctl(operation: i32, a: u64, b: u64, c: u64, d: u64) = thread::prctl;
    158 => arch_prctl(operation: i32, addr: UserAddr) = thread::arch_prctl;
    202 => futex(addr: UserAddr, operation: u32, value: u32, timeout: u64, second: UserAddr, third: u32)
        = futex::futex;
    203 => sched_setaffinity(tid: i32, len: usize, mask: UserAddr) = sched::sched_setaffinity;
    204 => sched_getaffinity(tid: i32, len: usize, mask: UserAddr) = sched::sched_getaffinity;
    218 => set_tid_address(addr: UserAddr) = thread::set_tid_address;
    273 => set_robust_list(head: UserAddr, len: usize) = futex::set_robust_list;
    274 => get_robust_list(tid: i32, head: UserPtr<u64>, len: UserPtr<u64>) = futex::get_robust_list;
    309 => getcpu(cpu: UserPtr<u32>, node: UserPtr<u32>) = sched::getcpu;
    324 => membarrier(command: i32, flags: u32, cpu: i32) = sched::membarrier;

    // ---- time (syscall/time.rs, timer.rs) ----
    35 => nanosleep(duration: UserPtr<TimeSpec>, remaining: UserPtr<TimeSpec>) = time::nanosleep;
    36 => getitimer(which: i32, setting: UserPtr<ITimerVal>) = timer::getitimer;
    37 => alarm(seconds: u32) = timer::alarm;
    38 => setitimer(which: i32, new: UserPtr<ITimerVal>, old: UserPtr<ITimerVal>) = timer::setitimer;
    96 => gettimeofday(time: UserPtr<TimeVal>, zone: UserPtr<TimeZone>) = time::gettimeofday;
    164 => settimeofday(time: UserPtr<TimeVal>, zone: UserPtr<TimeZone>) = time::settimeofday;
    201 => time(to: UserPtr<i64>) = time::time;
    222 => timer_create(clock: i32, event: UserPtr<SigEvent>, id: UserPtr<i32>) = timer::timer_create;
    223 => timer_settime(id: i32, flags: i32, new: UserPtr<ITimerSpec>, old: UserPtr<ITimerSpec>) = timer::timer_settime;
    224 => timer_gettime(id: i32, setting: UserPtr<ITimerSpec>) = timer::timer_gettime;
    225 => timer_getoverrun(id: i32) = timer::timer_getoverrun;
    226 => timer_delete(id: i32) = timer::timer_delete;
    227 => clock_settime(clock: i32, time: UserPtr<TimeSpec>) = time::clock_settime;
    228 => clock_gettime(clock: i32, time: UserPtr<TimeSpec>) = time::clock_gettime;
    229 => clock_getres(clock: i32, resolution: UserPtr<TimeSpec>) = time::clock_getres;
    230 => clock_nanosleep(clock: i32, flags: i32, time: UserPtr<TimeSpec>, remaining: UserPtr<TimeSpec>) = time::clock_nanosleep;

    // ---- the system (syscall/system.rs) ----
    63 => uname(name: UserPtr<UtsName>) = system::uname;
    99 => sysinfo(info: UserPtr<SysInfo>) = system::sysinfo;
    169 => reboot(magic1: u32, magic2: u32, command: u32) = system::reboot;
    170 => sethostname(name: UserAddr, len: i32) = system::sethostname;
    171 => setdomainname(name: UserAddr, len: i32) = system::setdomainname;

    // ---- IA-64 numbers (trace/) ----
    1215 => getunwind(buf: UserPtr<u8>, buf_size: usize) = getunwind::getunwind;
}
