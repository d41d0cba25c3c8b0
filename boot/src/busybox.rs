//! The shell and the everyday tools: the distribution's static busybox, unmodified.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::libraries;
use crate::tree::Tree;

const MEND: &str = "install it with `apt-get install busybox-static`, or run ./run-qemu.sh, which does";

/// Puts busybox and a link for each of its applets into `/bin`.
pub fn add(tree: &mut Tree) -> Result<()> {
    let busybox = find()?;
    tree.host("/bin/busybox", &busybox)?;
    let list = Command::new(&busybox).arg("--list").output().context("cannot run busybox --list")?;
    if !list.status.success() {
        bail!("busybox --list failed: {}", String::from_utf8_lossy(&list.stderr));
    }
    for applet in String::from_utf8(list.stdout)?.lines().filter(|applet| *applet != "busybox") {
        tree.symlink(&format!("/bin/{applet}"), "busybox")?;
    }
    Ok(())
}

/// The host's busybox, which must be a static program.
fn find() -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let mut dynamic = None;
    for folder in env::split_paths(&folders).chain(["/bin".into(), "/usr/bin".into()]) {
        let path = folder.join("busybox");
        let Ok(file) = fs::read(&path) else { continue };
        let needs = libraries::needs(&file).with_context(|| format!("cannot read {}", path.display()))?;
        if needs.interpreter.is_none() {
            return Ok(path);
        }
        dynamic = Some(path);
    }
    match dynamic {
        Some(path) => bail!("{} is not a static program: {MEND}", path.display()),
        None => bail!("there is no busybox: {MEND}"),
    }
}
