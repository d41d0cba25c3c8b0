//! fork.

use std::arch::asm;
use std::collections::HashSet;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use tollgate_tests::memory::Shared;
use tollgate_tests::process::{Status, fork, pid, tid};
use tollgate_tests::scratch::Scratch;
use tollgate_tests::{signal, sys, time};

pub(crate) fn child_has_an_id_and_a_parent() {
    let parent = pid();
    let seen = Shared::new(AtomicU32::new(0));
    let child = fork(|| {
        seen.store(pid() as u32, SeqCst);
        assert_eq!(sys!(libc::SYS_getppid), Ok(parent as usize));
        assert_eq!(tid(), pid());
        9
    });
    assert_eq!(child.wait(), Status::Exited(9));
    assert_eq!(seen.load(SeqCst), child.pid as u32);
    assert_ne!(child.pid, parent);
}

pub(crate) fn many_children_at_once() {
    let children: Vec<_> = (0..100)
        .map(|number| {
            fork(|| {
                time::sleep_ms(20);
                number
            })
        })
        .collect();
    let ids: HashSet<i32> = children.iter().map(|child| child.pid).collect();
    assert_eq!(ids.len(), 100, "ids are unique while they live");
    for (number, child) in children.iter().enumerate() {
        assert_eq!(child.wait(), Status::Exited(number as i32));
    }
}

pub(crate) fn a_family_of_generations() {
    fn descend(depth: i32) -> i32 {
        if depth == 20 {
            return 20;
        }
        match fork(|| descend(depth + 1)).wait() {
            Status::Exited(status) => status,
            _ => 0,
        }
    }
    assert_eq!(descend(0), 20);
}

pub(crate) fn descriptors_share_their_offset() {
    let scratch = Scratch::new();
    let file = scratch.file("file", b"abcdef");
    let read = || {
        let mut byte = [0u8];
        assert_eq!(sys!(libc::SYS_read, file.as_raw_fd(), &mut byte, 1), Ok(1));
        byte[0]
    };
    assert_eq!(read(), b'a');
    fork(|| {
        assert_eq!(read(), b'b');
        // Its table is its own, though.
        assert_eq!(sys!(libc::SYS_close, file.as_raw_fd()), Ok(0));
        0
    })
    .succeed();
    assert_eq!(read(), b'c');
}

pub(crate) fn only_the_calling_thread_goes_on() {
    let counter = Shared::new(AtomicU32::new(0));
    let stop = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while stop.load(SeqCst) == 0 {
                counter.store(pid() as u32, SeqCst);
                std::thread::yield_now();
            }
        });
        time::wait_until("the thread runs", || counter.load(SeqCst) != 0);
        fork(|| {
            let own = pid() as u32;
            time::sleep_ms(20);
            assert_ne!(counter.load(SeqCst), own, "the thread was forked too");
            assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), 1);
            0
        })
        .succeed();
        stop.store(1, SeqCst);
    });
}

pub(crate) fn pending_signals_stay_with_the_parent() {
    signal::block(&[libc::SIGUSR1]);
    tollgate_tests::process::kill(pid(), libc::SIGUSR1).unwrap();
    assert_eq!(signal::pending(), signal::set(&[libc::SIGUSR1]));
    fork(|| {
        assert_eq!(signal::pending(), 0);
        assert_eq!(signal::mask(), signal::set(&[libc::SIGUSR1]), "the mask is copied");
        0
    })
    .succeed();
}

/// The child starts with the parent's registers, vector registers included.
pub(crate) fn registers_survive() {
    let result: i64;
    let (mut rbx_after, mut vector) = (0u64, [0u64; 2]);
    // SAFETY: the constraints name all that fork changes; both processes go on here with equal memory.
    unsafe {
        asm!(
            "mov {saved}, rbx",
            "mov rbx, {pattern}",
            "movq xmm9, rbx",
            "movlhps xmm9, xmm9",
            "syscall",
            "mov {after}, rbx",
            "mov rbx, {saved}",
            "movups [{vector}], xmm9",
            saved = out(reg) _,
            pattern = in(reg) 0x1122_3344_5566_7788u64,
            after = out(reg) rbx_after,
            vector = in(reg) &mut vector,
            inlateout("rax") libc::SYS_fork => result,
            out("rcx") _, out("r11") _, out("xmm9") _,
        );
    }
    let good = rbx_after == 0x1122_3344_5566_7788 && vector == [0x1122_3344_5566_7788; 2];
    if result == 0 {
        tollgate_tests::process::exit(if good { 0 } else { 1 });
    }
    assert!(good, "the parent's registers changed");
    assert_eq!(tollgate_tests::process::wait(result as i32), Status::Exited(0), "the child's registers differ");
}
