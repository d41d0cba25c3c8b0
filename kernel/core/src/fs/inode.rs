//! Inodes: files as such, whatever their names.
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering};

use tollgate_abi::fs::{RenameFlags, Stat, mode};
use tollgate_abi::time::TimeSpec;
use tollgate_abi::{Errno, Result};

use super::{Dentry, FileOps, Opening, Path, Source};

/// A file: regular, directory, link, device ... What names it has is the directories' business.
///
/// The operations on names are those of directories; on others the path walk never calls them. They get the directory's
/// own dentry, to make the entry's dentry below it, and they serialise themselves.
pub trait Inode: Any + Send + Sync {
    /// What stat(2) shows.
    fn attributes(&self) -> &Attributes;

    /// Bytes in the file (length of a link's text).
    fn size(&self) -> u64 {
        0
    }

    /// Memory it takes, in units of 512 bytes.
    fn blocks(&self) -> u64 {
        0
    }

    /// What can be done with it once open.
    ///
    /// # Errors
    /// `ENXIO` for a device that is not there, `EINTR`s of FIFOs, `ENOMEM`.
    fn open(self: Arc<Self>, opening: &Opening) -> Result<Arc<dyn FileOps>>;

    /// The entry `name` of this directory.
    ///
    /// # Errors
    /// `ENOENT`.
    fn lookup(&self, dentry: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        let _ = (dentry, name);
        Err(Errno::ENOTDIR)
    }

    /// Makes a file and its entry `name`.
    ///
    /// # Errors
    /// `EEXIST`, `ENOENT` when this directory has been removed, `EPERM` where nothing can be made, `ENOMEM`.
    fn create(&self, dentry: &Arc<Dentry>, name: &[u8], new: NewInode) -> Result<Arc<Dentry>> {
        let _ = (dentry, name, new);
        Err(Errno::EPERM)
    }

    /// Makes `name` another name of `inode`, which is of the same file system.
    ///
    /// # Errors
    /// As [`Self::create`]; `EMLINK`.
    fn link(&self, dentry: &Arc<Dentry>, name: &[u8], inode: Arc<dyn Inode>) -> Result<()> {
        let _ = (dentry, name, inode);
        Err(Errno::EPERM)
    }

    /// Removes the entry `name`: a directory if `directory`, else anything but one.
    ///
    /// # Errors
    /// `ENOENT`, `EISDIR`, `ENOTDIR`, `ENOTEMPTY`, `EBUSY` (something is mounted there), `EPERM`.
    fn unlink(&self, name: &[u8], directory: bool) -> Result<()> {
        let _ = (name, directory);
        Err(Errno::EPERM)
    }

    /// Moves the entry `name` of this directory to `to_name` of `to`, a directory of the same file system.
    ///
    /// # Errors
    /// As [`Self::unlink`] for what is replaced; `EINVAL` when a directory would come to lie in itself.
    fn rename(
        &self,
        dentry: &Arc<Dentry>,
        name: &[u8],
        to: &Arc<Dentry>,
        to_name: &[u8],
        how: RenameFlags,
    ) -> Result<()> {
        let _ = (dentry, name, to, to_name, how);
        Err(Errno::EPERM)
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// `EINVAL` when it is none; for the links of /proc what finding the file gives.
    fn follow(&self) -> Result<Follow> {
        Err(Errno::EINVAL)
    }

    /// Gives a new regular file its first content (the initial ramdisk's).
    ///
    /// # Errors
    /// `EINVAL` when it is none, `ENOSPC`.
    fn fill(&self, content: &mut Source<'_>) -> Result<()> {
        let _ = content;
        Err(Errno::EINVAL)
    }

    /// Cuts or extends a regular file.
    ///
    /// # Errors
    /// `EINVAL` when it is none, `EFBIG`.
    fn truncate(&self, len: u64) -> Result<()> {
        let _ = len;
        Err(Errno::EINVAL)
    }
}

/// Where a symbolic link leads.
pub enum Follow {
    /// To the file this path names.
    Text(Box<[u8]>),
    /// To this very file (/proc/PID/exe and the like), which may have no name any more.
    Jump(Path),
}

/// What to make.
pub struct NewInode {
    /// Type and permissions, as `st_mode`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, for devices.
    pub rdev: u64,
    /// Text, for symbolic links.
    pub target: Box<[u8]>,
}

impl NewInode {
    /// A file of this type and these permissions, owned by root.
    pub fn new(mode: u32) -> Self {
        Self { mode, uid: 0, gid: 0, rdev: 0, target: Box::default() }
    }

    /// A file of this type and these permissions, less the umask's, owned by the current task.
    pub fn of_current(mode: u32) -> Self {
        let task = crate::task::current();
        let creds = task.creds();
        Self { mode: mode & !task.fs().umask(), uid: creds.fsuid, gid: creds.fsgid, ..Self::new(mode) }
    }
}

/// What stat(2) shows of every file: changed without a lock, one field at a time.
pub struct Attributes {
    /// The file's number in its file system.
    pub ino: u64,
    /// The file system's device number.
    pub device: u64,
    /// Device number of a device file.
    pub rdev: u64,
    mode: AtomicU32,
    uid: AtomicU32,
    gid: AtomicU32,
    links: AtomicU32,
    atime: AtomicI64,
    mtime: AtomicI64,
    ctime: AtomicI64,
    born: i64,
    /// Who keeps whom from writing or executing it.
    pub writers: Writers,
}

/// Counts a file's writers (positive) or the programs that run from it (negative): never both.
#[derive(Default)]
pub struct Writers(AtomicI32);

impl Writers {
    /// One more is going to write.
    ///
    /// # Errors
    /// `ETXTBSY` while it runs as a program.
    pub fn start_writing(&self) -> Result<()> {
        let more = |count: i32| if count < 0 { None } else { count.checked_add(1) };
        self.0.try_update(Ordering::AcqRel, Ordering::Relaxed, more).map(drop).map_err(|_| Errno::ETXTBSY)
    }

