//! The unwind table of getunwind(2).

use std::io;
use std::ptr;

use tollgate_gate::frame::Frame;
use tollgate_gate::unwind::table;

/// The call's number: one of IA-64's, which are 1024 and up.
pub const SYS_GETUNWIND: libc::c_long = 1215;

/// The unwind data of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(Vec<u8>);

impl Table {
    /// Asks the kernel for it.
    ///
    /// # Errors
    /// `ENOSYS` on a kernel without getunwind(2), as Linux is on x86-64.
    pub fn get() -> io::Result<Self> {
        let size = getunwind(ptr::null_mut(), 0)?;
        let mut data = vec![0; size];
        let got = getunwind(data.as_mut_ptr(), size)?;
        if got != size {
            return Err(io::Error::other("getunwind gave two sizes"));
        }
        Ok(Self(data))
    }

    /// The data as the kernel gave them.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Its entries.
    pub fn entries(&self) -> table::Entries<'_> {
        table::Entries::new(&self.0)
    }

    /// The frame at an address of the gate image; `None` elsewhere, and where the records mean nothing to x86-64.
    pub fn frame_at(&self, ip: u64) -> Option<Frame> {
        table::find(&self.0, ip)?.frame_at(ip).ok()
    }
}

/// One getunwind(2): the size of the data.
fn getunwind(buf: *mut u8, size: usize) -> io::Result<usize> {
    // SAFETY: the kernel writes at most `size` bytes, and nothing to a null pointer; the caller has that many.
    let result = unsafe { libc::syscall(SYS_GETUNWIND, buf, size) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}
