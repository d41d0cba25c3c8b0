//! Mappings, memory shared between processes, and single bytes at any address.

use crate::Errno;
use crate::sys;
use std::ops::Deref;

/// The size of a page in bytes.
pub const PAGE: usize = 4096;

/// Read and write.
pub const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// Private anonymous memory.
pub const ANONYMOUS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// An address the processor refuses, with four or five levels of page tables.
pub const NON_CANONICAL: usize = 0x4000_0000_0000_0000;

/// An address in the kernel's half.
pub const KERNEL: usize = 0xffff_ffff_8000_0000;

/// A mapping, unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    /// Where it starts.
    pub address: usize,
    /// Its length in bytes.
    pub length: usize,
}

impl Mapping {
    /// Private anonymous pages to read and write.
    pub fn anonymous(pages: usize) -> Mapping {
        Mapping::new(pages * PAGE, RW, ANONYMOUS, -1, 0).expect("mmap")
    }

    /// Anonymous pages that children share.
    pub fn shared(pages: usize) -> Mapping {
        Mapping::new(pages * PAGE, RW, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1, 0).expect("mmap")
    }

    /// Any mapping, at an address of the kernel's choice.
    pub fn new(length: usize, protection: i32, flags: i32, fd: i32, offset: usize) -> Result<Mapping, Errno> {
        mmap(0, length, protection, flags, fd, offset).map(|address| Mapping { address, length })
    }

    /// The address of a page of it.
    pub fn page(&self, number: usize) -> usize {
        self.address + number * PAGE
    }

    /// The address just after it.
    pub fn end(&self) -> usize {
        self.address + self.length
    }

    /// mprotect on some of its pages.
    pub fn protect(&self, first: usize, pages: usize, protection: i32) -> sys::Result {
        sys!(libc::SYS_mprotect, self.page(first), pages * PAGE, protection)
    }

    /// Fills it with bytes.
    pub fn fill(&self, byte: u8) {
        for page in (self.address..self.end()).step_by(PAGE) {
            poke(page, byte);
            poke(page + PAGE - 1, byte);
        }
    }

    /// Forgets it, so that it stays when this object goes.
    pub fn leak(self) -> usize {
        let address = self.address;
        std::mem::forget(self);
        address
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _ = sys!(libc::SYS_munmap, self.address, self.length);
    }
}

/// mmap as it is.
pub fn mmap(
    address: usize,
    length: usize,
    protection: i32,
    flags: i32,
    fd: i32,
    offset: usize,
) -> Result<usize, Errno> {
    sys!(libc::SYS_mmap, address, length, protection, flags, fd, offset)
}

/// munmap as it is.
pub fn munmap(address: usize, length: usize) -> sys::Result {
    sys!(libc::SYS_munmap, address, length)
}

/// Reads a byte at any address. If nothing is there, the fault is what the test is about.
pub fn peek(address: usize) -> u8 {
    // SAFETY: volatile, so it happens exactly as written; tests read memory of their own or expect the fault.
    unsafe { (address as *const u8).read_volatile() }
}

/// Reads a byte at any address, for what that does.
pub fn touch(address: usize) {
    peek(address);
}

/// Writes a byte at any address.
pub fn poke(address: usize, byte: u8) {
    // SAFETY: as in `peek`; what is written is memory the test mapped itself.
    unsafe { (address as *mut u8).write_volatile(byte) }
}

/// Reads a word at any address.
pub fn peek_u64(address: usize) -> u64 {
    let value;
    // SAFETY: as in `peek`; a volatile read in Rust would have to be aligned.
    unsafe { std::arch::asm!("mov {}, [{}]", out(reg) value, in(reg) address, options(nostack, readonly)) };
    value
}

/// Whether the page at an address is mapped.
pub fn is_mapped(address: usize) -> bool {
    sys!(libc::SYS_madvise, address & !(PAGE - 1), PAGE, libc::MADV_NORMAL) != Err(Errno::ENOMEM)
}

/// A value in memory that children share.
pub struct Shared<T: Sync> {
    mapping: Mapping,
    kind: std::marker::PhantomData<T>,
}

impl<T: Sync> Shared<T> {
    /// Puts a value in shared memory. It is never dropped.
    pub fn new(value: T) -> Shared<T> {
        Shared::put(Mapping::shared(size_of::<T>().div_ceil(PAGE).max(1)), value)
    }

    /// The same at an address of the caller's choice, where nothing may be.
    pub fn at(address: usize, value: T) -> Shared<T> {
        let length = size_of::<T>().div_ceil(PAGE).max(1) * PAGE;
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        assert_eq!(mmap(address, length, RW, flags, -1, 0), Ok(address));
        Shared::put(Mapping { address, length }, value)
    }

    fn put(mapping: Mapping, value: T) -> Shared<T> {
        // SAFETY: the mapping is new, page-aligned and large enough.
        unsafe { (mapping.address as *mut T).write(value) };
        Shared { mapping, kind: std::marker::PhantomData }
    }
}

impl<T: Sync> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `new` put a T there, the mapping lives as long as self, and T is Sync: shared access is sound
        // from any thread, and processes are to this memory what threads are.
        unsafe { &*(self.mapping.address as *const T) }
    }
}
