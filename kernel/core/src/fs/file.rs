//! Open file descriptions: what open(2) makes and descriptors share.
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use tollgate_abi::fs::{OpenFlags, PollEvents, mode, whence};
use tollgate_abi::{Errno, Result};

use super::dir::{DirSink, Entry, FIRST_ENTRY};
use super::{Path, PollTable, Sink, Source};
use crate::mm::frame::Frame;
use crate::mm::space::MemoryObject;
use crate::sync::{Mutex, Rank};

/// What is being opened, for [`super::Inode::open`].
pub struct Opening {
    /// How.
    pub flags: OpenFlags,
}

/// What can be done with an open file.
pub trait FileOps: Send + Sync {
    /// Whether it has no position (pipes, terminals): then there is no seeking, and offsets mean nothing.
    fn is_stream(&self) -> bool {
        false
    }

    /// Reads at `offset`, moving it on. 0 bytes is the end.
    ///
    /// # Errors
    /// `EINVAL` where it cannot be read, `EISDIR`, `EAGAIN`, `ERESTARTSYS`, `EFAULT`, `EIO`.
    fn read(&self, file: &File, offset: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        let _ = (file, offset, to);
        Err(Errno::EINVAL)
    }

    /// Writes at `offset`, moving it on.
    ///
    /// # Errors
    /// `EINVAL` where it cannot be written, `EAGAIN`, `ERESTARTSYS`, `EPIPE`, `ENOSPC`, `EFBIG`, `EFAULT`, `EIO`.
    fn write(&self, file: &File, offset: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        let _ = (file, offset, from);
        Err(Errno::EINVAL)
    }

    /// What can be done without waiting; enters the queues to wait on in `table`, before looking.
    fn poll(&self, file: &File, table: &mut PollTable<'_>) -> PollEvents {
        let _ = (file, table);
        PollEvents::IN | PollEvents::RDNORM | PollEvents::OUT | PollEvents::WRNORM
    }

    /// ioctl(2).
    ///
    /// # Errors
    /// `ENOTTY` when it has no such command.
    fn ioctl(&self, file: &File, command: u32, argument: u64) -> Result<usize> {
        let _ = (file, command, argument);
        Err(Errno::ENOTTY)
    }

