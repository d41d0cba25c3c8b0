//! mount and umount.
use alloc::sync::Arc;

use tollgate_abi::fs::{AT_FDCWD, MountFlags, PATH_MAX, UmountFlags};
use tollgate_abi::{Errno, Result};

use super::stat::path;
use crate::fs::mount::{self, FileSystem};
use crate::fs::open::resolve_at;
use crate::fs::tmpfs::TmpFs;
use crate::fs::{devices, proc};
use crate::mm::user::{UserPtr, read_string};
use crate::task::current;

crate::flags_argument!(MountFlags: u64, UmountFlags: u32);

/// mount(2): proc, tmpfs and devtmpfs; nothing else can be mounted, and nothing remounted or bound.
pub(super) fn mount(
    source: UserPtr<u8>,
    target: UserPtr<u8>,
    kind: UserPtr<u8>,
    flags: MountFlags,
    data: UserPtr<u8>,
) -> Result<usize> {
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    let string = |at: UserPtr<u8>| match at.non_null() {
        Some(at) => read_string(at.addr(), PATH_MAX, Errno::EINVAL),
        None => Ok(alloc::vec::Vec::new()),
    };
    let (source, data) = (string(source)?, string(data)?);
    let at = resolve_at(AT_FDCWD, &path(target)?, true)?;
    if flags.intersects(MountFlags::PROPAGATION) {
        // No mount here ever spreads to others: private is what they all are.
        return if flags.contains(MountFlags::SHARED) { Err(Errno::EINVAL) } else { Ok(0) };
    }
    if flags.intersects(MountFlags::REMOUNT | MountFlags::BIND | MountFlags::MOVE) || kind.is_null() {
        return Err(Errno::EINVAL);
    }
    let file_system: Arc<dyn FileSystem> = match &string(kind)?[..] {
        b"proc" if data.is_empty() => proc::file_system(),
        b"devtmpfs" => devices::file_system()?,
        b"tmpfs" | b"ramfs" => Arc::new(TmpFs::new("tmpfs", root_permissions(&data)?)),
        b"proc" => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENODEV),
    };
    mount::mount(file_system, &source, flags, at).map(|()| 0)
}

/// The permissions of a tmpfs's root from its options: `mode=OCTAL` is the one option there is.
fn root_permissions(options: &[u8]) -> Result<u32> {
    let mut permissions = 0o1777;
    for option in options.split(|&b| b == b',').filter(|option| !option.is_empty()) {
        let digits = option.strip_prefix(b"mode=").ok_or(Errno::EINVAL)?;
        let digits = core::str::from_utf8(digits).map_err(|_| Errno::EINVAL)?;
        permissions = u32::from_str_radix(digits, 8).map_err(|_| Errno::EINVAL)? & 0o7777;
    }
    Ok(permissions)
}

/// umount2(2).
pub(super) fn umount2(target: UserPtr<u8>, flags: UmountFlags) -> Result<usize> {
    if !current().creds().is_privileged() {
        return Err(Errno::EPERM);
    }
    if flags.contains(UmountFlags::EXPIRE) {
        return Err(Errno::EINVAL);
    }
    let at = resolve_at(AT_FDCWD, &path(target)?, !flags.contains(UmountFlags::NOFOLLOW))?;
    if !Arc::ptr_eq(&at.dentry, at.mount.root()) {
        return Err(Errno::EINVAL);
    }
    let mounted = at.mount.clone();
    drop(at);
    mount::unmount(&mounted, flags.contains(UmountFlags::DETACH)).map(|()| 0)
}
