//! /proc: files made of what the kernel knows, at the moment they are read.
//!
//! A [`Node`] says what a name leads to: a directory, a text or a link. Nothing is kept: each lookup makes the node anew,
//! and a node of a task holds it only weakly, so that looking never keeps one alive.
mod fds;
mod memory;
mod process;
mod status;
mod system;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::fs::{Statfs, mode};
use tollgate_abi::{Errno, Result};

use super::dir::{DirSink, Entry, FIRST_ENTRY};
use super::{Attributes, Dentry, File, FileOps, FileSystem, Follow, Inode, NewInode, Opening, Sink};
use crate::mm::PAGE_SIZE;
use crate::sync::{Mutex, Once, Rank};

/// Makes the content of a text.
type Produce = Box<dyn Fn() -> Result<Vec<u8>> + Send + Sync>;
/// Finds where a link leads.
type FindTarget = Box<dyn Fn() -> Result<Follow> + Send + Sync>;

/// What a name leads to.
struct Node {
    permissions: u32,
    uid: u32,
    gid: u32,
    kind: Kind,
}

enum Kind {
    Directory(Box<dyn Directory>),
    Text(Produce),
    Link(FindTarget),
}

impl Kind {
    const fn mode(&self) -> u32 {
        match self {
            Self::Directory(_) => mode::DIRECTORY,
            Self::Text(_) => mode::REGULAR,
            Self::Link(_) => mode::SYMLINK,
        }
    }
}

impl Node {
    /// A node owned by root, readable by all.
    fn new(kind: Kind) -> Self {
        let permissions = match kind {
            Kind::Directory(_) => 0o555,
            Kind::Text(_) => 0o444,
            Kind::Link(_) => 0o777,
        };
        Self { permissions, uid: 0, gid: 0, kind }
    }
}

/// A directory.
trait Directory: Send + Sync {
    /// What `name` leads to.
    ///
    /// # Errors
    /// `ENOENT`.
    fn lookup(&self, name: &[u8]) -> Result<Node>;

    /// Gives names from place `from` on: each with its type (of `st_mode`) and the place after it; `take` says whether
    /// to go on.
    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool);
}

