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
}
