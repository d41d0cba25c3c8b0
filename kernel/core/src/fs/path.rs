//! Paths: places in the tree, and the walk from text to place.
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::fs::{NAME_MAX, PATH_MAX};
use tollgate_abi::{Errno, Result};

use super::mount::mounted_on;
use super::{Access, Dentry, Follow, Inode, Mount, permitted};

/// Symbolic links one walk follows.
const MAX_LINKS: u32 = 40;

/// A place in the tree.
#[derive(Clone)]
pub struct Path {
    /// The mount it is seen through.
    pub mount: Arc<Mount>,
    /// The name in that mount's tree.
    pub dentry: Arc<Dentry>,
}

impl Path {
    /// The root of `mount`.
    pub fn root_of(mount: &Arc<Mount>) -> Self {
        Self { mount: mount.clone(), dentry: mount.root().clone() }
    }

    /// The file there.
    pub fn inode(&self) -> &Arc<dyn Inode> {
        self.dentry.inode()
    }

    /// Whether both are the same place.
    pub fn is(&self, other: &Path) -> bool {
        Arc::ptr_eq(&self.dentry, &other.dentry) && Arc::ptr_eq(&self.mount, &other.mount)
    }

    /// The directory above: across mounts, but not above `root`, and not above what is in no tree.
    pub fn parent(&self, root: &Path) -> Path {
        let mut at = self.clone();
        loop {
            if at.is(root) {
                return at;
            }
            if let Some(parent) = at.dentry.parent() {
                return Path { mount: at.mount, dentry: parent };
            }
            match at.mount.at() {
                Some(below) => at = below.clone(),
                None => return at,
            }
        }
    }

    /// What is seen at this place: the root of what is mounted on it, if anything.
    pub fn covered(mut self) -> Path {
        while self.dentry.is_mount_point() {
            match mounted_on(&self.mount, &self.dentry) {
                Some(mount) => self = Self::root_of(&mount),
                None => break,
            }
        }
        self
    }

    /// Its text as seen from `root`, and whether it can be reached from there at all.
    pub fn text_from(&self, root: &Path) -> (Vec<u8>, bool) {
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        let mut at = self.clone();
        let reachable = loop {
            if at.is(root) {
                break true;
            }
            let (name, parent) = at.dentry.name_and_parent();
            match (parent, at.mount.at()) {
                (Some(parent), _) => {
                    names.push(name);
                    at.dentry = parent;
                }
                (None, Some(below)) => at = below.clone(),
                // A thing outside every tree shows its own name; above `root` there is nothing to add.
                (None, None) if !name.is_empty() => return (name.to_vec(), false),
                (None, None) => break false,
            }
        };
        let mut text = Vec::new();
        for name in names.iter().rev() {
            text.push(b'/');
            text.extend_from_slice(name);
        }
        if text.is_empty() {
            text.push(b'/');
        }
        (text, reachable)
    }

    /// Its text as /proc shows it: from the root of all, with `(deleted)` if the name is gone.
    pub fn text(&self) -> Vec<u8> {
        let (mut text, _) = self.text_from(super::root());
        if self.dentry.is_removed() {
            text.extend_from_slice(b" (deleted)");
        }
        text
    }
}

/// How a path ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Last {
    /// With an ordinary name.
    Name,
    /// With `.`.
    Dot,
    /// With `..`.
    DotDot,
    /// Without a name: it is `/`.
    Root,
}

/// A walk along a path's text.
///
/// [`Walk::walk_to_last`] goes up to the last component and leaves that to the caller, who finishes with [`Walk::last`] or
/// does something to the name; [`Walk::walk_to_end`] goes all the way.
pub struct Walk<'p> {
    root: Path,
    /// Where the walk is.
    pub at: Path,
    text: &'p [u8],
    next: usize,
    /// Links being followed, the innermost last, each with the offset of what comes next in it.
    links: Vec<(Box<[u8]>, usize)>,
    followed: u32,
    last: [u8; NAME_MAX],
    last_len: usize,
    slash: bool,
}

impl<'p> Walk<'p> {
    /// A walk along `text`, from `root` if it starts with a slash, else from `from`.
    ///
    /// # Errors
    /// `ENOENT` for the empty path, `ENAMETOOLONG`, `ENOTDIR` when `from` is needed and no directory.
    pub fn new(root: Path, from: impl FnOnce() -> Result<Path>, text: &'p [u8]) -> Result<Self> {
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        if text.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let at = if text[0] == b'/' { root.clone() } else { from()? };
        let links = Vec::new();
        Ok(Self { root, at, text, next: 0, links, followed: 0, last: [0; NAME_MAX], last_len: 0, slash: false })
    }

    /// The last component, after [`Self::walk_to_last`] said that there is one.
    pub fn last_name(&self) -> &[u8] {
        &self.last[..self.last_len]
    }

