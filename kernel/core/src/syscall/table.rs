//! The table: every system call of the kernel, one row each.
use core::fmt;

use tollgate_abi::fs::{
    AccessMode, AtFlags, CloseRangeFlags, DupFlags, IoVec, MemfdFlags, MountFlags, OpenFlags, PipeFlags, PollFd,
    RandomFlags, RenameFlags, Stat, Statfs, Statx, UmountFlags,
};
use tollgate_abi::mm::{Advice, MlockFlags, MlockallFlags, MremapFlags, MsyncFlags, Prot};
use tollgate_abi::process::{CloneArgs, Rlimit, Rusage, SysInfo, Tms, UtsName, WaitOptions};
use tollgate_abi::signal::{SigAction, SigEvent, SigInfo, SigStack};
use tollgate_abi::socket::{MessageFlags, MessageHeader};
use tollgate_abi::time::{ITimerSpec, ITimerVal, TimeSpec, TimeVal, TimeZone};

use super::args::Fd;
use super::{
    dir, fd, file, futex, ids, mm, mount, poll, process, sched, signal, socket, stat, system, thread, time, timer,
    usage,
};
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::task;
use crate::trace::getunwind;

/// A row of the table, for those who print calls.
pub struct Description {
    /// Prints name and arguments.
    pub print: fn(&[u64; 6], &mut fmt::Formatter<'_>) -> fmt::Result,
}

/// A call that is being printed.
pub struct Call<'a> {
    description: &'static Description,
    args: &'a [u64; 6],
}

impl Description {
    /// This call with these arguments, for printing.
    pub fn with<'a>(&'static self, args: &'a [u64; 6]) -> Call<'a> {
        Call { description: self, args }
    }
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.description.print)(self.args, f)
    }
}

