//! The two serial ports: COM1 is the console, with interrupts both ways; COM2 carries the kernel log, polled, so that
//! the log works in any state of the machine.
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::{IER, ISR};
use uart_16550::{Config, Uart16550};

use crate::sync::{Rank, SpinLock, WaitQueue};

/// ISA interrupt line of COM1.
pub(super) const COM1_LINE: u8 = 4;
const COM1: u16 = 0x3f8;
const COM2: u16 = 0x2f8;
/// Bytes of console output that may wait for the UART.
const TX_BUFFER: usize = 4096;

/// The console's UART and what it has yet to send.
struct Console {
    uart: Option<Uart16550<PioBackend>>,
    waiting: heapless::Deque<u8, TX_BUFFER>,
    transmit_interrupt: bool,
    /// The terminal has no room: bytes stay in the UART, which lets the other side wait.
    receive_paused: bool,
}

static CONSOLE: SpinLock<Console> = SpinLock::new(
    Rank::Device,
    Console { uart: None, waiting: heapless::Deque::new(), transmit_interrupt: false, receive_paused: false },
);
static LOG: SpinLock<Option<Uart16550<PioBackend>>> = SpinLock::new(Rank::Log, None);
/// Woken when the output buffer has room again, or is empty.
pub static CONSOLE_ROOM: WaitQueue = WaitQueue::new();

fn open(port: u16) -> Option<Uart16550<PioBackend>> {
    // SAFETY: the standard ports of the first two UARTs; each is opened once, here.
    let mut uart = unsafe { Uart16550::new_port(port) }.ok()?;
    uart.init(Config::default()).ok()?;
    Some(uart)
}

/// Opens the log port: the first thing after the CPU's own block, so that anything later can speak.
pub(super) fn init_log() {
    *LOG.lock() = open(COM2);
}

/// Opens the console port and lets it interrupt.
pub(super) fn init_console() {
    let mut console = CONSOLE.lock();
    console.uart = open(COM1);
    if let Some(uart) = &mut console.uart {
        uart.enable_interrupts(IER::DATA_READY);
    }
}

/// Writes to the log port, waiting for it.
pub fn log_write(bytes: &[u8]) {
    if let Some(uart) = LOG.lock().as_mut() {
        uart.send_bytes_exact(bytes);
    }
}

/// Writes to the log port from a panic, whoever holds the lock.
pub fn log_write_anyway(bytes: &[u8]) {
    for &byte in bytes {
        // SAFETY: COM2's data and line status ports; the machine is about to stop, garbled output is the worst case.
        unsafe {
            for _ in 0..10_000 {
                if super::port::read(COM2 + 5) & 0x20 != 0 {
                    break;
                }
            }
            super::port::write(COM2, byte);
        }
    }
}

impl Console {
    /// Stops or starts the UART's interrupt for input. Starting it raises one at once if bytes are waiting.
    fn pause_input(&mut self, paused: bool) {
        if paused == self.receive_paused {
            return;
        }
        self.receive_paused = paused;
        match &mut self.uart {
            Some(uart) if paused => uart.disable_interrupts(IER::DATA_READY),
            Some(uart) => uart.enable_interrupts(IER::DATA_READY),
            None => {}
        }
    }

    /// Moves waiting bytes into the UART; asks for an interrupt while some are left.
    fn pump(&mut self) {
        let Some(uart) = &mut self.uart else {
            self.waiting.clear(); // No port: nobody will ever read it.
            return;
        };
        loop {
            let sent = uart.send_bytes(self.waiting.as_slices().0);
            if sent == 0 {
                break;
            }
            for _ in 0..sent {
                self.waiting.pop_front();
            }
        }
        let wants_interrupt = !self.waiting.is_empty();
        if wants_interrupt != self.transmit_interrupt {
            self.transmit_interrupt = wants_interrupt;
            if wants_interrupt {
                uart.enable_interrupts(IER::THR_EMPTY);
            } else {
                uart.disable_interrupts(IER::THR_EMPTY);
            }
        }
    }
}

/// Queues bytes for the console; returns how many there was room for. Wait on [`CONSOLE_ROOM`] for more.
pub fn console_write(bytes: &[u8]) -> usize {
    let mut console = CONSOLE.lock();
    let mut taken = 0;
    for &byte in bytes {
        if console.waiting.push_back(byte).is_err() {
            console.pump();
            if console.waiting.push_back(byte).is_err() {
                break;
            }
        }
        taken += 1;
    }
    console.pump();
    taken
}

/// Bytes of console output not yet given to the UART.
pub fn console_pending() -> usize {
    CONSOLE.lock().waiting.len()
}

/// Takes input again after the terminal had no room for it.
pub fn console_resume() {
    if crate::tty::console_has_room() {
        CONSOLE.lock().pause_input(false);
    }
}

/// COM1's interrupt: hands input to the terminal and refills the output.
///
/// The line is edge-triggered: a cause that arises while another is served raises no new edge, so they are served until
/// the UART says that none is left.
pub(super) fn interrupt() {
    loop {
        while crate::tty::console_has_room()
            && let Some(byte) = receive()
        {
            crate::tty::console_input(byte);
        }
        if !crate::tty::console_has_room() {
            CONSOLE.lock().pause_input(true);
            // A reader that came before the pause has not ended it.
            if crate::tty::console_has_room() {
                console_resume();
            }
        }
        let (room, quiet) = {
            let mut console = CONSOLE.lock();
            console.pump();
            let quiet = console.uart.as_mut().is_none_or(|uart| uart.isr().contains(ISR::INTERRUPT_STATUS));
            (console.waiting.len() <= TX_BUFFER / 2, quiet)
        };
        if room {
            CONSOLE_ROOM.wake_all();
        }
        if quiet {
            return;
        }
    }
}

fn receive() -> Option<u8> {
    CONSOLE.lock().uart.as_mut()?.try_receive_byte().ok()
}
