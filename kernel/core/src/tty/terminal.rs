//! A terminal: reading, writing and waiting around the line discipline.
use alloc::sync::Arc;

use tollgate_abi::fs::PollEvents;
use tollgate_abi::tty::{LocalFlags, WindowSize, cc};
use tollgate_abi::{Errno, Result};

use super::Driver;
use super::discipline::{Discipline, Effects};
use super::jobs::Control;
use crate::arch::clock;
use crate::fs::{File, FileOps, PollTable, Sink, Source};
use crate::sync::{Rank, Sleep, SpinLock, WaitQueue};

/// A terminal: input, output and the line discipline between them and the programs.
pub struct Terminal {
    pub(super) driver: Driver,
    pub(super) discipline: SpinLock<Discipline>,
    /// Woken when there is more to read.
    pub(super) readable: Arc<WaitQueue>,
    /// Woken when ^Q lets output go on.
    pub(super) restarted: Arc<WaitQueue>,
    pub(super) control: SpinLock<Control>,
    pub(super) window: SpinLock<WindowSize>,
}

/// Bytes moved between user memory and the discipline at a time.
const CHUNK: usize = 256;

impl Terminal {
    pub(super) fn new(driver: Driver) -> Self {
        Self {
            driver,
            discipline: SpinLock::new(Rank::Buffer, Discipline::new()),
            readable: Arc::new(WaitQueue::new()),
            restarted: Arc::new(WaitQueue::new()),
            control: SpinLock::new(Rank::Files, Control::default()),
            window: SpinLock::new(Rank::Buffer, WindowSize::default()),
        }
    }

    /// Its device number.
    pub fn device(&self) -> u64 {
        self.driver.device
    }

    /// A byte came in. May be called from interrupts.
    pub(super) fn input(&self, byte: u8) {
        let write = self.driver.write;
        let Effects { readable, signal, restarted } = self.discipline.lock().input(byte, &mut |bytes| write(bytes));
        if let Some(signal) = signal {
            self.signal_foreground(signal);
        }
        if readable {
            self.readable.wake_all();
        }
        if restarted {
            self.restarted.wake_all();
        }
    }

    /// Whether a byte of input can be taken. May be called from interrupts.
    pub(super) fn has_room(&self) -> bool {
        self.discipline.lock().has_room()
    }

    /// Input was taken away, or is judged by other rules now: the device may go on.
    pub(super) fn made_room(&self) {
        (self.driver.resume)();
    }

    /// read(2).
    fn read(&self, file: &File, to: &mut Sink<'_>) -> Result<usize> {
        let mut buffer = [0; CHUNK];
        self.check_background_read()?;
        self.wait_readable(file, to.remaining())?;
        loop {
            let room = to.remaining().min(CHUNK);
            let (got, more) = self.discipline.lock().take(&mut buffer[..room]);
            self.made_room();
            to.put(&buffer[..got]);
            if got < CHUNK && !more || to.remaining() == 0 || to.faulted() || got == 0 {
                return to.result();
            }
        }
    }

    /// Waits as canonical mode, or VMIN and VTIME, say, until a read of `room` bytes shall return.
    fn wait_readable(&self, file: &File, room: usize) -> Result<()> {
        const TENTH_NS: u64 = 100_000_000;
        let (canonical, minimum, time) = {
            let discipline = self.discipline.lock();
            let cc = &discipline.termios.cc;
            (discipline.is_canonical(), usize::from(cc[cc::VMIN]), u64::from(cc[cc::VTIME]) * TENTH_NS)
        };
        let ready = |minimum| self.discipline.lock().is_ready(minimum).then_some(());
        if file.nonblocking() {
            let nothing_is_fine = !canonical && minimum == 0;
            return if ready(1).is_some() || nothing_is_fine { Ok(()) } else { Err(Errno::EAGAIN) };
        }
        let wait = |minimum, deadline| {
            let found = self.readable.wait_until(Sleep::Interruptible, deadline, || {
                ready(minimum).map(Ok).or_else(|| self.check_background_read().err().map(Err))
            });
            match found {
                Ok(result) => result,
                Err(Errno::ETIMEDOUT) => Ok(()),
                Err(errno) => Err(errno),
            }
        };
        if canonical {
            return wait(1, None);
        }
        match (minimum, time) {
            (0, 0) => Ok(()),
            (0, time) => wait(1, Some(clock::now_ns() + time)),
            (minimum, 0) => wait(minimum.min(room), None),
            (minimum, time) => {
                // The clock starts anew with each byte.
                let mut have = 0;
                while have < minimum.min(room) {
                    wait(have + 1, (have > 0).then(|| clock::now_ns() + time))?;
                    let now = self.discipline.lock().available();
                    if now <= have {
                        break;
                    }
                    have = now;
                }
                Ok(())
            }
        }
    }

