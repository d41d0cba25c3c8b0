//! Pipes and FIFOs: a ring of pages with one lock per side.
//!
//! Readers take turns by one lock, writers by another, and the two sides meet only in two counters: so bytes are copied
//! between user memory and the ring directly, and no lock is held across a wait.
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tollgate_abi::fs::{OpenFlags, PIPE_BUF, PollEvents, Statfs, mode};
use tollgate_abi::tty::ioctl::FIONREAD;
use tollgate_abi::{Errno, Result};

use super::mount::next_device;
use super::{Attributes, Dentry, File, FileOps, FileSystem, Inode, Mount, Opening, Path, PollTable, Sink, Source};
use crate::mm::PAGE_SIZE;
use crate::mm::addr::UserAddr;
use crate::mm::frame::{self, Frame};
use crate::mm::user::UserPtr;
use crate::sync::{Mutex, Once, Rank, Sleep, WaitQueue};
use crate::task::signal::{self, Signal};

/// Bytes a pipe holds at first.
const DEFAULT_CAPACITY: usize = 64 * 1024;
/// Most bytes a pipe can be made to hold.
pub const MAX_CAPACITY: usize = 1 << 20;

/// Pages of a ring: a power of two of them, each made when first written to.
type Pages = Arc<[Once<Frame>]>;

/// A pipe.
pub struct Pipe {
    /// Held by whoever reads.
    read_side: Mutex<Pages>,
    /// Held by whoever writes. Changing the ring takes both.
    write_side: Mutex<Pages>,
    /// Bytes ever written; only its low bits say where in the ring.
    written: AtomicUsize,
    /// Bytes ever read.
    read: AtomicUsize,
    capacity: AtomicUsize,
    readers: Side,
    writers: Side,
}

/// Those who have one side open.
struct Side {
    open: AtomicUsize,
    /// How often it was opened, so that opening a FIFO notices a peer that came and went.
    opened: AtomicU64,
    /// Where they wait for the other side.
    queue: Arc<WaitQueue>,
}

impl Side {
    fn new() -> Self {
        Self { open: AtomicUsize::new(0), opened: AtomicU64::new(0), queue: Arc::new(WaitQueue::new()) }
    }

    fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire) != 0
    }

    fn enter(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.opened.fetch_add(1, Ordering::AcqRel);
    }

    /// True when the last one left.
    fn leave(&self) -> bool {
        self.open.fetch_sub(1, Ordering::AcqRel) == 1
    }

    fn opened(&self) -> u64 {
        self.opened.load(Ordering::Acquire)
    }
}

fn ring(capacity: usize) -> Pages {
    (0..capacity / PAGE_SIZE).map(|_| Once::new()).collect()
}

impl Pipe {
    /// An empty pipe that nobody has open.
    pub fn new() -> Arc<Self> {
        let pages = ring(DEFAULT_CAPACITY);
        Arc::new(Self {
            read_side: Mutex::new(Rank::Inode, pages.clone()),
            write_side: Mutex::new(Rank::Inode, pages),
            written: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            capacity: AtomicUsize::new(DEFAULT_CAPACITY),
            readers: Side::new(),
            writers: Side::new(),
        })
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        let read = self.read.load(Ordering::Acquire);
        self.written.load(Ordering::Acquire).wrapping_sub(read)
    }

