//! Frames that no kernel wrote: the process gets SIGSEGV, and nothing worse happens to anyone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use tollgate_tests::memory::{KERNEL, Mapping, NON_CANONICAL, PAGE, munmap, poke};
use tollgate_tests::process::{Status, in_child, kill, pid};
use tollgate_tests::random::Random;
use tollgate_tests::signal::{Context, handle};

const USR1: i32 = libc::SIGUSR1;

/// What the handler does to its own frame. A plain function, so that it can be kept in an atomic.
type Change = fn(&mut Context, u64);

static CHANGE: AtomicUsize = AtomicUsize::new(0);
static VALUE: AtomicU64 = AtomicU64::new(0);

extern "C" fn change_frame(_: i32, _: *mut libc::siginfo_t, context: *mut Context) {
    // SAFETY: `after` stored a function of this type; the context is the kernel's, and ours to spoil.
    unsafe {
        let change: Change = std::mem::transmute(CHANGE.load(SeqCst));
        change(&mut *context, VALUE.load(SeqCst));
    }
}

/// How a process ends that changes its frame so and returns.
fn after(value: u64, change: Change) -> Status {
    in_child(|| {
        CHANGE.store(change as usize, SeqCst);
        VALUE.store(value, SeqCst);
        handle(USR1, 0, change_frame);
        kill(pid(), USR1).unwrap();
    })
}

fn dies(what: &str, value: u64, change: Change) {
    assert_eq!(after(value, change).signal(), Some(libc::SIGSEGV), "{what} {value:#x}");
}

/// rt_sigreturn with nothing at the stack pointer.
pub(crate) fn bad_stack_pointers() {
    let mapping = Mapping::anonymous(2);
    munmap(mapping.page(1), PAGE).unwrap();
    // The last one is there in part.
    for stack in [0, 8, 0x1001, KERNEL, NON_CANONICAL, usize::MAX - 7, mapping.page(1) - 64] {
        let status = in_child(|| {
            // SAFETY: nothing returns from here; the process is meant to end.
            unsafe { std::arch::asm!("mov rsp, {}", "mov eax, 15", "syscall", "ud2", in(reg) stack, options(noreturn)) }
        });
        assert_eq!(status.signal(), Some(libc::SIGSEGV), "rt_sigreturn with rsp {stack:#x}");
    }
    // A frame that is fine but for the stack pointer to go on with.
    for stack in [0, KERNEL as u64, NON_CANONICAL as u64] {
        let status = after(stack, |context, value| context.set_register(libc::REG_RSP, value));
        assert!(matches!(status.signal(), Some(libc::SIGSEGV | libc::SIGBUS)), "rsp {stack:#x}: {status:?}");
    }
}

pub(crate) fn bad_instruction_pointers() {
    for place in [0, KERNEL as u64, NON_CANONICAL as u64, u64::MAX, 1 << 47, (1 << 47) - 1, 0x7fff_ffff_f000] {
        dies("rip", place, |context, value| context.set_register(libc::REG_RIP, value));
    }
}

/// The code segment of the kernel and of nobody.
pub(crate) fn kernel_selectors() {
    let change: Change = |context, value| {
        let word = &mut context.registers[libc::REG_CSGSFS as usize];
        *word = *word & !0xffff | value;
    };
    // The kernel forces the lowest two bits, which makes some of these the user's own.
    for selector in [0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x40, 0x50, 0xfff8, 0xffff] {
        let status = after(selector, change);
        let harmless = matches!(status, Status::Exited(0));
        assert!(harmless || status.signal().is_some(), "cs {selector:#x}: {status:?}");
    }
    // The stack segment is the upper 16 bits of the same word.
    let change: Change = |context, value| {
        let word = &mut context.registers[libc::REG_CSGSFS as usize];
        *word = *word & !(0xffff << 48) | value << 48;
    };
    for selector in [0x08, 0x10, 0x18, 0x23, 0x33, 0x40, 0xfff8] {
        let status = after(selector, change);
        assert!(status == Status::Exited(0) || status.signal().is_some(), "ss {selector:#x}: {status:?}");
    }
}

