//! Directory entries on their way to the program.
use tollgate_abi::fs::mode;

/// The offset of a directory's first entry: `.` and `..` come before it, and [`super::File::readdir`] gives them.
pub const FIRST_ENTRY: u64 = 2;

/// One entry of a directory.
pub struct Entry<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The file's number.
    pub ino: u64,
    /// The file's type, as in `st_mode`.
    pub kind: u32,
    /// Where reading goes on after it.
    pub next: u64,
}

impl Entry<'_> {
    /// `d_type`: the type's bits of the mode, shifted.
    pub const fn dirent_type(&self) -> u8 {
        ((self.kind & mode::TYPE) >> 12) as u8
    }
}

/// Takes entries; false when it has no room for this one.
pub type DirSink<'a> = dyn FnMut(Entry<'_>) -> bool + 'a;
