//! Limits, and no memory left.

use tollgate_tests::memory::{ANONYMOUS, Mapping, PAGE, RW, mmap, poke};
use tollgate_tests::process::{self, Status, fork};
use tollgate_tests::{Errno, sys};

pub(crate) fn address_space_limit() {
    let mut old = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let limit = libc::rlimit { rlim_cur: 64 << 20, rlim_max: libc::RLIM_INFINITY };
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_AS, &limit, &mut old).expect("prlimit");
    assert_eq!(mmap(0, 128 << 20, RW, ANONYMOUS, -1, 0), Err(Errno::ENOMEM));
    let mapping = mmap(0, 1 << 20, RW, ANONYMOUS, -1, 0).expect("within the limit");
    let grown = sys!(libc::SYS_mremap, mapping, 1 << 20, 128 << 20, libc::MREMAP_MAYMOVE, 0);
    assert_eq!(grown, Err(Errno::ENOMEM));
    let end = sys!(libc::SYS_brk, 0).unwrap();
    assert_eq!(sys!(libc::SYS_brk, end + (128 << 20)), Ok(end));
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_AS, &old, 0).expect("prlimit");
    assert!(Mapping::new(128 << 20, RW, ANONYMOUS, -1, 0).is_ok());
}

/// Far more than any machine of ours has.
pub(crate) fn absurd_sizes() {
    assert_eq!(mmap(0, 1 << 46, RW, ANONYMOUS, -1, 0), Err(Errno::ENOMEM));
    assert_eq!(mmap(0, 1 << 62, RW, ANONYMOUS, -1, 0), Err(Errno::ENOMEM));
}

/// Bytes of memory the machine has.
fn machine() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").expect("/proc/meminfo");
    let line = text.lines().find(|line| line.starts_with("MemTotal:")).expect("MemTotal");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0usize) * 1024
}

/// Maps and touches until there is no more.
fn devour() {
    let half = machine() / 2 / PAGE * PAGE;
    assert_ne!(half, 0);
    for _ in 0..4 {
        // Each of them alone fits, so none is refused as absurd.
        let Ok(start) = mmap(0, half, RW, ANONYMOUS | libc::MAP_NORESERVE, -1, 0) else { return };
        for page in (start..start + half).step_by(PAGE) {
            poke(page, 1);
        }
    }
}

pub(crate) fn out_of_memory_kills_the_process() {
    for _ in 0..3 {
        assert_eq!(process::in_child(devour), Status::Killed(libc::SIGKILL));
    }
}

/// With memory all but gone, fork and mmap may say ENOMEM and may succeed; nothing else happens to the process.
pub(crate) fn out_of_memory_in_a_call_is_an_errno() {
    let child = fork(|| {
        let mut hoard = Vec::with_capacity(1 << 16);
        // Touched only through the kernel, which then has an errno to give.
        while let Ok(chunk) = mmap(0, 1 << 20, RW, ANONYMOUS | libc::MAP_NORESERVE, -1, 0) {
            let filled = sys!(libc::SYS_getrandom, chunk, 1 << 20, 0);
            hoard.push(chunk);
            if filled != Ok(1 << 20) {
                break;
            }
        }
        for _ in 0..100 {
            let mut ends = [0i32; 2];
            match sys!(libc::SYS_pipe2, &mut ends, 0) {
                Ok(_) | Err(Errno::ENOMEM | Errno::ENFILE | Errno::EMFILE) => {}
                Err(error) => panic!("pipe2: {error:?}"),
            }
        }
        0
    });
    // Its own stack may be what does not fit any more.
    let status = child.wait();
    assert!(matches!(status, Status::Exited(0) | Status::Killed(libc::SIGKILL)), "{status:?}");
}
