//! What faulting instructions raise: signal, code, address.

use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use tollgate_tests::memory::{Mapping, NON_CANONICAL, PAGE, RW, Shared};
use tollgate_tests::signal::{Context, Fault, fault_of, handle};
use tollgate_tests::{skip, sys};

const ILL_ILLOPN: i32 = 2;
const FPE_INTDIV: i32 = 1;
const FPE_FLTDIV: i32 = 3;
const FPE_FLTINV: i32 = 7;
const TRAP_TRACE: i32 = 2;
const BUS_ADRALN: i32 = 1;
/// The kernel raised it and knows no more.
const SI_KERNEL: i32 = 0x80;

/// Runs instructions and expects a fault whose address is that of the instruction at label 2.
macro_rules! at_instruction {
    ($signal:expr, $code:expr, $($line:literal),+) => {{
        let shared = Shared::new(AtomicU64::new(0));
        let fault = fault_of(|| {
            // SAFETY: the instructions fault, and the handler ends the process.
            unsafe {
                asm!("lea r12, [rip + 2f]", "mov [r13], r12", $($line),+, out("r12") _, in("r13") shared.as_ptr())
            };
        });
        let address = shared.load(SeqCst) as usize;
        assert_eq!(fault, Some(Fault { signal: $signal, code: $code, address }), concat!($($line, "; "),+));
    }};
}

pub(crate) fn integer_division() {
    at_instruction!(libc::SIGFPE, FPE_INTDIV, "xor r14d, r14d", "xor edx, edx", "2: div r14");
    // The quotient does not fit.
    at_instruction!(libc::SIGFPE, FPE_INTDIV, "mov eax, 0x80000000", "mov edx, -1", "mov r14d, -1", "2: idiv r14d");
}

/// The x87 tells at its next instruction.
pub(crate) fn x87_exceptions() {
    at_instruction!(
        libc::SIGFPE,
        FPE_FLTDIV,
        "push 0x340",
        "fldcw [rsp]",
        "pop r14",
        "fldz",
        "fld1",
        "fdiv st(0), st(1)",
        "2: fwait"
    );
}

pub(crate) fn simd_exceptions() {
    // SAFETY: all exceptions unmasked, an invalid operation; where that faults the process ends.
    let fault = fault_of(|| unsafe {
        asm!("push 0", "ldmxcsr [rsp]", "pop rax", "xorpd xmm0, xmm0", "divsd xmm0, xmm0", out("rax") _, out("xmm0") _)
    });
    if fault.is_none() {
        skip!("this processor, probably TCG, raises no SIMD exceptions");
    }
    at_instruction!(
        libc::SIGFPE,
        FPE_FLTDIV,
        "push 0",
        "ldmxcsr [rsp]",
        "pop r14",
        "mov r14d, 1",
        "cvtsi2sd xmm1, r14d",
        "xorpd xmm0, xmm0",
        "2: divsd xmm1, xmm0"
    );
    at_instruction!(
        libc::SIGFPE,
        FPE_FLTINV,
        "push 0",
        "ldmxcsr [rsp]",
        "pop r14",
        "xorpd xmm0, xmm0",
        "2: divsd xmm0, xmm0"
    );
}

pub(crate) fn illegal_instructions() {
    at_instruction!(libc::SIGILL, ILL_ILLOPN, "2: ud2");
    at_instruction!(libc::SIGILL, ILL_ILLOPN, "2: .byte 0x06");
    // A lock where none may be.
    at_instruction!(libc::SIGILL, ILL_ILLOPN, "2: .byte 0xf0, 0x90");
}

/// Expects a fault of which only the kernel knows more.
macro_rules! protection {
    ($($line:literal),+) => {{
        let fault = fault_of(|| {
            // SAFETY: the instructions fault, and the handler ends the process.
            unsafe { asm!($($line),+, out("rax") _, out("rcx") _, out("rdx") _) };
        });
        let expected = Fault { signal: libc::SIGSEGV, code: SI_KERNEL, address: 0 };
        assert_eq!(fault, Some(expected), concat!($($line, "; "),+));
    }};
}

