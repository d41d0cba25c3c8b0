//! Programs good and broken.

use crate::exec::executable;
use tollgate_tests::elf::{exit_code, offset, patched, program};
use tollgate_tests::memory::KERNEL;
use tollgate_tests::process::{Status, execve, fork};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{Errno, on_tollgate};

/// How executing a file ends: with the errno of exec, or the program's status.
fn run(scratch: &Scratch, file: &[u8]) -> Result<Status, Errno> {
    let path = executable(scratch, "program", file);
    // Statuses of 128 and more are the errno of exec; the programs here exit with less.
    match fork(|| 128 + execve(&path, &["program"], &[]) as i32).wait() {
        Status::Exited(status @ 128..) => Err(Errno::try_from(status - 128).expect("an errno")),
        status => Ok(status),
    }
}

pub(crate) fn smallest_program() {
    let scratch = Scratch::new();
    assert_eq!(run(&scratch, &program(&exit_code(42))), Ok(Status::Exited(42)));
}

/// The end of the last page and whole pages after it.
pub(crate) fn zeroed_memory_after_the_file() {
    let scratch = Scratch::new();
    // mov 0x402ff0, %edi; or 0x400ff0, %edi; exit: both words are beyond the file.
    let mut code = vec![0x8b, 0x3c, 0x25, 0xf0, 0x2f, 0x40, 0, 0x0b, 0x3c, 0x25, 0xf0, 0x0f, 0x40, 0];
    code.extend([0x6a, 60, 0x58, 0x0f, 0x05]);
    let mut file = patched(&program(&code), offset::P_MEMSZ, &0x3000u64.to_le_bytes());
    // Writable, since a kernel may clear the end of the page through the mapping.
    file = patched(&file, offset::P_TYPE + 4, &[7]);
    // Bytes behind the segment's end in the file must not show.
    file.extend([0xff; 8000]);
    assert_eq!(run(&scratch, &file), Ok(Status::Exited(0)));
}

pub(crate) fn truncated_headers() {
    let scratch = Scratch::new();
    let good = program(&exit_code(0));
    for length in [0, 1, 3, 4, 16, 40, 63, 64, 100, 119] {
        assert_eq!(run(&scratch, &good[..length]), Err(Errno::ENOEXEC), "the first {length} bytes");
    }
}

pub(crate) fn wrong_headers() {
    let scratch = Scratch::new();
    let good = program(&exit_code(0));
    let wrong: [(&str, usize, &[u8]); 9] = [
        ("magic", 0, b"\x7fELG"),
        ("magic of nothing", 0, &[0; 4]),
        ("a relocatable file", offset::TYPE, &[1]),
        ("a core file", offset::TYPE, &[4]),
        ("another machine", offset::MACHINE, &[183]),
        ("size of segment headers", offset::SEGMENT_SIZE, &[55]),
        ("no segments", offset::SEGMENT_COUNT, &[0]),
        ("segment headers beyond the file", offset::SEGMENTS, &0x10_0000u64.to_le_bytes()),
        ("segment headers at the end of all", offset::SEGMENTS, &u64::MAX.to_le_bytes()),
    ];
    for (what, offset, bytes) in wrong {
        assert_eq!(run(&scratch, &patched(&good, offset, bytes)), Err(Errno::ENOEXEC), "{what}");
    }
}

/// Whether an impossible program ended as it may: Tollgate looks before it gives up the old program, Linux may
/// notice later, and then kills the process.
fn refused(result: Result<Status, Errno>) -> bool {
    match result {
        Err(error) => matches!(error, Errno::ENOEXEC | Errno::EINVAL | Errno::ENOMEM),
        Ok(status) => !on_tollgate() && status.signal().is_some(),
    }
}

pub(crate) fn impossible_segments() {
    let scratch = Scratch::new();
    let good = program(&exit_code(0));
    let word = |value: u64| value.to_le_bytes().to_vec();
    let impossible = [
        ("nothing to load", offset::P_TYPE, vec![4, 0, 0, 0]),
        ("in the kernel's half", offset::P_VADDR, word(KERNEL as u64)),
        ("at no address at all", offset::P_VADDR, word(0x4000_0000_0000_0000)),
        ("at the top of the lower half", offset::P_VADDR, word(0x7fff_ffff_f000)),
        ("wrapping around", offset::P_MEMSZ, word(u64::MAX - 0x1000)),
        ("larger than the machine", offset::P_MEMSZ, word(1 << 46)),
        ("more in the file than in memory", offset::P_MEMSZ, word(8)),
        ("offset and address at odds", offset::P_OFFSET, word(8)),
        ("far beyond the file", offset::P_OFFSET, word(1 << 62)),
    ];
    for (what, offset, bytes) in impossible {
        let result = run(&scratch, &patched(&good, offset, &bytes));
        assert!(refused(result), "{what}: {result:?}");
    }
    // An entry outside of the segments faults at its first instruction, or is refused.
    for entry in [0, 16, KERNEL as u64, 0x4000_0000_0000_0000] {
        let result = run(&scratch, &patched(&good, offset::ENTRY, &entry.to_le_bytes()));
        let faulted = result.is_ok_and(|status| status.signal() == Some(libc::SIGSEGV));
        assert!(faulted || refused(result), "entry {entry:#x}: {result:?}");
    }
}

/// Some hundred programs with a few header bytes changed at random: each ends somehow and this process goes on.
pub(crate) fn random_damage() {
    let scratch = Scratch::new();
    let good = program(&exit_code(0));
    let mut random = tollgate_tests::random::Random::new(1);
    for round in 0..300 {
        let mut file = good.clone();
        for _ in 0..1 + random.below(4) {
            let place = random.below(120) as usize;
            file[place] = random.next() as u8;
        }
        // What it then runs is its own few bytes or nothing, so it cannot loop for long.
        let result = run(&scratch, &file);
        let plausible = match result {
            Ok(Status::Stopped(_) | Status::Continued) => false,
            Ok(_) => true,
            Err(error) => matches!(
                error,
                Errno::ENOEXEC
                    | Errno::EINVAL
                    | Errno::ENOMEM
                    | Errno::EACCES
                    | Errno::ENOENT
                    | Errno::EPERM
                    | Errno::EIO
                    | Errno::EFAULT
                    | Errno::EFBIG
                    | Errno::EOVERFLOW
            ),
        };
        assert!(plausible, "round {round}: {result:?}");
    }
}