    /// Bytes it can hold.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    fn room(&self) -> usize {
        self.capacity().saturating_sub(self.len())
    }

    fn read(&self, file: &File, to: &mut Sink<'_>) -> Result<usize> {
        if to.remaining() == 0 {
            return Ok(0);
        }
        loop {
            let closed = !self.writers.is_open();
            if let Some(result) = self.read_some(to) {
                return result;
            }
            // What a writer wrote before it closed was looked for after seeing it closed.
            if closed {
                return Ok(0);
            }
            if file.nonblocking() {
                return Err(Errno::EAGAIN);
            }
            let ready = || (self.len() > 0 || !self.writers.is_open()).then_some(());
            self.readers.queue.wait_until(Sleep::Interruptible, None, ready)?;
        }
    }

    /// Moves out what there is; `None` when there is nothing.
    fn read_some(&self, to: &mut Sink<'_>) -> Option<Result<usize>> {
        let pages = self.read_side.lock();
        let mut at = self.read.load(Ordering::Relaxed);
        let mut left = self.written.load(Ordering::Acquire).wrapping_sub(at).min(to.remaining());
        if left == 0 {
            return None;
        }
        while left > 0 && !to.faulted() {
            let within = at % PAGE_SIZE;
            let run = left.min(PAGE_SIZE - within);
            let frame = pages[(at / PAGE_SIZE) & (pages.len() - 1)].get().expect("what was written has a page");
            // SAFETY: `within + run` is at most a page; the ring keeps the frame, and writers stay off what is unread.
            let put = unsafe { to.put_raw(frame.as_ptr().add(within), run) };
            at = at.wrapping_add(put);
            left -= put;
        }
        self.read.store(at, Ordering::Release);
        drop(pages);
        self.writers.queue.wake_all();
        if self.len() > 0 {
            self.readers.queue.wake_one();
        }
        Some(to.result())
    }

    fn write(&self, file: &File, from: &mut Source<'_>) -> Result<usize> {
        let total = from.remaining();
        if total == 0 {
            return Ok(0);
        }
        // Up to PIPE_BUF bytes go all at once or not at all.
        let need = if total <= PIPE_BUF { total } else { 1 };
        loop {
            if !self.readers.is_open() {
                signal::send_self(Signal::SIGPIPE);
                return partly(total, from, Errno::EPIPE);
            }
            if let Err(errno) = self.write_some(need, from) {
                return partly(total, from, errno);
            }
            if from.remaining() == 0 || from.faulted() {
                return from.result();
            }
            let waited = if self.room() >= need {
                Ok(())
            } else if file.nonblocking() {
                Err(Errno::EAGAIN)
            } else {
                let ready = || (self.room() >= need || !self.readers.is_open()).then_some(());
                self.writers.queue.wait_until(Sleep::Interruptible, None, ready)
            };
            if let Err(errno) = waited {
                return partly(total, from, errno);
            }
        }
    }

    /// Moves in what there is room for, if that is at least `need` bytes.
    fn write_some(&self, need: usize, from: &mut Source<'_>) -> Result<()> {
        let pages = self.write_side.lock();
        let start = self.written.load(Ordering::Relaxed);
        let mut at = start;
        let used = start.wrapping_sub(self.read.load(Ordering::Acquire));
        let room = (pages.len() * PAGE_SIZE).saturating_sub(used);
        if room < need {
            return Ok(());
        }
        let mut left = room.min(from.remaining());
        let mut outcome = Ok(());
        while left > 0 && !from.faulted() {
            let within = at % PAGE_SIZE;
            let run = left.min(PAGE_SIZE - within);
            let frame = match pages[(at / PAGE_SIZE) & (pages.len() - 1)].try_call_once(Frame::alloc) {
                Ok(frame) => frame,
                Err(errno) => {
                    outcome = Err(errno);
                    break;
                }
            };
            // SAFETY: `within + run` is at most a page; the ring keeps the frame, and readers stay off what is unwritten.
            let taken = unsafe { from.take_raw(frame.as_ptr().add(within), run) };
            at = at.wrapping_add(taken);
            left -= taken;
        }
        self.written.store(at, Ordering::Release);
        drop(pages);
        if at != start {
            self.readers.queue.wake_one();
        }
        outcome
    }

    /// Makes it hold at least `bytes`; gives how many then (F_SETPIPE_SZ).
    ///
    /// # Errors
    /// `EINVAL` for 0, `EPERM` above the limit, `EBUSY` when more is in it, `ENOMEM`.
    pub fn resize(&self, bytes: usize) -> Result<usize> {
        if bytes == 0 {
            return Err(Errno::EINVAL);
        }
        if bytes > MAX_CAPACITY {
            return Err(Errno::EPERM);
        }
        let capacity = bytes.next_power_of_two().max(PAGE_SIZE);
        let mut reading = self.read_side.lock();
        let mut writing = self.write_side.lock_nested();
        let (read, written) = (self.read.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        if written.wrapping_sub(read) > capacity {
            return Err(Errno::EBUSY);
        }
        let new = ring(capacity);
        let mut at = read;
        while at != written {
            let within = at % PAGE_SIZE;
            let run = written.wrapping_sub(at).min(PAGE_SIZE - within);
            let from = reading[(at / PAGE_SIZE) & (reading.len() - 1)].get().expect("what was written has a page");
            let to = new[(at / PAGE_SIZE) & (new.len() - 1)].try_call_once(Frame::alloc)?;
            // SAFETY: `within + run` is at most a page of each; both sides are locked, so nobody else uses either.
            unsafe { to.as_ptr().add(within).copy_from_nonoverlapping(from.as_ptr().add(within), run) };
            at = at.wrapping_add(run);
        }
        let old = core::mem::replace(&mut *reading, new.clone());
        drop(core::mem::replace(&mut *writing, new));
        self.capacity.store(capacity, Ordering::Relaxed);
        drop((reading, writing));
        drop(old);
        self.writers.queue.wake_all();
        Ok(capacity)
    }
}

/// What a write of `total` bytes returns that ends with `errno`: what went before counts.
fn partly(total: usize, from: &Source<'_>, errno: Errno) -> Result<usize> {
    if from.remaining() < total { Ok(total - from.remaining()) } else { Err(errno) }
}

/// An open end of a pipe (or, for a FIFO opened O_RDWR, both).
struct End {
    pipe: Arc<Pipe>,
    flags: OpenFlags,
    /// How often the writing side had been opened when this was: hanging up means that one came since and left.
    writers_before: u64,
}

impl End {
    fn enter(pipe: &Arc<Pipe>, flags: OpenFlags) -> Self {
        let writers_before = pipe.writers.opened();
        if flags.reads() {
            pipe.readers.enter();
        }
        if flags.writes() {
            pipe.writers.enter();
        }
        Self { pipe: pipe.clone(), flags, writers_before }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if self.flags.reads() && self.pipe.readers.leave() {
            self.pipe.writers.queue.wake_all();
        }
        if self.flags.writes() && self.pipe.writers.leave() {
            self.pipe.readers.queue.wake_all();
        }
    }
}

