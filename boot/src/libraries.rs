//! What a dynamic program needs: its ELF interpreter, and its libraries as `ld.so` would find them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, StringTable};

/// The folders that the dynamic linker searches without being told.
const STANDARD: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];

/// The dynamic section of a program or library, as far as it matters here.
#[derive(Debug, Default)]
pub struct Needs {
    /// PT_INTERP: the dynamic linker; `None` for a static program or a library.
    pub interpreter: Option<String>,
    /// DT_NEEDED: names of libraries.
    pub libraries: Vec<String>,
    /// DT_RUNPATH and DT_RPATH: folders to search first; `$ORIGIN` is the file's own folder.
    pub search: Vec<String>,
}

/// Reads what an x86-64 ELF file needs.
pub fn needs(file: &[u8]) -> Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(file).context("not a 64-bit ELF file")?;
    let endian = header.endian()?;
    if header.e_machine(endian) != elf::EM_X86_64 {
        bail!("not an x86-64 ELF file");
    }
    let segments = header.program_headers(endian, file)?;
    let mut needs = Needs::default();
    for segment in segments {
        if let Some(interpreter) = segment.interpreter(endian, file)? {
            needs.interpreter = Some(String::from_utf8(interpreter.to_vec())?);
        }
    }
    let Some(dynamic) = segments.iter().find_map(|segment| segment.dynamic(endian, file).transpose()).transpose()?
    else {
        return Ok(needs);
    };
    let value = |tag| dynamic.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
    let (Some(address), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else { return Ok(needs) };
    let offset = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find(|segment| address.wrapping_sub(segment.p_vaddr(endian)) < segment.p_filesz(endian))
        .map(|segment| segment.p_offset(endian) + address - segment.p_vaddr(endian))
        .context("the dynamic string table is not in the file")?;
    let strings = StringTable::new(file, offset, offset + size);
    for entry in dynamic {
        let list = match entry.tag(endian) {
            elf::DT_NEEDED => &mut needs.libraries,
            elf::DT_RUNPATH | elf::DT_RPATH => &mut needs.search,
            _ => continue,
        };
        let text = entry.string(endian, strings).context("a name in the dynamic section is broken")?;
        let text = std::str::from_utf8(text)?;
        list.extend(text.split(':').filter(|part| !part.is_empty()).map(str::to_owned));
    }
    Ok(needs)
}

/// All files that `program` needs besides itself, as guest path and host path.
///
/// A library that is found outside the standard folders goes to the folder of the libraries that are
/// not, because the guest has no `ld.so.cache`.
pub fn resolve(program: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let top = needs(&read(program)?).with_context(|| program.display().to_string())?;
    let mut files = BTreeMap::new();
    let Some(interpreter) = top.interpreter.clone() else { return Ok(files) };
    files.insert(interpreter.clone(), PathBuf::from(&interpreter));
    let home = if interpreter.contains("ld-musl") { "/lib" } else { STANDARD[0] };

    let cache = Cache::read();
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut open = vec![(program.to_owned(), top)];
    while let Some((user, needs)) = open.pop() {
        for name in needs.libraries {
            let is_interpreter = Path::new(&interpreter).file_name().is_some_and(|file| *file == *name);
            if is_interpreter || found.contains_key(&name) {
                continue;
            }
            let path = locate(&name, &user, &needs.search, &cache).with_context(|| {
                format!("{} needs the library {name}, which is not on this machine", user.display())
            })?;
            let folder = path.parent().and_then(Path::to_str).filter(|folder| STANDARD.contains(folder));
            files.insert(format!("{}/{name}", folder.unwrap_or(home)), path.clone());
            let inner = self::needs(&read(&path)?).with_context(|| path.display().to_string())?;
            found.insert(name, path.clone());
            open.push((path, inner));
        }
    }
    Ok(files)
}

/// Where the dynamic linker would find library `name` for the file `user`.
fn locate(name: &str, user: &Path, search: &[String], cache: &Cache) -> Option<PathBuf> {
    let origin = user.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let own = search.iter().map(|folder| folder.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin));
    let usable = |path: &PathBuf| fs::read(path).is_ok_and(|file| needs(&file).is_ok());
    own.map(|folder| Path::new(&folder).join(name))
        .chain(cache.get(name))
        .chain(STANDARD.iter().map(|folder| Path::new(folder).join(name)))
        .find(usable)
}

/// The dynamic linker's own list of libraries, as `ldconfig -p` prints it.
struct Cache(BTreeMap<String, PathBuf>);

impl Cache {
    /// Empty where there is no ldconfig: the standard folders remain.
    fn read() -> Self {
        let output = ["ldconfig", "/sbin/ldconfig"]
            .iter()
            .find_map(|program| Command::new(program).arg("-p").output().ok())
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        Self(Self::parse(&output))
    }

    /// Lines are `\tlibc.so.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libc.so.6`.
    fn parse(output: &str) -> BTreeMap<String, PathBuf> {
        let mut libraries = BTreeMap::new();
        for line in output.lines().filter(|line| line.contains("x86-64")) {
            if let Some((left, path)) = line.split_once(" => ")
                && let Some(name) = left.split_whitespace().next()
            {
                libraries.entry(name.to_owned()).or_insert_with(|| PathBuf::from(path));
            }
        }
        libraries
    }

    fn get(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_itself_needs_libc() {
        let this = std::env::current_exe().unwrap();
        let needs = needs(&fs::read(&this).unwrap()).unwrap();
        assert!(needs.interpreter.is_some());
        let files = resolve(&this).unwrap();
        assert!(files.keys().any(|path| path.ends_with("/libc.so.6")), "{files:?}");
        assert!(files.contains_key(&needs.interpreter.unwrap()));
    }

    #[test]
    fn the_cache_knows_other_machines() {
        let cache = Cache::parse("\tliba.so (libc6) => /lib32/liba.so\n\tliba.so (libc6,x86-64) => /opt/liba.so\n");
        assert_eq!(cache["liba.so"], Path::new("/opt/liba.so"));
    }

    #[test]
    fn a_script_is_no_program() {
        assert!(needs(b"#!/bin/sh\n").is_err());
    }
}
