//! Terminals.

/// A terminal: input, output and the line discipline between them and the programs.
pub struct Terminal {}

/// A byte came in on the console's line. Called by the serial port's interrupt handler.
pub fn console_input(byte: u8) {
    let _ = byte;
    todo!("fs")
}
