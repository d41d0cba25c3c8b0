//! The ACPI tables the kernel needs: the CPUs and interrupt controllers (MADT), power-off and the PM timer (FADT).
use alloc::vec::Vec;

use crate::mm::addr::{PhysAddr, phys_to_virt};

/// What the tables say.
#[derive(Debug, Default)]
pub struct Tables {
    /// Physical address of the local APIC.
    pub local_apic: u64,
    /// Physical address of the first I/O APIC.
    pub io_apic: Option<u64>,
    /// APIC numbers of the usable CPUs, as listed.
    pub cpus: Vec<u32>,
    /// (ISA line, pin, flags) where they are not one to one.
    overrides: Vec<(u8, u32, u16)>,
    /// Port of the PM timer (3.579545 MHz).
    pub pm_timer: Option<u16>,
    /// Port and value that power the machine off.
    pub power_off: Option<(u16, u16)>,
    /// Port and value that reset the machine.
    pub reset: Option<(u16, u8)>,
}

/// The bytes of physical memory at `phys`.
///
/// # Safety
/// The range is RAM or firmware memory that nobody writes.
unsafe fn bytes(phys: u64, len: usize) -> &'static [u8] {
    // SAFETY: the direct map covers the firmware's tables; the rest is the caller's promise.
    unsafe { core::slice::from_raw_parts(phys_to_virt(PhysAddr::new(phys)).as_ptr(), len) }
}

fn u16_at(table: &[u8], at: usize) -> u16 {
    table.get(at..at + 2).map_or(0, |b| u16::from_le_bytes(b.try_into().expect("two bytes")))
}

fn u32_at(table: &[u8], at: usize) -> u32 {
    table.get(at..at + 4).map_or(0, |b| u32::from_le_bytes(b.try_into().expect("four bytes")))
}

fn u64_at(table: &[u8], at: usize) -> u64 {
    table.get(at..at + 8).map_or(0, |b| u64::from_le_bytes(b.try_into().expect("eight bytes")))
}

/// A whole table: its length is at offset 4.
fn table(phys: u64) -> &'static [u8] {
    // SAFETY: the firmware's pointers lead to its tables, which no one writes; every table has a 36-byte header.
    unsafe { bytes(phys, (u32_at(bytes(phys, 36), 4) as usize).max(36)) }
}

/// Finds and reads the tables from the root pointer at physical address `rsdp`. `Tables::default()` with one CPU's worth
/// of assumptions when there is none.
pub(super) fn parse(rsdp: Option<u64>) -> Tables {
    let mut tables = Tables { local_apic: 0xfee0_0000, ..Tables::default() };
    let Some(rsdp) = rsdp else { return tables };
    // SAFETY: the boot loader found a root pointer there; 36 bytes are its full size.
    let root = unsafe { bytes(rsdp, 36) };
    let (list, width) = match (root[15], u64_at(root, 24)) {
        (2.., xsdt) if xsdt != 0 => (table(xsdt), 8),
        _ => (table(u64::from(u32_at(root, 16))), 4),
    };
    for entry in list[36..].chunks_exact(width) {
        let phys = if width == 8 { u64_at(entry, 0) } else { u64::from(u32_at(entry, 0)) };
        let table = table(phys);
        match &table[..4] {
            b"APIC" => read_madt(table, &mut tables),
            b"FACP" => read_fadt(table, &mut tables),
            _ => {}
        }
    }
    tables
}

fn read_madt(madt: &[u8], tables: &mut Tables) {
    tables.local_apic = u64::from(u32_at(madt, 36));
    let mut at = 44;
    while at + 2 <= madt.len() {
        let (kind, len) = (madt[at], usize::from(madt[at + 1]));
        if len < 2 || at + len > madt.len() {
            break;
        }
        let entry = &madt[at..at + len];
        match kind {
            0 if u32_at(entry, 4) & 1 != 0 => tables.cpus.push(u32::from(entry[3])),
            1 if tables.io_apic.is_none() => tables.io_apic = Some(u64::from(u32_at(entry, 4))),
            2 => tables.overrides.push((entry[3], u32_at(entry, 4), u16_at(entry, 8))),
            _ => {}
        }
        at += len;
    }
}

fn read_fadt(fadt: &[u8], tables: &mut Tables) {
    let pm1a_control = u32_at(fadt, 64) as u16;
    let pm_timer = u32_at(fadt, 76) as u16;
    tables.pm_timer = (pm_timer != 0).then_some(pm_timer);
    if pm1a_control != 0 {
        let sleep_type = find_s5(table(u64::from(u32_at(fadt, 40)))).unwrap_or(0);
        tables.power_off = Some((pm1a_control, sleep_type << 10 | 1 << 13));
    }
    // The reset register, where the flags say it exists and it is an I/O port.
    if u32_at(fadt, 112) & 1 << 10 != 0 && fadt.get(116) == Some(&1) {
        tables.reset = Some((u64_at(fadt, 120) as u16, fadt[128]));
    }
}

/// SLP_TYPa of the `_S5_` package, found without an AML interpreter: the name, a package, and its first byte constant.
fn find_s5(dsdt: &[u8]) -> Option<u16> {
    const PACKAGE: u8 = 0x12;
    const BYTE: u8 = 0x0a;
    let at = dsdt.windows(4).position(|w| w == b"_S5_")? + 4;
    let package = dsdt.get(at..at + 8)?;
    if package[0] != PACKAGE {
        return None;
    }
    // The package's length takes one byte more for each of its two top bits; then comes the element count.
    let first = 1 + usize::from(package[1] >> 6) + 1 + 1;
    match *package.get(first)? {
        BYTE => package.get(first + 1).map(|&b| u16::from(b)),
        small => Some(u16::from(small)),
    }
}

impl Tables {
    /// I/O APIC pin and flags of an ISA line.
    pub fn isa_override(&self, line: u8) -> (u32, u16) {
        let found = self.overrides.iter().find(|o| o.0 == line);
        found.map_or((u32::from(line), 0), |&(_, pin, flags)| (pin, flags))
    }
}
