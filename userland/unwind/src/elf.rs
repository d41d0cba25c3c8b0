//! Wraps unwind data in an ELF file, so that `readelf -u` decodes them.

/// An ELF file for IA-64 with the unwind data in it, byte for byte: readelf looks for the table in a section of a type
/// of its own, and for the info blocks in one of a certain name. There are no segments, so addresses stay as they are.
pub fn around(data: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.IA_64.unwind\0.IA_64.unwind_info\0.shstrtab\0";
    const HEADER: usize = 64;
    let entries = data.chunks(24).take_while(|entry| entry[..8] != [0; 8]).count();
    let names_at = HEADER + data.len();
    let sections_at = (names_at + NAMES.len()).next_multiple_of(8);
    let mut elf = Vec::new();
    elf.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    elf.extend([3u16, 50].map(u16::to_le_bytes).concat()); // ET_DYN, EM_IA_64
    elf.extend(1u32.to_le_bytes());
    elf.extend([0, 0, sections_at as u64].map(u64::to_le_bytes).concat()); // entry, program headers, sections
    elf.extend(0x10u32.to_le_bytes()); // EF_IA_64_ABI64
    elf.extend([HEADER as u16, 0, 0, 64, 4, 3].map(u16::to_le_bytes).concat());
    elf.extend(data);
    elf.extend(NAMES);
    elf.resize(sections_at + 64, 0); // the first section is none
    let mut section = |name: u32, kind: u32, at: usize, size: usize, align: u64| {
        elf.extend([name, kind].map(u32::to_le_bytes).concat());
        elf.extend([2, 0, at as u64, size as u64].map(u64::to_le_bytes).concat()); // SHF_ALLOC, address 0
        elf.extend([0u32; 2].map(u32::to_le_bytes).concat());
        elf.extend([align, 0].map(u64::to_le_bytes).concat());
    };
    section(1, 0x7000_0001, HEADER, 24 * entries, 8); // SHT_IA_64_UNWIND
    section(15, 1, HEADER, data.len(), 8);
    section(33, 3, names_at, NAMES.len(), 1);
    elf
}
