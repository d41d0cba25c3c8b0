//! Puts code and tables into an ELF shared object as C libraries, unwinders and debuggers expect a vDSO to be.
//!
//! One segment holds everything, section headers too (a debugger reads them from the mapped image). Addresses are
//! offsets in the file, nothing needs relocation, and nobody writes to it. Both kinds of hash table are there because
//! musl counts the symbols by the old one; versions, because the libraries ask for `LINUX_2.6`.

use object::Endianness;
use object::elf;
use object::write::elf::{FileHeader, ProgramHeader, SectionHeader, SinglePhaseWriter, Sym, Verdef, Writer};

use crate::dwarf;
use crate::text::Text;

const SONAME: &[u8] = b"linux-vdso.so.1";
const VERSION: &[u8] = b"LINUX_2.6";
/// Version indices: 1 is the object itself, 2 is [`VERSION`].
const VERSION_INDEX: u16 = 2;

const SEGMENTS: u32 = 4;
/// The code begins at a cache line.
const TEXT_ALIGN: u64 = 64;
/// Where the code begins: behind the headers.
pub const TEXT: usize = (64 + SEGMENTS as usize * 56).next_multiple_of(TEXT_ALIGN as usize);
/// The first section.
const TEXT_SECTION: u32 = 1;

const BUCKETS: u32 = 7;
const BLOOM_WORDS: u32 = 1;
const BLOOM_SHIFT: u32 = 6;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A section of our own making: what its header says.
struct Section {
    name: &'static [u8],
    kind: elf::SectionType,
    flags: elf::SectionFlags,
    at: u64,
    size: u64,
    align: u64,
}

impl Section {
    /// Writes the section's bytes.
    fn write(w: &mut SinglePhaseWriter<'_>, name: &'static [u8], bytes: &[u8], align: u64) -> Self {
        let at = w.write_align(align);
        w.write(bytes);
        Self { name, kind: elf::SHT_PROGBITS, flags: elf::SHF_ALLOC, at, size: bytes.len() as u64, align }
    }

    /// A segment over the section.
    fn segment(&self, kind: elf::ProgramType) -> ProgramHeader {
        segment(kind, elf::PF_R, self.at, self.size, self.align)
    }
}

fn segment(kind: elf::ProgramType, flags: elf::ProgramFlags, at: u64, size: u64, align: u64) -> ProgramHeader {
    ProgramHeader {
        p_type: kind,
        p_flags: flags,
        p_offset: at,
        p_vaddr: at,
        p_paddr: at,
        p_filesz: size,
        p_memsz: size,
        p_align: align,
    }
}

/// The image.
pub fn image(text: &Text) -> Result<Vec<u8>> {
    let mut image = Vec::new();
    let mut w = Writer::new_single_phase(Endianness::Little, true, &mut image);
    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_SYSV,
        abi_version: 0,
        e_type: elf::ET_DYN,
        e_machine: elf::EM_X86_64,
        e_entry: 0,
        e_flags: elf::FileFlags(0),
    })?;
    w.write_program_headers_placeholder(SEGMENTS);

    let mut code = Section::write(&mut w, b".text", &text.bytes, TEXT_ALIGN);
    assert_eq!(code.at, TEXT as u64);
    code.flags |= elf::SHF_EXECINSTR;
    let frames_at = w.len().next_multiple_of(8) as usize;
    let eh_frame = dwarf::eh_frame(&text.functions, frames_at)?;
    let frames = Section::write(&mut w, b".eh_frame", &eh_frame, 8);
    let index = dwarf::eh_frame_hdr(&eh_frame, frames_at, w.len().next_multiple_of(4) as usize);
    let index = Section::write(&mut w, b".eh_frame_hdr", &index, 4);
    let mut note = Section::write(&mut w, b".note.gnu.build-id", &build_id(&[&text.bytes[..], &eh_frame].concat()), 4);
    note.kind = elf::SHT_NOTE;
    let metadata = Metadata::write(&mut w, text)?;
    let dynamic = segment(elf::PT_DYNAMIC, elf::PF_R, metadata.dynamic, w.len() - metadata.dynamic, 8);

    let sections = [&code, &frames, &index, &note];
    let names = sections.map(|section| w.add_section_name(section.name));
    w.write_shstrtab()?;
    w.write_null_section_header();
    for (section, name) in sections.into_iter().zip(names) {
        w.write_section_header(&SectionHeader {
            sh_name: w.section_name_offset(Some(name)),
            sh_type: section.kind,
            sh_flags: section.flags,
            sh_addr: section.at,
            sh_offset: section.at,
            sh_size: section.size,
            sh_addralign: section.align,
            ..SectionHeader::default()
        });
    }
    metadata.write_headers(&mut w);
    let whole = segment(elf::PT_LOAD, elf::PF_R | elf::PF_X, 0, w.len(), 4096);

    let mut head = Vec::new();
    let segments = [whole, dynamic, note.segment(elf::PT_NOTE), index.segment(elf::PT_GNU_EH_FRAME)];
    w.write_headers_to(&mut head, &segments)?;
    image[..head.len()].copy_from_slice(&head);
    Ok(image)
}

