//! What each CPU knows of itself, reached through GS.
use crate::sync::HeldRanks;

/// Most CPUs the kernel uses; CPU masks are one `u64`.
pub const MAX_CPUS: usize = 64;

/// This CPU's number, 0 for the first.
pub fn cpu_id() -> usize {
    todo!("lead")
}

/// Number of CPUs that run.
pub fn cpu_count() -> usize {
    todo!("lead")
}

/// Turns interrupts off; nests.
pub fn irq_disable() {
    todo!("lead")
}

/// Undoes one [`irq_disable`]; the outermost turns interrupts back on if they were.
pub fn irq_enable() {
    todo!("lead")
}

/// How many [`irq_disable`] are open on this CPU.
pub fn irq_depth() -> usize {
    todo!("lead")
}

/// Spinning locks this CPU holds.
pub fn held_ranks() -> &'static HeldRanks {
    todo!("lead")
}
