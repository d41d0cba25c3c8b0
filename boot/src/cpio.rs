//! A writer of cpio archives in the "newc" format (magic 070701), the format of initramfs images.
//!
//! Every header field is eight hexadecimal digits; names and contents are padded to four bytes.
//! Owners are root and times are zero, so equal trees give equal archives.

use std::io::{self, Write};

/// File type bits of the mode field (as in `st_mode`).
pub const S_IFREG: u32 = 0o100_000;
/// A directory.
pub const S_IFDIR: u32 = 0o040_000;
/// A symbolic link: its contents are the target.
pub const S_IFLNK: u32 = 0o120_000;
/// A character device.
pub const S_IFCHR: u32 = 0o020_000;

/// Writes members one after the other; [`Writer::finish`] writes the trailer.
pub struct Writer<W: Write> {
    out: W,
    next_inode: u32,
}

impl<W: Write> Writer<W> {
    /// An archive that is written to `out`.
    pub fn new(out: W) -> Self {
        Self { out, next_inode: 1 }
    }

    /// Adds a member. `mode` has the file type bits, `device` is the major and minor number of a
    /// device node, `(0, 0)` for all else. `name` has no leading slash.
    pub fn member(&mut self, name: &str, mode: u32, device: (u32, u32), data: &[u8]) -> io::Result<()> {
        let links = if mode & 0o170_000 == S_IFDIR { 2 } else { 1 };
        let inode = self.next_inode;
        self.next_inode += 1;
        self.raw(name, inode, mode, links, device, data)
    }

    /// Writes the trailer and hands the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.raw("TRAILER!!!", 0, 0, 1, (0, 0), &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn raw(
        &mut self,
        name: &str,
        inode: u32,
        mode: u32,
        links: u32,
        device: (u32, u32),
        data: &[u8],
    ) -> io::Result<()> {
        let size = u32::try_from(data.len())
            .map_err(|_| io::Error::other(format!("{name} is larger than 4 GiB, which cpio cannot hold")))?;
        let name_size = name.len() as u32 + 1;
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [inode, mode, 0, 0, links, 0, size, 0, 0, device.0, device.1, name_size, 0];
        let mut header = String::from("070701");
        for field in fields {
            header.push_str(&format!("{field:08X}"));
        }
        self.out.write_all(header.as_bytes())?;
        self.out.write_all(name.as_bytes())?;
        self.out.write_all(&[0])?;
        self.pad(header.len() + name.len() + 1)?;
        self.out.write_all(data)?;
        self.pad(data.len())
    }

    fn pad(&mut self, written: usize) -> io::Result<()> {
        self.out.write_all(&[0; 3][..written.wrapping_neg() % 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_aligned_and_the_trailer_ends_the_archive() {
        let mut writer = Writer::new(Vec::new());
        writer.member("a", S_IFREG | 0o644, (0, 0), b"hello").unwrap();
        writer.member("dev/console", S_IFCHR | 0o600, (5, 1), b"").unwrap();
        let archive = writer.finish().unwrap();
        assert_eq!(archive.len() % 4, 0);
        // 110 bytes of header, "a\0", no padding needed, then the contents.
        assert_eq!(&archive[..6], b"070701");
        assert_eq!(&archive[110..112], b"a\0");
        assert_eq!(&archive[112..120], b"hello\0\0\0");
        assert_eq!(&archive[120..126], b"070701");
        assert_eq!(&archive[120 + 6 + 9 * 8..120 + 6 + 11 * 8], b"0000000500000001");
        assert!(archive.windows(10).any(|window| window == b"TRAILER!!!"));
    }
}