/// Where the sections for the dynamic linker are.
struct Metadata {
    hash: u64,
    gnu_hash: u64,
    dynsym: u64,
    dynstr: u64,
    versym: u64,
    verdef: u64,
    dynamic: u64,
}

impl Metadata {
    fn write<'a>(w: &mut SinglePhaseWriter<'a>, text: &'a Text) -> Result<Self> {
        // Each function has its whole name and, if it stands for a system call, the plain one as a weak alias.
        let mut symbols = Vec::new();
        for function in &text.functions {
            symbols.push((function.name, elf::STB_GLOBAL, function));
            if let Some(alias) = function.name.strip_prefix("__vdso_") {
                symbols.push((alias, elf::STB_WEAK, function));
            }
        }
        symbols.sort_by_key(|(name, ..)| elf::gnu_hash(name.as_bytes()) % BUCKETS);
        let count = symbols.len() as u32;

        let hash = w.write_hash(BUCKETS, count + 1, |index| {
            let symbol = index.checked_sub(1)?;
            Some(elf::hash(symbols[symbol as usize].0.as_bytes()))
        });
        let gnu_hash = w.write_gnu_hash(1, BLOOM_SHIFT, BLOOM_WORDS, BUCKETS, count, |symbol| {
            elf::gnu_hash(symbols[symbol as usize].0.as_bytes())
        });
        let dynsym = w.write_null_dynamic_symbol();
        for (name, binding, function) in &symbols {
            let name = w.add_dynamic_string(name.as_bytes());
            w.write_dynamic_symbol(&Sym {
                section: Some(TEXT_SECTION),
                st_name: w.dynamic_string_offset(Some(name)),
                st_info: elf::SymbolInfo::new(*binding, elf::STT_FUNC),
                st_other: elf::SymbolOther(0),
                st_shndx: elf::SymbolSection(0),
                st_value: function.entry as u64,
                st_size: (function.code_end - function.entry) as u64,
            });
        }
        let soname = w.add_dynamic_string(SONAME);
        let version = w.add_dynamic_string(VERSION);
        let (dynstr, dynstr_size) = w.write_dynstr()?;
        let versym = w.write_null_gnu_versym();
        for _ in &symbols {
            w.write_gnu_versym(elf::VersymIndex(VERSION_INDEX));
        }
        let verdef = w.write_align_gnu_verdef(2);
        let names = [(SONAME, soname, elf::VER_FLG_BASE), (VERSION, version, elf::VersionFlags(0))];
        for (index, (name, id, flags)) in (1..).zip(names) {
            w.write_gnu_verdef(&Verdef {
                version: elf::VER_DEF_CURRENT,
                flags,
                index: elf::VersionIndex(index),
                aux_count: 1,
                name: w.dynamic_string_offset(Some(id)),
                hash: elf::hash(name),
            });
        }
        let dynamic = w.write_align_dynamic();
        w.write_dynamic_string(elf::DT_SONAME, soname)?;
        w.write_dynamic(elf::DT_HASH, hash)?;
        w.write_dynamic(elf::DT_GNU_HASH, gnu_hash)?;
        w.write_dynamic(elf::DT_STRTAB, dynstr)?;
        w.write_dynamic(elf::DT_STRSZ, dynstr_size.into())?;
        w.write_dynamic(elf::DT_SYMTAB, dynsym)?;
        w.write_dynamic(elf::DT_SYMENT, 24)?;
        w.write_dynamic(elf::DT_VERSYM, versym)?;
        w.write_dynamic(elf::DT_VERDEF, verdef)?;
        w.write_dynamic(elf::DT_VERDEFNUM, 2)?;
        w.write_dynamic(elf::DT_NULL, 0)?;
        Ok(Self { hash, gnu_hash, dynsym, dynstr, versym, verdef, dynamic })
    }

    /// The section headers, each after the one it refers to.
    fn write_headers(&self, w: &mut SinglePhaseWriter<'_>) {
        w.write_dynstr_section_header(self.dynstr);
        w.write_dynsym_section_header(self.dynsym, 1);
        w.write_hash_section_header(self.hash);
        w.write_gnu_hash_section_header(self.gnu_hash);
        w.write_gnu_versym_section_header(self.versym);
        w.write_gnu_verdef_section_header(self.verdef);
        w.write_dynamic_section_header(self.dynamic);
        w.write_shstrtab_section_header();
    }
}

/// A note with a digest of the code and its frames, by which a debugger tells images apart.
fn build_id(content: &[u8]) -> Vec<u8> {
    // FNV-1a from two starting points; it need not withstand attack.
    let digest = [0xcbf2_9ce4_8422_2325u64, 0x6c62_272e_07bb_0142]
        .map(|start| content.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)));
    let digest: Vec<u8> = digest.iter().flat_map(|half| half.to_be_bytes()).collect();
    let words = [4, digest.len() as u32, 3]; // length of the name, of the content, NT_GNU_BUILD_ID
    let mut note: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    note.extend(b"GNU\0");
    note.extend(digest);
    note
}
