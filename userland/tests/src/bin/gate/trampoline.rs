//! The way back from a signal handler that was installed without SA_RESTORER: through the gate image.

use crate::image::{function, image};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use tollgate_gate::frame::{Cfa, Frame, REGISTERS, ReturnAddress};
use tollgate_tests::signal::{self, Action};
use tollgate_tests::{process, sys};
use tollgate_unwind::dwarf::Frames;
use tollgate_unwind::table::Table;

/// Where libc's `ucontext_t` has the registers, by DWARF number.
const GREGS: [i32; REGISTERS] = [
    libc::REG_RAX,
    libc::REG_RDX,
    libc::REG_RCX,
    libc::REG_RBX,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_RBP,
    libc::REG_RSP,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];
const RSP: usize = 7;
const TRAMPOLINE: &str = "__kernel_rt_sigreturn";

/// The interrupted registers, and the interrupted program counter after them.
static INTERRUPTED: [AtomicU64; REGISTERS + 1] = [const { AtomicU64::new(0) }; REGISTERS + 1];
static RETURN_ADDRESS: AtomicU64 = AtomicU64::new(0);
/// Steps in the image, and what unwinding from them found wrong (one number per place, 0 for nothing).
static STEPS: AtomicUsize = AtomicUsize::new(0);
static WRONG: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];
static LAST_OFFSET: AtomicU64 = AtomicU64::new(0);

fn install(number: i32, handler: signal::Handler) {
    let action = Action { handler: handler as usize, flags: libc::SA_SIGINFO as u64, restorer: 0, mask: 0 };
    action.install(number).expect("rt_sigaction");
}

extern "C" fn note(_: i32, info: *mut libc::siginfo_t, context: *mut signal::Context) {
    // SAFETY: the kernel passes the interrupted context and, below it in the frame, the return address.
    let (context, return_address) = unsafe { (&*context, *context.cast::<u64>().sub(1)) };
    for (place, number) in INTERRUPTED.iter().zip(GREGS.into_iter().chain([libc::REG_RIP])) {
        place.store(context.register(number), SeqCst);
    }
    RETURN_ADDRESS.store(return_address, SeqCst);
    assert!(!info.is_null());
}

fn raise(number: i32) {
    process::kill(process::pid(), number).expect("kill");
}

pub(crate) fn a_handler_without_a_restorer_returns() {
    install(libc::SIGUSR1, note);
    for _ in 0..100 {
        raise(libc::SIGUSR1);
    }
    assert_ne!(RETURN_ADDRESS.load(SeqCst), 0, "the handler did not run");
    assert_eq!(signal::mask(), 0, "and nothing stays blocked");
}

pub(crate) fn the_return_address_is_in_the_image() {
    install(libc::SIGUSR1, note);
    raise(libc::SIGUSR1);
    let address = RETURN_ADDRESS.load(SeqCst);
    assert_eq!(Some(address as usize), function(TRAMPOLINE));
    // An unwinder looks up the byte before a return address.
    let table = Table::get().expect("getunwind");
    assert_eq!(table.frame_at(address - 1), Some(Frame::SIGNAL));
    assert_eq!(table.frame_at(address), Some(Frame::SIGNAL));
}

/// Notes what was interrupted, and makes each instruction trap from here on.
extern "C" fn note_and_step(number: i32, info: *mut libc::siginfo_t, context: *mut signal::Context) {
    note(number, info, context);
    // SAFETY: sets the trap flag; the handler for it is installed.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

/// After each instruction: unwinds from those of the image by both tables.
extern "C" fn step(_: i32, _: *mut libc::siginfo_t, context: *mut signal::Context) {
    // SAFETY: the kernel passes the interrupted context.
    let context = unsafe { &*context };
    let (rip, rsp) = (context.register(libc::REG_RIP), context.register(libc::REG_RSP));
    let image = image();
    if !image.contains(rip) {
        return;
    }
    STEPS.fetch_add(1, SeqCst);
    LAST_OFFSET.store(rip - image.base, SeqCst);
    let by_ia64 = Table::get().ok().and_then(|table| table.frame_at(rip));
    let by_dwarf = image
        .frame_index()
        .and_then(|index| Frames::new(image.bytes, index))
        .and_then(|frames| frames.frame_at(rip - image.base))
        .map(|(_, frame)| frame);
    for (wrong, frame) in WRONG.iter().zip([by_ia64, by_dwarf]) {
        wrong.fetch_add(frame.map_or(100, |frame| errors(&frame, rsp)), SeqCst);
    }
}

/// How many of the interrupted registers a frame does not find from `rsp`.
fn errors(frame: &Frame, rsp: u64) -> usize {
    // SAFETY: a right frame names places in the signal frame, and a wrong one fails the test, by a fault at worst.
    let word = |place: u16| unsafe { *((rsp + u64::from(place)) as *const u64) };
    let interrupted = |number: usize| INTERRUPTED[number].load(SeqCst);
    let cfa = match frame.cfa {
        Cfa::Above(depth) => rsp + u64::from(depth),
        Cfa::StoredAt(place) => word(place),
    };
    let mut wrong = usize::from(cfa != interrupted(RSP));
    wrong +=
        usize::from(!matches!(frame.return_address, ReturnAddress::At(place) if word(place) == interrupted(REGISTERS)));
    for (number, place) in frame.saved.iter().enumerate().filter(|(number, _)| *number != RSP) {
        wrong += usize::from(place.map(word) != Some(interrupted(number)));
    }
    wrong
}

/// Both instructions of the trampoline, as a debugger would see them.
pub(crate) fn each_step_unwinds_to_the_interrupted_place() {
    install(libc::SIGTRAP, step);
    install(libc::SIGUSR1, note_and_step);
    // Direct: between the call and its return there is no code that could trap on its own account.
    sys!(libc::SYS_kill, process::pid(), libc::SIGUSR1).expect("kill");
    assert_eq!(STEPS.load(SeqCst), 2, "two instructions");
    let trampoline = function(TRAMPOLINE).expect("the trampoline") as u64;
    assert_eq!(image().base + LAST_OFFSET.load(SeqCst), trampoline + 7, "the second is the call");
    assert_eq!(WRONG.each_ref().map(|wrong| wrong.load(SeqCst)), [0, 0], "by getunwind(2), by DWARF");
}
