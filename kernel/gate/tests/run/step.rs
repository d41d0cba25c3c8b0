//! Steps through the trampolines one instruction at a time and unwinds from each, by both tables.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tollgate_gate::frame::{Cfa, Frame, REGISTERS, ReturnAddress};
use tollgate_gate::image::FUNCTIONS;
use tollgate_gate::unwind::table;
use tollgate_gate::{sigreturn_offset, unwind_data, uretprobe_offset, uretprobe_return_offset};
use tollgate_unwind::dwarf::Frames;
use tollgate_unwind::image::Image;

use crate::mapped::Gate;

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
const TRAP_FLAG: i64 = 0x100;

/// The image that is stepped through.
static BASE: AtomicU64 = AtomicU64::new(0);
/// What unwinding must find: program counter and stack pointer.
static CALLER: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
/// And all registers, if they are known.
static REGISTERS_OF_CALLER: Mutex<Option<[u64; REGISTERS]>> = Mutex::new(None);
/// Places that were visited, and what was wrong there. A test reads them when its steps are done.
static VISITED: Mutex<Vec<u64>> = Mutex::new(Vec::new());
static WRONG: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// Signal handlers belong to the process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn caller() -> [u64; 2] {
    CALLER.each_ref().map(|word| word.load(Relaxed))
}

fn word(address: u64) -> u64 {
    // SAFETY: the address is one that a frame names, on the stack of the thread that was stopped.
    unsafe { *(address as *const u64) }
}

/// Compares what `frame` finds from a stack pointer with the true caller.
fn check(what: &str, rip: u64, rsp: u64, frame: &Frame, cfa_known: bool) {
    let [true_rip, true_rsp] = caller();
    let cfa = match frame.cfa {
        Cfa::Above(depth) => rsp + u64::from(depth),
        Cfa::StoredAt(place) => word(rsp + u64::from(place)),
    };
    let wrong = |message: String| WRONG.lock().expect("messages").push(format!("{what} at {rip:#x}: {message}"));
    if cfa_known && cfa != true_rsp {
        wrong(format!("rsp {cfa:#x} is not {true_rsp:#x}"));
    }
    if let ReturnAddress::At(place) = frame.return_address {
        let found = word(rsp + u64::from(place));
        if found != true_rip {
            wrong(format!("rip {found:#x} is not {true_rip:#x}"));
        }
    }
    let registers = *REGISTERS_OF_CALLER.lock().expect("the registers");
    for (number, place) in frame.saved.iter().enumerate() {
        if let (Some(place), Some(registers)) = (place, registers) {
            let found = word(rsp + u64::from(*place));
            if found != registers[number] {
                wrong(format!("register {number} {found:#x} is not {:#x}", registers[number]));
            }
        }
    }
}

/// Unwinds from a place in the image by both tables.
fn unwind(rip: u64, rsp: u64) {
    let base = BASE.load(Relaxed);
    let data = unwind_data(base);
    let gate = Image { base, bytes: tollgate_gate::image() };
    let frames = Frames::new(gate.bytes, gate.frame_index().expect("an index")).expect("the frames");
    let (_, by_dwarf) = frames.frame_at(rip - base).expect("a DWARF frame");
    let by_ia64 = table::find(&data, rip).expect("a table entry").frame_at(rip).expect("an IA-64 frame");
    check("DWARF", rip, rsp, &by_dwarf, true);
    check("IA-64", rip, rsp, &by_ia64, by_ia64.return_address != ReturnAddress::Unknown);
    let known = by_dwarf.return_address != ReturnAddress::Unknown;
    let expected = (rip - base) as usize >= uretprobe_return_offset() || rip - base < uretprobe_offset() as u64;
    if known != expected || known != (by_ia64.return_address != ReturnAddress::Unknown) {
        WRONG.lock().expect("messages").push(format!("{rip:#x}: who knows the caller?"));
    }
    VISITED.lock().expect("places").push(rip - base);
}

fn registers(context: &libc::ucontext_t) -> [u64; REGISTERS] {
    GREGS.map(|number| context.uc_mcontext.gregs[number as usize] as u64)
}

/// After each instruction. The handler runs between instructions of this file's assembly or the image's, so it may do
/// what handlers otherwise must not, allocate for one.
extern "C" fn on_trap(_: libc::c_int, _: *const libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the system passes the interrupted context, which is the handler's alone.
    let context = unsafe { &mut *context };
    let gregs = &mut context.uc_mcontext.gregs;
    let (rip, rsp) = (gregs[libc::REG_RIP as usize] as u64, gregs[libc::REG_RSP as usize] as u64);
    let base = BASE.load(Relaxed);
    let Some(offset) = rip.checked_sub(base).filter(|offset| *offset < 4096) else {
        if caller()[0] == rip {
            gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
        }
        return;
    };
    unwind(rip, rsp);
    if offset as usize == uretprobe_return_offset() - 2 {
        // The call itself is the kernel's: it puts the true return address into the slot of rax, which it returns.
        let slot = (rsp + 16) as *mut u64;
        // SAFETY: the trampoline pushed rax, rcx and r11; the first of them lies there.
        unsafe {
            gregs[libc::REG_RAX as usize] = *slot as i64;
            *slot = caller()[0];
        }
        gregs[libc::REG_RCX as usize] = (rip + 2) as i64;
        gregs[libc::REG_R11 as usize] = gregs[libc::REG_EFL as usize];
        gregs[libc::REG_RIP as usize] = (rip + 2) as i64;
        unwind(rip + 2, rsp);
    }
}

