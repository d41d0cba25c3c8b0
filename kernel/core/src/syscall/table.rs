//! The table: every system call of the kernel, one row each.
use core::fmt;

use tollgate_abi::mm::{Advice, MlockFlags, MlockallFlags, MremapFlags, MsyncFlags, Prot};
use tollgate_abi::signal::{SigAction, SigEvent, SigStack};
use tollgate_abi::time::{ITimerSpec, ITimerVal, TimeSpec, TimeVal, TimeZone};

use super::args::Fd;
use super::{mm, signal, time, timer};
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

    // ---- processes (syscall/process.rs) ----

    // ---- threads, futexes, scheduling (syscall/thread.rs) ----

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

    // ---- IA-64 numbers (trace/) ----
    1215 => getunwind(buf: UserPtr<u8>, buf_size: usize) = getunwind::getunwind;
}