    /// Gives the directory's entries but the dots from `offset` ([`FIRST_ENTRY`] and up) on, moving it past each that
    /// `sink` takes.
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOENT` when the directory has been removed.
    fn readdir(&self, file: &File, offset: &mut u64, sink: &mut DirSink<'_>) -> Result<()> {
        let _ = (file, offset, sink);
        Err(Errno::ENOTDIR)
    }

    /// Where lseek(2) goes, given the position and the size; the default is that of regular files.
    ///
    /// # Errors
    /// `EINVAL`, `ENXIO`, `EOVERFLOW`.
    fn seek(&self, file: &File, position: u64, offset: i64, origin: i32) -> Result<u64> {
        seek_in(position, file.path.inode().size(), offset, origin)
    }

    /// The page with this index, of files that can be mapped.
    ///
    /// # Errors
    /// As [`MemoryObject::page`].
    fn page(&self, index: u64) -> Result<Frame> {
        let _ = index;
        Err(Errno::ENXIO)
    }

    /// The same page if there is one already.
    fn page_at_hand(&self, index: u64) -> Option<Frame> {
        let _ = index;
        None
    }

    /// What mmap(2) maps: `file` itself if it has pages ([`Self::page`]), something new, or nothing.
    ///
    /// # Errors
    /// `ENODEV` when it cannot be mapped.
    fn memory_object(&self, file: &Arc<File>) -> Result<Arc<dyn MemoryObject>> {
        let _ = file;
        Err(Errno::ENODEV)
    }

    /// The pipe it is an end of.
    fn pipe(&self) -> Option<&Arc<super::pipe::Pipe>> {
        None
    }

    /// The socket it is.
    fn socket(&self) -> Option<&super::socket::Socket> {
        None
    }

    /// The last descriptor is gone.
    fn release(&self, file: &File) {
        let _ = file;
    }
}

/// The position lseek(2) asks for in a file of `size` bytes.
///
/// # Errors
/// `EINVAL` when it would be negative, `ENXIO` for data or holes past the end, `EOVERFLOW`.
pub fn seek_in(position: u64, size: u64, offset: i64, origin: i32) -> Result<u64> {
    let base = match origin {
        whence::SEEK_SET => 0,
        whence::SEEK_CUR => position,
        whence::SEEK_END => size,
        // No holes are told of: all is data, and a hole is at the end.
        whence::SEEK_DATA | whence::SEEK_HOLE => {
            if offset < 0 || offset as u64 >= size {
                return Err(Errno::ENXIO);
            }
            return Ok(if origin == whence::SEEK_DATA { offset as u64 } else { size });
        }
        _ => return Err(Errno::EINVAL),
    };
    let sum = (base as i64).checked_add(offset).ok_or(Errno::EOVERFLOW)?;
    u64::try_from(sum).map_err(|_| Errno::EINVAL)
}

/// An open file description: what open(2) makes, and dup and fork share.
pub struct File {
    ops: Arc<dyn FileOps>,
    path: Path,
    flags: AtomicU32,
    position: Mutex<u64>,
    claim: AtomicU8,
}

/// What an open file counts as in [`super::inode::Writers`]: nothing, a writer, a running program.
const NO_CLAIM: u8 = 0;
const WRITES: u8 = 1;
const EXECUTES: u8 = 2;

impl File {
    /// An open file. `flags` without those that only matter to the opening (CREAT, EXCL, NOCTTY, TRUNC, CLOEXEC).
    pub fn new(ops: Arc<dyn FileOps>, path: Path, flags: OpenFlags) -> Arc<Self> {
        Arc::new(Self {
            ops,
            path,
            flags: AtomicU32::new(flags.bits()),
            position: Mutex::new(Rank::FilePosition, 0),
            claim: AtomicU8::new(NO_CLAIM),
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What can be done with it.
    pub fn ops(&self) -> &Arc<dyn FileOps> {
        &self.ops
    }

    /// Access mode and status flags.
    pub fn flags(&self) -> OpenFlags {
        OpenFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Changes the status flags that can change (F_SETFL).
    pub fn set_flags(&self, flags: OpenFlags) {
        let kept = self.flags() - OpenFlags::CHANGEABLE;
        self.flags.store((kept | flags & OpenFlags::CHANGEABLE).bits(), Ordering::Relaxed);
    }

    /// Whether it only names a file (O_PATH).
    pub fn is_path_only(&self) -> bool {
        self.flags().contains(OpenFlags::PATH)
    }

    /// Whether it was opened for reading.
    pub fn readable(&self) -> bool {
        self.flags().reads() && !self.is_path_only()
    }

    /// Whether it was opened for writing.
    pub fn writable(&self) -> bool {
        self.flags().writes() && !self.is_path_only()
    }

    /// Whether calls on it shall fail with `EAGAIN` rather than wait.
    pub fn nonblocking(&self) -> bool {
        self.flags().contains(OpenFlags::NONBLOCK)
    }

    /// read(2): at the position, moving it.
    ///
    /// # Errors
    /// `EBADF` when not open for reading, and [`FileOps::read`]'s.
    pub fn read(&self, to: &mut Sink<'_>) -> Result<usize> {
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        if self.ops.is_stream() {
            return self.ops.read(self, &mut 0, to);
        }
        let mut position = self.position.lock();
        self.ops.read(self, &mut position, to)
    }

    /// write(2): at the position, moving it.
    ///
    /// # Errors
    /// `EBADF` when not open for writing, and [`FileOps::write`]'s.
    pub fn write(&self, from: &mut Source<'_>) -> Result<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if self.ops.is_stream() {
            return self.ops.write(self, &mut 0, from);
        }
        let mut position = self.position.lock();
        self.ops.write(self, &mut position, from)
    }

    /// pread(2): at `offset`; the position stays.
    ///
    /// # Errors
    /// `ESPIPE` for streams, else as [`Self::read`].
    pub fn read_from(&self, mut offset: u64, to: &mut Sink<'_>) -> Result<usize> {
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        if self.ops.is_stream() {
            return Err(Errno::ESPIPE);
        }
        self.ops.read(self, &mut offset, to)
    }

    /// pwrite(2): at `offset`; the position stays.
    ///
    /// # Errors
    /// `ESPIPE` for streams, else as [`Self::write`].
    pub fn write_to(&self, mut offset: u64, from: &mut Source<'_>) -> Result<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if self.ops.is_stream() {
            return Err(Errno::ESPIPE);
        }
        self.ops.write(self, &mut offset, from)
    }

    /// Reads into a kernel buffer until it is full or the file ends; returns the bytes read. For exec.
    ///
    /// # Errors
    /// As [`Self::read_from`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_from(offset + done as u64, &mut Sink::kernel(&mut buffer[done..]))? {
                0 => break,
                got => done += got,
            }
        }
        Ok(done)
    }

    /// lseek(2).
    ///
    /// # Errors
    /// `ESPIPE` for streams; [`FileOps::seek`]'s.
    pub fn seek(&self, offset: i64, origin: i32) -> Result<u64> {
        if self.ops.is_stream() {
            return Err(Errno::ESPIPE);
        }
        let mut position = self.position.lock();
        *position = self.ops.seek(self, *position, offset, origin)?;
        Ok(*position)
    }

    /// The position, as /proc/PID/fdinfo shows it.
    pub fn position(&self) -> u64 {
        *self.position.lock()
    }

    /// getdents64(2): gives entries to `sink` from the position on.
    ///
    /// # Errors
    /// `ENOTDIR`; `ENOENT` when the directory has been removed; [`FileOps::readdir`]'s.
    pub fn readdir(&self, sink: &mut DirSink<'_>) -> Result<()> {
        let attributes = self.path.inode().attributes();
        if !attributes.is_directory() {
            return Err(Errno::ENOTDIR);
        }
        if self.path.dentry.is_removed() {
            return Err(Errno::ENOENT);
        }
        let mut position = self.position.lock();
        if *position == 0 {
            if !sink(Entry { name: b".", ino: attributes.ino, kind: mode::DIRECTORY, next: 1 }) {
                return Ok(());
            }
            *position = 1;
        }
        if *position == 1 {
            let parent = self.path.parent(super::root());
            let ino = parent.inode().attributes().ino;
            if !sink(Entry { name: b"..", ino, kind: mode::DIRECTORY, next: FIRST_ENTRY }) {
                return Ok(());
            }
            *position = FIRST_ENTRY;
        }
        self.ops.readdir(self, &mut position, sink)
    }

    /// Bytes in the file.
    pub fn size(&self) -> u64 {
        self.path.inode().size()
    }

    /// What mmap(2) maps. Whether the access mode allows the mapping is the caller's to check.
    ///
    /// # Errors
    /// `ENODEV` when it cannot be mapped.
    pub fn memory_object(self: &Arc<Self>) -> Result<Arc<dyn MemoryObject>> {
        self.ops.memory_object(self)
    }

    /// Keeps writers away as long as this lives, because it runs as a program.
    ///
    /// # Errors
    /// `ETXTBSY` when it is open for writing.
    pub fn start_executing(&self) -> Result<()> {
        self.path.inode().attributes().writers.start_executing()?;
        self.claim.store(EXECUTES, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps programs from being started from it as long as this lives, because it is open for writing.
    ///
    /// # Errors
    /// `ETXTBSY` when it runs as a program.
    pub fn start_writing(&self) -> Result<()> {
        self.path.inode().attributes().writers.start_writing()?;
        self.claim.store(WRITES, Ordering::Relaxed);
        Ok(())
    }
}

impl MemoryObject for File {
    fn page(&self, index: u64) -> Result<Frame> {
        self.ops.page(index)
    }

    fn page_at_hand(&self, index: u64) -> Option<Frame> {
        self.ops.page_at_hand(index)
    }

    fn identity(&self) -> usize {
        Arc::as_ptr(self.path.inode()).cast::<()>().addr()
    }

    fn describe(&self) -> Option<String> {
        let attributes = self.path.inode().attributes();
        let path = self.path.text();
        let (major, minor) = (tollgate_abi::fs::major(attributes.device), tollgate_abi::fs::minor(attributes.device));
        Some(alloc::format!("{major:02x}:{minor:02x} {} {}", attributes.ino, String::from_utf8_lossy(&path)))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.ops.release(self);
        let writers = &self.path.inode().attributes().writers;
        match *self.claim.get_mut() {
            WRITES => writers.stop_writing(),
            EXECUTES => writers.stop_executing(),
            _ => {}
        }
    }
}
