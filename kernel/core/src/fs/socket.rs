//! UNIX socket pairs: two queues of messages, one each way.
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use tollgate_abi::fs::{OpenFlags, PollEvents, Statfs, mode};
use tollgate_abi::socket::{MessageFlags, SocketType};
use tollgate_abi::tty::ioctl::FIONREAD;
use tollgate_abi::{Errno, Result};

use super::mount::next_device;
use super::{Attributes, Dentry, File, FileOps, FileSystem, Inode, Mount, Opening, Path, PollTable, Sink, Source};
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;
use crate::mm::{PAGE_SIZE, frame};
use crate::sync::{Mutex, Once, Rank, Sleep, SpinLock, WaitQueue};
use crate::task::signal::{self, Signal};

/// Bytes that may wait in one queue.
const QUEUE_MAX: usize = 208 * 1024;
/// Streams are queued in pieces of this size.
const STREAM_PIECE: usize = 32 * 1024;
/// What a message takes beside its bytes, so that empty ones cannot fill memory.
const OVERHEAD: usize = 64;

/// One direction.
struct Queue {
    state: SpinLock<QueueState>,
    /// One reader at a time, so that what a stream's reader puts back stays in order.
    reading: Mutex<()>,
    readable: Arc<WaitQueue>,
    writable: Arc<WaitQueue>,
}

#[derive(Default)]
struct QueueState {
    messages: VecDeque<Vec<u8>>,
    /// Bytes in them, with what they take beside.
    weight: usize,
    /// Nobody will read.
    no_reader: bool,
    /// Nobody will write.
    no_writer: bool,
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: SpinLock::new(Rank::Buffer, QueueState::default()),
            reading: Mutex::new(Rank::Inode, ()),
            readable: Arc::new(WaitQueue::new()),
            writable: Arc::new(WaitQueue::new()),
        })
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        let message = state.messages.pop_front()?;
        state.weight -= message.len() + OVERHEAD;
        Some(message)
    }

    fn put_back(&self, message: Vec<u8>) {
        let mut state = self.state.lock();
        state.weight += message.len() + OVERHEAD;
        state.messages.push_front(message);
    }

    /// Queues a message if there is room.
    ///
    /// # Errors
    /// `EPIPE` when nobody will read it; the message comes back when there is no room yet.
    fn offer(&self, message: Vec<u8>) -> Result<Option<Vec<u8>>> {
        let mut state = self.state.lock();
        if state.no_reader || state.no_writer {
            return Err(Errno::EPIPE);
        }
        if state.weight + message.len() + OVERHEAD > QUEUE_MAX {
            return Ok(Some(message));
        }
        state.weight += message.len() + OVERHEAD;
        state.messages.push_back(message);
        drop(state);
        self.readable.wake_one();
        Ok(None)
    }

    fn close(&self, change: impl FnOnce(&mut QueueState)) {
        change(&mut self.state.lock());
        self.readable.wake_all();
        self.writable.wake_all();
    }
}

/// One end of a pair.
pub struct Socket {
    kind: SocketType,
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
}

impl Socket {
    /// Receives a message, or what there is of a stream; 0 bytes when the peer is gone. Gives the bytes put and the
    /// message's own length.
    ///
    /// # Errors
    /// `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
    pub fn receive(&self, to: &mut Sink<'_>, wait: bool, flags: MessageFlags) -> Result<(usize, usize)> {
        let stream = self.kind == SocketType::Stream;
        if stream && to.remaining() == 0 {
            return Ok((0, 0));
        }
        loop {
            let peek = flags.contains(MessageFlags::PEEK);
            let received = self.receive_now(to, stream, peek);
            let all = stream && !peek && flags.contains(MessageFlags::WAITALL);
            let wants_more = all && to.remaining() > 0 && !to.faulted();
            if let Some(length) = received.filter(|_| !wants_more) {
                return to.result().map(|put| (put, length));
            }
            let ready = || {
                let state = self.incoming.state.lock();
                (!state.messages.is_empty() || state.no_writer || state.no_reader).then_some(state.messages.is_empty())
            };
            let ended = match ready() {
                Some(ended) => ended,
                None if !wait => match to.result()? {
                    0 => return Err(Errno::EAGAIN),
                    _ => true,
                },
                None => match self.incoming.readable.wait_until(Sleep::Interruptible, None, ready) {
                    Ok(ended) => ended,
                    Err(errno) => return to.result().and_then(|put| if put > 0 { Ok((put, put)) } else { Err(errno) }),
                },
            };
            if ended {
                return to.result().map(|put| (put, put));
            }
        }
    }

