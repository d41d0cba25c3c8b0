//! The image as an ELF file, and its frames in all forms: as described, as DWARF, as IA-64 records, and as the
//! instructions themselves have it.

use std::process::Command;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSection, ObjectSymbol, elf};
use tollgate_gate::frame::{Cfa, Frame, Function, ReturnAddress};
use tollgate_gate::image::{FUNCTIONS, PAGE_SIZE};
use tollgate_gate::unwind::table;
use tollgate_gate::{image, sigreturn_offset, unwind_data, uretprobe_offset, uretprobe_return_offset};
use tollgate_unwind::dwarf::Frames;

/// The DWARF frames, read as an unwinder in a process reads them.
fn dwarf() -> Frames<'static> {
    let index = file().section_by_name(".eh_frame_hdr").expect(".eh_frame_hdr").address();
    Frames::new(image(), index as usize).expect("the frames")
}

const BASE: u64 = 0x7fff_f7fc_1000;

fn file() -> ElfFile64<'static, LittleEndian> {
    ElfFile64::parse(image()).expect("the image is an ELF file")
}

#[test]
fn dwarf_and_ia64_and_the_description_agree_at_every_byte() {
    let data = unwind_data(BASE);
    for function in FUNCTIONS {
        for offset in function.start..function.end {
            let described = function.frame_at(offset).expect("a frame");
            let (_, dwarf) = dwarf().frame_at(offset as u64).expect("a DWARF frame");
            assert_eq!(&dwarf, described, "DWARF of {} + {offset}", function.name);
            let ip = BASE + offset as u64;
            let ia64 = table::find(&data, ip).expect("a table entry").frame_at(ip).expect("an IA-64 frame");
            assert!(ia64.agrees_with(&dwarf), "{} + {offset}: {ia64:?} is not {dwarf:?}", function.name);
        }
    }
}

#[test]
fn every_byte_of_code_has_a_frame() {
    let text = file().section_by_name(".text").expect(".text").address() as usize;
    let mut end = text;
    for function in FUNCTIONS {
        assert_eq!(function.start, end, "functions leave no gap");
        assert!(function.start <= function.entry && function.entry < function.code_end);
        assert!(function.code_end <= function.end);
        end = function.end;
    }
    assert_eq!(end - text, file().section_by_name(".text").expect(".text").size() as usize);
    assert!(dwarf().frame_at(text as u64 - 1).is_none() && dwarf().frame_at(end as u64).is_none());
}

fn instructions(function: &Function) -> impl Iterator<Item = Instruction> {
    let code = &image()[function.entry..function.code_end];
    Decoder::with_ip(64, code, function.entry as u64, DecoderOptions::NONE).into_iter()
}

/// Where the caller's stack pointer is, in bytes above ours.
fn depth(frame: &Frame) -> u16 {
    match frame.cfa {
        Cfa::Above(depth) => depth,
        Cfa::StoredAt(_) => panic!("{frame:?}"),
    }
}

/// The frames follow from the code: an instruction that moves `rsp` moves the caller's stack away from it as far.
#[test]
fn frames_follow_the_instructions() {
    for function in FUNCTIONS.iter().filter(|function| function.entry != sigreturn_offset()) {
        for instruction in instructions(function) {
            assert!(!instruction.is_invalid());
            let frame = function.frame_at(instruction.ip() as usize).expect("a frame");
            if instruction.mnemonic() == Mnemonic::Ret {
                assert_eq!(frame.return_address, ReturnAddress::At(0), "{} returns", function.name);
                assert_eq!(frame.cfa, Cfa::Above(8));
                continue;
            }
            let moved = match (instruction.mnemonic(), instruction.op0_register()) {
                (Mnemonic::Lea, Register::RSP) => {
                    assert_eq!((instruction.op1_kind(), instruction.memory_base()), (OpKind::Memory, Register::RSP));
                    instruction.memory_displacement64() as i32
                }
                _ => instruction.stack_pointer_increment(),
            };
            let next = function.frame_at(instruction.next_ip() as usize);
            if let Some(next) = next.filter(|_| (instruction.next_ip() as usize) < function.code_end) {
                let expected = i32::from(depth(frame)) - moved;
                assert_eq!(i32::from(depth(next)), expected, "{} after {:#x}", function.name, instruction.ip());
            }
        }
    }
}

/// No function changes a register that a call keeps, so no frame need say where one is saved.
#[test]
fn preserved_registers_are_not_touched() {
    use Register::{R12, R13, R14, R15, RBP, RBX};
    let mut info = iced_x86::InstructionInfoFactory::new();
    for function in FUNCTIONS {
        for instruction in instructions(function) {
            for used in info.info(&instruction).used_registers() {
                let register = used.register().full_register();
                assert!(![RBX, RBP, R12, R13, R14, R15].contains(&register), "{} uses {register:?}", function.name);
            }
        }
    }
}

#[test]
fn the_return_probe_trampoline_is_laid_out_as_the_kernel_expects() {
    let function = FUNCTIONS.iter().find(|function| function.entry == uretprobe_offset()).expect("a description");
    let code: Vec<Instruction> = instructions(function).collect();
    let call = code.iter().position(|instruction| instruction.mnemonic() == Mnemonic::Syscall).expect("the call");
    assert_eq!(code[call].next_ip() as usize, uretprobe_return_offset());
    let pushed: Vec<Register> = code[..3].iter().map(Instruction::op0_register).collect();
    assert_eq!(pushed, [Register::RAX, Register::RCX, Register::R11]);
    assert_eq!((code[3].op0_register(), code[3].immediate(1)), (Register::RAX, 335));
    assert_eq!(function.frame_at(uretprobe_return_offset()), Some(&Frame::plain(16)));
    assert_eq!(image()[function.entry - 1], 0x90, "an unwinder looks up the byte before the return address");
}

