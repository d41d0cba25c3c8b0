//! Lines for the kernel log that the runner reads.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// Writes `tollgate: MESSAGE` to the kernel log.
pub(crate) fn tell(message: &str) -> io::Result<()> {
    // One write is one record. Level 2 (critical) shows however quiet the log is.
    let line = format!("<2>tollgate: {message}\n");
    OpenOptions::new().write(true).open("/dev/kmsg")?.write_all(line.as_bytes())
}
