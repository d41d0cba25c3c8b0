//! The frame: what the interrupted code gets back, and what the handler sees.

use crate::record::{count, note, take};
use std::arch::asm;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use tollgate_tests::memory::{Mapping, PAGE};
use tollgate_tests::process::{kill, pid, tid};
use tollgate_tests::signal::{Action, Context, Fault, SET_SIZE, fault_of, handle};
use tollgate_tests::{on_tollgate, skip, sys, time};

const USR1: i32 = libc::SIGUSR1;

/// Spoils every register a function may spoil, and the floating-point modes.
extern "C" fn spoil(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
    // SAFETY: only registers that the ABI gives to the callee, named below, and modes that nothing here uses.
    unsafe {
        asm!(
            "pcmpeqd xmm0, xmm0", "movdqa xmm1, xmm0", "movdqa xmm2, xmm0", "movdqa xmm3, xmm0",
            "movdqa xmm4, xmm0", "movdqa xmm5, xmm0", "movdqa xmm6, xmm0", "movdqa xmm7, xmm0",
            "movdqa xmm8, xmm0", "movdqa xmm9, xmm0", "movdqa xmm10, xmm0", "movdqa xmm11, xmm0",
            "movdqa xmm12, xmm0", "movdqa xmm13, xmm0", "movdqa xmm14, xmm0", "movdqa xmm15, xmm0",
            "ldmxcsr [{mxcsr}]", "fldcw [{fcw}]", "fld1",
            "mov rax, -1", "mov rdx, rax", "mov rdi, rax", "mov r8, rax", "mov r9, rax", "mov r10, rax",
            mxcsr = in(reg) &0x7f80u32, fcw = in(reg) &0x77fu16,
            out("rax") _, out("rdx") _, out("rdi") _, out("r8") _, out("r9") _, out("r10") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
            out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _, out("st(0)") _,
        );
    }
    note(1);
}

/// All general registers but those of the call itself, across kill and a handler that spoils them.
pub(crate) fn general_registers_survive() {
    handle(USR1, 0, spoil);
    let mut words: [u64; 12] = std::array::from_fn(|index| 0x0101_0101_0101_0101 * (index as u64 + 1));
    let expected = words;
    // SAFETY: rbx and rbp are saved and restored; all else is declared. The signal is handled within the call.
    unsafe {
        asm!(
            "push rbx", "push rbp", "push {words}",
            "mov r12, {words}",
            "mov rbx, [r12]", "mov rbp, [r12 + 8]", "mov rdx, [r12 + 16]",
            "mov r8, [r12 + 32]", "mov r9, [r12 + 40]", "mov r10, [r12 + 48]", "mov r13, [r12 + 56]",
            "mov r14, [r12 + 64]", "mov r15, [r12 + 72]",
            "std",
            "syscall",
            "pushf",
            "cld",
            "mov r12, [rsp + 8]",
            "mov [r12], rbx", "mov [r12 + 8], rbp", "mov [r12 + 16], rdx",
            "mov [r12 + 32], r8", "mov [r12 + 40], r9", "mov [r12 + 48], r10", "mov [r12 + 56], r13",
            "mov [r12 + 64], r14", "mov [r12 + 72], r15",
            "pop rbx", "mov [r12 + 80], rbx",
            "pop rbx", "pop rbp", "pop rbx",
            words = in(reg) &mut words,
            inlateout("rax") libc::SYS_kill => _,
            in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _, lateout("rdx") _, lateout("r8") _, lateout("r9") _,
            lateout("r10") _, lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
        );
    }
    assert_eq!(count(), 1);
    assert_eq!(words[..10], expected[..10]);
    assert_ne!(words[10] & 1 << 10, 0, "the direction flag is lost");
}

pub(crate) fn vector_registers_survive() {
    handle(USR1, 0, spoil);
    let mut before = [[0u8; 16]; 16];
    for (index, byte) in before.as_flattened_mut().iter_mut().enumerate() {
        *byte = index as u8 ^ 0x5a;
    }
    let mut after = [[0u8; 16]; 16];
    macro_rules! run {
        ($($number:literal)*) => {
            // SAFETY: registers are declared; the arrays have 256 bytes each.
            unsafe { asm!(
                $(concat!("movups xmm", $number, ", [r14 + 16 * ", $number, "]"),)*
                "syscall",
                $(concat!("movups [r15 + 16 * ", $number, "], xmm", $number),)*
                in("r14") &before, in("r15") &mut after,
                inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
                out("rcx") _, out("r11") _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
                out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            ) }
        };
    }
    run!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    assert_eq!(count(), 1);
    assert_eq!(after, before);
}

