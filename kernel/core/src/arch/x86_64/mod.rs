//! x86-64: boot, descriptor tables, traps, CPUs, clocks, and the crossing into user mode and back.
mod acpi;
mod apic;
mod boot;
pub mod clock;
pub mod copy;
pub mod cpu;
pub mod entropy;
pub mod fpu;
pub mod fpu_user;
mod gdt;
mod irq;
pub mod msr;
pub mod page;
pub mod percpu;
mod port;
pub mod power;
mod rtc;
mod smp;
pub mod switch;
pub mod tlb;
pub mod trap;
pub mod uart;
pub mod user;

pub use apic::{send_ipi, send_nmi, vector};

use percpu::PerCpu;

/// Sets this CPU up: its block, descriptors, traps, features.
fn init_cpu(block: &'static PerCpu) {
    // SAFETY: the block is this CPU's and lives forever; nobody else looks at its descriptors.
    unsafe { (*block.descriptors.get()).load(&raw const *block as u64) };
    percpu::init(block);
    trap::init_cpu();
    cpu::init_cpu();
    cpu::init_number(block.id());
    fpu::init_cpu();
    user::init_cpu();
}

/// The first CPU's first steps: from here on it can take traps and write the log.
pub fn init_first_cpu() {
    init_cpu(percpu::first());
    uart::init_log();
}

/// Interrupt controllers, clock, console; needs memory management. `rsdp` is the physical address of ACPI's root.
pub fn init_devices(rsdp: Option<u64>) {
    let tables = acpi::parse(rsdp);
    power::init(&tables);
    clock::init(&tables);
    apic::init(&tables);
    apic::calibrate_timer();
    uart::init_console();
    apic::route_isa(&tables, uart::COM1_LINE);
    crate::task::sched::init_first_cpu();
    smp::start_others(&tables);
}
