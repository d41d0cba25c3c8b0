//! One run of the runner, from the options to the exit status.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cargo::{Profile, Workspace};
use crate::console::RawTerminal;
use crate::machine::{self, Input, Limits, Outcome, Streams};
use crate::options::{Boot, Options};
use crate::qemu::{Kernel, Machine};
use crate::{image, initramfs, symbols};

/// The kernel panicked.
pub const STATUS_PANIC: u8 = 123;
/// The time-out passed.
pub const STATUS_TIMEOUT: u8 = 124;
/// The runner itself failed.
pub const STATUS_ERROR: u8 = 125;

/// How many lines of the kernel log are shown after a failure.
const TAIL: usize = 40;

/// Builds everything, runs the machine and returns the exit status.
pub fn run(options: &Options) -> Result<u8> {
    if options.boot != Boot::Pvh && options.append.is_some() {
        bail!("--append is passed by QEMU's direct boot only: leave out --boot, or use --boot pvh");
    }
    crate::qemu::find()?;
    let workspace = Workspace::open()?;
    let scratch = workspace.target.join("tollgate");
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let scratch = tempfile::tempdir_in(&scratch).context("cannot make a temporary folder")?;
    let machine = build(options, &workspace, scratch.path())?;

    let interactive = options.command.is_empty();
    let keys = interactive && io::stdin().is_terminal();
    let log = options.log.clone().unwrap_or_else(|| workspace.target.join("tollgate.log"));
    if let (Some(port), Kernel::Pvh { kernel, .. }) = (options.gdb, &machine.kernel) {
        eprintln!("tollgate: waiting for: gdb {} -ex 'target remote :{port}'", kernel.display());
    } else if let Some(port) = options.gdb {
        eprintln!("tollgate: waiting for gdb on port {port}");
    }

    let raw = if keys { Some(RawTerminal::new().context("cannot set the terminal to raw mode")?) } else { None };
    let stdin = Box::new(io::stdin());
    let outcome = machine::run(
        &machine,
        Limits { total: options.timeout.map(Duration::from_secs), idle: None },
        Streams {
            input: if keys { Input::Keys(stdin) } else { Input::Data(stdin) },
            output: &mut io::stdout(),
            log: &log,
            show_log: interactive && options.log.is_none(),
        },
    );
    drop(raw);
    report(outcome?, options, &log)
}

/// Builds what the options ask for and describes the machine.
fn build(options: &Options, workspace: &Workspace, scratch: &Path) -> Result<Machine> {
    // What can be wrong about the options comes before the work.
    let additions = initramfs::additions(&options.add, &options.add_bin)?;
    if let Some(linux) = options.linux.as_ref().filter(|linux| !linux.is_file()) {
        bail!("there is no Linux kernel {}: boot/get-linux.sh fetches one and prints its path", linux.display());
    }
    let mut programs = workspace.userland()?;
    programs.extend(workspace.c_programs()?);
    let mut tree = initramfs::base(&programs)?;
    tree.extend(additions)?;
    let profile = if options.checked { Profile::Checked } else { Profile::Release };
    let kernel = if options.linux.is_some() { None } else { Some(workspace.kernel(profile)?) };
    let symbols = kernel.as_deref().map(symbols::table).transpose()?;
    initramfs::complete(&mut tree, &options.command, symbols.as_deref())?;
    let initramfs = scratch.join("initramfs.cpio");
    tree.write(&initramfs)?;

    let kernel = match (&options.linux, kernel) {
        (Some(linux), _) => Kernel::Linux { kernel: linux.clone(), initramfs },
        (None, None) => bail!("no kernel was built"),
        (None, Some(kernel)) => match options.boot {
            Boot::Pvh => Kernel::Pvh { kernel, initramfs },
            Boot::Bios | Boot::Uefi => {
                let disk = scratch.join("disk.img");
                image::make(workspace, options.boot, &kernel, &initramfs, &disk)?;
                if options.boot == Boot::Bios { Kernel::Bios(disk) } else { Kernel::Uefi(disk) }
            }
        },
    };
    Ok(Machine {
        smp: options.smp,
        memory: options.memory,
        accel: options.accel,
        icount: options.icount,
        gdb: options.gdb,
        append: options.append.clone().unwrap_or_default(),
        ..Machine::new(kernel)
    })
}

/// Says on standard error what went wrong, and turns the outcome into a status.
fn report(outcome: Outcome, options: &Options, log: &Path) -> Result<u8> {
    let (status, message) = match outcome {
        Outcome::Exited(status) => return Ok(status),
        Outcome::Left => return Ok(0),
        Outcome::Panicked => (STATUS_PANIC, "the kernel panicked".to_owned()),
        Outcome::TimedOut => {
            (STATUS_TIMEOUT, format!("no end after {} s: killed", options.timeout.unwrap_or_default()))
        }
        Outcome::Lost(Some(0)) => (
            STATUS_ERROR,
            "the machine stopped without an exit status: it reset (a triple fault?), or init ended early".to_owned(),
        ),
        Outcome::Lost(status) => {
            let status = status.map_or("a signal".to_owned(), |status| format!("status {status}"));
            (STATUS_ERROR, format!("QEMU failed with {status}"))
        }
    };
    let mut stderr = io::stderr().lock();
    if !(options.command.is_empty() && options.log.is_none()) {
        let text = fs::read(log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            writeln!(stderr, "  {line}")?;
        }
        writeln!(stderr, "tollgate: {message}; the kernel log is in {}", log.display())?;
    } else {
        writeln!(stderr, "tollgate: {message}")?;
    }
    Ok(status)
}
