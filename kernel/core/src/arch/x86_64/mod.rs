//! x86-64: boot, descriptor tables, traps, CPUs, clocks, and the crossing into user mode and back.
pub mod clock;
pub mod copy;
pub mod fpu;
pub mod page;
pub mod percpu;
pub mod tlb;
pub mod user;