    /// As [`Self::receive`], of what is there; `None` when nothing is.
    fn receive_now(&self, to: &mut Sink<'_>, stream: bool, peek: bool) -> Option<usize> {
        let _one = self.incoming.reading.lock();
        let mut received = None;
        while let Some(mut message) = self.incoming.take() {
            let length = message.len();
            let put = to.put(&message);
            received = Some(received.unwrap_or(0) + length);
            if peek {
                self.incoming.put_back(message);
                break;
            }
            if !stream {
                break;
            }
            if put < length {
                message.drain(..put);
                self.incoming.put_back(message);
                break;
            }
            if to.remaining() == 0 {
                break;
            }
        }
        if received.is_some() {
            self.incoming.writable.wake_all();
        }
        received
    }

    /// Sends a message, or bytes of a stream.
    ///
    /// # Errors
    /// `EPIPE` (with SIGPIPE unless `flags` say otherwise), `EMSGSIZE`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`.
    pub fn send(&self, from: &mut Source<'_>, wait: bool, flags: MessageFlags) -> Result<usize> {
        let stream = self.kind == SocketType::Stream;
        let total = from.remaining();
        if !stream && total + OVERHEAD > QUEUE_MAX {
            return Err(Errno::EMSGSIZE);
        }
        let mut sent = 0;
        loop {
            let len = if stream { from.remaining().min(STREAM_PIECE) } else { total };
            if len == 0 && stream {
                return Ok(sent);
            }
            frame::headroom()?;
            let mut message = alloc::vec![0; len];
            let taken = from.take(&mut message);
            if taken < len && (!stream || taken == 0) {
                return if sent > 0 { Ok(sent) } else { Err(Errno::EFAULT) };
            }
            message.truncate(taken);
            match self.send_one(message, wait) {
                Ok(()) => sent += taken,
                Err(_) if sent > 0 => return Ok(sent),
                Err(errno) => {
                    if errno == Errno::EPIPE && !flags.contains(MessageFlags::NOSIGNAL) {
                        signal::send_self(Signal::SIGPIPE);
                    }
                    return Err(errno);
                }
            }
            if !stream {
                return Ok(sent);
            }
        }
    }

    fn send_one(&self, mut message: Vec<u8>, wait: bool) -> Result<()> {
        let need = message.len() + OVERHEAD;
        loop {
            match self.outgoing.offer(message)? {
                None => return Ok(()),
                Some(back) => message = back,
            }
            if !wait {
                return Err(Errno::EAGAIN);
            }
            self.outgoing.writable.wait_until(Sleep::Interruptible, None, || {
                let state = self.outgoing.state.lock();
                (state.weight + need <= QUEUE_MAX || state.no_reader || state.no_writer).then_some(())
            })?;
        }
    }

    /// shutdown(2): gives up reading, writing or both.
    pub fn shut_down(&self, reading: bool, writing: bool) {
        if reading {
            self.incoming.close(|state| state.no_reader = true);
        }
        if writing {
            self.outgoing.close(|state| state.no_writer = true);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shut_down(true, true);
    }
}

impl FileOps for Socket {
    fn is_stream(&self) -> bool {
        true
    }

    fn read(&self, file: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        self.receive(to, !file.nonblocking(), MessageFlags::empty()).map(|(put, _)| put)
    }