impl FileOps for End {
    fn is_stream(&self) -> bool {
        true
    }

    fn read(&self, file: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        self.pipe.read(file, to)
    }

    fn write(&self, file: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        self.pipe.write(file, from)
    }

    fn poll(&self, _: &File, table: &mut PollTable<'_>) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.flags.reads() {
            table.wait_on(&self.pipe.readers.queue);
            events.set(PollEvents::IN | PollEvents::RDNORM, self.pipe.len() > 0);
            let came_and_left = !self.pipe.writers.is_open() && self.pipe.writers.opened() != self.writers_before;
            events.set(PollEvents::HUP, came_and_left);
        }
        if self.flags.writes() {
            table.wait_on(&self.pipe.writers.queue);
            events.set(PollEvents::OUT | PollEvents::WRNORM, self.pipe.room() >= PIPE_BUF);
            events.set(PollEvents::ERR, !self.pipe.readers.is_open());
        }
        events
    }

    fn ioctl(&self, _: &File, command: u32, argument: u64) -> Result<usize> {
        match command {
            FIONREAD => UserPtr::new(UserAddr(argument)).write(&(self.pipe.len() as i32)).map(|()| 0),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn pipe(&self) -> Option<&Arc<Pipe>> {
        Some(&self.pipe)
    }
}

/// Opens a FIFO, waiting for the other side unless O_NONBLOCK or O_RDWR.
///
/// # Errors
/// `ENXIO` for writing without waiting when nobody reads, `ERESTARTSYS`.
pub fn open_fifo(pipe: &Arc<Pipe>, flags: OpenFlags) -> Result<Arc<dyn FileOps>> {
    let nonblocking = flags.contains(OpenFlags::NONBLOCK);
    let (reads, writes) = (flags.reads(), flags.writes());
    if writes && !reads && nonblocking && !pipe.readers.is_open() {
        return Err(Errno::ENXIO);
    }
    let (own, other) = if reads { (&pipe.readers, &pipe.writers) } else { (&pipe.writers, &pipe.readers) };
    // Looked at before entering: a peer that was there has met us even if it leaves at once, and one that comes later
    // is counted.
    let before = other.opened();
    let present = other.is_open();
    let end = End::enter(pipe, flags);
    other.queue.wake_all();
    if reads != writes && !nonblocking && !present {
        let met = || (other.is_open() || other.opened() != before).then_some(());
        own.queue.wait_until(Sleep::Interruptible, None, met)?;
    }
    Ok(Arc::new(end))
}

/// Where pipes without names live, so that they have inodes and show as `pipe:[N]`.
struct PipeFs {
    root: Arc<Dentry>,
}

impl FileSystem for PipeFs {
    fn name(&self) -> &'static str {
        "pipefs"
    }

    fn root(&self) -> Arc<Dentry> {
        self.root.clone()
    }

    fn statfs(&self) -> Statfs {
        const PIPEFS_MAGIC: i64 = 0x5049_5045;
        Statfs {
            kind: PIPEFS_MAGIC,
            bsize: PAGE_SIZE as i64,
            frsize: PAGE_SIZE as i64,
            namelen: 255,
            ..Statfs::default()
        }
    }
}

struct PipeInode {
    attributes: Attributes,
    pipe: Arc<Pipe>,
}

impl PipeInode {
    fn new(device: u64, ino: u64) -> Arc<Self> {
        Arc::new(Self { attributes: Attributes::new(device, ino, mode::FIFO | 0o600, 0), pipe: Pipe::new() })
    }
}

impl Inode for PipeInode {
    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn open(self: Arc<Self>, opening: &Opening) -> Result<Arc<dyn FileOps>> {
        open_fifo(&self.pipe, opening.flags)
    }
}

/// Makes a pipe: the end to read from and the end to write to.
///
/// # Errors
/// `ENOMEM`.
pub fn create(flags: OpenFlags) -> Result<[Arc<File>; 2]> {
    static HOME: Once<(Arc<Mount>, u64)> = Once::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    frame::headroom()?;
    let (mount, device) = HOME.call_once(|| {
        let device = next_device();
        let root = Dentry::root(PipeInode::new(device, 0), b"");
        (Mount::detached(Arc::new(PipeFs { root }), b"pipefs"), device)
    });
    let ino = NEXT.fetch_add(1, Ordering::Relaxed);
    let inode = PipeInode::new(*device, ino);
    let pipe = inode.pipe.clone();
    let dentry = Dentry::root(inode, alloc::format!("pipe:[{ino}]").as_bytes());
    let path = Path { mount: mount.clone(), dentry };
    let status = flags & (OpenFlags::NONBLOCK | OpenFlags::DIRECT);
    let end = |access: OpenFlags| File::new(Arc::new(End::enter(&pipe, access)), path.clone(), access | status);
    Ok([end(OpenFlags::empty()), end(OpenFlags::WRONLY)])
}
