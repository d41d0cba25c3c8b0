//! Files: open flags, modes, and the structures of stat, statx, directory entries, poll and the like.
use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::time::TimeSpec;

/// The directory descriptor that stands for the working directory in the `*at` calls.
pub const AT_FDCWD: i32 = -100;
/// Longest path a call takes, with its NUL.
pub const PATH_MAX: usize = 4096;
/// Longest name of one directory entry.
pub const NAME_MAX: usize = 255;
/// Most `iovec`s one call takes.
pub const IOV_MAX: usize = 1024;
/// Most bytes one read or write moves.
pub const MAX_RW_COUNT: usize = 0x7fff_f000;
/// Writes to a pipe of up to this many bytes are not torn apart.
pub const PIPE_BUF: usize = 4096;

bitflags! {
    /// open(2) flags. Linux ignores unknown bits there, so do we.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct OpenFlags: u32 {
        /// Write only.
        const WRONLY = 0o1;
        /// Read and write.
        const RDWR = 0o2;
        /// Create the file if there is none.
        const CREAT = 0o100;
        /// With CREAT: fail if there is one.
        const EXCL = 0o200;
        /// Do not make a terminal the controlling one.
        const NOCTTY = 0o400;
        /// Cut the file to length 0.
        const TRUNC = 0o1000;
        /// Each write goes to the end.
        const APPEND = 0o2000;
        /// Fail with EAGAIN rather than wait.
        const NONBLOCK = 0o4000;
        /// Data are on the device when write returns.
        const DSYNC = 0o10000;
        /// Signal-driven input and output.
        const ASYNC = 0o20000;
        /// Past the page cache; for pipes: packets.
        const DIRECT = 0o40000;
        /// Ignored on 64-bit.
        const LARGEFILE = 0o100000;
        /// Fail with ENOTDIR unless it is a directory.
        const DIRECTORY = 0o200000;
        /// Fail with ELOOP if the last component is a symbolic link.
        const NOFOLLOW = 0o400000;
        /// Leave the access time alone.
        const NOATIME = 0o1000000;
        /// Close on exec.
        const CLOEXEC = 0o2000000;
        /// With DSYNC: attributes too (O_SYNC is both).
        const SYNC_ATTRIBUTES = 0o4000000;
        /// Name the file only: no read, no write.
        const PATH = 0o10000000;
        /// With DIRECTORY (O_TMPFILE is both): a file without a name.
        const TMPFILE_ONLY = 0o20000000;
    }
}

impl OpenFlags {
    /// O_ACCMODE: the access bits.
    pub const ACCESS: Self = Self::WRONLY.union(Self::RDWR);
    /// O_TMPFILE.
    pub const TMPFILE: Self = Self::TMPFILE_ONLY.union(Self::DIRECTORY);
    /// What F_SETFL can change.
    pub const CHANGEABLE: Self =
        Self::APPEND.union(Self::NONBLOCK).union(Self::ASYNC).union(Self::DIRECT).union(Self::NOATIME);

    /// Whether reads are asked for.
    pub const fn reads(self) -> bool {
        self.bits() & Self::ACCESS.bits() == 0 || self.bits() & Self::ACCESS.bits() == Self::RDWR.bits()
    }

    /// Whether writes are asked for.
    pub const fn writes(self) -> bool {
        self.bits() & Self::ACCESS.bits() == Self::WRONLY.bits()
            || self.bits() & Self::ACCESS.bits() == Self::RDWR.bits()
    }
}

bitflags! {
    /// Flags of the `*at` calls. Each call takes some of them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AtFlags: u32 {
        /// Do not follow a symbolic link at the end.
        const SYMLINK_NOFOLLOW = 0x100;
        /// faccessat: check the effective ids; unlinkat: remove a directory (the same bit).
        const EACCESS_OR_REMOVEDIR = 0x200;
        /// linkat: follow a symbolic link at the end.
        const SYMLINK_FOLLOW = 0x400;
        /// Do not trigger automounts.
        const NO_AUTOMOUNT = 0x800;
        /// An empty path means the descriptor itself.
        const EMPTY_PATH = 0x1000;
        /// statx: bring attributes up to date first.
        const STATX_FORCE_SYNC = 0x2000;
        /// statx: take what is known.
        const STATX_DONT_SYNC = 0x4000;
    }
}

