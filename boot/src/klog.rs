//! The kernel log: what arrives on the second serial port.
//!
//! Apart from being kept, it carries what the runner must know: init's `tollgate: ready` when the
//! console is set up, `tollgate: exit-status N` when the command has ended, and a panic.

use std::io::{self, Read, Write};
use std::sync::mpsc::Sender;

/// What the log says about the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Tollgate's first words: the firmware is done (UEFI's writes to both serial ports), the kernel runs.
    Started,
    /// init has set the console up: input may be sent.
    Ready,
    /// The command has ended with this status (128+N after signal N).
    Status(u8),
    /// The kernel has panicked.
    Panic,
    /// The log has ended: QEMU is gone.
    Closed,
    /// The guest has written to its console (not from the log).
    Output,
    /// The user wants to leave (not from the log).
    Quit,
}

/// What one line of the log means; most mean nothing. The line may have a time stamp in front.
pub fn event(line: &str) -> Option<Event> {
    if line.contains("KERNEL PANIC") || line.contains("Kernel panic - not syncing") {
        return Some(Event::Panic);
    }
    if line.contains("Tollgate ") {
        return Some(Event::Started);
    }
    let (_, message) = line.split_once("tollgate: ")?;
    let message = message.trim();
    if message == "ready" {
        return Some(Event::Ready);
    }
    message.strip_prefix("exit-status ")?.parse().ok().map(Event::Status)
}

/// Copies the log from `port` to `keep` and, when there is one, to the terminal `show`, and reports its
/// events until it ends.
pub fn follow(
    mut port: impl Read,
    mut keep: impl Write,
    mut show: Option<impl Write>,
    events: &[Sender<Event>],
) -> io::Result<()> {
    let send = |event| {
        for receiver in events {
            // A receiver that is gone has heard enough.
            let _ = receiver.send(event);
        }
    };
    let mut buffer = [0; 4096];
    let mut line = Vec::new();
    loop {
        let count = match port.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // QEMU was killed: the same as the end.
            Err(_) => break,
        };
        let bytes = &buffer[..count];
        keep.write_all(bytes)?;
        keep.flush()?;
        if let Some(show) = &mut show {
            show.write_all(bytes)?;
            show.flush()?;
        }
        for &byte in bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            if let Some(event) = event(&String::from_utf8_lossy(&line)) {
                send(event);
            }
            line.clear();
        }
    }
    send(Event::Closed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn lines_of_both_kernels_are_understood() {
        assert_eq!(event("tollgate: exit-status 0"), Some(Event::Status(0)));
        assert_eq!(event("[    0.912345] tollgate: exit-status 143\r"), Some(Event::Status(143)));
        assert_eq!(event("[    0.5] Kernel panic - not syncing: Attempted to kill init!"), Some(Event::Panic));
        assert_eq!(event("KERNEL PANIC at kernel/core/src/main.rs:1"), Some(Event::Panic));
        assert_eq!(event("tollgate: ready"), Some(Event::Ready));
        assert_eq!(event("tollgate: exit-status 256"), None);
        assert_eq!(event("tollgate: 2 CPUs"), None);
        assert_eq!(event("[    0.000000] 0 INFO  Tollgate 0.1.0"), Some(Event::Started));
    }

    #[test]
    fn the_whole_log_is_kept() {
        let (sender, receiver) = mpsc::channel();
        let mut keep = Vec::new();
        let text = b"hello\nTollgate 0.1.0\ntollgate: ready\ntollgate: exit-status 3\nno newline";
        follow(&text[..], &mut keep, None::<Vec<u8>>, &[sender]).unwrap();
        assert_eq!(keep, text);
        let events: Vec<_> = receiver.iter().collect();
        assert_eq!(events, [Event::Started, Event::Ready, Event::Status(3), Event::Closed]);
    }
}
