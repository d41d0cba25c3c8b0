//! execve: what the new program finds, what stays and what goes.

use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::{self, Status, execve, fork, pid};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, elf, memory, signal, sys, time};

/// This binary, which acts as helper (see `helper.rs`).
const SELF: &str = "/proc/self/exe";

/// Runs `body`, which should end in an exec, in a child, and returns what that prints.
fn output_of(body: impl FnOnce()) -> String {
    let pipe = Pipe::with(libc::O_CLOEXEC);
    let child = fork(|| {
        sys!(libc::SYS_dup2, pipe.writer(), 1).expect("dup2");
        body();
        98
    });
    pipe.close_writer();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        text.extend(&buffer[..length]);
    }
    child.succeed();
    String::from_utf8(text).expect("text")
}

/// Executes the helper for one thing.
fn helper(what: &str) {
    let error = execve(SELF, &["helper", &format!("child:{what}")], &[]);
    panic!("execve: {error:?}");
}

pub(crate) fn arguments_and_environment() {
    let text = output_of(|| {
        execve(SELF, &["child:dump", "", "two words", "3"], &["A=1", "EMPTY=", "B=x=y"]);
    });
    let expected = "argument child:dump\nargument \nargument two words\nargument 3\n\
                    environment A=1\nenvironment EMPTY=\nenvironment B=x=y\n";
    assert_eq!(text, expected);
}

/// A program gets at least an empty name (Linux since 5.18).
pub(crate) fn no_arguments_at_all() {
    let scratch = Scratch::new();
    // mov (%rsp), %rdi; push $SYS_exit; pop %rax; syscall: exits with argc.
    let file = elf::program(&[0x48, 0x8b, 0x3c, 0x24, 0x6a, 60, 0x58, 0x0f, 0x05]);
    let path = executable(&scratch, "argc", &file);
    assert_eq!(fork(|| execve(&path, &["a", "b", "c"], &[]) as i32).wait(), Status::Exited(3));
    assert_eq!(fork(|| execve(&path, &[], &[]) as i32).wait(), Status::Exited(1));
    let null = fork(|| {
        let path = std::ffi::CString::new(path.as_str()).unwrap();
        let _ = sys!(libc::SYS_execve, path.as_c_str(), 0, 0);
        98
    });
    assert_eq!(null.wait(), Status::Exited(1));
}

/// Writes a file and makes it executable; its path.
pub(crate) fn executable(scratch: &Scratch, name: &str, content: &[u8]) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = scratch.path().join(name);
    std::fs::write(&path, content).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    path.to_str().expect("a plain path").to_owned()
}

pub(crate) fn auxiliary_vector() {
    let text = output_of(|| helper("auxv"));
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name}"))
    };
    for (name, expected) in [("PAGESZ", "4096"), ("PHENT", "56"), ("UID", "0"), ("SECURE", "0"), ("CLKTCK", "100")] {
        assert_eq!(value(name), expected, "AT_{name}");
    }
    assert_eq!(value("EXECFN"), SELF);
    let number = |name: &str| value(name).parse::<u64>().unwrap();
    assert!((1..20).contains(&number("PHNUM")));
    assert!(number("ENTRY") > number("PHDR") && number("ENTRY") - number("PHDR") < 1 << 24);
    assert!((1..8).contains(&number("FIRST")), "AT_PHDR does not point to segment headers");
    let again = output_of(|| helper("auxv"));
    let random = |text: &str| text.lines().find(|line| line.starts_with("RANDOM")).map(str::to_owned);
    assert_ne!(random(&text), random(&again), "AT_RANDOM is the same twice");
    assert!(random(&text).is_some_and(|line| !line.contains("[0, 0, 0, 0, 0, 0, 0, 0")));
}

/// A program that compares its registers with what the ABI says, bit by bit of its exit status.
pub(crate) fn initial_registers() {
    let code: &[u8] = &[
        0x31, 0xff, //                         xor %edi, %edi
        0x48, 0x89, 0xe0, //                   mov %rsp, %rax
        0xa8, 0x0f, //                         test $15, %al
        0x74, 0x03, //                         jz +3
        0x83, 0xcf, 0x01, //                   or $1, %edi: stack not aligned
        0x48, 0x85, 0xd2, //                   test %rdx, %rdx
        0x74, 0x03, //                         jz +3
        0x83, 0xcf, 0x02, //                   or $2, %edi: an exit function that is none
        0x6a, 0x00, //                         push $0
        0xd9, 0x3c, 0x24, //                   fnstcw (%rsp)
        0x66, 0x81, 0x3c, 0x24, 0x7f, 0x03, // cmpw $0x37f, (%rsp)
        0x74, 0x03, //                         je +3
        0x83, 0xcf, 0x04, //                   or $4, %edi: x87 control word
        0x0f, 0xae, 0x1c, 0x24, //             stmxcsr (%rsp)
        0x81, 0x3c, 0x24, 0x80, 0x1f, 0, 0, // cmpl $0x1f80, (%rsp)
        0x74, 0x03, //                         je +3
        0x83, 0xcf, 0x08, //                   or $8, %edi: mxcsr
        0x9c, //                               pushf
        0xf7, 0x04, 0x24, 0x00, 0x04, 0, 0, // testl $DF, (%rsp)
        0x74, 0x03, //                         jz +3
        0x83, 0xcf, 0x10, //                   or $16, %edi: direction flag
        0x6a, 60, 0x58, 0x0f, 0x05, //         exit
    ];
    let scratch = Scratch::new();
    let path = executable(&scratch, "registers", &elf::program(code));
    let child = fork(|| {
        // Settings that must not come through.
        // SAFETY: nothing here computes with floating point before the exec.
        unsafe { std::arch::asm!("ldmxcsr [{0}]", "fldcw [{1}]", in(reg) &0x5f80u32, in(reg) &0x27fu16) };
        execve(&path, &["registers"], &["X=1"]);
        98
    });
    assert_eq!(child.wait(), Status::Exited(0));
}