/// File types and permission bits of `st_mode`.
pub mod mode {
    /// The type's bits.
    pub const TYPE: u32 = 0o170000;
    /// UNIX socket.
    pub const SOCKET: u32 = 0o140000;
    /// Symbolic link.
    pub const SYMLINK: u32 = 0o120000;
    /// Regular file.
    pub const REGULAR: u32 = 0o100000;
    /// Block device.
    pub const BLOCK: u32 = 0o060000;
    /// Directory.
    pub const DIRECTORY: u32 = 0o040000;
    /// Character device.
    pub const CHARACTER: u32 = 0o020000;
    /// Named pipe.
    pub const FIFO: u32 = 0o010000;
    /// Set-user-ID.
    pub const SETUID: u32 = 0o4000;
    /// Set-group-ID.
    pub const SETGID: u32 = 0o2000;
    /// Sticky.
    pub const STICKY: u32 = 0o1000;
    /// Everything but the type.
    pub const PERMISSIONS: u32 = 0o7777;
}

/// Makes a device number as `st_rdev` carries it.
pub const fn make_device(major: u32, minor: u32) -> u64 {
    (minor as u64 & 0xff) | (major as u64 & 0xfff) << 8 | (minor as u64 & !0xff) << 12 | (major as u64 & !0xfff) << 32
}

/// The major number in a device number.
pub const fn major(device: u64) -> u32 {
    ((device >> 8) & 0xfff | (device >> 32) & !0xfff) as u32
}

/// The minor number in a device number.
pub const fn minor(device: u64) -> u32 {
    (device & 0xff | (device >> 12) & 0xfff_ff00) as u32
}

/// utimensat, in place of nanoseconds: the present time.
pub const UTIME_NOW: i64 = (1 << 30) - 1;
/// utimensat, in place of nanoseconds: leave it as it is.
pub const UTIME_OMIT: i64 = (1 << 30) - 2;

/// `struct stat`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "stat(2) names the fields")]
pub struct Stat {
    pub dev: u64,
    pub ino: u64,
    pub nlink: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub pad: u32,
    pub rdev: u64,
    pub size: i64,
    pub blksize: i64,
    pub blocks: i64,
    pub atime: TimeSpec,
    pub mtime: TimeSpec,
    pub ctime: TimeSpec,
    pub unused: [i64; 3],
}

/// `struct statx_timestamp`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "statx(2) names the fields")]
pub struct StatxTime {
    pub sec: i64,
    pub nsec: u32,
    pub pad: i32,
}

/// `struct statx`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "statx(2) names the fields")]
pub struct Statx {
    pub mask: u32,
    pub blksize: u32,
    pub attributes: u64,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub mode: u16,
    pub pad1: u16,
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub attributes_mask: u64,
    pub atime: StatxTime,
    pub btime: StatxTime,
    pub ctime: StatxTime,
    pub mtime: StatxTime,
    pub rdev_major: u32,
    pub rdev_minor: u32,
    pub dev_major: u32,
    pub dev_minor: u32,
    pub mnt_id: u64,
    pub spare: [u64; 13],
}

/// statx: all of `struct stat`'s fields.
pub const STATX_BASIC_STATS: u32 = 0x7ff;
/// statx: the birth time.
pub const STATX_BTIME: u32 = 0x800;
/// statx: the mount's number.
pub const STATX_MNT_ID: u32 = 0x1000;
/// statx: a bit for the future; refused.
pub const STATX_RESERVED: u32 = 0x8000_0000;
/// statx attribute: the file is the root of a mount.
pub const STATX_ATTR_MOUNT_ROOT: u64 = 0x2000;

/// `struct statfs`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "statfs(2) names the fields")]
pub struct Statfs {
    pub kind: i64,
    pub bsize: i64,
    pub blocks: u64,
    pub bfree: u64,
    pub bavail: u64,
    pub files: u64,
    pub ffree: u64,
    pub fsid: [i32; 2],
    pub namelen: i64,
    pub frsize: i64,
    pub flags: i64,
    pub spare: [i64; 4],
}

/// `struct iovec`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IoVec {
    /// Address.
    pub base: u64,
    /// Bytes.
    pub len: u64,
}

/// The fixed part of `struct linux_dirent64`; the name and a NUL follow.
#[derive(Clone, Copy, Debug, Default, IntoBytes, Immutable)]
#[repr(C, packed)]
#[expect(missing_docs, reason = "getdents64(2) names the fields")]
pub struct Dirent64 {
    pub ino: u64,
    pub off: i64,
    pub reclen: u16,
    pub kind: u8,
}

/// `struct pollfd`.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "poll(2) names the fields")]
pub struct PollFd {
    pub fd: i32,
    pub events: i16,
    pub revents: i16,
}

bitflags! {
    /// What poll(2) waits for and reports.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct PollEvents: u16 {
        /// Readable.
        const IN = 0x1;
        /// Urgent data.
        const PRI = 0x2;
        /// Writable.
        const OUT = 0x4;
        /// An error; always reported.
        const ERR = 0x8;
        /// The other side is gone; always reported.
        const HUP = 0x10;
        /// No such descriptor; always reported.
        const NVAL = 0x20;
        /// As IN.
        const RDNORM = 0x40;
        /// Readable, with priority.
        const RDBAND = 0x80;
        /// As OUT.
        const WRNORM = 0x100;
        /// Writable, with priority.
        const WRBAND = 0x200;
        /// The peer writes no more.
        const RDHUP = 0x2000;
    }
}