    /// One less writes.
    pub fn stop_writing(&self) {
        self.0.fetch_sub(1, Ordering::Release);
    }

    /// One more runs it.
    ///
    /// # Errors
    /// `ETXTBSY` while it is open for writing.
    pub fn start_executing(&self) -> Result<()> {
        let more = |count: i32| if count > 0 { None } else { count.checked_sub(1) };
        self.0.try_update(Ordering::AcqRel, Ordering::Relaxed, more).map(drop).map_err(|_| Errno::ETXTBSY)
    }

    /// One less runs it.
    pub fn stop_executing(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Which of a file's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Time {
    /// Last read.
    Access,
    /// Last change of the content.
    Modify,
    /// Last change of content or attributes.
    Change,
}

impl Attributes {
    /// Those of a new file with one name, owned by root, made now.
    pub fn new(device: u64, ino: u64, mode: u32, rdev: u64) -> Self {
        let now = now();
        Self {
            ino,
            device,
            rdev,
            mode: AtomicU32::new(mode),
            uid: AtomicU32::new(0),
            gid: AtomicU32::new(0),
            links: AtomicU32::new(1),
            atime: AtomicI64::new(now),
            mtime: AtomicI64::new(now),
            ctime: AtomicI64::new(now),
            born: now,
            writers: Writers::default(),
        }
    }

    /// Type and permissions.
    pub fn mode(&self) -> u32 {
        self.mode.load(Ordering::Relaxed)
    }

    /// The type's bits of the mode.
    pub fn kind(&self) -> u32 {
        self.mode() & mode::TYPE
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind() == mode::DIRECTORY
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.kind() == mode::SYMLINK
    }

    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.kind() == mode::REGULAR
    }

    /// Whether it is a device.
    pub fn is_device(&self) -> bool {
        matches!(self.kind(), mode::CHARACTER | mode::BLOCK)
    }

    /// Changes the permissions.
    pub fn set_permissions(&self, permissions: u32) {
        self.mode.store(self.kind() | permissions & mode::PERMISSIONS, Ordering::Relaxed);
        self.touch(&[Time::Change]);
    }

    /// Owner.
    pub fn uid(&self) -> u32 {
        self.uid.load(Ordering::Relaxed)
    }

    /// Group.
    pub fn gid(&self) -> u32 {
        self.gid.load(Ordering::Relaxed)
    }

    /// Changes owner and group, those that are given.
    pub fn set_owner(&self, uid: Option<u32>, gid: Option<u32>) {
        if let Some(uid) = uid {
            self.uid.store(uid, Ordering::Relaxed);
        }
        if let Some(gid) = gid {
            self.gid.store(gid, Ordering::Relaxed);
        }
        self.touch(&[Time::Change]);
    }

    /// Number of names.
    pub fn links(&self) -> u32 {
        self.links.load(Ordering::Relaxed)
    }

    /// Sets the number of names.
    pub fn set_links(&self, links: u32) {
        self.links.store(links, Ordering::Relaxed);
    }

    /// Counts names in or out.
    pub fn add_links(&self, change: i32) {
        self.links.fetch_add(change as u32, Ordering::Relaxed);
        self.touch(&[Time::Change]);
    }

    /// Sets `times` to the present.
    pub fn touch(&self, times: &[Time]) {
        let now = now();
        for &time in times {
            self.slot(time).store(now, Ordering::Relaxed);
        }
    }

    /// Notes a read: the access time moves when it is older than the last change or than a day, as on Linux (relatime).
    pub fn touch_read(&self) {
        const DAY_NS: i64 = 86_400_000_000_000;
        let accessed = self.atime.load(Ordering::Relaxed);
        let changed = self.mtime.load(Ordering::Relaxed).max(self.ctime.load(Ordering::Relaxed));
        if accessed <= changed || now() - accessed >= DAY_NS {
            self.touch(&[Time::Access]);
        }
    }

    /// One of its times, nanoseconds since 1970.
    pub fn time(&self, time: Time) -> i64 {
        self.slot(time).load(Ordering::Relaxed)
    }

    /// Sets one of its times, nanoseconds since 1970.
    pub fn set_time(&self, time: Time, ns: i64) {
        self.slot(time).store(ns, Ordering::Relaxed);
    }

    /// When it was made, nanoseconds since 1970.
    pub fn born(&self) -> i64 {
        self.born
    }

    fn slot(&self, time: Time) -> &AtomicI64 {
        match time {
            Time::Access => &self.atime,
            Time::Modify => &self.mtime,
            Time::Change => &self.ctime,
        }
    }
}

/// What stat(2) says of `inode`.
pub fn stat(inode: &dyn Inode) -> Stat {
    let attributes = inode.attributes();
    Stat {
        dev: attributes.device,
        ino: attributes.ino,
        nlink: u64::from(attributes.links()),
        mode: attributes.mode(),
        uid: attributes.uid(),
        gid: attributes.gid(),
        rdev: attributes.rdev,
        size: inode.size() as i64,
        blksize: crate::mm::PAGE_SIZE as i64,
        blocks: inode.blocks() as i64,
        atime: TimeSpec::from_nanos(attributes.time(Time::Access)),
        mtime: TimeSpec::from_nanos(attributes.time(Time::Modify)),
        ctime: TimeSpec::from_nanos(attributes.time(Time::Change)),
        ..Stat::default()
    }
}

/// Wall-clock time, nanoseconds since 1970.
pub fn now() -> i64 {
    crate::task::timer::clock::wall_ns()
}
