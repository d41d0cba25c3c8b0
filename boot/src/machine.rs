//! Runs a machine: starts QEMU, joins its serial ports with the outside, waits for the end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::console::{self, Crlf};
use crate::klog::{self, Event};
use crate::qemu::{self, Kernel, Machine};

/// The status that QEMU's debug-exit device gives when the kernel panics: `0x3d << 1 | 1`.
const QEMU_PANICKED: i32 = 123;

/// How long a machine may take to power off once its command has ended or its kernel has panicked.
const POWER_OFF: Duration = Duration::from_secs(10);

/// How long typed keys are held back for an init that does not say that it is ready: it may not be ours.
const KEYS_WAIT: Duration = Duration::from_secs(10);

/// How a machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The command, or the interactive shell, ended with this status.
    Exited(u8),
    /// The kernel panicked.
    Panicked,
    /// The time-out passed.
    TimedOut,
    /// The user left.
    Left,
    /// The machine stopped and said nothing: it reset, or QEMU failed with this status.
    Lost(Option<i32>),
}

/// Where the guest's console input comes from.
pub enum Input {
    /// Bytes that a program in the guest reads as they are, then the end of file.
    Data(Box<dyn Read + Send>),
    /// A terminal in raw mode.
    Keys(Box<dyn Read + Send>),
}

/// The streams of a running machine.
pub struct Streams<'a> {
    /// Console input.
    pub input: Input,
    /// Console output, byte by byte.
    pub output: &'a mut (dyn Write + Send),
    /// The file that keeps the kernel log.
    pub log: &'a Path,
    /// Whether the log is also shown on standard output, which is a terminal in raw mode.
    pub show_log: bool,
}

/// How long a machine may run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Altogether.
    pub total: Option<Duration>,
    /// Without a byte on the console or a line of the log that matters.
    pub idle: Option<Duration>,
}

/// Starts the machine and waits until it is gone.
pub fn run(machine: &Machine, limits: Limits, streams: Streams<'_>) -> Result<Outcome> {
    let start = Instant::now();
    let log_file = File::create(streams.log).with_context(|| format!("cannot write {}", streams.log.display()))?;
    let folder = tempfile::Builder::new().prefix("tollgate-").tempdir().context("cannot make a temporary folder")?;
    let socket = folder.path().join("log");
    let listener = UnixListener::bind(&socket).with_context(|| format!("cannot make {}", socket.display()))?;

    let mut child = spawn(machine, &socket)?;
    let mut port_in = child.stdin.take().context("QEMU has no standard input")?;
    let port_out = child.stdout.take().context("QEMU has no standard output")?;
    let Some(log_port) = accept(&listener, &mut child)? else {
        bail!("QEMU ended at once ({})", child.wait()?);
    };

    let (events, for_main) = mpsc::channel();
    let (input_events, for_input) = mpsc::channel();
    let (output_events, for_output) = mpsc::channel();
    let (quit, activity) = (events.clone(), events.clone());
    let show = streams.show_log.then(|| Crlf(io::stdout()));
    let senders = [events, input_events, output_events];
    let log_thread = thread::spawn(move || klog::follow(log_port, log_file, show, &senders));
    // Neither is joined: the one may be blocked in a read of standard input for ever, the other waits for it.
    let (typed, to_port) = mpsc::channel();
    let patience = match &streams.input {
        Input::Data(_) => None,
        Input::Keys(_) => Some(KEYS_WAIT),
    };
    let input = streams.input;
    thread::spawn(move || {
        // An input that cannot be read any more has ended.
        let _ = match input {
            Input::Data(input) => console::read_data(input, &typed),
            Input::Keys(input) => console::read_keys(input, &typed).map(|leave| {
                if leave {
                    let _ = quit.send(Event::Quit);
                }
            }),
        };
    });
    thread::spawn(move || {
        // Input that comes before the guest's terminal is set up would be lost.
        if wait_for_ready(&for_input, patience) {
            // QEMU may be gone before all is written.
            let _ = to_port.iter().try_for_each(|bytes| port_in.write_all(&bytes).and_then(|()| port_in.flush()));
        }
    });
    // UEFI firmware writes to the first serial port too; what comes before the kernel's log is its.
    let skip_firmware = matches!(machine.kernel, Kernel::Uefi(_));
    let (outcome, copied) = thread::scope(|scope| {
        let output = streams.output;
        let kernel = skip_firmware.then_some(for_output);
        let copy = scope.spawn(move || copy_console(port_out, output, kernel, &activity));
        let outcome = supervise(&mut child, &for_main, start, limits);
        (outcome, copy.join())
    });
    log_thread.join().expect("the log thread does not panic").context("cannot write the kernel log")?;
    copied.expect("the console thread does not panic").context("cannot write the guest's output")?;
    outcome
}