    /// write(2).
    fn write(&self, file: &File, from: &mut Source<'_>) -> Result<usize> {
        if self.discipline.lock().termios.local().contains(LocalFlags::TOSTOP) {
            self.check_background_change()?;
        }
        let mut buffer = [0; CHUNK];
        let mut written = 0;
        loop {
            let len = from.remaining().min(CHUNK);
            let len = from.take(&mut buffer[..len]);
            if len == 0 {
                return if written == 0 && from.faulted() { Err(Errno::EFAULT) } else { Ok(written) };
            }
            match self.write_chunk(file, &buffer[..len]) {
                (count, None) => written += count,
                (count, Some(errno)) if written + count == 0 => return Err(errno),
                (count, Some(_)) => return Ok(written + count),
            }
        }
    }

    /// Writes all of `bytes`, waiting for room as `file` allows; gives how many went, and why not all.
    fn write_chunk(&self, file: &File, bytes: &[u8]) -> (usize, Option<Errno>) {
        let mut done = 0;
        loop {
            done += self.output(&bytes[done..]);
            if done == bytes.len() {
                return (done, None);
            }
            if file.nonblocking() {
                return (done, Some(Errno::EAGAIN));
            }
            if let Err(errno) = self.wait_room() {
                return (done, Some(errno));
            }
        }
    }

    /// Shows what there is room for now; gives how much of it.
    fn output(&self, bytes: &[u8]) -> usize {
        let write = self.driver.write;
        let mut discipline = self.discipline.lock();
        if discipline.stopped { 0 } else { discipline.output(bytes, &mut |bytes| write(bytes)) }
    }

    fn wait_room(&self) -> Result<()> {
        let running = || (!self.discipline.lock().stopped).then_some(());
        self.restarted.wait_until(Sleep::Interruptible, None, running)?;
        // Half empty is room enough: waking for each byte would cost more.
        self.driver.room.wait_until(Sleep::Interruptible, None, || ((self.driver.pending)() <= 2048).then_some(()))
    }

    /// Waits until all output has been sent.
    pub(super) fn drain(&self) -> Result<()> {
        self.driver.room.wait_until(Sleep::Interruptible, None, || ((self.driver.pending)() == 0).then_some(()))
    }

    fn poll(&self, table: &mut PollTable<'_>) -> PollEvents {
        table.wait_on(&self.readable);
        table.wait_on(&self.restarted);
        table.wait_on_static(self.driver.room);
        let discipline = self.discipline.lock();
        let minimum = if discipline.termios.cc[cc::VTIME] == 0 { discipline.termios.cc[cc::VMIN].max(1) } else { 1 };
        let mut events = PollEvents::empty();
        events.set(PollEvents::IN | PollEvents::RDNORM, discipline.is_ready(usize::from(minimum)));
        let room = !discipline.stopped && (self.driver.pending)() < 2048;
        events.set(PollEvents::OUT | PollEvents::WRNORM, room);
        events
    }
}

/// A terminal, open.
pub(super) struct Opened(pub(super) Arc<Terminal>);

impl FileOps for Opened {
    fn is_stream(&self) -> bool {
        true
    }

    fn read(&self, file: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        self.0.read(file, to)
    }

    fn write(&self, file: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        self.0.write(file, from)
    }

    fn poll(&self, _: &File, table: &mut PollTable<'_>) -> PollEvents {
        self.0.poll(table)
    }

    fn ioctl(&self, _: &File, command: u32, argument: u64) -> Result<usize> {
        self.0.ioctl(command, argument)
    }
}