    /// Whether slashes follow the last component, which must then be a directory.
    pub fn wants_directory(&self) -> bool {
        self.slash
    }

    /// Walks up to the last component; `at` is then the directory it is to be looked for in.
    ///
    /// # Errors
    /// `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub fn walk_to_last(&mut self) -> Result<Last> {
        loop {
            let Some(is_last) = self.next_component()? else { return Ok(Last::Root) };
            // Names are looked up in directories only, the last one too.
            let directory = self.at.inode().attributes();
            if !directory.is_directory() {
                return Err(Errno::ENOTDIR);
            }
            permitted(directory, Access::EXECUTE)?;
            let kind = match self.last_name() {
                b"." => Last::Dot,
                b".." => Last::DotDot,
                _ => Last::Name,
            };
            if is_last {
                return Ok(kind);
            }
            match kind {
                Last::Name => {
                    let child = self.child()?;
                    self.enter(child, true)?;
                }
                Last::DotDot => self.at = self.at.parent(&self.root).covered(),
                Last::Dot | Last::Root => {}
            }
        }
    }

    /// Makes the last step after [`Self::walk_to_last`] gave `last`, and all those of a link found there if `follow`.
    ///
    /// # Errors
    /// As [`Self::walk_to_last`].
    pub fn last(&mut self, mut last: Last, follow: bool) -> Result<()> {
        loop {
            match last {
                Last::Dot | Last::Root => return Ok(()),
                Last::DotDot => {
                    self.at = self.at.parent(&self.root).covered();
                    return Ok(());
                }
                Last::Name => {
                    let child = self.child()?;
                    if !self.enter(child, follow || self.slash)? {
                        break;
                    }
                }
            }
            last = self.walk_to_last()?;
        }
        if self.slash && !self.at.inode().attributes().is_directory() {
            return Err(Errno::ENOTDIR);
        }
        Ok(())
    }

    /// Walks to the end; follows a link there if `follow` (or if slashes come after it).
    ///
    /// # Errors
    /// As [`Self::walk_to_last`].
    pub fn walk_to_end(mut self, follow: bool) -> Result<Path> {
        let last = self.walk_to_last()?;
        self.last(last, follow)?;
        Ok(self.at)
    }

    /// The last component's entry in `at`, whatever is mounted on it.
    ///
    /// # Errors
    /// `ENOENT`, and what else the file system says.
    pub fn child(&self) -> Result<Arc<Dentry>> {
        self.at.inode().lookup(&self.at.dentry, self.last_name())
    }

    /// Steps to `child` of `at` or, if it is a link and `follow`, begins to walk along the link: then true, and
    /// [`Self::walk_to_last`] goes on.
    ///
    /// # Errors
    /// `ELOOP`, and what else reading a link gives.
    pub fn enter(&mut self, child: Arc<Dentry>, follow: bool) -> Result<bool> {
        if child.inode().attributes().is_symlink() && follow {
            self.followed += 1;
            if self.followed > MAX_LINKS {
                return Err(Errno::ELOOP);
            }
            match child.inode().follow()? {
                Follow::Text(text) => {
                    if text.first() == Some(&b'/') {
                        self.at = self.root.clone();
                    }
                    self.links.push((text, 0));
                    return Ok(true);
                }
                Follow::Jump(path) => self.at = path,
            }
            return Ok(false);
        }
        self.at = Path { mount: self.at.mount.clone(), dentry: child };
        if self.at.dentry.is_mount_point() {
            self.at = self.at.clone().covered();
        }
        Ok(false)
    }

    /// Takes the next component into `last`; gives whether it is the very last, `None` when there is none.
    fn next_component(&mut self) -> Result<Option<bool>> {
        loop {
            let (text, next): (&[u8], &mut usize) = match self.links.last_mut() {
                Some((text, next)) => (text, next),
                None => (self.text, &mut self.next),
            };
            let rest = &text[*next..];
            let Some(start) = rest.iter().position(|&b| b != b'/') else {
                if self.links.pop().is_some() {
                    continue;
                }
                return Ok(None);
            };
            let rest = &rest[start..];
            let len = rest.iter().position(|&b| b == b'/').unwrap_or(rest.len());
            if len > NAME_MAX {
                return Err(Errno::ENAMETOOLONG);
            }
            self.last[..len].copy_from_slice(&rest[..len]);
            self.last_len = len;
            *next = text.len() - (rest.len() - len);
            let mut after = self.links.iter().map(|(text, next)| &text[*next..]).chain([&self.text[self.next..]]);
            let is_last = after.clone().all(|rest| rest.iter().all(|&b| b == b'/'));
            self.slash = is_last && after.any(|rest| !rest.is_empty());
            return Ok(Some(is_last));
        }
    }
}
