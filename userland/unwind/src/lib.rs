//! The frames of the kernel's code in this process, by both tables that describe them.
//!
//! A program that walks its own stack may come upon code of the gate image: the signal trampoline, most often. Two
//! tables tell it what the frame there is. [`table`] gets the IA-64 one from getunwind(2); [`image`] finds the vDSO and
//! reads its DWARF. Both give a [`tollgate_gate::frame::Frame`].

pub mod dwarf;
pub mod elf;
pub mod image;
pub mod table;
