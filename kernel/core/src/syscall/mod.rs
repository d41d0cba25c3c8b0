//! System calls: one table, typed arguments, one file per family.
pub mod args;
#[macro_use]
mod macros;
mod mm;
mod signal;
pub mod table;
mod time;
mod timer;