/// A program cannot give itself I/O privilege, switch interrupts off, or enter another mode.
pub(crate) fn flags_are_filtered() {
    const NESTED: u64 = 1 << 14;
    const IO_PRIVILEGE: u64 = 3 << 12;
    const VIRTUAL_MODE: u64 = 7 << 17;
    const INTERRUPTS: u64 = 1 << 9;
    let status = in_child(|| {
        CHANGE.store((|context, value| context.set_register(libc::REG_EFL, value)) as Change as usize, SeqCst);
        VALUE.store(NESTED | IO_PRIVILEGE | (VIRTUAL_MODE & !(1 << 18)) | 1, SeqCst);
        handle(USR1, 0, change_frame);
        let flags: u64;
        // SAFETY: declared registers; the flags are looked at right after the return.
        unsafe {
            std::arch::asm!(
                "syscall", "pushf", "pop {}", out(reg) flags,
                inlateout("rax") libc::SYS_kill => _, in("rdi") pid(), in("rsi") USR1,
                out("rcx") _, out("r11") _,
            );
        }
        assert_eq!(flags & (NESTED | IO_PRIVILEGE | VIRTUAL_MODE), 0, "flags {flags:#x}");
        assert_eq!(flags & (INTERRUPTS | 1), INTERRUPTS | 1);
    });
    assert_eq!(status, Status::Exited(0));
}

pub(crate) fn bad_floating_point_state() {
    let pointer: Change = |context, value| context.fpstate = value as usize;
    for place in [1, 0x1000, KERNEL as u64, NON_CANONICAL as u64, u64::MAX - 63] {
        dies("fpregs", place, pointer);
    }
    // None at all is fine: the registers start afresh.
    assert_eq!(after(0, pointer), Status::Exited(0));
    // Unaligned but readable: the kernel copies first.
    let shifted = after(1, |context, value| context.fpstate += value as usize);
    assert!(shifted == Status::Exited(0) || shifted.signal() == Some(libc::SIGSEGV), "{shifted:?}");
    // Reserved bits of mxcsr fault when loaded.
    let mxcsr = after(0xffff_ffff, |context, value| {
        (0..4).for_each(|byte| poke(context.fpstate + 24 + byte, (value >> (8 * byte)) as u8));
    });
    assert!(mxcsr == Status::Exited(0) || mxcsr.signal().is_some(), "{mxcsr:?}");
    // The XSAVE header, 512 bytes in: features no CPU has, the compacted form, bits that must be zero.
    for offset in [512, 519, 520, 527, 528, 575] {
        let status = after(offset, |context, offset| poke(context.fpstate + offset as usize, 0xff));
        assert!(status == Status::Exited(0) || status.signal() == Some(libc::SIGSEGV), "{offset}: {status:?}");
    }
}

/// Frames with a few words changed at random. Each process ends in some way or is ended by its alarm.
pub(crate) fn random_frames() {
    for seed in 0..300 {
        let status = after(seed, |context, seed| {
            // A frame may well send the process round in circles.
            tollgate_tests::sys!(libc::SYS_alarm, 2).ok();
            let mut random = Random::new(seed);
            let words = size_of::<Context>() / 8;
            let frame = (&raw mut *context).cast::<u64>();
            for _ in 0..1 + random.below(4) {
                let word = random.below(words as u64) as usize;
                let value = match random.below(4) {
                    0 => random.next(),
                    1 => KERNEL as u64 + random.below(1 << 20),
                    2 => 1 << random.below(64),
                    _ => random.below(256),
                };
                // SAFETY: within the frame.
                unsafe { frame.add(word).write_unaligned(value) };
            }
        });
        let ended = matches!(status, Status::Exited(_)) || status.signal().is_some();
        assert!(ended, "seed {seed}: {status:?}");
    }
}

/// The frame itself has no place to go.
pub(crate) fn handler_stack_is_not_there() {
    for stack in [0, 64, KERNEL, NON_CANONICAL, usize::MAX - 15] {
        let status = in_child(|| {
            handle(USR1, 0, change_frame);
            // SAFETY: the process ends in the system call, for want of a stack.
            unsafe {
                std::arch::asm!(
                    "mov rsp, {}", "syscall", "ud2", in(reg) stack,
                    in("rax") libc::SYS_kill, in("rdi") pid(), in("rsi") USR1, options(noreturn)
                )
            }
        });
        assert_eq!(status.signal(), Some(libc::SIGSEGV), "rsp {stack:#x}");
    }
}
