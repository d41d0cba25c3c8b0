//! What this binary does when a test executes it: one small thing, chosen by an argument that starts with `child:`.

use std::ffi::CStr;
use tollgate_tests::process::{exit, pid, tid};
use tollgate_tests::signal::{self, Action};

/// Acts as helper if the first or second argument says so.
pub(crate) fn run_if_asked() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(what) = arguments.iter().take(2).find_map(|argument| argument.strip_prefix("child:")) else { return };
    match what {
        // The number of arguments as exit status.
        "exit" => exit(arguments.len() as i32),
        "dump" => dump(&arguments),
        "auxv" => auxv(),
        "signals" => signals(),
        "ids" => {
            let parent = tollgate_tests::sys!(libc::SYS_getppid).unwrap();
            println!("{} {} {parent}", pid(), tid());
        }
        "files" => files(),
        _ => exit(99),
    }
    exit(0)
}

/// Arguments and environment, one a line.
fn dump(arguments: &[String]) {
    for argument in arguments {
        println!("argument {argument}");
    }
    for (name, value) in std::env::vars() {
        println!("environment {name}={value}");
    }
}

/// The auxiliary vector, as far as programs rely on it.
fn auxv() {
    // SAFETY: getauxval only looks.
    let value = |kind: u64| unsafe { libc::getauxval(kind) };
    let names = [
        ("PAGESZ", libc::AT_PAGESZ),
        ("PHENT", libc::AT_PHENT),
        ("PHNUM", libc::AT_PHNUM),
        ("PHDR", libc::AT_PHDR),
        ("ENTRY", libc::AT_ENTRY),
        ("BASE", libc::AT_BASE),
        ("UID", libc::AT_UID),
        ("EUID", libc::AT_EUID),
        ("GID", libc::AT_GID),
        ("EGID", libc::AT_EGID),
        ("SECURE", libc::AT_SECURE),
        ("CLKTCK", libc::AT_CLKTCK),
    ];
    for (name, kind) in names {
        println!("{name} {}", value(kind));
    }
    // SAFETY: AT_EXECFN is a string and AT_RANDOM 16 bytes; a kernel that omits one gives null.
    unsafe {
        let path = value(libc::AT_EXECFN) as *const libc::c_char;
        println!("EXECFN {}", if path.is_null() { "none" } else { CStr::from_ptr(path).to_str().unwrap_or("bad") });
        let random = value(libc::AT_RANDOM) as *const [u8; 16];
        println!("RANDOM {:x?}", if random.is_null() { [0; 16] } else { *random });
        // PT_PHDR or not, the first segment header is where AT_PHDR says: its type is small.
        let kind = *(value(libc::AT_PHDR) as *const u32);
        println!("FIRST {kind}");
    }
}

/// Mask, pending set, and the signals that are not at their default.
fn signals() {
    println!("mask {:x}", signal::mask());
    println!("pending {:x}", signal::pending());
    // The start of a Rust program handles SIGSEGV and SIGBUS and ignores SIGPIPE.
    let own = [libc::SIGSEGV, libc::SIGBUS, libc::SIGPIPE, libc::SIGKILL, libc::SIGSTOP];
    for number in (1..=signal::LAST).filter(|number| !own.contains(number)) {
        match Action::current(number).handler {
            libc::SIG_DFL => {}
            libc::SIG_IGN => println!("ignored {number}"),
            _ => println!("handled {number}"),
        }
    }
}

/// The open descriptors.
fn files() {
    for fd in 0..200 {
        if tollgate_tests::sys!(libc::SYS_fcntl, fd, libc::F_GETFD).is_ok() {
            println!("{fd}");
        }
    }
}
