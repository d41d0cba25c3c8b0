//! Loom models of the kernel's lock-free protocols.
//!
//! Each module under test is the kernel's own source file, which takes its atomics from loom when it is compiled for
//! tests. Loom runs every interleaving (and every reordering that the memory orderings allow).
#![cfg(test)]

/// What `vvar.rs` takes from the gate crate.
mod atomic {
    pub(crate) use loom::hint::spin_loop;
    pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
}
mod sched;
mod sync;
mod vvar;