// `NUMBER => name(arg: Type, ...) = handler;`, in blocks by family and there by number.
syscalls! {
    // ---- files (syscall/file.rs, fd.rs, stat.rs, dir.rs, poll.rs, mount.rs) ----
    0 => read(fd: Fd, buffer: UserAddr, count: usize) = file::read;
    1 => write(fd: Fd, buffer: UserAddr, count: usize) = file::write;
    2 => open(path: UserPtr<u8>, flags: OpenFlags, permissions: u32) = fd::open;
    3 => close(fd: Fd) = fd::close;
    4 => stat(path: UserPtr<u8>, to: UserPtr<Stat>) = stat::stat;
    5 => fstat(fd: Fd, to: UserPtr<Stat>) = stat::fstat;
    6 => lstat(path: UserPtr<u8>, to: UserPtr<Stat>) = stat::lstat;
    7 => poll(fds: UserPtr<PollFd>, count: u32, milliseconds: i32) = poll::poll;
    8 => lseek(fd: Fd, by: i64, origin: i32) = file::lseek;
    16 => ioctl(fd: Fd, command: u32, argument: u64) = fd::ioctl;
    17 => pread64(fd: Fd, buffer: UserAddr, count: usize, at: i64) = file::pread64;
    18 => pwrite64(fd: Fd, buffer: UserAddr, count: usize, at: i64) = file::pwrite64;
    19 => readv(fd: Fd, vector: UserPtr<IoVec>, count: usize) = file::readv;
    20 => writev(fd: Fd, vector: UserPtr<IoVec>, count: usize) = file::writev;
    21 => access(path: UserPtr<u8>, wanted: AccessMode) = stat::access;
    22 => pipe(fds: UserPtr<[i32; 2]>) = fd::pipe;
    23 => select(count: i32, read: UserAddr, write: UserAddr, except: UserAddr, timeout: UserPtr<TimeVal>) = poll::select;
    32 => dup(fd: Fd) = fd::dup;
    33 => dup2(from: Fd, to: Fd) = fd::dup2;
    40 => sendfile(output: Fd, input: Fd, at: UserPtr<i64>, count: usize) = file::sendfile;
    41 => socket(family: i32, kind: u32, protocol: i32) = socket::socket;
    44 => sendto(fd: Fd, buffer: UserAddr, len: usize, flags: MessageFlags, address: UserAddr, address_len: u32) = socket::sendto;
    45 => recvfrom(fd: Fd, buffer: UserAddr, len: usize, flags: MessageFlags, address: UserAddr, address_len: UserPtr<u32>) = socket::recvfrom;
    46 => sendmsg(fd: Fd, header: UserPtr<MessageHeader>, flags: MessageFlags) = socket::sendmsg;
    47 => recvmsg(fd: Fd, header: UserPtr<MessageHeader>, flags: MessageFlags) = socket::recvmsg;
    48 => shutdown(fd: Fd, how: i32) = socket::shutdown;
    53 => socketpair(family: i32, kind: u32, protocol: i32, fds: UserPtr<[i32; 2]>) = socket::socketpair;
    72 => fcntl(fd: Fd, command: i32, argument: u64) = fd::fcntl;
    74 => fsync(fd: Fd) = file::fsync;
    75 => fdatasync(fd: Fd) = file::fsync;
    76 => truncate(path: UserPtr<u8>, len: i64) = stat::truncate;
    77 => ftruncate(fd: Fd, len: i64) = stat::ftruncate;
    78 => getdents(fd: Fd, buffer: UserAddr, size: u32) = dir::getdents;
    79 => getcwd(buffer: UserAddr, size: usize) = dir::getcwd;
    80 => chdir(path: UserPtr<u8>) = dir::chdir;
    81 => fchdir(fd: Fd) = dir::fchdir;
    82 => rename(from: UserPtr<u8>, to: UserPtr<u8>) = dir::rename;
    83 => mkdir(path: UserPtr<u8>, permissions: u32) = dir::mkdir;
    84 => rmdir(path: UserPtr<u8>) = dir::rmdir;
    85 => creat(path: UserPtr<u8>, permissions: u32) = fd::creat;
    86 => link(from: UserPtr<u8>, to: UserPtr<u8>) = dir::link;
    87 => unlink(path: UserPtr<u8>) = dir::unlink;
    88 => symlink(target: UserPtr<u8>, path: UserPtr<u8>) = dir::symlink;
    89 => readlink(path: UserPtr<u8>, buffer: UserAddr, size: i32) = dir::readlink;
    90 => chmod(path: UserPtr<u8>, permissions: u32) = stat::chmod;
    91 => fchmod(fd: Fd, permissions: u32) = stat::fchmod;
    92 => chown(path: UserPtr<u8>, uid: u32, gid: u32) = stat::chown;
    93 => fchown(fd: Fd, uid: u32, gid: u32) = stat::fchown;
    94 => lchown(path: UserPtr<u8>, uid: u32, gid: u32) = stat::lchown;
    95 => umask(mask: u32) = dir::umask;
    132 => utime(path: UserPtr<u8>, times: UserPtr<[i64; 2]>) = stat::utime;
    133 => mknod(path: UserPtr<u8>, mode: u32, device: u32) = dir::mknod;
    137 => statfs(path: UserPtr<u8>, to: UserPtr<Statfs>) = stat::statfs;
    138 => fstatfs(fd: Fd, to: UserPtr<Statfs>) = stat::fstatfs;
    161 => chroot(path: UserPtr<u8>) = dir::chroot;
    162 => sync() = file::sync;
    165 => mount(source: UserPtr<u8>, target: UserPtr<u8>, kind: UserPtr<u8>, flags: MountFlags, data: UserPtr<u8>) = mount::mount;
    166 => umount2(target: UserPtr<u8>, flags: UmountFlags) = mount::umount2;
    217 => getdents64(fd: Fd, buffer: UserAddr, size: u32) = dir::getdents64;
    235 => utimes(path: UserPtr<u8>, times: UserPtr<[[i64; 2]; 2]>) = stat::utimes;
    257 => openat(dirfd: Fd, path: UserPtr<u8>, flags: OpenFlags, permissions: u32) = fd::openat;
    258 => mkdirat(dirfd: Fd, path: UserPtr<u8>, permissions: u32) = dir::mkdirat;
    259 => mknodat(dirfd: Fd, path: UserPtr<u8>, mode: u32, device: u32) = dir::mknodat;
    260 => fchownat(dirfd: Fd, path: UserPtr<u8>, uid: u32, gid: u32, flags: AtFlags) = stat::fchownat;
    261 => futimesat(dirfd: Fd, path: UserPtr<u8>, times: UserPtr<[[i64; 2]; 2]>) = stat::futimesat;
    262 => newfstatat(dirfd: Fd, path: UserPtr<u8>, to: UserPtr<Stat>, flags: AtFlags) = stat::newfstatat;
    263 => unlinkat(dirfd: Fd, path: UserPtr<u8>, flags: AtFlags) = dir::unlinkat;
    264 => renameat(from_dir: Fd, from: UserPtr<u8>, to_dir: Fd, to: UserPtr<u8>) = dir::renameat;
    265 => linkat(from_dir: Fd, from: UserPtr<u8>, to_dir: Fd, to: UserPtr<u8>, flags: AtFlags) = dir::linkat;
    266 => symlinkat(target: UserPtr<u8>, dirfd: Fd, path: UserPtr<u8>) = dir::symlinkat;
    267 => readlinkat(dirfd: Fd, path: UserPtr<u8>, buffer: UserAddr, size: i32) = dir::readlinkat;
    268 => fchmodat(dirfd: Fd, path: UserPtr<u8>, permissions: u32) = stat::fchmodat;
    269 => faccessat(dirfd: Fd, path: UserPtr<u8>, wanted: AccessMode) = stat::faccessat;
    270 => pselect6(count: i32, read: UserAddr, write: UserAddr, except: UserAddr, timeout: UserPtr<TimeSpec>, mask: UserPtr<[u64; 2]>) = poll::pselect6;
    271 => ppoll(fds: UserPtr<PollFd>, count: u32, timeout: UserPtr<TimeSpec>, mask: UserPtr<u64>, mask_size: usize) = poll::ppoll;
    280 => utimensat(dirfd: Fd, path: UserPtr<u8>, times: UserPtr<[TimeSpec; 2]>, flags: AtFlags) = stat::utimensat;
    292 => dup3(from: Fd, to: Fd, flags: DupFlags) = fd::dup3;
    293 => pipe2(fds: UserPtr<[i32; 2]>, flags: PipeFlags) = fd::pipe2;
    295 => preadv(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64) = file::preadv;
    296 => pwritev(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64) = file::pwritev;
    306 => syncfs(fd: Fd) = file::syncfs;
    316 => renameat2(from_dir: Fd, from: UserPtr<u8>, to_dir: Fd, to: UserPtr<u8>, flags: RenameFlags) = dir::renameat2;
    318 => getrandom(buffer: UserAddr, count: usize, flags: RandomFlags) = file::getrandom;
    319 => memfd_create(name: UserPtr<u8>, flags: MemfdFlags) = fd::memfd_create;
    326 => copy_file_range(input: Fd, from: UserPtr<i64>, output: Fd, to: UserPtr<i64>, count: usize, flags: u32) = file::copy_file_range;
    327 => preadv2(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64, high: u64, flags: u32) = file::preadv2;
    328 => pwritev2(fd: Fd, vector: UserPtr<IoVec>, count: usize, at: i64, high: u64, flags: u32) = file::pwritev2;
    332 => statx(dirfd: Fd, path: UserPtr<u8>, flags: AtFlags, mask: u32, to: UserPtr<Statx>) = stat::statx;
    436 => close_range(first: u32, last: u32, flags: CloseRangeFlags) = fd::close_range;
    439 => faccessat2(dirfd: Fd, path: UserPtr<u8>, wanted: AccessMode, flags: AtFlags) = stat::faccessat2;
    452 => fchmodat2(dirfd: Fd, path: UserPtr<u8>, permissions: u32, flags: AtFlags) = stat::fchmodat2;

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
