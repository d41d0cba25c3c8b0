//! The command line of the runner.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Boots Tollgate in QEMU.
///
/// Without COMMAND: an interactive shell on the serial line; Ctrl-A X leaves it.
/// With COMMAND: boots, runs it, powers off. The exit status is the command's own, 128+N when signal N
/// ended it, 123 after a kernel panic, 124 after the time-out, 125 when the runner itself failed.
#[derive(Debug, Clone, Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
pub struct Options {
    /// Put a file or folder into the guest's file system (default: same name under /)
    #[arg(long, value_name = "HOST[:GUEST]")]
    pub add: Vec<String>,

    /// Like --add, for a program: also brings its ELF interpreter and its libraries
    #[arg(long, value_name = "PROGRAM[:GUEST]")]
    pub add_bin: Vec<String>,

    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub smp: u32,

    /// Memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..))]
    pub memory: u32,

    /// Kill the machine after S seconds, exit with status 124
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,

    /// Where the kernel log goes (default: the console when interactive, target/tollgate.log otherwise)
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// How the kernel is started: directly by QEMU, or from a disk image
    #[arg(long, value_enum, default_value_t = Boot::Pvh, conflicts_with = "linux")]
    pub boot: Boot,

    /// What executes guest instructions; auto takes KVM only where it can work
    #[arg(long, value_enum, default_value_t = Accel::Auto)]
    pub accel: Accel,

    /// One guest instruction is one nanosecond of guest time: repeatable to the digit (TCG only)
    #[arg(long)]
    pub icount: bool,

    /// Boot this Linux kernel instead, with the same initramfs and command
    #[arg(long, value_name = "VMLINUZ")]
    pub linux: Option<PathBuf>,

    /// Wait for gdb on this TCP port (1234 unless given); prints the gdb command
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "1234")]
    pub gdb: Option<u16>,

    /// Options for the kernel's command line, such as log=debug
    #[arg(long, value_name = "WORDS")]
    pub append: Option<String>,

    /// Build the kernel with debug assertions: lock order, might-sleep and the like are checked
    #[arg(long, conflicts_with = "linux")]
    pub checked: bool,

    /// Command to run in the guest, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// How the kernel is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Boot {
    /// `qemu -kernel`, through the kernel's PVH entry
    Pvh,
    /// From a disk image, by BIOS firmware
    Bios,
    /// From a disk image, by UEFI firmware
    Uefi,
}

/// What executes guest instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Accel {
    /// KVM when the CPU has it and /dev/kvm opens, else TCG
    Auto,
    /// QEMU's translator
    Tcg,
    /// The host's CPU
    Kvm,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn clap_accepts_the_declaration() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_command_keeps_its_own_options() {
        let options = Options::try_parse_from(["tollgate", "--smp", "4", "--", "ls", "--all", "-l"]).unwrap();
        assert_eq!(options.smp, 4);
        assert_eq!(options.command, ["ls", "--all", "-l"]);
    }

    #[test]
    fn gdb_has_a_default_port() {
        let port = |arguments: &[&str]| Options::try_parse_from(arguments).unwrap().gdb;
        assert_eq!(port(&["tollgate"]), None);
        assert_eq!(port(&["tollgate", "--gdb"]), Some(1234));
        assert_eq!(port(&["tollgate", "--gdb=4321", "--", "ls"]), Some(4321));
    }

    #[test]
    fn a_command_without_dashes_is_refused() {
        assert!(Options::try_parse_from(["tollgate", "ls"]).is_err());
    }
}
