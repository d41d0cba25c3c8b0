//! Loom models of the kernel's lock-free protocols.
//!
//! Each module under test is the kernel's own source file, which takes its atomics from loom when it is compiled for
//! tests. Loom runs every interleaving (and every reordering that the memory orderings allow).
#![cfg(test)]

mod sched;
mod sync;
mod vvar;