pub(crate) fn close_on_exec() {
    let text = output_of(|| {
        for fd in 3..200 {
            let _ = sys!(libc::SYS_close, fd);
        }
        sys!(libc::SYS_dup2, 0, 50).unwrap();
        sys!(libc::SYS_dup3, 0, 51, libc::O_CLOEXEC).unwrap();
        sys!(libc::SYS_dup2, 0, 52).unwrap();
        sys!(libc::SYS_fcntl, 52, libc::F_SETFD, libc::FD_CLOEXEC).unwrap();
        sys!(libc::SYS_dup3, 0, 53, libc::O_CLOEXEC).unwrap();
        sys!(libc::SYS_fcntl, 53, libc::F_SETFD, 0).unwrap();
        helper("files");
    });
    assert_eq!(text, "0\n1\n2\n50\n53\n");
}

pub(crate) fn signals_across_exec() {
    let text = output_of(|| {
        signal::block(&[libc::SIGUSR2, libc::SIGTERM]);
        process::kill(pid(), libc::SIGUSR2).unwrap();
        signal::ignore(libc::SIGHUP);
        signal::handle(libc::SIGUSR1, 0, signal::nothing);
        helper("signals");
    });
    let blocked = signal::set(&[libc::SIGUSR2, libc::SIGTERM]);
    let pending = signal::set(&[libc::SIGUSR2]);
    let expected = format!("mask {blocked:x}\npending {pending:x}\nignored {}\n", libc::SIGHUP);
    assert_eq!(text, expected, "ignored signals stay ignored, handled ones get their default");
}

pub(crate) fn identity_stays() {
    let parent = pid();
    let mut own = 0;
    let text = output_of(|| {
        let _ = &mut own;
        println!("{} {} {parent}", pid(), pid());
        helper("ids");
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
}

pub(crate) fn ends_other_threads() {
    let text = output_of(|| {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
        std::thread::spawn(|| time::sleep_ms(1_000_000));
        time::sleep_ms(10);
        helper("ids");
    });
    assert_eq!(text.split(' ').count(), 3);
}

/// The thread that calls exec becomes the process's leader and takes its id.
pub(crate) fn from_another_thread() {
    for _ in 0..10 {
        let text = output_of(|| {
            std::thread::spawn(|| helper("ids")).join().ok();
        });
        let ids: Vec<&str> = text.split(' ').collect();
        assert_eq!(ids[0], ids[1]);
    }
}

pub(crate) fn too_long_arguments() {
    let long = "x".repeat(100_000);
    let many = vec![long.as_str(); 200];
    assert_eq!(execve(SELF, &many, &[]), Errno::E2BIG);
    let huge = "x".repeat(4 << 20);
    assert_eq!(execve(SELF, &[&huge], &[]), Errno::E2BIG);
    assert_eq!(execve(SELF, &["x"], &many), Errno::E2BIG);
    // A few long ones are fine.
    assert_eq!(fork(|| execve(SELF, &["x", "child:exit", &long], &[]) as i32).wait(), Status::Exited(3));
}

pub(crate) fn failures_change_nothing() {
    let scratch = Scratch::new();
    let plain = scratch.path().join("plain");
    std::fs::write(&plain, elf::program(&elf::exit_code(0))).unwrap();
    signal::handle(libc::SIGUSR1, 0, signal::nothing);
    let place = memory::Mapping::anonymous(1);
    place.fill(6);
    let attempts = [
        ("/nowhere", Errno::ENOENT),
        ("/proc/self/exe/x", Errno::ENOTDIR),
        ("/proc", Errno::EACCES),
        ("/dev/null", Errno::EACCES),
        ("", Errno::ENOENT),
        (plain.to_str().unwrap(), Errno::EACCES),
    ];
    for (path, error) in attempts {
        assert_eq!(execve(path, &["x"], &[]), error, "{path}");
    }
    assert_eq!(memory::peek(place.address), 6);
    assert_ne!(signal::Action::current(libc::SIGUSR1), signal::Action::default_action());
}

/// Nothing of the old program is where it was.
pub(crate) fn new_memory() {
    let scratch = Scratch::new();
    // movabs $ADDRESS, %rax; mov (%rax), %al; exit(0)
    let place = memory::mmap(0x10_0000_0000, memory::PAGE, memory::RW, memory::ANONYMOUS, -1, 0).unwrap();
    let mut code = vec![0x48, 0xb8];
    code.extend((place as u64).to_le_bytes());
    code.extend([0x8a, 0x00]);
    code.extend(elf::exit_code(0));
    let path = executable(&scratch, "look", &elf::program(&code));
    memory::poke(place, 1);
    assert_eq!(fork(|| execve(&path, &["x"], &[]) as i32).wait().signal(), Some(libc::SIGSEGV));
    memory::munmap(place, memory::PAGE).unwrap();
}
