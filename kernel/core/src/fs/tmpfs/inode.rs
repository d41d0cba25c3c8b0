//! Files of a tmpfs.
use alloc::boxed::Box;
use alloc::sync::Arc;

use tollgate_abi::fs::{OpenFlags, RenameFlags, mode};
use tollgate_abi::{Errno, Result};

use super::Shared;
use super::dir::Entries;
use crate::fs::dir::DirSink;
use crate::fs::inode::Time;
use crate::fs::page_cache::PageCache;
use crate::fs::pipe::{self, Pipe};
use crate::fs::{Attributes, Dentry, File, FileOps, Follow, Inode, NewInode, Opening, Sink, Source, devices};
use crate::mm::PAGE_SIZE;
use crate::mm::frame::{self, Frame};
use crate::mm::space::MemoryObject;
use crate::sync::{Mutex, Rank};

/// A file of a tmpfs.
pub struct TmpInode {
    attributes: Attributes,
    shared: Arc<Shared>,
    body: Body,
}

enum Body {
    /// The lock admits one writer or truncater at a time.
    Regular(PageCache, Mutex<()>),
    Directory(Mutex<Entries>),
    Symlink(Box<[u8]>),
    Device,
    Fifo(Arc<Pipe>),
    Socket,
}

impl TmpInode {
    /// A new file.
    pub(super) fn new(shared: &Arc<Shared>, new: NewInode) -> Arc<Self> {
        let attributes = Attributes::new(shared.device, shared.next_ino(), new.mode, new.rdev);
        attributes.set_owner(Some(new.uid), Some(new.gid));
        let body = match new.mode & mode::TYPE {
            mode::DIRECTORY => {
                attributes.set_links(2);
                Body::Directory(Mutex::new(Rank::Directory, Entries::default()))
            }
            mode::SYMLINK => Body::Symlink(new.target),
            mode::CHARACTER | mode::BLOCK => Body::Device,
            mode::FIFO => Body::Fifo(Pipe::new()),
            mode::SOCKET => Body::Socket,
            _ => Body::Regular(PageCache::new(0), Mutex::new(Rank::Inode, ())),
        };
        Arc::new(Self { attributes, shared: shared.clone(), body })
    }

    /// A regular file without a name (memfd_create, O_TMPFILE).
    pub fn nameless(like: &TmpInode, new: NewInode) -> Arc<Self> {
        let inode = Self::new(&like.shared, new);
        inode.attributes.set_links(0);
        inode
    }

    /// Empties a directory of a file system that is going away; gives its subdirectories.
    pub(super) fn disband(&self) -> impl Iterator<Item = Arc<Dentry>> + use<> {
        let entries = match &self.body {
            // Nobody else has the file system any more; but whoever gave it up may hold a later lock.
            Body::Directory(entries) => core::mem::take(&mut *entries.lock_nested()),
            _ => Entries::default(),
        };
        entries.into_dentries().filter(|dentry| dentry.inode().attributes().is_directory())
    }

