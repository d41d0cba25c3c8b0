//! A child that makes random calls until it dies or has made enough.

use crate::arguments::{Call, Chooser};
use crate::supervisor::Progress;
use std::arch::asm;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use tollgate_tests::random::Random;
use tollgate_tests::{process, signal, sys};

/// Calls of one child before the next generation takes over.
const GENERATION: u64 = 2000;

/// Calls between repairs of what keeps a child going: its timer and its mask.
const REPAIR: u64 = 50;

/// The names that calls use, all in the run's own directory.
pub(crate) const NAMES: [&str; 8] = ["file", "directory", "directory/inside", "link", "exit", "missing", ".", "loop"];

/// Puts in place what the names stand for. Earlier children may have removed or changed anything.
pub(crate) fn prepare(directory: &Path, program: &[u8]) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let _ = std::env::set_current_dir(directory);
    let _ = std::fs::create_dir("directory");
    let _ = std::fs::write("file", "content");
    let _ = std::fs::write("exit", program);
    let _ = std::fs::set_permissions("exit", std::fs::Permissions::from_mode(0o755));
    let _ = symlink("file", "link");
    let _ = symlink("loop", "loop");
}

/// The child's life; its exit status.
pub(crate) fn run(progress: &Progress, number: usize, seed: u64) -> i32 {
    process::new_session();
    let mut random = Random::new(seed);
    limit(libc::RLIMIT_CORE, 0);
    limit(libc::RLIMIT_FSIZE, 1 << 20);
    limit(libc::RLIMIT_AS, 64 << 20);
    // Nothing of ours may be reached by a number: neither the terminal nor the suite's pipe.
    for fd in 0..100 {
        let _ = sys!(libc::SYS_close, fd);
    }
    open_some();
    let mut chooser = Chooser::new();
    for count in 0..GENERATION {
        if count % REPAIR == 0 {
            repair();
        }
        let call = chooser.choose(&mut random);
        for (place, value) in progress.current[number].iter().zip(call.words()) {
            place.store(value, Relaxed);
        }
        progress.calls[number].fetch_add(1, Relaxed);
        make(&call);
    }
    0
}

fn limit(resource: i32, value: u64) {
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    let _ = sys!(libc::SYS_prlimit64, 0, resource, &limit, 0);
}

/// Descriptors of every kind, from 0 on.
fn open_some() {
    for name in [c"/dev/null", c"/dev/zero", c"/dev/null", c"file", c"directory", c"exit", c"/proc/self/stat"] {
        let _ = sys!(libc::SYS_openat, libc::AT_FDCWD, name, libc::O_RDWR, 0);
        let _ = sys!(libc::SYS_openat, libc::AT_FDCWD, name, libc::O_RDONLY, 0);
    }
    let mut ends = [0i32; 2];
    let _ = sys!(libc::SYS_pipe2, &mut ends, 0);
    let _ = sys!(libc::SYS_pipe2, &mut ends, libc::O_NONBLOCK);
}

/// A timer that interrupts calls that sleep, and signals that get through.
fn repair() {
    let _ = signal::Action::new(signal::nothing, 0).install(libc::SIGALRM);
    let none = 0u64;
    let _ = sys!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &none, 0, signal::SET_SIZE);
    let often = libc::timeval { tv_sec: 0, tv_usec: 2000 };
    let timer = libc::itimerval { it_value: often, it_interval: often };
    let _ = sys!(libc::SYS_setitimer, libc::ITIMER_REAL, &timer, 0);
    let _ = sys!(libc::SYS_chdir, c".");
}

/// Makes the call. What it forks exits at once, without use of any memory: that may be shared.
fn make(call: &Call) {
    let forks =
        u64::from([libc::SYS_fork, libc::SYS_vfork, libc::SYS_clone, libc::SYS_clone3].contains(&(call.number as i64)));
    let [a, b, c, d, e, f] = call.arguments;
    // SAFETY: anything may happen to this process, which exists for that. Registers are declared; the call may
    // change memory.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "test r15, r15",
            "jz 2f",
            "xor edi, edi",
            "mov eax, 60",
            "syscall",
            "2:",
            inlateout("rax") call.number => _,
            inlateout("rdi") a => _, inlateout("rsi") b => _, inlateout("rdx") c => _,
            inlateout("r10") d => _, inlateout("r8") e => _, inlateout("r9") f => _,
            in("r15") forks, lateout("rcx") _, lateout("r11") _,
        );
    }
}