#[test]
fn the_image_is_one_segment_that_needs_no_relocation() {
    let file = file();
    let header = file.elf_header();
    assert_eq!((header.e_type(LittleEndian), header.e_machine(LittleEndian)), (elf::ET_DYN, elf::EM_X86_64));
    let segments = header.program_headers(LittleEndian, image()).expect("program headers");
    let load: Vec<_> = segments.iter().filter(|segment| segment.p_type(LittleEndian) == elf::PT_LOAD).collect();
    assert_eq!(load.len(), 1);
    let load = load[0];
    assert_eq!((load.p_offset(LittleEndian), load.p_vaddr(LittleEndian)), (0, 0));
    assert_eq!(load.p_filesz(LittleEndian), load.p_memsz(LittleEndian));
    assert_eq!(load.p_flags(LittleEndian), elf::PF_R | elf::PF_X);
    let headers_end = header.e_shoff(LittleEndian) + 64 * u64::from(header.e_shnum(LittleEndian));
    assert!(headers_end <= load.p_filesz(LittleEndian), "debuggers read the section headers from memory");
    for kind in [elf::PT_DYNAMIC, elf::PT_NOTE, elf::PT_GNU_EH_FRAME] {
        assert!(segments.iter().any(|segment| segment.p_type(LittleEndian) == kind));
    }
    assert!(!segments.iter().any(|segment| segment.p_type(LittleEndian) == elf::PT_TLS));
    assert!(file.dynamic_relocations().is_none_or(|relocations| relocations.count() == 0));
    assert!(image().len().is_multiple_of(PAGE_SIZE));
}

#[test]
fn symbols_are_where_the_functions_are() {
    let symbols: Vec<(String, usize, bool)> = file()
        .dynamic_symbols()
        .map(|symbol| (symbol.name().expect("a name").into(), symbol.address() as usize, symbol.is_weak()))
        .collect();
    for function in FUNCTIONS {
        assert!(symbols.contains(&(function.name.into(), function.entry, false)), "{}", function.name);
        if let Some(alias) = function.name.strip_prefix("__vdso_") {
            assert!(symbols.contains(&(alias.into(), function.entry, true)), "{alias}");
        }
    }
}

/// A C library's way to a symbol: by hash, and only in the right version.
#[test]
fn both_hash_tables_find_every_symbol_in_its_version() {
    use object::read::elf::{GnuHashTable, HashTable, SectionHeader};
    let file = file();
    let sections = file.elf_section_table();
    let versions = sections.versions(LittleEndian, image()).expect("versions").expect("versions");
    let wanted = versions.version(elf::VersionIndex(2)).expect("a version").expect("a version");
    assert_eq!((wanted.name(), wanted.hash()), (&b"LINUX_2.6"[..], 0x03ae_75f6));
    let mut tables = (0, 0);
    for section in sections.iter() {
        let link = section.link(LittleEndian);
        let symbols = || {
            let sections = file.elf_section_table();
            object::read::elf::SymbolTable::parse(
                LittleEndian,
                image(),
                sections,
                link,
                sections.section(link).expect("symbols"),
            )
            .expect("symbols")
        };
        if section.hash(LittleEndian, image()).expect("a hash table").is_some() {
            let table = HashTable::parse(LittleEndian, section.data(LittleEndian, image()).expect("bytes"));
            let table: HashTable<'_, elf::FileHeader64<LittleEndian>> = table.expect("a hash table");
            let symbols = symbols();
            assert_eq!(table.symbol_table_length() as usize, symbols.len(), "musl counts the symbols by this");
            for function in FUNCTIONS {
                let name = function.name.as_bytes();
                let hash = elf::hash(name);
                assert!(table.find(LittleEndian, name, hash, Some(wanted), &symbols, &versions).is_some());
            }
            tables.0 += 1;
        }
        if section.gnu_hash(LittleEndian, image()).expect("a hash table").is_some() {
            let table = GnuHashTable::parse(LittleEndian, section.data(LittleEndian, image()).expect("bytes"));
            let table: GnuHashTable<'_, elf::FileHeader64<LittleEndian>> = table.expect("a hash table");
            let symbols = symbols();
            for function in FUNCTIONS {
                let name = function.name.as_bytes();
                let hash = elf::gnu_hash(name);
                assert!(table.find(LittleEndian, name, hash, Some(wanted), &symbols, &versions).is_some());
            }
            tables.1 += 1;
        }
    }
    assert_eq!(tables, (1, 1));
}

#[test]
fn readelf_has_nothing_to_complain_of() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{}.so", std::process::id()));
    std::fs::write(&path, image()).expect("write the image");
    let arguments = ["-aW", "--histogram", "--debug-dump=frames-interp"];
    let output = Command::new("readelf").args(arguments).arg(&path).env("LC_ALL", "C").output();
    std::fs::remove_file(&path).expect("remove the image");
    let Ok(output) = output else {
        eprintln!("skipped: there is no readelf (it is in the package binutils)");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in
        ["Library soname: [linux-vdso.so.1]", "__vdso_clock_gettime@@LINUX_2.6", "zRS", "There are no relocations"]
    {
        assert!(text.contains(expected), "{expected} is missing");
    }
    assert!(!text.contains("arning") && !text.contains("orrupt"), "{text}");
}