/// The upper halves of the AVX registers.
pub(crate) fn wide_vectors_survive() {
    if !std::arch::is_x86_feature_detected!("avx") {
        skip!("no AVX");
    }
    extern "C" fn zero_all(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        // SAFETY: the CPU has AVX; the ABI gives these registers to the callee.
        unsafe { asm!("vzeroall", out("xmm0") _, out("xmm1") _, out("xmm7") _, out("xmm15") _) };
        note(1);
    }
    handle(USR1, 0, zero_all);
    let before: [u8; 32] = std::array::from_fn(|index| index as u8 + 1);
    let mut after = [0u8; 32];
    // SAFETY: the CPU has AVX; the arrays have 32 bytes.
    unsafe {
        asm!(
            "vmovups ymm7, [r14]", "syscall", "vmovups [r15], ymm7", "vzeroupper",
            in("r14") &before, in("r15") &mut after,
            inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _, out("xmm7") _,
        );
    }
    assert_eq!(count(), 1);
    assert_eq!(after, before);
}

pub(crate) fn floating_point_modes_survive() {
    handle(USR1, 0, spoil);
    let (mut mxcsr, mut fcw, mut top) = (0u32, 0u16, 0f64);
    // SAFETY: the modes are put back to the default; the x87 stack is as before.
    unsafe {
        asm!(
            "ldmxcsr [{new_mxcsr}]", "fldcw [{new_fcw}]", "fldpi",
            "syscall",
            "stmxcsr [{mxcsr}]", "fnstcw [{fcw}]", "fstp qword ptr [{top}]",
            "fninit", "ldmxcsr [{default}]",
            new_mxcsr = in(reg) &0x3f80u32, new_fcw = in(reg) &0xf7fu16, default = in(reg) &0x1f80u32,
            mxcsr = in(reg) &mut mxcsr, fcw = in(reg) &mut fcw, top = in(reg) &mut top,
            inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _,
        );
    }
    assert_eq!(count(), 1);
    assert_eq!((mxcsr, fcw), (0x3f80, 0xf7f));
    assert!((top - std::f64::consts::PI).abs() < 1e-9, "the x87 stack: {top}");
}

/// The 128 bytes below the stack pointer belong to the interrupted function.
pub(crate) fn red_zone_survives() {
    handle(USR1, 0, spoil);
    let sum: u64;
    // SAFETY: writes and reads below the stack pointer only, where no signal may write; declared registers.
    unsafe {
        asm!(
            "mov qword ptr [rsp - 8], 1", "mov qword ptr [rsp - 64], 2", "mov qword ptr [rsp - 128], 4",
            "syscall",
            "mov {sum}, [rsp - 8]", "add {sum}, [rsp - 64]", "add {sum}, [rsp - 128]",
            sum = out(reg) sum,
            inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _,
        );
    }
    assert_eq!(count(), 1);
    assert_eq!(sum, 7);
}

static ENTRY: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Notes rsp, rflags and mxcsr as they are at the first instruction.
#[unsafe(naked)]
extern "C" fn note_entry(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
    std::arch::naked_asm!(
        "lea rax, [rip + {entry}]",
        "mov [rax], rsp",
        "pushf",
        "pop [rax + 8]",
        "stmxcsr [rax + 16]",
        "cld",
        "ret",
        entry = sym ENTRY,
    )
}

/// The ABI's state at a function's entry, whatever the interrupted code had.
pub(crate) fn handler_starts_clean() {
    handle(USR1, 0, note_entry);
    // SAFETY: the flag is cleared again, the mode put back.
    unsafe {
        asm!(
            "std", "ldmxcsr [{strange}]", "syscall", "cld", "ldmxcsr [{default}]",
            strange = in(reg) &0x7f80u32, default = in(reg) &0x1f80u32,
            inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _,
        );
    }
    let [stack, flags, mxcsr] = ENTRY.each_ref().map(|word| word.load(SeqCst));
    assert_eq!(stack % 16, 8, "as after a call");
    assert_eq!(flags & 1 << 10, 0, "the direction flag is set");
    assert_eq!(mxcsr, 0x1f80);
}

