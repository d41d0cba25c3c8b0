//! `unwind`: prints the unwind table of the gate image, one line for each entry and each record.
//!
//! With `--raw`, writes the data as getunwind(2) gave them, for other programs to decode.

use std::io::{self, Write};
use std::process::ExitCode;

use tollgate_gate::image::FUNCTIONS;
use tollgate_unwind::image::Image;
use tollgate_unwind::table::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let raw = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--raw"] => true,
        _ => {
            eprintln!("usage: unwind [--raw]");
            return ExitCode::from(2);
        }
    };
    match run(raw) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("unwind: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(raw: bool) -> io::Result<()> {
    let table = Table::get()?;
    let mut out = io::stdout().lock();
    if raw {
        out.write_all(table.bytes())?;
        return out.flush();
    }
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