/// Starts QEMU so that it dies with us, however we end.
fn spawn(machine: &Machine, log: &Path) -> Result<Child> {
    let qemu = qemu::find()?;
    let arguments = machine.arguments(log)?;
    let with_guard = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .arg(&qemu)
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    match with_guard {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Command::new(&qemu).args(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        }
        result => result,
    }
    .with_context(|| format!("cannot start {}", qemu.display()))
}

/// QEMU's connection for the log; `None` when QEMU ends without making one.
fn accept(listener: &UnixListener, child: &mut Child) -> Result<Option<UnixStream>> {
    listener.set_nonblocking(true)?;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(Some(stream));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if child.try_wait()?.is_some() {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until init is ready, or for as long as `patience` lasts; `false` when the log ends before that.
fn wait_for_ready(events: &Receiver<Event>, patience: Option<Duration>) -> bool {
    let Some(patience) = patience else { return events.iter().any(|event| event == Event::Ready) };
    let end = Instant::now() + patience;
    loop {
        match events.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Event::Ready) | Err(RecvTimeoutError::Timeout) => return true,
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Copies console output until QEMU closes it. With `kernel`, what comes before the kernel has
/// started is dropped.
fn copy_console(
    mut port: impl Read,
    output: &mut dyn Write,
    kernel: Option<Receiver<Event>>,
    activity: &Sender<Event>,
) -> io::Result<()> {
    let mut buffer = [0; 4096];
    let mut started = kernel.is_none();
    let mut result = Ok(());
    loop {
        match port.read(&mut buffer) {
            Ok(0) => return result,
            Ok(count) => {
                started = started || kernel.as_ref().is_some_and(|kernel| kernel.try_recv().is_ok());
                let _ = activity.send(Event::Output);
                // After an error the port is still emptied, so that the guest does not hang.
                if started && result.is_ok() {
                    result = output.write_all(&buffer[..count]).and_then(|()| output.flush());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits until the machine is gone, and makes it go when its time is over.
fn supervise(child: &mut Child, events: &Receiver<Event>, start: Instant, limits: Limits) -> Result<Outcome> {
    let mut said = None;
    let mut last_sign = start;
    let mut power_off = None;
    loop {
        let total = limits.total.map(|total| start + total);
        let idle = limits.idle.map(|idle| last_sign + idle);
        let end = power_off.or_else(|| [total, idle].into_iter().flatten().min());
        let event = match end {
            Some(end) => events.recv_timeout(end.saturating_duration_since(Instant::now())),
            None => events.recv().map_err(RecvTimeoutError::from),
        };
        match event {
            Ok(Event::Started | Event::Ready | Event::Output) => {
                last_sign = Instant::now();
                continue;
            }
            Ok(Event::Status(status)) => {
                said = said.or(Some(Outcome::Exited(status)));
                power_off = Some(Instant::now() + POWER_OFF);
                continue;
            }
            Ok(Event::Panic) => {
                said = Some(Outcome::Panicked);
                power_off = Some(Instant::now() + POWER_OFF);
                continue;
            }
            Ok(Event::Quit) => said = said.or(Some(Outcome::Left)),
            Err(RecvTimeoutError::Timeout) => said = said.or(Some(Outcome::TimedOut)),
            Ok(Event::Closed) | Err(RecvTimeoutError::Disconnected) => {
                let status = child.wait()?;
                return Ok(match said {
                    _ if status.code() == Some(QEMU_PANICKED) => Outcome::Panicked,
                    Some(outcome) => outcome,
                    None => Outcome::Lost(status.code()),
                });
            }
        }
        child.kill()?;
        child.wait()?;
        return Ok(said.unwrap_or(Outcome::TimedOut));
    }
}
