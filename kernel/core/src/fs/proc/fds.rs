//! Open files and mounts of a process in /proc.
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use tollgate_abi::fs::{MountFlags, mode};
use tollgate_abi::{Errno, Result};

use super::process::{Subject, number};
use super::{Directory, Kind, Node};
use crate::fs::{FdTable, Follow, Mount, mount};

/// /proc/PID/fd (links to what is open) or, with `details`, /proc/PID/fdinfo (texts about it).
pub(super) struct Descriptors {
    pub(super) subject: Subject,
    pub(super) details: bool,
}

fn table(subject: &Subject) -> Result<Arc<FdTable>> {
    let task = subject.live_task().map_err(|_| Errno::ENOENT)?;
    let files = task.files.lock().clone();
    files.ok_or(Errno::ENOENT)
}

impl Directory for Descriptors {
    fn lookup(&self, name: &[u8]) -> Result<Node> {
        let fd = number(name).ok_or(Errno::ENOENT)?;
        let file = table(&self.subject)?.get_any(fd).map_err(|_| Errno::ENOENT)?;
        let subject = self.subject.clone();
        if self.details {
            let make = move || {
                let file = table(&subject)?.get_any(fd).map_err(|_| Errno::ENOENT)?;
                let (flags, mount) = (file.flags().bits(), file.path().mount.id);
                let ino = file.path().inode().attributes().ino;
                Ok(format!("pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{ino}\n", file.position())
                    .into_bytes())
            };
            return Ok(Node { permissions: 0o444, ..Node::new(Kind::Text(Box::new(make))) });
        }
        // The link's permissions tell how the file is open.
        let permissions = 0o100 | if file.readable() { 0o400 } else { 0 } | if file.writable() { 0o200 } else { 0 };
        let find = move || {
            let file = table(&subject)?.get_any(fd).map_err(|_| Errno::ENOENT)?;
            Ok(Follow::Jump(file.path().clone()))
        };
        Ok(Node { permissions, ..Node::new(Kind::Link(Box::new(find))) })
    }

    fn list(&self, from: u64, take: &mut dyn FnMut(&[u8], u32, u64) -> bool) {
        let Ok(files) = table(&self.subject) else { return };
        let kind = if self.details { mode::REGULAR } else { mode::SYMLINK };
        let mut at = from as usize;
        while let Some((fd, _)) = files.next_open(at) {
            if !take(format!("{fd}").as_bytes(), kind, fd as u64 + 1) {
                break;
            }
            at = fd + 1;
        }
    }
}

/// /proc/PID/mounts: what is mounted below the process's root.
pub(super) fn mounts(subject: &Subject) -> Result<Vec<u8>> {
    let task = subject.live_task()?;
    let root = task.fs.lock().clone().ok_or(Errno::ESRCH)?.root();
    let mut out = Vec::new();
    let mut row = |mount: &Mount, at: &[u8]| {
        let mut flags = Vec::from(if mount.flags.contains(MountFlags::RDONLY) { "ro" } else { "rw" });
        for (flag, name) in [
            (MountFlags::NOSUID, ",nosuid"),
            (MountFlags::NODEV, ",nodev"),
            (MountFlags::NOEXEC, ",noexec"),
            (MountFlags::NOATIME, ",noatime"),
            (MountFlags::RELATIME, ",relatime"),
        ] {
            if mount.flags.contains(flag) {
                flags.extend_from_slice(name.as_bytes());
            }
        }
        let source: &[u8] = if mount.source.is_empty() { b"none" } else { &mount.source };
        for field in [source, at, mount.file_system.name().as_bytes(), &flags] {
            escape(field, &mut out);
            out.push(b' ');
        }
        out.extend_from_slice(b"0 0\n");
    };
    if root.is(crate::fs::root()) {
        row(&root.mount, b"/");
    }
    for mount in mount::all() {
        let Some(at) = mount.at() else { continue };
        let (path, reachable) = at.text_from(&root);
        if reachable {
            row(&mount, &path);
        }
    }
    Ok(out)
}

/// Writes blanks and backslashes as octal numbers, so that fields stay fields.
fn escape(field: &[u8], out: &mut Vec<u8>) {
    for &byte in field {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => out.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
            _ => out.push(byte),
        }
    }
}