/// fcntl(2) commands.
#[expect(missing_docs, reason = "fcntl(2) names them")]
pub mod fcntl {
    pub const F_DUPFD: i32 = 0;
    pub const F_GETFD: i32 = 1;
    pub const F_SETFD: i32 = 2;
    pub const F_GETFL: i32 = 3;
    pub const F_SETFL: i32 = 4;
    pub const F_DUPFD_CLOEXEC: i32 = 1030;
    pub const F_SETPIPE_SZ: i32 = 1031;
    pub const F_GETPIPE_SZ: i32 = 1032;
    pub const FD_CLOEXEC: u64 = 1;
}

/// lseek(2)'s `whence`.
#[expect(missing_docs, reason = "lseek(2) names them")]
pub mod whence {
    pub const SEEK_SET: i32 = 0;
    pub const SEEK_CUR: i32 = 1;
    pub const SEEK_END: i32 = 2;
    pub const SEEK_DATA: i32 = 3;
    pub const SEEK_HOLE: i32 = 4;
}

bitflags! {
    /// renameat2(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RenameFlags: u32 {
        /// Do not replace.
        const NOREPLACE = 1;
        /// Swap the two.
        const EXCHANGE = 2;
        /// Leave a whiteout.
        const WHITEOUT = 4;
    }

    /// access(2) modes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct AccessMode: u32 {
        /// Execute or search.
        const EXECUTE = 1;
        /// Write.
        const WRITE = 2;
        /// Read.
        const READ = 4;
    }

    /// close_range(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct CloseRangeFlags: u32 {
        /// Stop sharing the table first.
        const UNSHARE = 2;
        /// Mark close-on-exec instead of closing.
        const CLOEXEC = 4;
    }

    /// dup3(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DupFlags: u32 {
        /// Close on exec.
        const CLOEXEC = OpenFlags::CLOEXEC.bits();
    }

    /// pipe2(2) flags. (O_DIRECT's packets are not known.)
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PipeFlags: u32 {
        /// Close on exec.
        const CLOEXEC = OpenFlags::CLOEXEC.bits();
        /// Fail with EAGAIN rather than wait.
        const NONBLOCK = OpenFlags::NONBLOCK.bits();
    }

    /// memfd_create(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MemfdFlags: u32 {
        /// Close on exec.
        const CLOEXEC = 1;
        /// Seals may be added.
        const ALLOW_SEALING = 2;
    }

    /// getrandom(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RandomFlags: u32 {
        /// Do not wait for entropy.
        const NONBLOCK = 1;
        /// From the random source.
        const RANDOM = 2;
        /// Even before the pool is initialised.
        const INSECURE = 4;
    }

    /// mount(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct MountFlags: u64 {
        /// Nothing can be changed.
        const RDONLY = 1;
        /// Set-user-ID programs run as who starts them.
        const NOSUID = 2;
        /// Device files cannot be opened.
        const NODEV = 4;
        /// Programs cannot be executed.
        const NOEXEC = 8;
        /// Change the flags of a mount.
        const REMOUNT = 32;
        /// Access times stay.
        const NOATIME = 1 << 10;
        /// Access times of directories stay.
        const NODIRATIME = 1 << 11;
        /// Show a tree at a second place.
        const BIND = 1 << 12;
        /// Move a mount.
        const MOVE = 1 << 13;
        /// With others: for all mounts below too.
        const REC = 1 << 14;
        /// No messages.
        const SILENT = 1 << 15;
        /// Propagation: cannot be bound.
        const UNBINDABLE = 1 << 17;
        /// Propagation: private.
        const PRIVATE = 1 << 18;
        /// Propagation: slave.
        const SLAVE = 1 << 19;
        /// Propagation: shared.
        const SHARED = 1 << 20;
        /// Access times move when older than changes.
        const RELATIME = 1 << 21;
        /// Access times always move.
        const STRICTATIME = 1 << 24;
    }

    /// umount2(2) flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct UmountFlags: u32 {
        /// Even if busy.
        const FORCE = 1;
        /// Detach now, clean up when no longer busy.
        const DETACH = 2;
        /// Mark as expired.
        const EXPIRE = 4;
        /// Do not follow a symbolic link.
        const NOFOLLOW = 8;
    }
}

impl MountFlags {
    /// The flags that change how mounts spread.
    pub const PROPAGATION: Self = Self::UNBINDABLE.union(Self::PRIVATE).union(Self::SLAVE).union(Self::SHARED);
}
