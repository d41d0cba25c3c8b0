//! rt_sigaction.

use crate::record::{note, note_signal, take};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use tollgate_tests::process::{Status, fork, in_child, kill, pid};
use tollgate_tests::signal::{Action, Context, Handler, SET_SIZE, handle, ignore, mask, pending, set};
use tollgate_tests::{Errno, memory, signal, sys};

const USR1: i32 = libc::SIGUSR1;
const USR2: i32 = libc::SIGUSR2;

fn raise(signal: i32) {
    kill(pid(), signal).expect("kill");
}

static CODE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn note_sender(signal: i32, info: *mut libc::siginfo_t, context: *mut Context) {
    // SAFETY: the kernel's siginfo is valid, and kill fills in the sender.
    unsafe {
        assert_eq!((*info).si_signo, signal);
        CODE.store((*info).si_code, SeqCst);
        SENDER.store((*info).si_pid(), SeqCst);
    }
    assert!(!context.is_null());
    note(signal as u64);
}

pub(crate) fn handler_gets_the_signal() {
    for signal in [USR1, libc::SIGTERM, signal::RT, signal::LAST] {
        handle(signal, 0, note_sender);
        raise(signal);
        assert_eq!(take(), [signal as u64]);
        assert_eq!((CODE.load(SeqCst), SENDER.load(SeqCst)), (libc::SI_USER, pid()));
    }
    let parent = pid();
    let child = fork(|| {
        kill(parent, USR1).unwrap();
        0
    });
    child.succeed();
    assert_eq!(SENDER.load(SeqCst), child.pid);
}

pub(crate) fn old_action_comes_back() {
    assert_eq!(Action::current(USR1), Action::default_action());
    let action = Action::new(note_signal, libc::SA_RESTART | libc::SA_NODEFER).blocking(&[USR2, 40]);
    action.install(USR1).unwrap();
    assert_eq!(Action::current(USR1), action);
    let mut old = Action::default();
    sys!(libc::SYS_rt_sigaction, USR1, &Action::ignore(), &mut old, SET_SIZE).unwrap();
    assert_eq!(old, action);
    assert_eq!(Action::current(USR1).handler, libc::SIG_IGN);
}

pub(crate) fn signal_is_blocked_while_handled() {
    extern "C" fn once(signal: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(mask());
        if crate::record::count() == 1 {
            raise(signal);
            note(pending());
        }
    }
    handle(USR1, 0, once);
    raise(USR1);
    let own = set(&[USR1]);
    assert_eq!(take(), [own, own, own], "masked, pending, and masked again in the second run");
    assert_eq!((mask(), pending()), (0, 0));
}

pub(crate) fn nodefer_lets_it_nest() {
    extern "C" fn nest(signal: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        let depth = crate::record::count() as u64;
        note(depth);
        if depth < 5 {
            raise(signal);
        }
        note(100 + depth);
    }
    handle(USR1, libc::SA_NODEFER, nest);
    raise(USR1);
    assert_eq!(take(), [0, 1, 2, 3, 4, 5, 105, 104, 103, 102, 101, 100]);
}

pub(crate) fn mask_of_the_action_is_added() {
    extern "C" fn look(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(mask());
        raise(USR2);
        note(pending());
    }
    signal::block(&[50]);
    handle(USR2, 0, note_signal);
    // SIGKILL and SIGSTOP are dropped from the mask without a word.
    Action::new(look, 0).blocking(&[USR2, libc::SIGTERM, libc::SIGKILL, libc::SIGSTOP]).install(USR1).unwrap();
    assert_eq!(Action::current(USR1).mask, set(&[USR2, libc::SIGTERM]));
    raise(USR1);
    let inside = set(&[USR1, USR2, libc::SIGTERM, 50]);
    assert_eq!(take(), [inside, set(&[USR2]), USR2 as u64], "SIGUSR2 comes when the handler is done");
    assert_eq!(mask(), set(&[50]));
}

pub(crate) fn resethand_is_for_once() {
    handle(USR1, libc::SA_RESETHAND, note_signal);
    raise(USR1);
    assert_eq!(take(), [USR1 as u64]);
    assert_eq!(Action::current(USR1).handler, libc::SIG_DFL);
    assert_eq!(in_child(|| raise(USR1)), Status::Killed(USR1), "the second one meets the default action");
}

pub(crate) fn ignoring_drops_what_is_pending() {
    signal::block(&[USR1, 40]);
    raise(USR1);
    raise(40);
    raise(40);
    assert_eq!(pending(), set(&[USR1, 40]));
    ignore(USR1);
    ignore(40);
    assert_eq!(pending(), 0);
    handle(USR1, 0, note_signal);
    signal::unblock(&[USR1, 40]);
    assert!(take().is_empty());
    // SIGCHLD's default is to be ignored, which drops it as well.
    signal::block(&[libc::SIGCHLD]);
    handle(libc::SIGCHLD, 0, note_signal);
    raise(libc::SIGCHLD);
    assert_eq!(pending(), set(&[libc::SIGCHLD]));
    signal::set_default(libc::SIGCHLD);
    assert_eq!(pending(), 0);
}

pub(crate) fn handlers_nest() {
    extern "C" fn outer(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(1);
        raise(USR2);
        note(3);
    }
    extern "C" fn inner(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(2);
    }
    handle(USR1, 0, outer);
    handle(USR2, 0, inner);
    raise(USR1);
    assert_eq!(take(), [1, 2, 3]);
}

pub(crate) fn bad_arguments_are_refused() {
    let action = Action::new(note_signal, 0);
    for signal in [0, -1, 65, 1000, libc::SIGKILL, libc::SIGSTOP] {
        assert_eq!(action.install(signal), Err(Errno::EINVAL), "signal {signal}");
    }
    for size in [0, 4, 16, 128] {
        assert_eq!(sys!(libc::SYS_rt_sigaction, USR1, &action, 0, size), Err(Errno::EINVAL), "size {size}");
    }
    // Looking at those that cannot be changed is fine.
    assert_eq!(Action::current(libc::SIGKILL).handler, libc::SIG_DFL);
}

static LANDING: AtomicUsize = AtomicUsize::new(0);

/// The handler changes where the interrupted code goes on.
pub(crate) fn handler_may_go_elsewhere() {
    extern "C" fn divert(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
        // SAFETY: the context is the kernel's; the code there expects the change.
        unsafe {
            (*context).set_register(libc::REG_RIP, LANDING.load(SeqCst) as u64);
            (*context).set_register(libc::REG_RBX, 0x77);
        }
    }
    handle(libc::SIGILL, 0, divert as Handler);
    let result: u64;
    // SAFETY: the handler leads from the bad instruction to the label behind it; nothing else happens.
    unsafe {
        std::arch::asm!(
            "mov {saved}, rbx",
            "lea {landing}, [rip + 2f]",
            "mov [{place}], {landing}",
            "ud2",
            "2:",
            "mov {result}, rbx",
            "mov rbx, {saved}",
            saved = out(reg) _,
            landing = out(reg) _,
            place = in(reg) LANDING.as_ptr(),
            result = out(reg) result,
        );
    }
    assert_eq!(result, 0x77);
    memory::touch(&raw const LANDING as usize);
}

/// Of several at once the lowest number is delivered first, and each next handler interrupts the one before.
pub(crate) fn delivery_by_number() {
    let signals = [USR1, USR2, 40, 41];
    signal::block(&signals);
    for signal in signals {
        Action::new(note_signal, 0).blocking(&signals).install(signal).unwrap();
        raise(signal);
    }
    signal::unblock(&signals);
    assert_eq!(take(), signals.map(|signal| signal as u64));
}
