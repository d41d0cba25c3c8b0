//! The kernel's symbol table as text, for the backtrace of a panic.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol, SymbolKind};

/// Lines of `hexaddr name`, sorted by address, names demangled without their hash.
pub fn table(kernel: &Path) -> Result<String> {
    let file = fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?;
    let elf = ElfFile64::<Endianness>::parse(file.as_slice())
        .with_context(|| format!("{} is no ELF file", kernel.display()))?;
    let mut symbols: Vec<(u64, &str)> = elf
        .symbols()
        // Hand-written assembly has labels without a type.
        .filter(|symbol| {
            symbol.is_definition()
                && matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Label | SymbolKind::Unknown)
        })
        .filter_map(|symbol| Some((symbol.address(), symbol.name().ok()?)))
        .filter(|(address, name)| *address != 0 && !name.is_empty())
        .collect();
    symbols.sort_unstable();
    symbols.dedup_by_key(|(address, _)| *address);

    let mut text = String::new();
    for (address, name) in symbols {
        writeln!(text, "{address:x} {:#}", rustc_demangle::demangle(name))?;
    }
    Ok(text)
}