/// A directory whose names are fixed.
struct Fixed(&'static [Named]);

/// A name and what makes its file.
type Named = (&'static str, fn() -> Kind);

impl Directory for Fixed {
    fn lookup(&self, name: &[u8]) -> Result<Node> {
        let entry = self.0.iter().find(|(own, _)| own.as_bytes() == name);
        entry.map(|(_, make)| Node::new(make())).ok_or(Errno::ENOENT)
    }

    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool) {
        for (place, (name, make)) in (0..).zip(self.0).skip(from as usize) {
            if !take(name.as_bytes(), make().mode(), place + 1) {
                break;
            }
        }
    }
}

/// A file of /proc.
struct ProcInode {
    attributes: Attributes,
    node: Node,
}

impl ProcInode {
    fn new(device: u64, ino: u64, node: Node) -> Arc<Self> {
        let attributes = Attributes::new(device, ino, node.kind.mode() | node.permissions, 0);
        attributes.set_owner(Some(node.uid), Some(node.gid));
        if attributes.is_directory() {
            attributes.set_links(2);
        }
        Arc::new(Self { attributes, node })
    }

    /// The number of entry `name`: made of its path, so that listing and looking agree.
    fn ino_of(&self, name: &[u8]) -> u64 {
        let fold = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        name.iter().fold(self.attributes.ino ^ 0xcbf2_9ce4_8422_2325, fold) >> 16
    }
}

impl Inode for ProcInode {
    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn open(self: Arc<Self>, _: &Opening) -> Result<Arc<dyn FileOps>> {
        match self.node.kind {
            Kind::Directory(_) => Ok(self),
            Kind::Text(_) => Ok(Arc::new(Text { inode: self, content: Mutex::new(Rank::Inode, None) })),
            Kind::Link(_) => Err(Errno::ELOOP),
        }
    }

    fn lookup(&self, dentry: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        let Kind::Directory(directory) = &self.node.kind else { return Err(Errno::ENOTDIR) };
        let inode = ProcInode::new(self.attributes.device, self.ino_of(name), directory.lookup(name)?);
        Ok(Dentry::new(inode, dentry, name.into()))
    }

    fn create(&self, _: &Arc<Dentry>, _: &[u8], _: NewInode) -> Result<Arc<Dentry>> {
        Err(Errno::ENOENT) // As on Linux: no name can be made here.
    }

    fn size(&self) -> u64 {
        // Links whose text would have to be made first claim this much on Linux.
        if self.attributes.is_symlink() { 64 } else { 0 }
    }

    fn follow(&self) -> Result<Follow> {
        match &self.node.kind {
            Kind::Link(target) => target(),
            _ => Err(Errno::EINVAL),
        }
    }

    /// O_TRUNC on a file that can be opened for writing changes nothing, as on Linux.
    fn truncate(&self, _: u64) -> Result<()> {
        Err(Errno::EACCES)
    }
}

impl FileOps for ProcInode {
    fn read(&self, _: &File, _: &mut u64, _: &mut Sink<'_>) -> Result<usize> {
        Err(Errno::EISDIR)
    }

    fn readdir(&self, _: &File, offset: &mut u64, sink: &mut DirSink<'_>) -> Result<()> {
        let Kind::Directory(directory) = &self.node.kind else { return Err(Errno::ENOTDIR) };
        directory.list(offset.saturating_sub(FIRST_ENTRY), &mut |name, kind, place| {
            let next = place + FIRST_ENTRY;
            let taken = sink(Entry { name, ino: self.ino_of(name), kind, next });
            if taken {
                *offset = next;
            }
            taken
        });
        Ok(())
    }
}

/// A text, open: made when read from its start, and kept until then so that reading in pieces gives one moment's text.
struct Text {
    inode: Arc<ProcInode>,
    content: Mutex<Option<Arc<[u8]>>>,
}

impl Text {
    fn content(&self, anew: bool) -> Result<Arc<[u8]>> {
        if let Some(content) = self.content.lock().as_ref().filter(|_| !anew) {
            return Ok(content.clone());
        }
        let Kind::Text(produce) = &self.inode.node.kind else { return Err(Errno::EINVAL) };
        let content: Arc<[u8]> = produce()?.into();
        let old = self.content.lock().replace(content.clone());
        drop(old);
        Ok(content)
    }
}

impl FileOps for Text {
    fn read(&self, _: &File, offset: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        let content = self.content(*offset == 0)?;
        let rest = content.get((*offset).try_into().unwrap_or(usize::MAX)..).unwrap_or_default();
        let want = to.remaining().min(rest.len());
        *offset += to.put(&rest[..want]) as u64;
        to.result()
    }
}

/// The file system. There is one, however often it is mounted.
struct ProcFs {
    root: Arc<Dentry>,
}

impl FileSystem for ProcFs {
    fn name(&self) -> &'static str {
        "proc"
    }

    fn root(&self) -> Arc<Dentry> {
        self.root.clone()
    }

    fn statfs(&self) -> Statfs {
        const PROC_MAGIC: i64 = 0x9fa0;
        Statfs {
            kind: PROC_MAGIC,
            bsize: PAGE_SIZE as i64,
            frsize: PAGE_SIZE as i64,
            namelen: 255,
            ..Statfs::default()
        }
    }
}

/// The proc file system.
pub fn file_system() -> Arc<dyn FileSystem> {
    static PROC: Once<Arc<ProcFs>> = Once::new();
    let make = || {
        let root = ProcInode::new(super::mount::next_device(), 1, Node::new(Kind::Directory(Box::new(process::Root))));
        Arc::new(ProcFs { root: Dentry::root(root, b"") })
    };
    PROC.call_once(make).clone()
}

/// A text from a function.
fn text(produce: fn() -> Vec<u8>) -> Kind {
    Kind::Text(Box::new(move || Ok(produce())))
}
