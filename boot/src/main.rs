//! `cargo run -- [OPTIONS] [-- COMMAND [ARG...]]`: builds everything, starts QEMU and exits with
//! the guest command's status.

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use tollgate_boot::options::Options;
use tollgate_boot::run;

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let failed = error.use_stderr();
            // Nothing is left to do when even the message cannot be written.
            let _ = error.print();
            if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
                && !word.starts_with('-')
            {
                eprintln!("\n  a command goes after two dashes: -- {word}");
            }
            return if failed { ExitCode::from(run::STATUS_ERROR) } else { ExitCode::SUCCESS };
        }
    };
    match run::run(&options) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("tollgate: {error:#}");
            ExitCode::from(run::STATUS_ERROR)
        }
    }
}
