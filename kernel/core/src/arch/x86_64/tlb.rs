//! TLB shootdown: making other CPUs forget translations.
use crate::mm::addr::UserAddr;

/// What to forget.
#[derive(Clone, Copy, Debug)]
pub enum Flush {
    /// All of the CPU's user translations.
    All,
    /// The pages from `start`, `pages` of them.
    Range {
        /// First page.
        start: UserAddr,
        /// How many pages.
        pages: usize,
    },
}

/// Makes every CPU in the bit mask `cpus` (this one included, if in it) forget; returns when all have. May be called
/// with locks held: waiting CPUs serve each other's requests (see [`poll`]).
pub fn shootdown(cpus: u64, flush: Flush) {
    let _ = (cpus, flush);
    todo!("lead")
}

/// Serves shootdown requests for this CPU; called wherever a CPU spins with interrupts off.
pub fn poll() {
    todo!("lead")
}
