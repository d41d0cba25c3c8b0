//! User address spaces.
use alloc::sync::Arc;

use bitflags::bitflags;
use tollgate_abi::Result;

use super::addr::{PhysAddr, UserAddr};
use super::frame::Frame;

bitflags! {
    /// What may be done with a mapping's pages.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Protection: u8 {
        /// Readable (x86-64: any accessible page is).
        const READ = 1;
        /// Writable.
        const WRITE = 2;
        /// Executable.
        const EXEC = 4;
    }
}

/// What an access wanted to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Load.
    Read,
    /// Store.
    Write,
    /// Instruction fetch.
    Execute,
}

/// Why a user access could not be made good: becomes a signal for user mode, EFAULT for a user copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is mapped there (SIGSEGV, SEGV_MAPERR).
    NotMapped,
    /// Something is, but not for this access (SIGSEGV, SEGV_ACCERR).
    Denied,
    /// Past the end of the mapped file (SIGBUS, BUS_ADRERR).
    PastEnd,
    /// No memory is left (SIGKILL, with a log line).
    NoMemory,
}

/// Something whose pages can be mapped: a file, a shared anonymous object.
pub trait MemoryObject: Send + Sync {
    /// The page with this index (offset / 4096), the same frame for all who ask.
    ///
    /// # Errors
    /// `ENXIO` past the object's end (becomes SIGBUS), `ENOMEM`.
    fn page(&self, index: u64) -> Result<Frame>;

    /// What /proc/PID/maps shows: device, inode number and path. `None` for anonymous objects.
    fn describe(&self) -> Option<alloc::string::String>;
}

/// What makes two futex words the same one, wherever they are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutexKey {
    /// A word of private memory: the address space (its address in the kernel) and the word's address.
    Private(usize, u64),
    /// A word of a shared mapping: the object (its address in the kernel) and the word's offset in it, bytes.
    Shared(usize, u64),
}

/// The memory of one process (or several, with CLONE_VM).
pub struct AddressSpace {}

impl AddressSpace {
    /// An empty one.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>> {
        todo!("mm")
    }

    /// A copy-on-write copy, as fork makes it.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn fork(&self) -> Result<Arc<Self>> {
        todo!("mm")
    }

    /// Its top-level page table. The scheduler loads it into CR3 between [`Self::enter_cpu`] and [`Self::leave_cpu`].
    pub fn table(&self) -> PhysAddr {
        todo!("mm")
    }

    /// This CPU begins to use the tables: it takes part in TLB shootdowns from here on. Interrupts are off.
    pub fn enter_cpu(&self, cpu: usize) {
        let _ = cpu;
        todo!("mm")
    }

    /// This CPU no longer uses the tables (CR3 holds others already). Interrupts are off.
    pub fn leave_cpu(&self, cpu: usize) {
        let _ = cpu;
        todo!("mm")
    }

    /// Makes the access at `addr` possible, if the mappings allow it: the page-fault handler's work. May sleep.
    ///
    /// # Errors
    /// See [`Fault`].
    pub fn fault(&self, addr: UserAddr, access: Access) -> core::result::Result<(), Fault> {
        let _ = (addr, access);
        todo!("mm")
    }

    /// Makes a private mapping of whole pages at exactly `start`, in place of whatever is there: a segment of a program
    /// for execve. `file` is what to map and from which offset (a multiple of the page size); `None` maps zeros.
    ///
    /// # Errors
    /// `EINVAL` outside user space, `ENOMEM`.
    pub fn map_segment(
        &self,
        start: UserAddr,
        len: u64,
        protection: Protection,
        file: Option<(Arc<dyn MemoryObject>, u64)>,
    ) -> Result<()> {
        let _ = (start, len, protection, file);
        todo!("mm")
    }

    /// Makes the stack: it ends at `top` and grows down by faults, as far as the stack limit of the process allows.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn map_stack(&self, top: UserAddr, protection: Protection) -> Result<()> {
        let _ = (top, protection);
        todo!("mm")
    }

    /// Where mappings without a wish go: below `mmap_top`, downwards; and where the heap (brk) starts. For execve.
    pub fn set_layout(&self, mmap_top: UserAddr, brk: UserAddr) {
        let _ = (mmap_top, brk);
        todo!("mm")
    }

    /// A free range of `len` bytes, aligned to `align` (a power of two, at least a page), where mmap would choose one.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn find_free(&self, len: u64, align: u64) -> Result<UserAddr> {
        let _ = (len, align);
        todo!("mm")
    }

    /// Writes into this address space, which need not be the current one, faulting pages in; read-only private pages
    /// are copied first and written all the same. For execve and tracers.
    ///
    /// # Errors
    /// `EFAULT` where nothing is mapped, `ENOMEM`.
    pub fn write_remote(&self, addr: UserAddr, bytes: &[u8]) -> Result<()> {
        let _ = (addr, bytes);
        todo!("mm")
    }

    /// Reads from this address space, which need not be the current one, faulting pages in; returns how many bytes.
    pub fn read_remote(&self, addr: UserAddr, out: &mut [u8]) -> usize {
        let _ = (addr, out);
        todo!("mm")
    }

    /// The identity of the futex word at `addr`, which is mapped and 4-aligned: whether it lies in a shared mapping, and
    /// of what. Faults nothing in.
    ///
    /// # Errors
    /// `EFAULT` when nothing is mapped there.
    pub fn futex_key(&self, addr: UserAddr) -> Result<FutexKey> {
        let _ = addr;
        todo!("mm")
    }
}
