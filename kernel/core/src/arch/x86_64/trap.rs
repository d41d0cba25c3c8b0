//! Interrupt stubs: every vector saves a whole register frame, then goes to one of two places. From user mode, the
//! stub fills the task's register block and returns from [`super::user::enter`]; from the kernel, it calls
//! [`kernel_trap`].
use core::mem::size_of;

use super::gdt::{IST_SIZE, Ist, KERNEL_CS};
use super::percpu::{CONTEXT_END, KERNEL_RSP};
use super::{cpu, irq, percpu};
use crate::mm::addr::UserAddr;
use crate::mm::space::Access;

/// The registers of interrupted kernel code, in the order of the stub's pushes.
#[repr(C)]
#[derive(Debug)]
pub struct KernelFrame {
    pub align: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub code: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

const _: () = assert!(size_of::<KernelFrame>().is_multiple_of(16));

// One stub per vector, 16 bytes apart, so that the table is arithmetic. Vectors 8, 10-14, 17, 21, 29 and 30 come with
// an error code; the others push a zero in its place.
core::arch::global_asm!(
    r#"
    .section .text.trap_stubs, "ax"
    .balign 16
    .globl trap_stubs
trap_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
    push 0
    .endif
    push vector
    .if vector == 1 || vector == 2 || vector == 8 || vector == 18
    jmp trap_on_ist
    .else
    jmp trap_common
    .endif
    .set vector, vector + 1
    .endr

    # Stack: vector, error code, rip, cs, rflags, rsp, ss.
trap_common:
    cld
    test byte ptr [rsp + 24], 3
    jz trap_in_kernel
    swapgs
    xchg rdi, [rsp]
    push rsi
trap_from_user:
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov rax, rdi
    mov rdx, [rsp + 15 * 8]
    mov qword ptr [rsp + 15 * 8], -1
    mov rsp, gs:[{kernel_rsp}]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

trap_in_kernel:
    xchg rdi, [rsp]
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push 0
    mov rsi, rdi
    mov rdi, rsp
    call {kernel_trap}
    jmp trap_return

    # Exceptions that can come at any instruction, even between SYSCALL and SWAPGS: nothing is assumed of GS or the
    # stack, and this CPU's block is found from the interrupt stack's lowest word.
trap_on_ist:
    cld
    test byte ptr [rsp + 24], 3
    jz 2f
    swapgs
    xchg rdi, [rsp]
    push rsi
    # Move the frame to where other crossings push theirs, and go on like them.
    mov rsi, rsp
    mov rsp, gs:[{context_end}]
    push [rsi + 56]
    push [rsi + 48]
    push [rsi + 40]
    push [rsi + 32]
    push [rsi + 24]
    push [rsi + 16]
    push [rsi + 8]
    push [rsi]
    jmp trap_from_user
2:  xchg rdi, [rsp]
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    push 0
    mov r15, rdi
    mov ecx, {gs_base}
    rdmsr
    mov r12d, eax
    mov r13d, edx
    mov rbx, rsp
    and rbx, -{ist_size}
    mov rax, [rbx]
    mov rdx, rax
    shr rdx, 32
    wrmsr
    mov rsi, r15
    mov rdi, rsp
    call {kernel_trap}
    mov ecx, {gs_base}
    mov eax, r12d
    mov edx, r13d
    wrmsr
trap_return:
    add rsp, 8
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    add rsp, 8
    iretq
"#,
    kernel_rsp = const KERNEL_RSP,
    context_end = const CONTEXT_END,
    gs_base = const 0xc000_0101_u32,
    ist_size = const IST_SIZE,
    kernel_trap = sym kernel_trap,
);

unsafe extern "C" {
    static trap_stubs: [[u8; 16]; 256];
}

/// An IDT entry.
#[derive(Clone, Copy)]
#[repr(C)]
struct Gate {
    low: u64,
    high: u64,
}

struct Idt([Gate; 256]);

static IDT: spin::Once<Idt> = spin::Once::new();

#[repr(C, packed)]
struct TablePointer {
    limit: u16,
    base: u64,
}

fn build() -> Idt {
    let mut idt = Idt([Gate { low: 0, high: 0 }; 256]);
    for (vector, gate) in idt.0.iter_mut().enumerate() {
        // SAFETY: only the address of the stub is taken.
        let stub = unsafe { &raw const trap_stubs[vector] } as u64;
        let ist = match vector {
            1 => Ist::Debug as u64,
            2 => Ist::Nmi as u64,
            8 => Ist::DoubleFault as u64,
            18 => Ist::MachineCheck as u64,
            _ => 0,
        };
        // int3 and into may be executed by user mode (privilege 3); the others only by the CPU itself.
        let privilege = if vector == 3 || vector == 4 { 3 } else { 0 };
        gate.low = stub & 0xffff
            | u64::from(KERNEL_CS) << 16
            | ist << 32
            | (0x8e | privilege << 5) << 40
            | (stub >> 16 & 0xffff) << 48;
        gate.high = stub >> 32;
    }
    idt
}

/// Loads the IDT on this CPU.
pub(super) fn init_cpu() {
    let idt = IDT.call_once(build);
    let pointer = TablePointer { limit: size_of::<Idt>() as u16 - 1, base: &raw const *idt as u64 };
    // SAFETY: the table is complete and lives forever.
    unsafe { core::arch::asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack, preserves_flags)) };
}

/// A trap taken in the kernel: an interrupt, a fault in a user copy, or a bug.
extern "C" fn kernel_trap(frame: &mut KernelFrame, vector: u64) {
    cpu::close_user_access(); // IRETQ restores the frame's own setting.
    match vector {
        14 => page_fault(frame),
        2 => crate::panic::nmi(),
        // A debug trap in the kernel is the user's: the trap flag was set when it entered. Not ours to report.
        1 => frame.rflags &= !cpu::FLAG_TF,
        vector if vector >= super::user::FIRST_INTERRUPT => irq::dispatch(vector as u8, false),
        _ => {
            if !super::copy::fix_up(frame) {
                crate::panic::fatal_trap(frame, vector, 0)
            }
        }
    }
}

/// A page fault in the kernel is in order only in a copy to or from user memory.
fn page_fault(frame: &mut KernelFrame) {
    let address = cpu::page_fault_address();
    if super::copy::may_fault(frame.rip) && address < crate::mm::USER_END {
        // Interrupts were on unless the copier holds a spinning lock; then the page must be there already.
        let may_sleep = frame.rflags & cpu::FLAG_IF != 0 && percpu::irq_depth() == 0;
        if may_sleep && let Some(space) = crate::task::current_space() {
            percpu::sti();
            let access = if frame.code & 2 != 0 { Access::Write } else { Access::Read };
            let outcome = space.fault(UserAddr(address), access);
            drop(space);
            percpu::cli();
            match outcome {
                Ok(()) => return,
                Err(crate::mm::space::Fault::NoMemory) => crate::task::out_of_memory(),
                Err(_) => {}
            }
        }
        super::copy::fix_up(frame);
        return;
    }
    crate::panic::fatal_trap(frame, 14, address)
}
