//! /dev/kmsg: lines for the kernel's log.
use alloc::string::String;
use alloc::vec;

use log::Level;
use tollgate_abi::fs::PollEvents;
use tollgate_abi::{Errno, Result};

use crate::fs::{File, FileOps, PollTable, Sink, Source};

/// Longest line taken.
const LINE_MAX: usize = 1024;

/// /dev/kmsg: each write is a line of the log, `<N>` before it giving its level as syslog(3) numbers them.
pub(super) struct Kmsg;

impl FileOps for Kmsg {
    fn is_stream(&self) -> bool {
        true
    }

    fn read(&self, _: &File, _: &mut u64, _: &mut Sink<'_>) -> Result<usize> {
        Err(Errno::ENOTSUP) // The log goes to its port and is not kept.
    }

    fn write(&self, _: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        let len = from.remaining();
        if len > LINE_MAX {
            return Err(Errno::EINVAL);
        }
        let mut line = vec![0; len];
        if from.take(&mut line) < len {
            return Err(Errno::EFAULT);
        }
        let line = String::from_utf8_lossy(&line);
        let (level, text) = split_level(&line);
        for line in text.lines() {
            log::log!(target: "user", level, "{line}");
        }
        Ok(len)
    }

    fn poll(&self, _: &File, _: &mut PollTable<'_>) -> PollEvents {
        PollEvents::OUT | PollEvents::WRNORM
    }
}

/// Takes a leading `<N>` off; without one it is a warning, as in syslog.
fn split_level(line: &str) -> (Level, &str) {
    let parsed = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    let Some((number, text)) = parsed.and_then(|(number, text)| Some((number.parse::<u32>().ok()?, text))) else {
        return (Level::Warn, line);
    };
    let level = match number % 8 {
        0..=3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    };
    (level, text)
}
