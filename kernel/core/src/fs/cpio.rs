//! The initial ramdisk: a cpio archive in the newc format, unpacked into the root file system.
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use tollgate_abi::fs::{make_device, mode};
use tollgate_abi::{Errno, Result};

use super::inode::Time;
use super::{Dentry, Inode, NewInode, Source};

const HEADER: usize = 110;
const MAGIC: [&[u8]; 2] = [b"070701", b"070702"];
const TRAILER: &[u8] = b"TRAILER!!!";

/// One member of an archive.
struct Member<'a> {
    ino: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: u32,
    device: u64,
    name: &'a [u8],
    data: &'a [u8],
}

/// Why an archive could not be unpacked.
#[derive(Debug)]
pub struct Broken {
    /// Byte offset of the member at fault.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// Unpacks `archive` into the directory `root`; a file in it replaces nothing that is there.
///
/// # Errors
/// Where and why the archive is broken.
pub fn unpack(archive: &[u8], root: &Arc<Dentry>) -> Result<(), Broken> {
    let mut offset = 0;
    // Files with several names: the first member with their number makes them, the others link to it.
    let mut linked = BTreeMap::new();
    loop {
        let broken = |reason| Broken { offset, reason };
        let (member, next) = parse(archive, offset).map_err(broken)?;
        if member.name == TRAILER {
            return Ok(());
        }
        place(&member, root, &mut linked).map_err(|errno| {
            broken(match errno {
                Errno::EEXIST => "a name appears twice",
                Errno::ENOENT => "a member comes before its directory",
                Errno::ENOTDIR => "a member lies below one that is no directory",
                Errno::ENOMEM | Errno::ENOSPC => "it does not fit into memory",
                Errno::EINVAL => "a member has an invalid type",
                _ => "a member cannot be made",
            })
        })?;
        offset = next;
    }
}

/// The data of the member `name` (without leading slash), as it lies in the archive.
pub fn find<'a>(archive: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut offset = 0;
    loop {
        let (member, next) = parse(archive, offset).ok()?;
        match member.name {
            found if found.strip_prefix(b"/").unwrap_or(found) == name => return Some(member.data),
            TRAILER => return None,
            _ => offset = next,
        }
    }
}

/// The member at `offset` and where the next one is.
fn parse(archive: &[u8], offset: usize) -> Result<(Member<'_>, usize), &'static str> {
    let header = archive.get(offset..offset + HEADER).ok_or("it ends without a trailer")?;
    if !MAGIC.contains(&&header[..6]) {
        return Err("a header has a wrong magic number (is it an uncompressed newc archive?)");
    }
    let mut fields = [0; 13];
    for (field, digits) in fields.iter_mut().zip(header[6..].chunks(8)) {
        let text = core::str::from_utf8(digits).map_err(|_| "a header field is not hexadecimal")?;
        *field = u32::from_str_radix(text, 16).map_err(|_| "a header field is not hexadecimal")?;
    }
    let [ino, mode, uid, gid, links, mtime, size, _, _, rdev_major, rdev_minor, name_size, _] = fields;
    let name_at = offset + HEADER;
    let name_end = name_at + name_size as usize;
    let name = archive.get(name_at..name_end).ok_or("a name goes past the end")?;
    let name = name.strip_suffix(&[0]).ok_or("a name is not terminated")?;
    let data_at = name_end.next_multiple_of(4);
    let data = archive.get(data_at..data_at + size as usize).ok_or("a member's data go past the end")?;
    let member = Member { ino, mode, uid, gid, links, mtime, device: make_device(rdev_major, rdev_minor), name, data };
    Ok((member, (data_at + size as usize).next_multiple_of(4)))
}

/// Makes the file of `member`.
fn place(member: &Member<'_>, root: &Arc<Dentry>, linked: &mut BTreeMap<u32, Arc<dyn Inode>>) -> Result<()> {
    let mut directory = root.clone();
    let mut parts = member.name.split(|&b| b == b'/').filter(|part| !part.is_empty() && part != b".");
    let Some(mut name) = parts.next() else {
        root.inode().attributes().set_permissions(member.mode);
        return Ok(());
    };
    for after in parts {
        directory = directory.inode().lookup(&directory, name)?;
        name = after;
    }
    let kind = member.mode & mode::TYPE;
    let several_names = member.links > 1 && kind == mode::REGULAR;
    let inode = match linked.get(&member.ino).filter(|_| several_names).cloned() {
        Some(inode) => {
            directory.inode().link(&directory, name, inode.clone())?;
            inode
        }
        None => {
            let target = if kind == mode::SYMLINK { member.data.into() } else { Default::default() };
            let new = NewInode { mode: member.mode, uid: member.uid, gid: member.gid, rdev: member.device, target };
            if !matches!(
                kind,
                mode::REGULAR | mode::DIRECTORY | mode::SYMLINK | mode::CHARACTER | mode::BLOCK | mode::FIFO
            ) {
                return Err(Errno::EINVAL);
            }
            directory.inode().create(&directory, name, new)?.inode().clone()
        }
    };
    if several_names {
        linked.insert(member.ino, inode.clone());
    }
    if kind == mode::REGULAR && !member.data.is_empty() {
        inode.fill(&mut Source::kernel(member.data))?;
    }
    let attributes = inode.attributes();
    for time in [Time::Access, Time::Modify, Time::Change] {
        attributes.set_time(time, i64::from(member.mtime) * 1_000_000_000);
    }
    Ok(())
}
