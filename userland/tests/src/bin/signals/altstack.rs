//! sigaltstack.

use crate::record::{note, take};
use std::hint::black_box;
use tollgate_tests::memory::{Mapping, PAGE};
use tollgate_tests::process::{fork, in_child, kill, pid};
use tollgate_tests::signal::{Context, handle};
use tollgate_tests::{Errno, sys};

const USR1: i32 = libc::SIGUSR1;

fn stack(mapping: &Mapping) -> libc::stack_t {
    libc::stack_t { ss_sp: mapping.address as *mut libc::c_void, ss_flags: 0, ss_size: mapping.length }
}

const DISABLED: libc::stack_t = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };

fn set(stack: &libc::stack_t) -> sys::Result {
    sys!(libc::SYS_sigaltstack, stack, 0)
}

/// Start, flags and size of the current one.
fn get() -> (usize, i32, usize) {
    let mut stack = DISABLED;
    sys!(libc::SYS_sigaltstack, 0, &mut stack).expect("sigaltstack");
    (stack.ss_sp as usize, stack.ss_flags, stack.ss_size)
}

extern "C" fn note_place(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
    let local = 0u8;
    note(black_box(&raw const local) as u64);
    // SAFETY: the context is the kernel's.
    note(unsafe { (*context).stack.ss_sp } as u64);
}

/// The place of one handler's locals.
fn place_of(flags: i32) -> usize {
    handle(USR1, flags, note_place);
    kill(pid(), USR1).unwrap();
    take()[0] as usize
}

pub(crate) fn handler_runs_there() {
    let mapping = Mapping::anonymous(8);
    set(&stack(&mapping)).unwrap();
    let inside = mapping.address..mapping.end();
    assert!(inside.contains(&place_of(libc::SA_ONSTACK)));
    assert!(!inside.contains(&place_of(0)), "only handlers that ask for it");
    set(&DISABLED).unwrap();
    assert!(!inside.contains(&place_of(libc::SA_ONSTACK)));
}

pub(crate) fn handlers_nest_there() {
    extern "C" fn nest(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        let local = 0u8;
        note(black_box(&raw const local) as u64);
        if crate::record::count() < 3 {
            kill(pid(), USR1).unwrap();
        }
    }
    let mapping = Mapping::anonymous(16);
    set(&stack(&mapping)).unwrap();
    handle(USR1, libc::SA_ONSTACK | libc::SA_NODEFER, nest);
    kill(pid(), USR1).unwrap();
    let places = take();
    assert_eq!(places.len(), 3);
    assert!(places.iter().all(|&place| (mapping.address..mapping.end()).contains(&(place as usize))));
    assert!(places.windows(2).all(|pair| pair[1] < pair[0]), "one below the other");
}

pub(crate) fn state_is_told() {
    extern "C" fn inside(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(get().1 as u64);
        // While it is in use it can be neither changed nor given up.
        note((set(&DISABLED) == Err(Errno::EPERM)) as u64);
    }
    let mapping = Mapping::anonymous(8);
    set(&DISABLED).unwrap();
    assert_eq!(get().1, libc::SS_DISABLE);
    set(&stack(&mapping)).unwrap();
    assert_eq!(get(), (mapping.address, 0, mapping.length));
    handle(USR1, libc::SA_ONSTACK, inside);
    kill(pid(), USR1).unwrap();
    assert_eq!(take(), [libc::SS_ONSTACK as u64, 1]);
    assert_eq!(get(), (mapping.address, 0, mapping.length));
    // The context names it.
    handle(USR1, 0, note_place);
    kill(pid(), USR1).unwrap();
    assert_eq!(take()[1], mapping.address as u64);
}

pub(crate) fn bad_stacks_are_refused() {
    let mapping = Mapping::anonymous(8);
    let mut small = stack(&mapping);
    small.ss_size = 1024;
    assert_eq!(set(&small), Err(Errno::ENOMEM), "less than MINSIGSTKSZ");
    let mut strange = stack(&mapping);
    strange.ss_flags = 0x40;
    assert_eq!(set(&strange), Err(Errno::EINVAL));
}

pub(crate) fn children_and_threads() {
    let mapping = Mapping::anonymous(8);
    set(&stack(&mapping)).unwrap();
    fork(|| {
        assert_eq!(get(), (mapping.address, 0, mapping.length), "a child has its parent's");
        0
    })
    .succeed();
    let threads = std::thread::spawn(|| get().0).join().unwrap();
    assert_ne!(threads, mapping.address, "a thread has none, or its own");
}

/// A frame that does not fit on the alternate stack ends the process; it does not go below.
pub(crate) fn overflow_of_it_kills() {
    extern "C" fn deep(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        kill(pid(), USR1).unwrap();
    }
    let mapping = Mapping::anonymous(16);
    mapping.protect(0, 8, libc::PROT_NONE).unwrap();
    let status = in_child(|| {
        let half = libc::stack_t { ss_sp: mapping.page(8) as *mut libc::c_void, ss_flags: 0, ss_size: 8 * PAGE };
        set(&half).unwrap();
        handle(USR1, libc::SA_ONSTACK | libc::SA_NODEFER, deep);
        kill(pid(), USR1).unwrap();
    });
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
}
