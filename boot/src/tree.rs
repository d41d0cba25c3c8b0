//! The files of an initramfs, before they are written as an archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cpio;

/// Where a file's bytes come from.
#[derive(Debug, Clone)]
enum Contents {
    /// A file on the host, read when the archive is written.
    Host(PathBuf),
    /// Bytes made here.
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone)]
enum Node {
    Directory { mode: u32 },
    File { mode: u32, contents: Contents },
    Symlink { target: String },
    Device { mode: u32, major: u32, minor: u32 },
}

/// A tree of files, by path without leading slash. Sorted, so parents come before their children.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a directory and its missing parents.
    pub fn directory(&mut self, path: &str, mode: u32) -> Result<()> {
        self.insert(path, Node::Directory { mode })
    }

    /// Adds a file with these bytes.
    pub fn bytes(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Result<()> {
        self.insert(path, Node::File { mode, contents: Contents::Bytes(bytes.into()) })
    }

    /// Adds a symbolic link.
    pub fn symlink(&mut self, path: &str, target: &str) -> Result<()> {
        self.insert(path, Node::Symlink { target: target.to_owned() })
    }

    /// Adds a character device node.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) -> Result<()> {
        self.insert(path, Node::Device { mode, major, minor })
    }

    /// Adds a file or a whole folder of the host; links inside a folder stay links.
    pub fn host(&mut self, path: &str, host: &Path) -> Result<()> {
        let metadata = fs::metadata(host).with_context(|| format!("cannot read {}", host.display()))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_file() {
            return self.insert(path, Node::File { mode, contents: Contents::Host(host.to_owned()) });
        }
        if !metadata.is_dir() {
            bail!("{} is neither a file nor a folder", host.display());
        }
        self.directory(path, mode)?;
        for entry in fs::read_dir(host).with_context(|| format!("cannot list {}", host.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().with_context(|| format!("{:?} is not UTF-8", entry.path()))?;
            let inside = format!("{}/{name}", path.trim_end_matches('/'));
            if entry.file_type()?.is_symlink() {
                let target = fs::read_link(entry.path())?;
                let target = target.to_str().with_context(|| format!("{target:?} is not UTF-8"))?;
                self.symlink(&inside, target)?;
            } else {
                self.host(&inside, &entry.path())?;
            }
        }
        Ok(())
    }

    /// Adds all of another tree's files; they replace those of the same path.
    pub fn extend(&mut self, other: Tree) -> Result<()> {
        other.nodes.into_iter().try_for_each(|(path, node)| match (self.nodes.get(&path), &node) {
            (Some(Node::Directory { .. } | Node::Symlink { .. }), Node::Directory { .. }) => Ok(()),
            _ => self.insert(&path, node),
        })
    }

    /// Whether the tree has a file of this path.
    pub fn contains(&self, path: &str) -> bool {
        normalize(path).is_ok_and(|path| self.nodes.contains_key(&path))
    }

    /// Writes the tree as a cpio archive.
    pub fn write(&self, out: &Path) -> Result<()> {
        let write = || -> io::Result<()> {
            let mut archive = cpio::Writer::new(BufWriter::new(fs::File::create(out)?));
            for (path, node) in &self.nodes {
                match node {
                    Node::Directory { mode } => archive.member(path, cpio::S_IFDIR | mode, (0, 0), &[])?,
                    Node::Symlink { target } => {
                        archive.member(path, cpio::S_IFLNK | 0o777, (0, 0), target.as_bytes())?;
                    }
                    Node::Device { mode, major, minor } => {
                        archive.member(path, cpio::S_IFCHR | mode, (*major, *minor), &[])?;
                    }
                    Node::File { mode, contents: Contents::Bytes(bytes) } => {
                        archive.member(path, cpio::S_IFREG | mode, (0, 0), bytes)?;
                    }
                    Node::File { mode, contents: Contents::Host(host) } => {
                        let bytes = fs::read(host)
                            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", host.display())))?;
                        archive.member(path, cpio::S_IFREG | mode, (0, 0), &bytes)?;
                    }
                }
            }
            archive.finish()?.flush()
        };
        write().with_context(|| format!("cannot write {}", out.display()))
    }

    /// Adds a node and the parents that are missing. What was there is replaced, but a directory
    /// that exists keeps its children, and a path through a link (`/usr/bin/x` where `/usr/bin` is a
    /// link) is left to the guest, which follows the link when it unpacks.
    fn insert(&mut self, path: &str, node: Node) -> Result<()> {
        let path = normalize(path)?;
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            match self.nodes.get(parent) {
                None => {
                    self.nodes.insert(parent.to_owned(), Node::Directory { mode: 0o755 });
                }
                Some(Node::Directory { .. } | Node::Symlink { .. }) => {}
                Some(_) => bail!("cannot put /{path} there: /{parent} is a file"),
            }
        }
        self.nodes.insert(path, node);
        Ok(())
    }
}

/// A guest path without leading, doubled or trailing slashes; `..` is refused.
fn normalize(path: &str) -> Result<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() || parts.contains(&"..") {
        bail!("{path:?} is no path that a file can have in the guest");
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first() {
        let mut tree = Tree::new();
        tree.bytes("/a/b/c", 0o644, "x").unwrap();
        tree.symlink("/a/b-c", "d").unwrap();
        let paths: Vec<_> = tree.nodes.keys().cloned().collect();
        assert_eq!(paths, ["a", "a/b", "a/b-c", "a/b/c"]);
        assert!(tree.contains("/a/b"));
    }

    #[test]
    fn folders_are_merged() {
        let mut tree = Tree::new();
        tree.symlink("/usr/bin", "../bin").unwrap();
        tree.directory("/tmp", 0o1777).unwrap();
        let mut added = Tree::new();
        added.bytes("/usr/bin/x", 0o755, "x").unwrap();
        added.bytes("/tmp/y", 0o644, "y").unwrap();
        tree.extend(added).unwrap();
        assert!(matches!(tree.nodes["usr/bin"], Node::Symlink { .. }));
        assert!(matches!(tree.nodes["tmp"], Node::Directory { mode: 0o1777 }));
        assert!(tree.contains("/usr/bin/x") && tree.contains("/tmp/y"));
    }

    #[test]
    fn impossible_paths_are_refused() {
        let mut tree = Tree::new();
        tree.bytes("/file", 0o644, "x").unwrap();
        assert!(tree.bytes("/file/below", 0o644, "x").is_err());
        assert!(tree.bytes("/../up", 0o644, "x").is_err());
        assert!(tree.bytes("/", 0o644, "x").is_err());
    }
}