/// Installs a handler; with `restorer` 0 the C library's own return code is used.
fn install(signal: libc::c_int, handler: usize, restorer: usize) {
    if restorer == 0 {
        // SAFETY: all fields may be zero.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: the action lives, and the handler has the signature that SA_SIGINFO asks for.
        assert_eq!(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }, 0);
    } else {
        const SA_RESTORER: usize = 0x0400_0000;
        let action = [handler, SA_RESTORER | libc::SA_SIGINFO as usize, restorer, 0];
        // SAFETY: the structure is the kernel's: handler, flags, restorer, a mask of eight bytes.
        let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0, 8) };
        assert_eq!(result, 0);
    }
}

fn begin() -> (std::sync::MutexGuard<'static, ()>, Gate) {
    let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let gate = Gate::new();
    BASE.store(gate.base as u64, Relaxed);
    *REGISTERS_OF_CALLER.lock().expect("the registers") = None;
    VISITED.lock().expect("places").clear();
    WRONG.lock().expect("messages").clear();
    install(libc::SIGTRAP, on_trap as *const () as usize, 0);
    (turn, gate)
}

/// Every instruction of the function that `entry` belongs to must have been visited, and nothing wrong.
fn end(entry: usize) {
    let wrong = WRONG.lock().expect("messages").clone();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let function = FUNCTIONS.iter().find(|function| function.entry == entry).expect("a function");
    let code = &tollgate_gate::image()[function.entry..function.code_end];
    let decoder = iced_x86::Decoder::with_ip(64, code, function.entry as u64, 0);
    let instructions: Vec<u64> = decoder.into_iter().map(|instruction| instruction.ip()).collect();
    assert_eq!(*VISITED.lock().expect("places"), instructions);
}

/// The handler that returns through the trampoline. From its last lines on, each instruction traps.
extern "C" fn on_signal(_: libc::c_int, _: *const libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the system passes the interrupted context.
    let context = unsafe { &*context };
    let registers = registers(context);
    let rip = context.uc_mcontext.gregs[libc::REG_RIP as usize] as u64;
    CALLER[0].store(rip, Relaxed);
    CALLER[1].store(registers[7], Relaxed);
    *REGISTERS_OF_CALLER.lock().expect("the registers") = Some(registers);
    // SAFETY: sets the trap flag; the handler for it is installed.
    unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
}

#[test]
fn each_step_of_the_signal_trampoline_unwinds_to_the_interrupted_place() {
    let (_turn, gate) = begin();
    install(libc::SIGUSR1, on_signal as *const () as usize, gate.base + sigreturn_offset());
    // SAFETY: interrupted at its first instruction or later, the function comes back.
    unsafe { libc::raise(libc::SIGUSR1) };
    end(sigreturn_offset());
}

std::arch::global_asm!(
    // fn(trampoline, caller: *mut [rip, rsp], results: *mut [rax, rcx, r11])
    "tollgate_test_probed_call:",
    "    push rbx",
    "    mov rbx, rdx",
    "    lea rax, [rip + 2f]",
    "    mov [rsi], rax",
    "    mov [rsi + 8], rsp",
    "    call 3f",
    "2:",
    "    mov [rbx], rax",
    "    mov [rbx + 8], rcx",
    "    mov [rbx + 16], r11",
    "    pop rbx",
    "    ret",
    // The probed function: its return address was replaced, it returns three values, and is stepped from its end on.
    "3:",
    "    mov [rsp], rdi",
    "    mov eax, 0x1111",
    "    mov ecx, 0x2222",
    "    mov r11d, 0x3333",
    "    pushfq",
    "    or qword ptr [rsp], 0x100",
    "    popfq",
    "    ret",
);

unsafe extern "C" {
    fn tollgate_test_probed_call(trampoline: usize, caller: *mut u64, results: *mut u64);
}

#[test]
fn each_step_of_the_return_probe_trampoline_unwinds_to_the_caller() {
    let (_turn, gate) = begin();
    let mut results = [0; 3];
    let caller = CALLER.each_ref().map(AtomicU64::as_ptr)[0];
    let trampoline = gate.base + uretprobe_offset();
    // SAFETY: follows the C calling convention; the trampoline comes back to where the call was made, and the caller's
    // two words are adjacent in memory that may be written through a shared reference.
    unsafe { tollgate_test_probed_call(trampoline, caller, results.as_mut_ptr()) };
    assert_eq!(results, [0x1111, 0x2222, 0x3333]);
    end(uretprobe_offset());
}
