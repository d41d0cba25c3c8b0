//! The kernel log: lines on COM2, with time and CPU.
use core::fmt::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

use crate::arch::{clock, percpu, uart};
use crate::sync::{Rank, SpinLock};

struct Logger;

/// One line at a time.
static LINE: SpinLock<()> = SpinLock::new(Rank::LogLine, ());

/// Writes to the log port.
pub struct LogPort;

impl Write for LogPort {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        uart::log_write(text.as_bytes());
        Ok(())
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _line = LINE.lock();
        let ns = clock::now_ns();
        let (seconds, micros) = (ns / 1_000_000_000, ns / 1000 % 1_000_000);
        let level = record.level().as_str();
        let _ = writeln!(LogPort, "[{seconds:5}.{micros:06}] {} {level:5} {}", percpu::cpu_id(), record.args());
    }

    fn flush(&self) {}
}

/// Turns logging on; `log=LEVEL` on the kernel command line (off, error, warn, info, debug, trace) chooses how much.
pub fn init(command_line: &[u8]) {
    let words = command_line.split(|b| b.is_ascii_whitespace());
    let level = words.filter_map(|w| w.strip_prefix(b"log=")).next_back();
    let level = level.and_then(|l| core::str::from_utf8(l).ok()?.parse().ok());
    log::set_max_level(level.unwrap_or(LevelFilter::Info));
    let _ = log::set_logger(&Logger);
}