    pub(super) fn entries(&self) -> Result<&Mutex<Entries>> {
        match &self.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

impl Inode for TmpInode {
    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn size(&self) -> u64 {
        match &self.body {
            Body::Regular(cache, _) => cache.size(),
            Body::Directory(entries) => 40 + 20 * entries.lock().len() as u64,
            Body::Symlink(target) => target.len() as u64,
            _ => 0,
        }
    }

    fn blocks(&self) -> u64 {
        match &self.body {
            Body::Regular(cache, _) => cache.page_count() * 8,
            _ => 0,
        }
    }

    fn open(self: Arc<Self>, opening: &Opening) -> Result<Arc<dyn FileOps>> {
        match &self.body {
            Body::Device => devices::open(self.attributes.kind(), self.attributes.rdev, opening),
            Body::Fifo(pipe) => pipe::open_fifo(pipe, opening.flags),
            Body::Socket | Body::Symlink(_) => Err(Errno::ENXIO),
            Body::Regular(..) | Body::Directory(_) => Ok(self),
        }
    }

    fn lookup(&self, _: &Arc<Dentry>, name: &[u8]) -> Result<Arc<Dentry>> {
        self.entries()?.lock().get(name).cloned().ok_or(Errno::ENOENT)
    }

    fn create(&self, dentry: &Arc<Dentry>, name: &[u8], new: NewInode) -> Result<Arc<Dentry>> {
        frame::headroom()?;
        let mut entries = self.entries()?.lock();
        entries.check_new(name)?;
        let inode = TmpInode::new(&self.shared, new);
        if inode.attributes.is_directory() {
            self.attributes.add_links(1);
        }
        let name: Arc<[u8]> = name.into();
        let child = Dentry::new(inode, dentry, name.clone());
        entries.insert(name, child.clone());
        self.attributes.touch(&[Time::Modify, Time::Change]);
        Ok(child)
    }

    fn link(&self, dentry: &Arc<Dentry>, name: &[u8], inode: Arc<dyn Inode>) -> Result<()> {
        frame::headroom()?;
        let mut entries = self.entries()?.lock();
        entries.check_new(name)?;
        let attributes = inode.attributes();
        if attributes.links() >= u32::MAX - 1 {
            return Err(Errno::EMLINK);
        }
        attributes.add_links(1);
        let name: Arc<[u8]> = name.into();
        entries.insert(name.clone(), Dentry::new(inode, dentry, name));
        self.attributes.touch(&[Time::Modify, Time::Change]);
        Ok(())
    }

    fn unlink(&self, name: &[u8], directory: bool) -> Result<()> {
        let removed = {
            let mut entries = self.entries()?.lock();
            let child = entries.get(name).ok_or(Errno::ENOENT)?.clone();
            entries.remove_checked(&self.attributes, name, &child, directory)?;
            child
        };
        // The last reference may free a whole file: not with the directory locked.
        drop(removed);
        Ok(())
    }

    fn rename(
        &self,
        dentry: &Arc<Dentry>,
        name: &[u8],
        to: &Arc<Dentry>,
        to_name: &[u8],
        how: RenameFlags,
    ) -> Result<()> {
        self.rename_entry(dentry, name, to, to_name, how)
    }

    fn follow(&self) -> Result<Follow> {
        match &self.body {
            Body::Symlink(target) => Ok(Follow::Text(target.clone())),
            _ => Err(Errno::EINVAL),
        }
    }

    fn fill(&self, content: &mut Source<'_>) -> Result<()> {
        let Body::Regular(cache, one_at_a_time) = &self.body else { return Err(Errno::EINVAL) };
        let _one = one_at_a_time.lock();
        cache.write(&mut 0, content)?;
        if content.remaining() > 0 { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    fn truncate(&self, len: u64) -> Result<()> {
        match &self.body {
            Body::Regular(cache, one_at_a_time) => {
                let one = one_at_a_time.lock();
                let mapped = cache.resize(len);
                drop(one);
                if mapped {
                    let identity = core::ptr::from_ref(self).addr();
                    crate::task::spaces::unmap_object(identity, len.div_ceil(PAGE_SIZE as u64));
                }
                self.attributes.touch(&[Time::Modify, Time::Change]);
                Ok(())
            }
            Body::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl FileOps for TmpInode {
    fn read(&self, file: &File, offset: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        let Body::Regular(cache, _) = &self.body else { return Err(Errno::EISDIR) };
        let read = cache.read(offset, to);
        if !file.flags().contains(OpenFlags::NOATIME) {
            self.attributes.touch_read();
        }
        read
    }

    fn write(&self, file: &File, offset: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        let Body::Regular(cache, one_at_a_time) = &self.body else { return Err(Errno::EISDIR) };
        let _one = one_at_a_time.lock();
        if file.flags().contains(OpenFlags::APPEND) {
            *offset = cache.size();
        }
        if *offset > i64::MAX as u64 - from.remaining() as u64 {
            return Err(Errno::EFBIG);
        }
        let wrote = cache.write(offset, from);
        self.attributes.touch(&[Time::Modify, Time::Change]);
        wrote
    }

    fn readdir(&self, _: &File, offset: &mut u64, sink: &mut DirSink<'_>) -> Result<()> {
        let entries = self.entries()?;
        self.attributes.touch_read();
        entries.lock().read(offset, sink)
    }

    fn page(&self, index: u64) -> Result<Frame> {
        match &self.body {
            Body::Regular(cache, _) => cache.page(index),
            _ => Err(Errno::ENXIO),
        }
    }

    fn page_at_hand(&self, index: u64) -> Option<Frame> {
        match &self.body {
            Body::Regular(cache, _) => cache.page_at_hand(index),
            _ => None,
        }
    }

    fn memory_object(&self, file: &Arc<File>) -> Result<Arc<dyn MemoryObject>> {
        match &self.body {
            Body::Regular(..) => Ok(file.clone()),
            _ => Err(Errno::ENODEV),
        }
    }
}
