//! User address spaces.
//!
//! An [`AddressSpace`] is a tree of mappings ([`mapping`]) and page tables ([`tables`]) that are filled by faults
//! ([`fault`]). One sleeping lock guards both; the counters beside it can be read without. Each file here is one
//! operation: [`map`], [`protect`], [`remap`], [`brk`], [`advise`], [`lock`], [`fork`], [`remote`], [`report`].
mod advise;
mod brk;
mod fault;
mod fork;
mod gather;
mod limits;
mod lock;
mod map;
mod mapping;
mod place;
mod protect;
mod remap;
mod remote;
mod report;
mod tables;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bitflags::bitflags;
use tollgate_abi::Result;
use tollgate_vm::ranges::RangeTree;

use super::addr::{PhysAddr, UserAddr};
use super::frame::Frame;
use super::table::{Entry, Flags};
use crate::sync::{Mutex, Rank};

use gather::Gather;
use mapping::Mapping;
use tables::Tables;

pub use limits::{Limit, Limits};
pub use map::Request;
pub use mapping::{Backing, MapFlags};
pub use place::{MIN_ADDRESS, Placement};
pub use remap::Destination;
pub use report::Usage;
pub(super) use tables::idle_frames;

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

    /// The same page if it is at hand already: for mincore, and to map more than was asked for.
    fn page_at_hand(&self, index: u64) -> Option<Frame> {
        let _ = index;
        None
    }

    /// Whether a mapping is a promise of so much memory, because no file holds the pages.
    fn is_charged(&self) -> bool {
        false
    }

    /// What /proc/PID/maps shows: device, inode number and path (`00:00 0 [vdso]`). `None` for anonymous objects.
    fn describe(&self) -> Option<alloc::string::String>;

    /// A number that says what the pages belong to: equal for two objects that stand for one file.
    fn identity(&self) -> usize {
        core::ptr::from_ref(self).cast::<()>().addr()
    }
}

/// What makes two futex words the same one, wherever they are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FutexKey {
    /// A word of private memory: the address space (its address in the kernel) and the word's address.
    Private(usize, u64),
    /// A word of a shared mapping: the object ([`MemoryObject::identity`]) and the word's offset in it, bytes.
    Shared(usize, u64),
}

/// The memory of one process (or several, with CLONE_VM).
pub struct AddressSpace {
    /// The top-level page table; `state.tables` owns it.
    top: PhysAddr,
    /// CPUs that may hold translations of this space, one bit each.
    cpus: AtomicU64,
    /// Frames mapped.
    resident: ResidentCounters,
    limits: Limits,
    state: Mutex<State>,
}

/// What the space's lock guards.
struct State {
    mappings: RangeTree<Mapping>,
    tables: Tables,
    /// Bytes mapped, by kind.
    sizes: Sizes,
    /// Mappings without a wish go below this.
    mmap_top: u64,
    /// Where the heap starts and where it ends now.
    brk_start: u64,
    brk: u64,
    /// End of the program's stack, as execve made it.
    stack_top: u64,
    /// What mlockall(MCL_FUTURE) wants of new mappings.
    lock_future: MapFlags,
}

/// Bytes of mappings, by kind.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    total: u64,
    /// The most that `total` was.
    peak: u64,
    data: u64,
    stack: u64,
    locked: u64,
}

/// Frames mapped, by kind.
#[derive(Clone, Copy, Debug, Default)]
struct Resident {
    anonymous: usize,
    object: usize,
}

#[derive(Debug, Default)]
struct ResidentCounters {
    anonymous: AtomicUsize,
    object: AtomicUsize,
    peak: AtomicUsize,
}

