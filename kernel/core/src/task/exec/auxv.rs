//! The auxiliary vector: what the kernel tells a program of itself and its machine.
use alloc::vec::Vec;

use tollgate_abi::process::{CLOCK_TICKS, auxv::*};
use tollgate_elf::PROGRAM_HEADER_SIZE;

use super::image::Image;
use crate::arch::cpu;
use crate::mm::PAGE_SIZE;
use crate::task::{Creds, signal};

/// AT_HWCAP2: programs may use the FSGSBASE instructions.
const HWCAP2_FSGSBASE: u64 = 1 << 1;

/// Where on the new stack the strings lie that the vector points at.
pub(super) struct Places {
    /// Sixteen random bytes.
    pub(super) random: u64,
    /// The machine's name.
    pub(super) platform: u64,
    /// The path the program was started by.
    pub(super) name: u64,
}

/// The vector's words, with the final AT_NULL.
pub(super) fn build(image: &Image, places: &Places, creds: &Creds, secure: bool) -> Vec<u64> {
    let (_, _, _, features) = cpu::cpuid(1, 0);
    let hwcap2 = if cpu::has_fsgsbase() { HWCAP2_FSGSBASE } else { 0 };
    let mut words = Vec::with_capacity(48);
    let mut add = |key: u64, value: u64| words.extend_from_slice(&[key, value]);
    add(AT_SYSINFO_EHDR, image.gate.0);
    add(AT_MINSIGSTKSZ, signal::min_stack_size() as u64);
    add(AT_HWCAP, u64::from(features));
    add(AT_PAGESZ, PAGE_SIZE as u64);
    add(AT_CLKTCK, CLOCK_TICKS);
    add(AT_PHDR, image.headers);
    add(AT_PHENT, PROGRAM_HEADER_SIZE as u64);
    add(AT_PHNUM, image.header_count as u64);
    add(AT_BASE, image.interpreter_base);
    add(AT_FLAGS, 0);
    add(AT_ENTRY, image.entry);
    add(AT_UID, u64::from(creds.uid));
    add(AT_EUID, u64::from(creds.euid));
    add(AT_GID, u64::from(creds.gid));
    add(AT_EGID, u64::from(creds.egid));
    add(AT_SECURE, u64::from(secure));
    add(AT_RANDOM, places.random);
    add(AT_HWCAP2, hwcap2);
    add(AT_EXECFN, places.name);
    add(AT_PLATFORM, places.platform);
    add(AT_NULL, 0);
    words
}
