//! `tollgate-image bios|uefi KERNEL RAMDISK IMAGE`: writes a bootable disk image.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use bootloader::{BootConfig, DiskImageBuilder};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [firmware, kernel, ramdisk, image] = arguments.as_slice() else {
        bail!("usage: tollgate-image bios|uefi KERNEL RAMDISK IMAGE");
    };
    let mut config = BootConfig::default();
    // The first serial port is the console of the command that runs: the loader must not write there.
    config.serial_logging = false;
    config.frame_buffer_logging = false;

    let mut builder = DiskImageBuilder::new(PathBuf::from(kernel));
    builder.set_ramdisk(PathBuf::from(ramdisk)).set_boot_config(&config);
    let image = PathBuf::from(image);
    match firmware.as_str() {
        "bios" => builder.create_bios_image(&image),
        "uefi" => builder.create_uefi_image(&image),
        other => bail!("unknown firmware {other:?}: it is bios or uefi"),
    }
    .with_context(|| format!("cannot write {}", image.display()))
}
