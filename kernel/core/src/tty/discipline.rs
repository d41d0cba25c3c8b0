//! The line discipline: what becomes of each byte that is typed, and of each that is shown. Pure bookkeeping: the
//! terminal around it does the waiting, waking and signalling.
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use tollgate_abi::tty::{InputFlags, LocalFlags, OutputFlags, Termios, cc};

use crate::task::signal::Signal;

/// Most bytes of input kept. The device is told to wait then; what comes on top is lost.
const INPUT_MAX: usize = 4095;
const TAB: usize = 8;
const NEWLINE: u8 = b'\n';

/// Termios and everything that depends on it.
pub(super) struct Discipline {
    pub(super) termios: Termios,
    /// Input that can be read.
    ready: VecDeque<u8>,
    /// Lengths of the lines in `ready` (canonical mode). A line may be empty: end of file.
    lines: VecDeque<usize>,
    /// The line being typed (canonical mode).
    line: Vec<u8>,
    /// Column where `line` began on the screen.
    line_column: usize,
    /// The next byte is taken as it is (^V).
    literal: bool,
    /// Output column.
    column: usize,
    /// ^S was typed: output waits.
    pub(super) stopped: bool,
}

/// What a byte of input brought about.
#[derive(Default)]
pub(super) struct Effects {
    /// There is more to read.
    pub(super) readable: bool,
    /// To be sent to the foreground group.
    pub(super) signal: Option<Signal>,
    /// Output may go on.
    pub(super) restarted: bool,
}

/// Where echo and output go: takes bytes, says how many it had room for.
pub(super) type Out<'a> = dyn FnMut(&[u8]) -> usize + 'a;

impl Discipline {
    pub(super) const fn new() -> Self {
        Self {
            termios: Termios::INITIAL,
            ready: VecDeque::new(),
            lines: VecDeque::new(),
            line: Vec::new(),
            line_column: 0,
            literal: false,
            column: 0,
            stopped: false,
        }
    }

    fn local(&self, flag: LocalFlags) -> bool {
        self.termios.local().contains(flag)
    }

    pub(super) fn is_canonical(&self) -> bool {
        self.local(LocalFlags::ICANON)
    }

    /// Whether `byte` is the special character with this index; 0 disables one.
    fn is_special(&self, byte: u8, index: usize) -> bool {
        byte != 0 && self.termios.cc[index] == byte
    }

    /// Takes new settings; what has been typed stays readable when the mode changes.
    pub(super) fn set_termios(&mut self, new: Termios) {
        let was_canonical = self.is_canonical();
        self.termios = new;
        if was_canonical != self.is_canonical() {
            self.ready.extend(self.line.drain(..));
            self.lines.clear();
            if self.is_canonical() && !self.ready.is_empty() {
                self.lines.push_back(self.ready.len());
            }
            self.literal = false;
        }
        if !new.input().contains(InputFlags::IXON) {
            self.stopped = false;
        }
    }

    // ---- input ----

    /// A byte was typed.
    pub(super) fn input(&mut self, mut byte: u8, out: &mut Out<'_>) -> Effects {
        let input = self.termios.input();
        let mut effects = Effects::default();
        if input.contains(InputFlags::ISTRIP) {
            byte &= 0x7f;
        }
        if core::mem::take(&mut self.literal) {
            self.keep(byte, out, &mut effects);
            return effects;
        }
        if input.contains(InputFlags::IXON) {
            let stop = self.is_special(byte, cc::VSTOP);
            if self.is_special(byte, cc::VSTART) || self.stopped && (stop || input.contains(InputFlags::IXANY)) {
                effects.restarted = core::mem::take(&mut self.stopped);
                if !input.contains(InputFlags::IXANY) || self.is_special(byte, cc::VSTART) || stop {
                    return effects;
                }
            } else if stop {
                self.stopped = true;
                return effects;
            }
        }
        if self.local(LocalFlags::ISIG) {
            effects.signal = [(cc::VINTR, Signal::SIGINT), (cc::VQUIT, Signal::SIGQUIT), (cc::VSUSP, Signal::SIGTSTP)]
                .into_iter()
                .find_map(|(index, signal)| self.is_special(byte, index).then_some(signal));
            if effects.signal.is_some() {
                if !self.local(LocalFlags::NOFLSH) {
                    self.flush_input();
                }
                effects.restarted |= core::mem::take(&mut self.stopped);
                self.echo(byte, out);
                return effects;
            }
        }
        match byte {
            b'\r' if input.contains(InputFlags::IGNCR) => return effects,
            b'\r' if input.contains(InputFlags::ICRNL) => byte = NEWLINE,
            NEWLINE if input.contains(InputFlags::INLCR) => byte = b'\r',
            _ => {}
        }
        if self.is_canonical() && self.edit(byte, out, &mut effects) {
            return effects;
        }
        self.keep(byte, out, &mut effects);
        effects
    }

