//! Disk images for BIOS and UEFI firmware, made by the `boot/image` crate.
//!
//! That crate is outside the workspace: its `bootloader` dependency compiles its stages with build-std,
//! which takes minutes the first time. The built program is kept below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{self, Workspace};
use crate::options::Boot;

/// Makes a disk image with the kernel and the initramfs.
pub fn make(workspace: &Workspace, boot: Boot, kernel: &Path, initramfs: &Path, image: &Path) -> Result<()> {
    let firmware = match boot {
        Boot::Bios => "bios",
        Boot::Uefi => "uefi",
        Boot::Pvh => bail!("no disk image is needed to start the kernel directly"),
    };
    let builder = builder(workspace)?;
    // Firmware reads slowly, and nothing in the guest uses the symbols of this file.
    let stripped = image.with_extension("kernel");
    let status = Command::new("strip").arg("-o").args([&stripped, kernel]).status();
    if !status.context("cannot run strip: install it with `apt-get install binutils`")?.success() {
        bail!("cannot strip {}", kernel.display());
    }
    let status = Command::new(&builder)
        .arg(firmware)
        .args([&stripped, initramfs, image])
        .status()
        .with_context(|| format!("cannot run {}", builder.display()))?;
    if !status.success() {
        bail!("cannot make the {firmware} disk image");
    }
    Ok(())
}

/// Builds the image builder, which does nothing when it is up to date.
fn builder(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.root.join("boot/image");
    let target = workspace.target.join("image");
    let program = target.join("release/tollgate-image");
    if !program.exists() {
        eprintln!("tollgate: building the boot loader for disk images, which takes some minutes once");
    }
    let status = cargo::cargo(&folder)
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(&target)
        // For the loader's own stages: they need build-std. Nothing of Tollgate is compiled here.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!(
            "cannot build boot/image; it needs the components rust-src and llvm-tools: \
             `rustup component add rust-src llvm-tools`, or run ./run-qemu.sh"
        );
    }
    Ok(program)
}
