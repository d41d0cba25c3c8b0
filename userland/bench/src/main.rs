//! Prints what operations of the kernel cost. The same binary runs on Tollgate and on Linux.
//!
//! ```text
//! bench [--csv] [FILTER...]        measures, prints a table (or lines `operation,ticks,nanoseconds`)
//! bench --join HEADING=FILE:COLUMN...   makes one table of the columns of several such files
//! ```
//!
//! Ticks are differences of the time-stamp counter. Under the runner's `--icount` a tick is one instruction of
//! the guest, and the numbers repeat to the digit; otherwise they are only another clock. Of each operation the
//! cheapest of several batches counts: what disturbs a batch only ever adds to it.
//!
//! All processes and threads are kept on one CPU, so that handing over from one to another is a switch and not
//! a wake-up of a second CPU.

mod join;
mod measure;
mod memory;
mod process;
mod system;
mod task;

use measure::{Cost, Row};
use std::process::ExitCode;

/// In the order of the table.
const ROWS: [&[Row]; 4] = [system::ROWS, task::ROWS, process::ROWS, memory::ROWS];

fn main() -> ExitCode {
    let mut csv = false;
    let mut filters = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--csv" => csv = true,
            "--join" => return join::main(arguments),
            other if other.starts_with('-') => {
                eprintln!("unknown option {other}\nusage: bench [--csv] [FILTER...] | --join HEADING=FILE:COLUMN...");
                return ExitCode::from(2);
            }
            _ => filters.push(argument),
        }
    }
    if let Err(error) = measure::stay_on_one_cpu() {
        eprintln!("bench: cannot stay on one CPU ({error:?}): switches between CPUs are in the numbers");
    }
    if !csv {
        println!("| operation | ticks | ns |\n|---|---:|---:|");
    }
    for row in ROWS.iter().copied().flatten() {
        if !filters.is_empty() && !filters.iter().any(|filter| row.name.contains(filter.as_str())) {
            continue;
        }
        let Cost { ticks, nanoseconds } = (row.run)();
        if csv {
            println!("{},{ticks},{nanoseconds}", row.name);
        } else {
            println!("| {} | {ticks} | {nanoseconds} |", row.name);
        }
    }
    ExitCode::SUCCESS
}