    /// Does what an editing character of canonical mode does; false when `byte` is none.
    fn edit(&mut self, byte: u8, out: &mut Out<'_>, effects: &mut Effects) -> bool {
        let extended = self.local(LocalFlags::IEXTEN);
        if self.is_special(byte, cc::VERASE) {
            self.erase(out);
        } else if self.is_special(byte, cc::VKILL) {
            self.kill(byte, out);
        } else if extended && self.is_special(byte, cc::VWERASE) {
            while self.line.last().is_some_and(|b| !is_word(*b)) {
                self.erase(out);
            }
            while self.line.last().is_some_and(|b| is_word(*b)) {
                self.erase(out);
            }
        } else if extended && self.is_special(byte, cc::VLNEXT) {
            self.literal = true;
            if self.local(LocalFlags::ECHO | LocalFlags::ECHOCTL) {
                self.show(b"^\x08", out);
            }
        } else if extended && self.local(LocalFlags::ECHO) && self.is_special(byte, cc::VREPRINT) {
            self.echo(byte, out);
            self.show(b"\n", out);
            self.line_column = 0;
            for at in 0..self.line.len() {
                self.echo(self.line[at], out);
            }
        } else if self.is_special(byte, cc::VEOF) {
            self.end_line();
            effects.readable = true;
        } else if byte == NEWLINE || self.is_special(byte, cc::VEOL) || extended && self.is_special(byte, cc::VEOL2) {
            if self.local(LocalFlags::ECHO) || byte == NEWLINE && self.local(LocalFlags::ECHONL) {
                self.echo_now(byte, out);
            }
            self.line.push(byte); // INPUT_MAX leaves room for it.
            self.end_line();
            effects.readable = true;
        } else {
            return false;
        }
        true
    }

    /// Keeps a byte of input.
    fn keep(&mut self, byte: u8, out: &mut Out<'_>, effects: &mut Effects) {
        if self.ready.len() + self.line.len() >= INPUT_MAX {
            if self.termios.input().contains(InputFlags::IMAXBEL) {
                out(b"\x07");
            }
            return;
        }
        if self.is_canonical() {
            if self.line.is_empty() {
                self.line_column = self.column;
            }
            self.line.push(byte);
        } else {
            self.ready.push_back(byte);
            effects.readable = true;
        }
        self.echo(byte, out);
    }

    fn end_line(&mut self) {
        self.lines.push_back(self.line.len());
        self.ready.extend(self.line.drain(..));
    }

    /// Removes the last character of the line, from the screen too.
    fn erase(&mut self, out: &mut Out<'_>) {
        let Some(mut removed) = self.line.pop() else { return };
        if self.termios.input().contains(InputFlags::IUTF8) {
            while removed & 0xc0 == 0x80 {
                let Some(before) = self.line.pop() else { break };
                removed = before;
            }
        }
        if !self.local(LocalFlags::ECHO) {
            return;
        }
        if !self.local(LocalFlags::ECHOE) {
            let character = self.termios.cc[cc::VERASE];
            self.echo(character, out);
            return;
        }
        let width = if removed == b'\t' {
            self.column.saturating_sub(self.line_end_column())
        } else if is_control(removed) {
            if self.local(LocalFlags::ECHOCTL) { 2 } else { 0 }
        } else {
            1
        };
        for _ in 0..width {
            // A tab moved the cursor over what is blank already.
            self.show(if removed == b'\t' { b"\x08" } else { b"\x08 \x08" }, out);
        }
    }

    /// The column where the line being typed ends on the screen.
    fn line_end_column(&self) -> usize {
        let echo_control = self.local(LocalFlags::ECHOCTL);
        self.line.iter().fold(self.line_column, |column, &byte| match byte {
            b'\t' => (column / TAB + 1) * TAB,
            _ if is_control(byte) => column + if echo_control { 2 } else { 0 },
            _ if byte & 0xc0 == 0x80 && self.termios.input().contains(InputFlags::IUTF8) => column,
            _ => column + 1,
        })
    }

    fn kill(&mut self, byte: u8, out: &mut Out<'_>) {
        if self.local(LocalFlags::ECHO | LocalFlags::ECHOE | LocalFlags::ECHOK | LocalFlags::ECHOKE) {
            while !self.line.is_empty() {
                self.erase(out);
            }
        } else {
            self.line.clear();
            self.echo(byte, out);
            if self.local(LocalFlags::ECHO | LocalFlags::ECHOK) {
                self.show(b"\n", out);
            }
        }
    }

