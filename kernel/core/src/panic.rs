//! Failing well: what the kernel says when it cannot go on.
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::arch::trap::KernelFrame;
use crate::arch::{cpu, percpu, power, uart};
use crate::sync::Once;

/// Text of /etc/tollgate/kernel.sym: lines of `hexaddr name`, ascending.
static SYMBOLS: Once<&'static [u8]> = Once::new();
/// Set once a CPU panics; the others stop at the NMI it sends.
static PANICKING: AtomicBool = AtomicBool::new(false);
/// The CPU that panics, to tell its own second panic from another's.
static PANIC_CPU: AtomicUsize = AtomicUsize::new(usize::MAX);

/// Writes straight to the log port, whoever holds its lock.
struct PanicPort;

impl Write for PanicPort {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        uart::log_write_anyway(text.as_bytes());
        Ok(())
    }
}

/// Gives backtraces their names; `table` is the symbol file of the initial ramdisk.
pub fn set_symbols(table: &'static [u8]) {
    SYMBOLS.call_once(|| table);
}

/// The symbol that contains `address`, and the offset in it.
fn symbol(address: u64) -> Option<(&'static str, u64)> {
    let table = core::str::from_utf8(SYMBOLS.get()?).ok()?;
    let parse = |line: &'static str| {
        let (start, name) = line.split_once(' ')?;
        Some((u64::from_str_radix(start, 16).ok()?, name))
    };
    let found = table.lines().filter_map(parse).take_while(|&(start, _)| start <= address).last();
    found.map(|(start, name)| (name, address - start))
}

fn print_address(address: u64) {
    let _ = match symbol(address) {
        Some((name, offset)) => writeln!(PanicPort, "  {address:#018x} {name}+{offset:#x}"),
        None => writeln!(PanicPort, "  {address:#018x}"),
    };
}

/// Follows the frame pointers from `rbp` within the kernel's half.
fn backtrace(rip: u64, mut rbp: u64) {
    let _ = writeln!(PanicPort, "backtrace:");
    print_address(rip);
    for _ in 0..32 {
        if rbp < crate::mm::PHYS_OFFSET || !rbp.is_multiple_of(8) || rbp >= u64::MAX - 16 {
            break;
        }
        // SAFETY: kernel code keeps frame pointers, so rbp is a stack address; a wild one would be caught by the
        // second-panic check. Two words are read: the caller's rbp and the return address.
        let [next, address] = unsafe { (rbp as *const [u64; 2]).read() };
        if address == 0 {
            break;
        }
        print_address(address);
        if next <= rbp {
            break;
        }
        rbp = next;
    }
}

/// Stops the other CPUs and prints the head line; false when this CPU was panicking already.
fn begin() -> bool {
    percpu::cli();
    let me = percpu::cpu_id();
    if PANICKING.swap(true, Ordering::AcqRel) {
        if PANIC_CPU.load(Ordering::Acquire) == me {
            return false;
        }
        cpu::halt();
    }
    PANIC_CPU.store(me, Ordering::Release);
    for other in (0..percpu::cpu_count()).filter(|&c| c != me) {
        crate::arch::send_nmi(other);
    }
    true
}

fn finish() -> ! {
    power::report_panic();
    cpu::halt()
}

fn print_where() {
    let task = percpu::current_task();
    // SAFETY: the current task is alive while it runs here.
    let _ = match unsafe { task.as_ref() } {
        Some(task) => writeln!(PanicPort, "cpu {} task {}", percpu::cpu_id(), task.tid()),
        None => writeln!(PanicPort, "cpu {} before tasks", percpu::cpu_id()),
    };
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if begin() {
        let _ = writeln!(PanicPort, "\nKERNEL PANIC: {info}");
        print_where();
        let (rip, rbp): (u64, u64);
        // SAFETY: reads two registers.
        unsafe {
            core::arch::asm!("lea {}, [rip]", "mov {}, rbp", out(reg) rip, out(reg) rbp, options(nomem, nostack))
        };
        backtrace(rip, rbp);
    } else {
        let _ = writeln!(PanicPort, "second panic: {}", info.message());
    }
    finish()
}

/// A trap that kernel code must not take.
pub fn fatal_trap(frame: &KernelFrame, vector: u64, address: u64) -> ! {
    if begin() {
        let what = match vector {
            8 if crate::mm::kspace::is_stack_guard(x86_64::VirtAddr::new_truncate(frame.rsp)) => {
                "kernel stack overflow"
            }
            8 => "double fault",
            13 => "general protection fault",
            14 => "page fault",
            _ => "trap",
        };
        let KernelFrame { code, rip, rflags, rsp, .. } = *frame;
        let _ = writeln!(PanicPort, "\nKERNEL PANIC: {what} (vector {vector}, code {code:#x}, address {address:#x})");
        print_where();
        let _ = writeln!(PanicPort, "rip {rip:#018x} rsp {rsp:#018x} rflags {rflags:#x}");
        let rows = [
            [("rax", frame.rax), ("rbx", frame.rbx), ("rcx", frame.rcx), ("rdx", frame.rdx)],
            [("rsi", frame.rsi), ("rdi", frame.rdi), ("rbp", frame.rbp), ("r8 ", frame.r8)],
            [("r9 ", frame.r9), ("r10", frame.r10), ("r11", frame.r11), ("r12", frame.r12)],
            [("r13", frame.r13), ("r14", frame.r14), ("r15", frame.r15), ("cr3", cpu::read_cr3())],
        ];
        for row in rows {
            for (name, value) in row {
                let _ = write!(PanicPort, "{name} {value:#018x} ");
            }
            let _ = writeln!(PanicPort);
        }
        backtrace(frame.rip, frame.rbp);
    } else {
        let _ = writeln!(PanicPort, "second panic: trap {vector} at {:#x}, address {address:#x}", frame.rip);
    }
    finish()
}

/// A non-maskable interrupt: another CPU panics, or the hardware complains.
pub fn nmi() {
    if PANICKING.load(Ordering::Acquire) {
        cpu::halt();
    }
    log::warn!("unexpected NMI");
}
