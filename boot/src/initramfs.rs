//! What is in the initramfs.

use std::path::Path;

use anyhow::{Result, bail};

use crate::cargo::Program;
use crate::tree::Tree;
use crate::{add, busybox};

/// Where init finds the command to run: its arguments, each ended by a NUL. Without it, a shell.
const COMMAND: &str = "/etc/tollgate/command";
/// Where the kernel finds its own symbols.
const SYMBOLS: &str = "/etc/tollgate/kernel.sym";

/// The files every guest has: busybox, our programs, and the few files of `/etc` and `/dev`.
pub fn base(programs: &[Program]) -> Result<Tree> {
    let mut tree = Tree::new();
    for folder in ["/dev", "/proc", "/sys", "/root", "/usr"] {
        tree.directory(folder, 0o755)?;
    }
    tree.directory("/tmp", 0o1777)?;
    // One folder of programs; scripts that name the others find it too.
    tree.symlink("/sbin", "bin")?;
    tree.symlink("/usr/bin", "../bin")?;
    tree.symlink("/usr/sbin", "../bin")?;
    tree.device("/dev/console", 0o600, 5, 1)?;
    tree.device("/dev/null", 0o666, 1, 3)?;
    tree.bytes("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")?;
    tree.bytes("/etc/group", 0o644, "root:x:0:\nnogroup:x:65534:\n")?;
    tree.bytes("/etc/hostname", 0o644, "tollgate\n")?;
    tree.bytes("/etc/profile", 0o644, "export PATH=/bin\nexport PS1='tollgate:\\w\\$ '\n")?;

    busybox::add(&mut tree)?;
    for program in programs {
        if let Some(path) = place(program) {
            tree.host(&path, &program.path)?;
        }
    }
    Ok(tree)
}

/// The files that `--add` and `--add-bin` name.
pub fn additions(files: &[String], programs: &[String]) -> Result<Tree> {
    let mut tree = Tree::new();
    for argument in files {
        add::file(&mut tree, argument)?;
    }
    for argument in programs {
        add::program(&mut tree, argument)?;
    }
    Ok(tree)
}

/// Adds the command and the kernel's symbols, and checks that the guest can start.
pub fn complete(tree: &mut Tree, command: &[String], symbols: Option<&str>) -> Result<()> {
    if let Some(symbols) = symbols {
        tree.bytes(SYMBOLS, 0o644, symbols)?;
    }
    if !command.is_empty() {
        tree.bytes(COMMAND, 0o644, arguments(command)?)?;
    }
    if !tree.contains("/init") {
        bail!("the guest has no /init: userland/init has built no program of that name");
    }
    Ok(())
}

/// Where a program of the userland goes in the guest; `None` for one that stays outside.
fn place(program: &Program) -> Option<String> {
    let name = &program.name;
    let package = program.package.strip_prefix("userland").ok()?;
    Some(match package {
        _ if package == Path::new("init") => "/init".to_owned(),
        _ if package == Path::new("tests") => format!("/tests/{name}"),
        _ if package == Path::new("programs") => format!("/tests/programs/{name}"),
        _ if package == Path::new("bench") => "/bench".to_owned(),
        _ => format!("/bin/{name}"),
    })
}

/// The arguments, each ended by a NUL.
fn arguments(command: &[String]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for argument in command {
        if argument.contains('\0') {
            bail!("an argument of the command has a NUL in it");
        }
        bytes.extend_from_slice(argument.as_bytes());
        bytes.push(0);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_go_where_their_package_says() {
        let at = |package: &str, name: &str| {
            place(&Program { package: package.into(), name: name.into(), path: "x".into() })
        };
        assert_eq!(at("userland/init", "init").as_deref(), Some("/init"));
        assert_eq!(at("userland/tests", "signal").as_deref(), Some("/tests/signal"));
        assert_eq!(at("userland/bench", "tollgate-bench").as_deref(), Some("/bench"));
        assert_eq!(at("userland/bin", "truss").as_deref(), Some("/bin/truss"));
        assert_eq!(at("kernel/core", "tollgate-kernel"), None);
    }
}