pub(crate) fn privileged_instructions() {
    protection!("hlt");
    protection!("cli");
    protection!("in al, 0x60");
    protection!("mov dx, 0x3f8", "out dx, al");
    protection!("mov rax, cr0");
    protection!("mov rax, cr3", "mov cr3, rax");
    protection!("mov ecx, 0xc0000080", "rdmsr");
    protection!("mov ecx, 0xc0000080", "xor eax, eax", "xor edx, edx", "wrmsr");
    protection!("wbinvd");
    protection!("swapgs");
    protection!("lgdt [rsp]");
    protection!("mov eax, 0x10", "mov ds, ax");
    protection!("mov eax, 0x8", "mov ss, ax");
    // Not aligned, for an instruction that insists.
    protection!("movaps xmm0, [rsp - 15]");
}

pub(crate) fn breakpoints() {
    let expected = Some(Fault { signal: libc::SIGTRAP, code: SI_KERNEL, address: 0 });
    // SAFETY: traps, and the handler ends the process.
    assert_eq!(fault_of(|| unsafe { asm!("int3") }), expected);
    // SAFETY: as above; the two-byte form.
    assert_eq!(fault_of(|| unsafe { asm!(".byte 0xcd, 0x03") }), expected);
}

/// The trap comes after the instruction that follows the one that set the flag.
pub(crate) fn single_step() {
    at_instruction!(libc::SIGTRAP, TRAP_TRACE, "pushf", "or dword ptr [rsp], 0x100", "popf", "nop", "2: nop", "nop");
}

pub(crate) fn alignment() {
    let fault = fault_of(|| {
        // SAFETY: faults at the load, and the handler ends the process.
        unsafe { asm!("pushf", "or dword ptr [rsp], 0x40000", "popf", "mov eax, [rsp + 1]", out("rax") _) };
    });
    if fault.is_none() {
        skip!("this processor, probably TCG, does not check alignment");
    }
    assert_eq!(fault, Some(Fault { signal: libc::SIGBUS, code: BUS_ADRALN, address: 0 }));
}

/// A stack reference to no address at all is the stack segment's fault, which Linux makes SIGBUS. TCG raises a
/// general protection fault instead.
pub(crate) fn stack_segment() {
    let fault = fault_of(|| {
        // SAFETY: faults at the push; the handler runs on the alternate stack and ends the process.
        unsafe { asm!("mov rsp, {}", "push rax", in(reg) NON_CANONICAL, options(noreturn)) };
    });
    let fault = fault.expect("a fault");
    assert!(matches!(fault.signal, libc::SIGBUS | libc::SIGSEGV), "{fault:?}");
    assert_eq!((fault.code, fault.address), (SI_KERNEL, 0));
}

/// Gates that are not for programs. 0x80 is left out: Linux may take a 32-bit system call there.
pub(crate) fn software_interrupts() {
    protection!("int 0x00");
    protection!("int 0x01");
    protection!("int 0x02");
    protection!("int 0x08");
    protection!("int 0x0d");
    protection!("int 0x0e");
    protection!("int 0x20");
    protection!("int 0x81");
    protection!("int 0xef");
    protection!("int 0xff");
}

/// A fault on purpose: the handler makes the page accessible and the instruction runs again.
pub(crate) fn handler_may_mend_and_go_on() {
    static FAULTS: AtomicU64 = AtomicU64::new(0);
    extern "C" fn mend(_: i32, info: *mut libc::siginfo_t, _: *mut Context) {
        FAULTS.fetch_add(1, SeqCst);
        // SAFETY: the kernel's siginfo of a fault.
        let page = unsafe { (*info).si_addr() } as usize & !(PAGE - 1);
        sys!(libc::SYS_mprotect, page, PAGE, RW).unwrap();
    }
    handle(libc::SIGSEGV, 0, mend);
    let mapping = Mapping::anonymous(50);
    mapping.protect(0, 50, libc::PROT_NONE).unwrap();
    mapping.fill(1);
    assert_eq!(FAULTS.load(SeqCst), 50);
}
