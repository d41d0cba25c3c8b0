//! Terminals: a line discipline between a device and the programs, job control, and the console, which is one.
mod control;
mod discipline;
mod jobs;
mod terminal;

use alloc::sync::Arc;

use tollgate_abi::fs::OpenFlags;
use tollgate_abi::{Errno, Result};

pub use jobs::leader_exits;
pub use terminal::Terminal;

use crate::arch::uart;
use crate::fs::{FileOps, Opening};
use crate::sync::{Once, WaitQueue};
use crate::task;

/// Where a terminal's output goes.
struct Driver {
    /// Takes bytes; says how many it had room for.
    write: fn(&[u8]) -> usize,
    /// Bytes taken and not yet sent.
    pending: fn() -> usize,
    /// Told that there is room for input again.
    resume: fn(),
    /// Woken when there is room again.
    room: &'static WaitQueue,
    /// Device number.
    device: u64,
}

static CONSOLE: Once<Arc<Terminal>> = Once::new();

/// Makes the console's terminal, before its port may interrupt.
pub fn init() {
    CONSOLE.call_once(|| {
        Arc::new(Terminal::new(Driver {
            write: uart::console_write,
            pending: uart::console_pending,
            resume: uart::console_resume,
            room: &uart::CONSOLE_ROOM,
            device: tollgate_abi::fs::make_device(4, 64),
        }))
    });
}

/// A byte came in on the console's line. Called by the serial port's interrupt handler.
pub fn console_input(byte: u8) {
    if let Some(console) = CONSOLE.get() {
        console.input(byte);
    }
}

/// Whether the console's terminal can take a byte of input now. If not, it calls the driver's `resume` later.
pub fn console_has_room() -> bool {
    CONSOLE.get().is_none_or(|console| console.has_room())
}

/// Every terminal there is.
fn all() -> impl Iterator<Item = &'static Arc<Terminal>> {
    CONSOLE.get().into_iter()
}

fn open(terminal: &Arc<Terminal>, becomes_controlling: bool) -> Arc<dyn FileOps> {
    if becomes_controlling {
        // open(2) makes it the controlling terminal where TIOCSCTTY would; elsewhere it is just open.
        let _ = terminal.acquire(false);
    }
    Arc::new(terminal::Opened(terminal.clone()))
}

/// /dev/ttyS0.
///
/// # Errors
/// `ENXIO` when there is no such port.
pub fn open_serial(opening: &Opening) -> Result<Arc<dyn FileOps>> {
    let becomes_controlling = !opening.flags.contains(OpenFlags::NOCTTY) && opening.flags.reads();
    Ok(open(CONSOLE.get().ok_or(Errno::ENXIO)?, becomes_controlling))
}

/// /dev/console: the serial port, but opening it never makes it the controlling terminal.
///
/// # Errors
/// `ENXIO` when there is no such port.
pub fn open_console(_: &Opening) -> Result<Arc<dyn FileOps>> {
    Ok(open(CONSOLE.get().ok_or(Errno::ENXIO)?, false))
}

/// /dev/tty: the controlling terminal.
///
/// # Errors
/// `ENXIO` when the process has none.
pub fn open_controlling(_: &Opening) -> Result<Arc<dyn FileOps>> {
    Ok(open(&jobs::controlling(&task::current().process.session()).ok_or(Errno::ENXIO)?, false))
}

/// Device number and foreground group of the session's terminal, as /proc/PID/stat shows them; (0, -1) without one.
pub fn of_session(session: &Arc<task::group::Session>) -> (u64, task::Tid) {
    jobs::controlling(session).map_or((0, -1), |terminal| (terminal.device(), terminal.foreground_id()))
}
