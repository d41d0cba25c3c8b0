//! The file header, and the table of program headers as it lies in the file.
use tollgate_abi::{Errno, Result};
use zerocopy::{FromBytes, Immutable, KnownLayout, LE, U16, U32, U64, Unaligned};

/// `Elf64_Ehdr`.
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct RawHeader {
    magic: [u8; 4],
    class: u8,
    data: u8,
    version: u8,
    abi: u8,
    padding: [u8; 8],
    kind: U16<LE>,
    machine: U16<LE>,
    file_version: U32<LE>,
    entry: U64<LE>,
    program_headers: U64<LE>,
    section_headers: U64<LE>,
    flags: U32<LE>,
    header_size: U16<LE>,
    program_header_size: U16<LE>,
    program_header_count: U16<LE>,
    section_header_size: U16<LE>,
    section_header_count: U16<LE>,
    section_names: U16<LE>,
}

/// `Elf64_Phdr`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct ProgramHeader {
    pub(crate) kind: U32<LE>,
    pub(crate) flags: U32<LE>,
    pub(crate) offset: U64<LE>,
    pub(crate) address: U64<LE>,
    physical: U64<LE>,
    pub(crate) file_size: U64<LE>,
    pub(crate) memory_size: U64<LE>,
    pub(crate) align: U64<LE>,
}

/// Bytes of one program header.
pub const PROGRAM_HEADER_SIZE: usize = size_of::<ProgramHeader>();
/// Most bytes of program headers looked at, as on Linux.
const MAX_TABLE: usize = 65536;

const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const EM_X86_64: u16 = 62;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

/// Whether the program has addresses of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ET_EXEC: it must lie where it says.
    Fixed,
    /// ET_DYN: it can lie anywhere (position-independent executables, interpreters).
    Movable,
}

/// A checked file header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Fixed or movable.
    pub kind: Kind,
    /// Entry point, before moving.
    pub entry: u64,
    /// Where in the file the program headers start.
    pub table_offset: u64,
    /// How many there are, at least one.
    pub table_count: usize,
}

impl Header {
    /// Reads the header at the start of `file`, the beginning of the file at least.
    ///
    /// # Errors
    /// `ENOEXEC` when this is no ELF64 executable for x86-64.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let (raw, _) = RawHeader::ref_from_prefix(file).map_err(|_| Errno::ENOEXEC)?;
        let kind = match raw.kind.get() {
            ET_EXEC => Kind::Fixed,
            ET_DYN => Kind::Movable,
            _ => return Err(Errno::ENOEXEC),
        };
        let table_count = usize::from(raw.program_header_count.get());
        let good = raw.magic == *b"\x7fELF"
            && raw.class == CLASS_64
            && raw.data == LITTLE_ENDIAN
            && raw.machine.get() == EM_X86_64
            && usize::from(raw.program_header_size.get()) == PROGRAM_HEADER_SIZE
            && (1..=MAX_TABLE / PROGRAM_HEADER_SIZE).contains(&table_count);
        if !good {
            return Err(Errno::ENOEXEC);
        }
        Ok(Self { kind, entry: raw.entry.get(), table_offset: raw.program_headers.get(), table_count })
    }

    /// Bytes of the table of program headers.
    pub fn table_size(&self) -> usize {
        self.table_count * PROGRAM_HEADER_SIZE
    }
}