impl AddressSpace {
    /// An empty one.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new() -> Result<Arc<Self>> {
        super::frame::headroom()?;
        let tables = Tables::new()?;
        Ok(Arc::new(Self {
            top: tables.top(),
            cpus: AtomicU64::new(0),
            resident: ResidentCounters::default(),
            limits: Limits::default(),
            state: Mutex::new(
                Rank::AddressSpace,
                State {
                    mappings: RangeTree::new(),
                    tables,
                    sizes: Sizes::default(),
                    mmap_top: super::USER_END,
                    brk_start: 0,
                    brk: 0,
                    stack_top: 0,
                    lock_future: MapFlags::empty(),
                },
            ),
        }))
    }

    /// Its top-level page table. The scheduler loads it into CR3 between [`Self::enter_cpu`] and [`Self::leave_cpu`].
    pub fn table(&self) -> PhysAddr {
        self.top
    }

    /// This CPU begins to use the tables: it takes part in TLB shootdowns from here on. Interrupts are off.
    pub fn enter_cpu(&self, cpu: usize) {
        self.cpus.fetch_or(1 << cpu, Ordering::SeqCst);
    }

    /// This CPU no longer uses the tables (CR3 holds others already). Interrupts are off.
    pub fn leave_cpu(&self, cpu: usize) {
        self.cpus.fetch_and(!(1 << cpu), Ordering::SeqCst);
    }

    /// The limits that its owner set.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        assert!(*self.cpus.get_mut() == 0, "an address space goes away while a CPU uses it");
        let space = &*self;
        let mut state = space.state.lock();
        let state = &mut *state;
        // No CPU has the space, so frames are free at once.
        let mut gather = Gather::new(space);
        for (range, _) in state.mappings.iter() {
            state.tables.clear(range.start, range.end, &mut gather);
        }
    }
}

impl Resident {
    /// Counts `frames` mapped by entries like `entry`.
    fn add(&mut self, entry: Entry, frames: usize) {
        if entry.has(Flags::ANONYMOUS) {
            self.anonymous += frames;
        } else {
            self.object += frames;
        }
    }
}

impl ResidentCounters {
    /// Counts the frame that `entry` maps. Only the holder of the space's lock changes the counters.
    fn add(&self, entry: Entry) {
        if entry.has(Flags::ZERO) {
            return;
        }
        let counter = if entry.has(Flags::ANONYMOUS) { &self.anonymous } else { &self.object };
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn add_all(&self, frames: Resident) {
        let add =
            |counter: &AtomicUsize, more| counter.store(counter.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        add(&self.anonymous, frames.anonymous);
        add(&self.object, frames.object);
    }

    /// `old` gave way to `new`, a copy of its own.
    fn replace(&self, old: Entry, new: Entry) {
        if old.has(Flags::ZERO) {
            self.add(new);
        } else if !old.has(Flags::ANONYMOUS) {
            self.subtract(Resident { anonymous: 0, object: 1 });
            self.add(new);
        }
    }

    fn subtract(&self, frames: Resident) {
        self.peak.store(self.peak(), Ordering::Relaxed);
        let subtract = |counter: &AtomicUsize, n| counter.store(counter.load(Ordering::Relaxed) - n, Ordering::Relaxed);
        subtract(&self.anonymous, frames.anonymous);
        subtract(&self.object, frames.object);
    }

    fn now(&self) -> usize {
        self.anonymous.load(Ordering::Relaxed) + self.object.load(Ordering::Relaxed)
    }

    /// Most that were ever mapped: the counters only fall after this was noted.
    fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed).max(self.now())
    }
}

impl State {
    /// Notes that `range` of `mapping` came (or, with `added` false, went).
    fn count(&mut self, mapping: &Mapping, bytes: u64, added: bool) {
        let change = |size: &mut u64| if added { *size += bytes } else { *size -= bytes };
        change(&mut self.sizes.total);
        self.sizes.peak = self.sizes.peak.max(self.sizes.total);
        if mapping.is_data() {
            change(&mut self.sizes.data);
        }
        if mapping.flags.contains(MapFlags::GROWS_DOWN) {
            change(&mut self.sizes.stack);
        }
        if mapping.flags.contains(MapFlags::LOCKED) {
            change(&mut self.sizes.locked);
        }
    }
}

/// The range of whole pages that `[addr, addr + len)` touches, as addresses; `None` when it leaves user space.
fn pages(addr: UserAddr, len: u64) -> Option<core::ops::Range<u64>> {
    let end = super::addr::page_align_up(addr.0.checked_add(len)?)?;
    (end <= super::USER_END).then_some(addr.page().0..end)
}