pub(crate) fn context_tells_the_fault() {
    static PLACE: AtomicU64 = AtomicU64::new(0);
    extern "C" fn check(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
        // SAFETY: the context is the kernel's; the mapping is the test's, and made accessible here.
        unsafe {
            let context = &*context;
            note(context.register(libc::REG_TRAPNO));
            note(context.register(libc::REG_ERR));
            note(context.register(libc::REG_CR2));
            note(context.register(libc::REG_CSGSFS) & 0xffff);
            note(context.register(libc::REG_EFL) & 1 << 9);
            note(context.fpstate as u64 % 64);
        }
        sys!(libc::SYS_mprotect, PLACE.load(SeqCst), PAGE, libc::PROT_READ | libc::PROT_WRITE).unwrap();
    }
    let mapping = Mapping::anonymous(1);
    tollgate_tests::memory::poke(mapping.address, 1);
    mapping.protect(0, 1, libc::PROT_READ).unwrap();
    PLACE.store(mapping.address as u64, SeqCst);
    handle(libc::SIGSEGV, 0, check);
    tollgate_tests::memory::poke(mapping.address + 12, 9);
    // A page fault: of user mode, a write, to a page that is there.
    let interrupts = 1 << 9;
    assert_eq!(take(), [14, 7, mapping.address as u64 + 12, 0x33, interrupts, 0]);
    assert_eq!(tollgate_tests::memory::peek(mapping.address + 12), 9);
}

/// Registers changed in the context, xmm0 among them, are what the interrupted code goes on with.
pub(crate) fn changes_take_effect() {
    extern "C" fn change(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
        // SAFETY: the context is the kernel's; its fpregs point to an FXSAVE image.
        unsafe {
            (*context).set_register(libc::REG_R8, 0x1234);
            // xmm0's place in it.
            *(((*context).fpstate + 160) as *mut u64) = 0x5678;
        }
    }
    handle(USR1, 0, change);
    let (mut r8, mut xmm0) = (1u64, 2u64);
    // SAFETY: declared registers.
    unsafe {
        asm!(
            "pxor xmm0, xmm0", "syscall", "movq {xmm0}, xmm0",
            xmm0 = out(reg) xmm0, inout("r8") r8,
            inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
            out("rcx") _, out("r11") _, out("xmm0") _,
        );
    }
    assert_eq!((r8, xmm0), (0x1234, 0x5678));
}

/// Signals from another thread at any instruction: a loop of arithmetic in registers comes out right.
pub(crate) fn survives_preemption() {
    static DONE: AtomicU32 = AtomicU32::new(0);
    handle(USR1, 0, spoil);
    let (group, target) = (pid(), tid());
    let sender = std::thread::spawn(move || {
        let mut sent = 0;
        while DONE.load(SeqCst) == 0 {
            sys!(libc::SYS_tgkill, group, target, USR1).unwrap();
            sent += 1;
            time::sleep(std::time::Duration::from_micros(100));
        }
        sent
    });
    let start = time::monotonic();
    let (mut general, mut vector) = (0u64, 0f64);
    let mut rounds = 0u64;
    while time::monotonic() - start < std::time::Duration::from_millis(200) {
        // SAFETY: declared registers only.
        unsafe {
            asm!(
                "2:",
                "add {general}, {one}",
                "addsd {vector}, {unit}",
                "dec {left}",
                "jnz 2b",
                general = inout(reg) general, one = in(reg) 1u64, left = inout(reg) 10_000u64 => _,
                vector = inout(xmm_reg) vector, unit = in(xmm_reg) 1f64,
            );
        }
        rounds += 1;
    }
    DONE.store(1, SeqCst);
    let sent = sender.join().unwrap();
    assert_eq!((general, vector), (rounds * 10_000, (rounds * 10_000) as f64));
    assert!(sent > 10 && count() > 5, "{sent} sent, {} arrived: too few to mean anything", count());
}

/// A handler without SA_RESTORER returns through the gate page.
pub(crate) fn kernel_has_a_trampoline() {
    extern "C" fn look(_: i32, _: *mut libc::siginfo_t, _: *mut Context) {
        note(1);
    }
    assert!(on_tollgate());
    let action = Action { flags: libc::SA_SIGINFO as u64, restorer: 0, ..Action::new(look, 0) };
    sys!(libc::SYS_rt_sigaction, USR1, &action, 0, SET_SIZE).unwrap();
    kill(pid(), USR1).unwrap();
    assert_eq!(take(), [1]);
    // The page is there to execute and read, not to write.
    // SAFETY: getauxval only looks.
    let gate = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) } as usize;
    if gate != 0 {
        let refused = Some(Fault { signal: libc::SIGSEGV, code: 2, address: gate });
        assert_eq!(fault_of(|| tollgate_tests::memory::poke(gate, 0)), refused);
    }
}