    fn echo(&mut self, byte: u8, out: &mut Out<'_>) {
        if self.local(LocalFlags::ECHO) {
            self.echo_now(byte, out);
        }
    }

    fn echo_now(&mut self, byte: u8, out: &mut Out<'_>) {
        if is_control(byte) && byte != b'\t' && byte != NEWLINE && self.local(LocalFlags::ECHOCTL) {
            self.show(&[b'^', byte ^ 0x40], out);
        } else {
            self.show(&[byte], out);
        }
    }

    /// Forgets what was typed and not read.
    pub(super) fn flush_input(&mut self) {
        self.ready.clear();
        self.lines.clear();
        self.line.clear();
        self.literal = false;
    }

    /// Whether more input can be kept. A line too long that nobody can read yet is cut off instead: waiting for a
    /// reader would be for ever.
    pub(super) fn has_room(&self) -> bool {
        self.ready.len() + self.line.len() < INPUT_MAX || !self.is_ready(1)
    }

    /// Bytes a read would find now; canonical mode counts whole lines only.
    pub(super) fn available(&self) -> usize {
        self.ready.len()
    }

    /// Whether a read finds something now: a line (an empty one is the end of file), or `minimum` bytes.
    pub(super) fn is_ready(&self, minimum: usize) -> bool {
        if self.is_canonical() { !self.lines.is_empty() } else { self.ready.len() >= minimum }
    }

    /// Takes input into `buffer`: of canonical mode's first line as much as fits. Gives the bytes taken and whether
    /// more of the same line is left.
    pub(super) fn take(&mut self, buffer: &mut [u8]) -> (usize, bool) {
        let mut limit = self.ready.len();
        if self.is_canonical() {
            let Some(line) = self.lines.front_mut() else { return (0, false) };
            limit = *line;
        }
        let count = limit.min(buffer.len());
        for (to, byte) in buffer.iter_mut().zip(self.ready.drain(..count)) {
            *to = byte;
        }
        let more = limit > count;
        if self.is_canonical() {
            match self.lines.front_mut() {
                Some(line) if more => *line -= count,
                _ => drop(self.lines.pop_front()),
            }
        }
        (count, more)
    }

    // ---- output ----

    /// Shows `bytes` the way OPOST says; gives how many of them there was room for.
    pub(super) fn output(&mut self, bytes: &[u8], out: &mut Out<'_>) -> usize {
        let flags = self.termios.output();
        if !flags.contains(OutputFlags::OPOST) {
            return out(bytes);
        }
        let mut done = 0;
        while done < bytes.len() {
            let plain = bytes[done..].iter().position(|&b| is_control(b)).unwrap_or(bytes.len() - done);
            if plain > 0 {
                let shown = out(&bytes[done..done + plain]);
                self.column += shown;
                done += shown;
                if shown < plain {
                    break;
                }
            } else if self.output_control(bytes[done], flags, out) {
                done += 1;
            } else {
                break;
            }
        }
        done
    }

    /// Shows one control character; false when there is no room.
    fn output_control(&mut self, byte: u8, flags: OutputFlags, out: &mut Out<'_>) -> bool {
        const BLANKS: [u8; TAB] = [b' '; TAB];
        let to_tab = TAB - self.column % TAB;
        let (text, column): (&[u8], usize) = match byte {
            NEWLINE if flags.contains(OutputFlags::ONLCR) => (b"\r\n", 0),
            NEWLINE if flags.contains(OutputFlags::ONLRET) => (b"\n", 0),
            b'\r' if flags.contains(OutputFlags::ONOCR) && self.column == 0 => return true,
            b'\r' if flags.contains(OutputFlags::OCRNL) => (b"\n", self.column),
            b'\r' => (b"\r", 0),
            b'\t' if flags.contains(OutputFlags::XTABS) => (&BLANKS[..to_tab], self.column + to_tab),
            b'\t' => (b"\t", self.column + to_tab),
            0x08 => (b"\x08", self.column.saturating_sub(1)),
            _ => (core::slice::from_ref(&byte), self.column),
        };
        // Either all of it or nothing, so that the caller can come again with the same byte.
        let shown = out(text) == text.len();
        if shown {
            self.column = column;
        }
        shown
    }

    /// Shows an echo; what there is no room for is lost.
    fn show(&mut self, bytes: &[u8], out: &mut Out<'_>) {
        self.output(bytes, out);
    }
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
