//! The gate image in this process: where it is, and its bytes.

use std::slice;

/// Program header types.
const PT_LOAD: u32 = 1;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;

/// The vDSO as the kernel mapped it.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// Its address.
    pub base: u64,
    /// All of its segment.
    pub bytes: &'static [u8],
}

impl Image {
    /// The image of this process; `None` if the kernel gave it none.
    pub fn of_process() -> Option<Self> {
        // SAFETY: only reads the auxiliary vector.
        let base = unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) };
        if base == 0 {
            return None;
        }
        // SAFETY: the kernel mapped an ELF file there, whose header and program headers are in its first page.
        let head = unsafe { slice::from_raw_parts(base as *const u8, 4096) };
        let load = Headers(head).find(|header| header.kind == PT_LOAD)?;
        // SAFETY: and the whole of its one segment, which begins the file. It is never unmapped.
        let bytes = unsafe { slice::from_raw_parts(base as *const u8, load.size as usize) };
        Some(Self { base, bytes })
    }

    /// Offset of `.eh_frame_hdr` in the image.
    pub fn frame_index(&self) -> Option<usize> {
        Headers(self.bytes).find(|header| header.kind == PT_GNU_EH_FRAME).map(|header| header.address as usize)
    }

    /// Whether the address is in the image.
    pub fn contains(&self, ip: u64) -> bool {
        ip.wrapping_sub(self.base) < self.bytes.len() as u64
    }
}

/// What of a program header matters here.
struct Header {
    kind: u32,
    address: u64,
    size: u64,
}

/// An ELF file's bytes, for its program headers.
struct Headers<'a>(&'a [u8]);

impl Headers<'_> {
    fn find(&self, wanted: impl Fn(&Header) -> bool) -> Option<Header> {
        let number = |at: usize, len: usize| {
            let bytes = self.0.get(at..at + len)?;
            Some(bytes.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte)))
        };
        let (table, size, count) = (number(32, 8)? as usize, number(54, 2)? as usize, number(56, 2)? as usize);
        (0..count).map(|index| table + index * size).find_map(|at| {
            let header =
                Header { kind: number(at, 4)? as u32, address: number(at + 16, 8)?, size: number(at + 40, 8)? };
            wanted(&header).then_some(header)
        })
    }
}
