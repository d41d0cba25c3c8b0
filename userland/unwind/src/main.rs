//! `unwind`: prints the unwind table of the gate image, one line for each entry and each record.
//!
//! Other programs can decode the same: `--raw` writes the data as getunwind(2) gave them, `--elf` wraps them in an ELF
//! file for `readelf -u`, and `--image` writes the vDSO as it is mapped.

use std::io::{self, Write};
use std::process::ExitCode;

use tollgate_gate::image::FUNCTIONS;
use tollgate_unwind::elf;
use tollgate_unwind::image::Image;
use tollgate_unwind::table::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let run = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => print,
        ["--raw"] => || write(Table::get()?.bytes()),
        ["--elf"] => || write(&elf::around(Table::get()?.bytes())),
        ["--image"] => || write(Image::of_process().ok_or_else(|| io::Error::other("there is no image"))?.bytes),
        _ => {
            eprintln!("usage: unwind [--raw | --elf | --image]");
            return ExitCode::from(2);
        }
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unwind: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

fn print() -> io::Result<()> {
    let table = Table::get()?;
    let mut out = io::stdout().lock();
    let base = Image::of_process().map_or(0, |image| image.base);
    for entry in table.entries() {
        let entry = entry.map_err(io::Error::other)?;
        let (offset, name) = (entry.start.wrapping_sub(base) as usize, |offset: usize| {
            let function = FUNCTIONS.iter().find(|function| (function.start..function.end).contains(&offset));
            function.map_or("?", |function| function.name)
        });
        writeln!(out, "{:#x}-{:#x} {} info +{:#x}", entry.start, entry.end, name(offset), entry.info)?;
        for record in entry.records() {
            writeln!(out, "    {}", record.map_err(io::Error::other)?)?;
        }
    }
    out.flush()
}