    fn write(&self, file: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        self.send(from, !file.nonblocking(), MessageFlags::empty())
    }

    fn poll(&self, _: &File, table: &mut PollTable<'_>) -> PollEvents {
        table.wait_on(&self.incoming.readable);
        table.wait_on(&self.outgoing.writable);
        let mut events = PollEvents::empty();
        let incoming = self.incoming.state.lock();
        let ended = incoming.no_writer || incoming.no_reader;
        events.set(PollEvents::IN | PollEvents::RDNORM, !incoming.messages.is_empty() || ended);
        events.set(PollEvents::RDHUP, ended);
        drop(incoming);
        let outgoing = self.outgoing.state.lock();
        let dead = outgoing.no_reader || outgoing.no_writer;
        // A quarter full still counts as writable, as on Linux.
        events.set(PollEvents::OUT | PollEvents::WRNORM, dead || outgoing.weight * 4 <= QUEUE_MAX);
        events.set(PollEvents::HUP, ended && dead);
        events
    }

    fn ioctl(&self, _: &File, command: u32, argument: u64) -> Result<usize> {
        if command != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let waiting = {
            let state = self.incoming.state.lock();
            match self.kind {
                SocketType::Stream => state.messages.iter().map(Vec::len).sum(),
                _ => state.messages.front().map_or(0, Vec::len),
            }
        };
        UserPtr::new(UserAddr(argument)).write(&(waiting as i32)).map(|()| 0)
    }

    fn socket(&self) -> Option<&Socket> {
        Some(self)
    }
}

/// Where sockets live, so that they have inodes and show as `socket:[N]`.
struct SocketFs {
    root: Arc<Dentry>,
}

impl FileSystem for SocketFs {
    fn name(&self) -> &'static str {
        "sockfs"
    }

    fn root(&self) -> Arc<Dentry> {
        self.root.clone()
    }

    fn statfs(&self) -> Statfs {
        const SOCKFS_MAGIC: i64 = 0x534f_434b;
        Statfs {
            kind: SOCKFS_MAGIC,
            bsize: PAGE_SIZE as i64,
            frsize: PAGE_SIZE as i64,
            namelen: 255,
            ..Statfs::default()
        }
    }
}

/// A socket's inode: attributes alone. It cannot be opened by name.
struct SocketInode(Attributes);

impl Inode for SocketInode {
    fn attributes(&self) -> &Attributes {
        &self.0
    }

    fn open(self: Arc<Self>, _: &Opening) -> Result<Arc<dyn FileOps>> {
        Err(Errno::ENXIO)
    }
}

/// Makes two connected sockets.
///
/// # Errors
/// `ENOMEM`.
pub fn pair(kind: SocketType, nonblocking: bool) -> Result<[Arc<File>; 2]> {
    static HOME: Once<(Arc<Mount>, u64)> = Once::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    frame::headroom()?;
    let (mount, device) = HOME.call_once(|| {
        let device = next_device();
        let root = Arc::new(SocketInode(Attributes::new(device, 0, mode::DIRECTORY, 0)));
        (Mount::detached(Arc::new(SocketFs { root: Dentry::root(root, b"") }), b"sockfs"), device)
    });
    let (there, back) = (Queue::new(), Queue::new());
    let flags = OpenFlags::RDWR | if nonblocking { OpenFlags::NONBLOCK } else { OpenFlags::empty() };
    let end = |incoming: &Arc<Queue>, outgoing: &Arc<Queue>| {
        let ino = NEXT.fetch_add(1, Ordering::Relaxed);
        let inode = Arc::new(SocketInode(Attributes::new(*device, ino, mode::SOCKET | 0o777, 0)));
        let dentry = Dentry::root(inode, alloc::format!("socket:[{ino}]").as_bytes());
        let socket = Socket { kind, incoming: incoming.clone(), outgoing: outgoing.clone() };
        File::new(Arc::new(socket), Path { mount: mount.clone(), dentry }, flags)
    };
    Ok([end(&there, &back), end(&back, &there)])
}
