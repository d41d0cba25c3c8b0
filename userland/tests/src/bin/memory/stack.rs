//! The main thread's stack: it grows down to its limit by itself.

use std::hint::black_box;
use tollgate_tests::memory::{PAGE, RW, peek, poke};
use tollgate_tests::pipe::Pipe;
use tollgate_tests::process::in_child;
use tollgate_tests::signal::fault_of;
use tollgate_tests::sys;

/// An address in the current frame.
fn here() -> usize {
    let local = 0u8;
    black_box(&raw const local) as usize
}

/// Sets how far the stack may grow, in bytes.
fn limit(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    sys!(libc::SYS_prlimit64, 0, libc::RLIMIT_STACK, &limit, 0).expect("prlimit");
}

pub(crate) fn grows_by_itself() {
    let bottom = here() & !(PAGE - 1);
    for page in 0..1024 {
        poke(bottom - page * PAGE, 1);
    }
    // A jump over pages never touched is growth as well.
    poke(bottom - 1500 * PAGE, 2);
    assert_eq!(peek(bottom - 1200 * PAGE), 0);
    assert_eq!(peek(bottom - 1023 * PAGE), 1);
}

pub(crate) fn grows_for_the_kernel() {
    let place = (here() & !(PAGE - 1)) - 700 * PAGE;
    let pipe = Pipe::new();
    pipe.write(b"down there").unwrap();
    assert_eq!(sys!(libc::SYS_read, pipe.reader(), place, 10), Ok(10));
    assert_eq!(peek(place), b'd');
}

pub(crate) fn stops_at_its_limit() {
    limit(1 << 20);
    let inside = here() - (1 << 20) * 3 / 4;
    let outside = here() - (1 << 20) - 64 * PAGE;
    assert_eq!(fault_of(|| poke(inside, 1)), None);
    let fault = fault_of(|| poke(outside, 1)).expect("growth beyond the limit");
    assert_eq!((fault.signal, fault.address), (libc::SIGSEGV, outside));
    // Nor does it grow into another mapping.
    let taken = (here() & !(PAGE - 1)) - (1 << 19);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    sys!(libc::SYS_mmap, taken, PAGE, RW, flags, -1, 0).expect("mmap in the stack's room");
    assert_eq!(peek(taken), 0);
    let fault = fault_of(|| (1..64).for_each(|page| poke(taken + page * PAGE, 1)));
    assert!(fault.is_some_and(|fault| fault.signal == libc::SIGSEGV), "no guard above the neighbour: {fault:?}");
}

#[expect(unconditional_recursion, reason = "that is the test")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[0]
}

pub(crate) fn endless_recursion_faults() {
    let fault = fault_of(|| {
        recurse(0);
    })
    .expect("a fault");
    assert_eq!(fault.signal, libc::SIGSEGV);
    assert!(here() - fault.address < 16 << 20, "{fault:x?} is far from the stack");
    // Without a place for the handler to run, the signal kills.
    let status = in_child(|| {
        let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        sys!(libc::SYS_sigaltstack, &none, 0).unwrap();
        tollgate_tests::signal::handle(libc::SIGSEGV, 0, tollgate_tests::signal::nothing);
        recurse(0);
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
}
