//! Small ELF programs made by hand, and broken ones.

/// Where [`program`] lies in memory.
pub const BASE: u64 = 0x40_0000;

/// Size of the ELF header in bytes.
const HEADER: usize = 64;

/// Size of a program header in bytes.
const SEGMENT: usize = 56;

/// Offsets of the fields that tests break.
pub mod offset {
    /// e_type
    pub const TYPE: usize = 16;
    /// e_machine
    pub const MACHINE: usize = 18;
    /// e_entry
    pub const ENTRY: usize = 24;
    /// e_phoff
    pub const SEGMENTS: usize = 32;
    /// e_phentsize
    pub const SEGMENT_SIZE: usize = 54;
    /// e_phnum
    pub const SEGMENT_COUNT: usize = 56;
    /// The first segment's p_type.
    pub const P_TYPE: usize = 64;
    /// The first segment's p_offset.
    pub const P_OFFSET: usize = 64 + 8;
    /// The first segment's p_vaddr.
    pub const P_VADDR: usize = 64 + 16;
    /// The first segment's p_filesz.
    pub const P_FILESZ: usize = 64 + 32;
    /// The first segment's p_memsz.
    pub const P_MEMSZ: usize = 64 + 40;
    /// The first segment's p_align.
    pub const P_ALIGN: usize = 64 + 48;
}

/// A static program: one segment to read and execute, with this code at its entry.
pub fn program(code: &[u8]) -> Vec<u8> {
    let start = (HEADER + SEGMENT) as u64;
    let size = start + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let mut halves = |list: &[u16]| list.iter().for_each(|half| file.extend(half.to_le_bytes()));
    // e_type ET_EXEC, e_machine EM_X86_64, e_version in two halves.
    halves(&[2, 62, 1, 0]);
    for word in [BASE + start, HEADER as u64, 0] {
        file.extend(word.to_le_bytes());
    }
    // e_flags in two halves, e_ehsize, e_phentsize, e_phnum, and no sections.
    let mut halves = |list: &[u16]| list.iter().for_each(|half| file.extend(half.to_le_bytes()));
    halves(&[0, 0, HEADER as u16, SEGMENT as u16, 1, 64, 0, 0]);
    // PT_LOAD, PF_R | PF_X.
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, BASE, BASE, size, size, 4096] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    file
}

/// Code that exits with a number below 128.
pub fn exit_code(status: u8) -> [u8; 9] {
    // push $status; pop %rdi; push $SYS_exit; pop %rax; syscall; hlt
    let [number, ..] = (libc::SYS_exit as u32).to_le_bytes();
    [0x6a, status, 0x5f, 0x6a, number, 0x58, 0x0f, 0x05, 0xf4]
}

/// The file with some bytes replaced.
pub fn patched(file: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
    file
}
