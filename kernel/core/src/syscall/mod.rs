//! System calls: one table, typed arguments, one file per family.
pub mod args;
#[macro_use]
mod macros;
pub mod table;
