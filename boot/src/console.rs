//! The guest's console: the first serial port, joined with the runner's standard input and output.
//!
//! Input from a terminal at a shell prompt goes to the guest byte by byte, and Ctrl-A X leaves. All other
//! input is data: the guest's terminal is in canonical mode, so bytes that it would take for commands
//! are quoted with Ctrl-V, long lines are pushed with Ctrl-D before the line buffer is full, and the end of
//! the input becomes a Ctrl-D, which is the guest's end of file.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::Sender;

use rustix::termios::{self, OptionalActions, Termios};

const CTRL_A: u8 = 0x01;
const CTRL_D: u8 = 0x04;
const CTRL_V: u8 = 0x16;

/// Bytes that a terminal in canonical mode acts on: INTR, EOF, CR (becomes a newline), START, STOP, REPRINT,
/// KILL, LNEXT, WERASE, SUSP, QUIT, ERASE.
const SPECIAL: [u8; 12] = [0x03, CTRL_D, 0x0d, 0x11, 0x13, 0x12, 0x15, CTRL_V, 0x17, 0x1a, 0x1c, 0x7f];

/// A canonical line may have 4095 bytes; stay well below.
const PUSH_AFTER: usize = 1024;

/// Encodes data for a terminal in canonical mode.
#[derive(Debug, Default)]
pub struct Encoder {
    /// Bytes since the last newline or push.
    pending: usize,
}

impl Encoder {
    /// Appends `data` to `out` so that a reader in the guest gets exactly these bytes.
    pub fn encode(&mut self, data: &[u8], out: &mut Vec<u8>) {
        for &byte in data {
            if SPECIAL.contains(&byte) {
                out.push(CTRL_V);
            }
            out.push(byte);
            self.pending = if byte == b'\n' { 0 } else { self.pending + 1 };
            if self.pending == PUSH_AFTER {
                out.push(CTRL_D);
                self.pending = 0;
            }
        }
    }

    /// Appends the end of file: a Ctrl-D at the start of a line.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.pending > 0 {
            out.push(CTRL_D);
        }
        out.push(CTRL_D);
    }
}

/// Reads `input` to its end and sends it on as data for the guest, with the end of file.
pub fn read_data(mut input: impl Read, port: &Sender<Vec<u8>>) -> io::Result<()> {
    let mut encoder = Encoder::default();
    let mut buffer = [0; 4096];
    loop {
        let mut out = Vec::new();
        let count = input.read(&mut buffer)?;
        encoder.encode(&buffer[..count], &mut out);
        if count == 0 {
            encoder.finish(&mut out);
        }
        if port.send(out).is_err() || count == 0 {
            return Ok(());
        }
    }
}

/// What a key typed at the terminal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Send(u8),
    Nothing,
    Leave,
}

/// Watches for Ctrl-A X; Ctrl-A Ctrl-A sends one Ctrl-A.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
}

impl Keys {
    fn key(&mut self, byte: u8) -> Key {
        if !std::mem::take(&mut self.escaped) {
            self.escaped = byte == CTRL_A;
            return if self.escaped { Key::Nothing } else { Key::Send(byte) };
        }
        match byte {
            b'x' | b'X' => Key::Leave,
            CTRL_A => Key::Send(CTRL_A),
            _ => Key::Nothing,
        }
    }
}

/// Sends on what is typed until Ctrl-A X; `Ok(true)` says that the user wants to leave.
pub fn read_keys(mut input: impl Read, port: &Sender<Vec<u8>>) -> io::Result<bool> {
    let mut keys = Keys::default();
    let mut buffer = [0; 256];
    loop {
        let count = input.read(&mut buffer)?;
        let mut out = Vec::new();
        let mut leave = false;
        for &byte in &buffer[..count] {
            match keys.key(byte) {
                Key::Send(byte) => out.push(byte),
                Key::Nothing => {}
                Key::Leave => leave = true,
            }
        }
        if leave || count == 0 || port.send(out).is_err() {
            return Ok(leave);
        }
    }
}

/// The terminal on standard input in raw mode, until dropped.
pub struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Switches the terminal to raw mode.
    pub fn new() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = termios::tcgetattr(stdin.as_fd())?;
        let mut raw = before.clone();
        raw.make_raw();
        termios::tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw)?;
        Ok(Self { before })
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // The terminal may be gone, and then nobody minds.
        let _ = termios::tcsetattr(io::stdin().as_fd(), OptionalActions::Now, &self.before);
    }
}

/// A writer for a terminal in raw mode: a newline also returns the carriage.
pub struct Crlf<W: Write>(pub W);

impl<W: Write> Write for Crlf<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) if !line.ends_with(b"\r") => {
                    self.0.write_all(line)?;
                    self.0.write_all(b"\r\n")?;
                }
                _ => self.0.write_all(line)?,
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn encoded(data: &[u8]) -> Vec<u8> {
        let (port, sent) = mpsc::channel();
        read_data(data, &port).unwrap();
        drop(port);
        sent.iter().flatten().collect()
    }

    fn typed(data: &[u8]) -> (bool, Vec<u8>) {
        let (port, sent) = mpsc::channel();
        let leave = read_keys(data, &port).unwrap();
        drop(port);
        (leave, sent.iter().flatten().collect())
    }

    #[test]
    fn data_is_quoted_and_ended() {
        assert_eq!(encoded(b""), [CTRL_D]);
        assert_eq!(encoded(b"line\n"), b"line\n\x04");
        assert_eq!(encoded(b"no newline"), b"no newline\x04\x04");
        assert_eq!(encoded(b"\x03\r\n"), b"\x16\x03\x16\r\n\x04");
    }

    #[test]
    fn long_lines_are_pushed() {
        let out = encoded(&[b'a'; 2 * PUSH_AFTER]);
        assert_eq!(out.iter().filter(|byte| **byte == CTRL_D).count(), 3);
        assert_eq!(out[PUSH_AFTER], CTRL_D);
    }

    #[test]
    fn ctrl_a_x_leaves() {
        assert_eq!(typed(b"\x01\x01q\x01xmore"), (true, vec![]));
        assert_eq!(typed(b"a\x01\x01b\x01q"), (false, b"a\x01b".to_vec()));
    }

    #[test]
    fn carriage_returns_are_added_once() {
        let mut out = Crlf(Vec::new());
        out.write_all(b"a\nb\r\nc").unwrap();
        assert_eq!(out.0, b"a\r\nb\r\nc");
    }
}
