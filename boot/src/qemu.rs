//! The machine: QEMU's command line.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::options::Accel;

/// The I/O port of the device that lets a panicking kernel end QEMU: writing N there ends it with
/// status 2N+1.
const DEBUG_EXIT: &str = "isa-debug-exit,iobase=0xf4,iosize=0x04";

/// UEFI firmware of the distribution's ovmf package.
const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// What the machine starts.
#[derive(Debug, Clone)]
pub enum Kernel {
    /// Tollgate's ELF file, through its PVH entry.
    Pvh {
        /// The kernel.
        kernel: PathBuf,
        /// The initramfs.
        initramfs: PathBuf,
    },
    /// A Linux bzImage.
    Linux {
        /// The kernel.
        kernel: PathBuf,
        /// The initramfs.
        initramfs: PathBuf,
    },
    /// A disk image with an MBR.
    Bios(PathBuf),
    /// A disk image with an EFI system partition.
    Uefi(PathBuf),
}

/// A machine that QEMU can make.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What it starts.
    pub kernel: Kernel,
    /// Number of CPUs.
    pub smp: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// What executes instructions.
    pub accel: Accel,
    /// Whether guest time counts instructions.
    pub icount: bool,
    /// Port of QEMU's gdb stub; the machine waits for gdb before its first instruction.
    pub gdb: Option<u16>,
    /// The kernel's command line.
    pub append: String,
}

impl Machine {
    /// A machine with the defaults of the command line.
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, smp: 2, memory: 256, accel: Accel::Auto, icount: false, gdb: None, append: String::new() }
    }

    /// QEMU's arguments. The first serial port is QEMU's standard input and output, the second one
    /// connects to the Unix socket `log`.
    pub fn arguments(&self, log: &Path) -> Result<Vec<OsString>> {
        let kvm = match self.accel {
            Accel::Auto => !self.icount && kvm_works(),
            Accel::Tcg => false,
            Accel::Kvm if self.icount => bail!("--icount counts instructions in TCG: it cannot go with --accel kvm"),
            Accel::Kvm => true,
        };
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));

        add(&["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        add(&["-machine", "q35", "-accel", if kvm { "kvm" } else { "tcg" }]);
        // TCG executes each byte of a fast string instruction as one instruction, so a program that
        // picks them by CPUID would look slow: the same CPU for every kernel and every accelerator.
        // QEMU 7.2 computes the flags of cmpxchg16b from stale state: an interrupt right after it saves garbage in
        // RFLAGS, which now and then kills a Linux kernel. Without cx16 the kernel does not use the instruction.
        add(&["-cpu", "max,-erms,-fsrm,-cx16"]);
        add(&["-smp", &self.smp.to_string(), "-m", &format!("{}M", self.memory)]);
        add(&["-device", DEBUG_EXIT]);
        add(&["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]);
        // Commas in option values are doubled.
        let log = log.to_string_lossy().replace(',', ",,");
        add(&["-chardev", &format!("socket,id=log,path={log}"), "-serial", "chardev:log"]);
        if self.icount {
            add(&["-icount", "shift=0,sleep=off"]);
        }
        if let Some(port) = self.gdb {
            add(&["-S", "-gdb", &format!("tcp:127.0.0.1:{port}")]);
        }
        match &self.kernel {
            Kernel::Pvh { kernel, initramfs } => {
                arguments.extend(direct(kernel, initramfs, &self.append));
            }
            Kernel::Linux { kernel, initramfs } => {
                // The log on the second port, nothing but errors, no rate limit for what init writes
                // there, and a reset (which ends QEMU) right after a panic.
                let append = "console=ttyS1,115200 quiet printk.devkmsg=on panic=-1";
                arguments.extend(direct(kernel, initramfs, &format!("{append} {}", self.append)));
            }
            Kernel::Bios(image) => arguments.extend(disk(image)),
            Kernel::Uefi(image) => {
                if !Path::new(OVMF).exists() {
                    bail!("there is no {OVMF}: install it with `apt-get install ovmf`, or run ./run-qemu.sh");
                }
                arguments.extend(["-bios".into(), OVMF.into()]);
                arguments.extend(disk(image));
            }
        }
        Ok(arguments)
    }
}

fn direct(kernel: &Path, initramfs: &Path, append: &str) -> [OsString; 6] {
    ["-kernel".into(), kernel.into(), "-initrd".into(), initramfs.into(), "-append".into(), append.trim().into()]
}

/// A disk, and a graphics card: the boot loader's BIOS stage asks the card's BIOS for a frame buffer and
/// gives up without one.
fn disk(image: &Path) -> [OsString; 4] {
    let image = image.to_string_lossy().replace(',', ",,");
    ["-drive".into(), format!("file={image},format=raw,snapshot=on").into(), "-vga".into(), "std".into()]
}

/// Whether KVM can be used: the CPU has it (a virtual machine may have the device but no virtual
/// VMX or SVM) and the device opens.
fn kvm_works() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm")
        && fs::File::options().read(true).write(true).open("/dev/kvm").is_ok()
}

/// QEMU's program.
pub fn find() -> Result<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let program =
        env::split_paths(&folders).map(|folder| folder.join("qemu-system-x86_64")).find(|path| path.is_file());
    match program {
        Some(path) => Ok(path),
        None => bail!(
            "there is no qemu-system-x86_64: install it with `apt-get install qemu-system-x86`, \
             or run ./run-qemu.sh, which does"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(machine: &Machine) -> String {
        let words: Vec<_> = machine.arguments(Path::new("/tmp/a,b")).unwrap();
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn linux_logs_on_the_second_port() {
        let kernel = Kernel::Linux { kernel: "vmlinuz".into(), initramfs: "initramfs".into() };
        let machine = Machine { accel: Accel::Tcg, icount: true, append: "debug".into(), ..Machine::new(kernel) };
        let line = line(&machine);
        assert!(line.contains("-kernel vmlinuz -initrd initramfs -append console=ttyS1,115200"), "{line}");
        assert!(line.ends_with("debug") && line.contains("-icount shift=0,sleep=off"), "{line}");
        assert!(line.contains("path=/tmp/a,,b"), "{line}");
    }

    #[test]
    fn icount_and_kvm_exclude_each_other() {
        let machine = Machine { accel: Accel::Kvm, icount: true, ..Machine::new(Kernel::Bios("image".into())) };
        assert!(machine.arguments(Path::new("/tmp/log")).is_err());
    }
}
