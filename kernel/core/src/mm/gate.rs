//! The gate image in memory: its frames, the clocks' data page, and how both get into a process.
//!
//! The image and the page are made by the crate `tollgate-gate`; here they are given frames, which all processes share.
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use tollgate_abi::time::clock::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_COARSE, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE, CLOCK_TAI,
};
use tollgate_abi::{Errno, Result};
use tollgate_gate::vvar::{NANOS_PER_SEC, VVAR_PAGES, Vvar};
use tollgate_gate::{GATE_PAGES, image, sigreturn_offset};

use super::PAGE_SIZE;
use super::addr::UserAddr;
use super::frame::Frame;
use super::space::{AddressSpace, Backing, MapFlags, MemoryObject, Placement, Protection, Request};
use crate::arch::{clock, cpu};
use crate::sync::{Once, Rank, SpinLock};

const _: () = assert!(VVAR_PAGES == 1 && size_of::<Vvar>() <= PAGE_SIZE);

/// The clocks that show wall time.
const WALL: [i32; 3] = [CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_TAI];
/// The clocks that count from boot and are never set.
const SINCE_BOOT: [i32; 4] = [CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME];

static GATE: Once<Gate> = Once::new();

struct Gate {
    vvar: SpinLock<&'static Vvar>,
    vvar_pages: Arc<Pages<VVAR_PAGES>>,
    image_pages: Arc<Pages<GATE_PAGES>>,
}

/// Frames that can be mapped, under a name.
struct Pages<const N: usize> {
    name: &'static str,
    frames: [Frame; N],
}

impl<const N: usize> Pages<N> {
    fn new(name: &'static str) -> Arc<Self> {
        let frame = |_| Frame::alloc_zeroed().expect("memory for the gate page");
        Arc::new(Self { name, frames: core::array::from_fn(frame) })
    }
}

impl<const N: usize> MemoryObject for Pages<N> {
    fn page(&self, index: u64) -> Result<Frame> {
        let index = usize::try_from(index).map_err(|_| Errno::ENXIO)?;
        self.frames.get(index).cloned().ok_or(Errno::ENXIO)
    }

    fn describe(&self) -> Option<String> {
        Some(alloc::format!("00:00 0 {}", self.name))
    }
}

/// Makes the frames, once, when memory and the clock work.
pub fn init() {
    GATE.call_once(|| {
        let vvar_pages = Pages::new("[vvar]");
        let image_pages: Arc<Pages<GATE_PAGES>> = Pages::new("[vdso]");
        for (frame, bytes) in image_pages.frames.iter().zip(image().chunks(PAGE_SIZE)) {
            frame.write(0, bytes);
        }
        // SAFETY: the frame is zeroed and aligned, is shared with user mappings that cannot write it, and never freed,
        // since `GATE` keeps it; a `Vvar` is made of atomics, for which zeros are valid.
        let vvar = unsafe { &*vvar_pages.frames[0].as_ptr().cast::<Vvar>() };
        let (base, multiplier, shift) = clock::tsc_scale();
        vvar.update(|vvar| {
            vvar.tsc_base.store(base, Ordering::Relaxed);
            vvar.multiplier.store(multiplier.into(), Ordering::Relaxed);
            vvar.shift.store(shift, Ordering::Relaxed);
            vvar.cpu_known.store(cpu::has_tsc_aux().into(), Ordering::Relaxed);
            let known = WALL.iter().chain(&SINCE_BOOT).fold(0, |set, clock| set | 1 << clock);
            vvar.known.store(known, Ordering::Relaxed);
        });
        Gate { vvar: SpinLock::new(Rank::Vvar, vvar), vvar_pages, image_pages }
    });
    set_wall(clock::boot_unix_ns);
}

fn gate() -> &'static Gate {
    GATE.get().expect("the gate page is made at boot")
}

/// Tells programs that read the clock without a system call what the wall clocks are ahead of [`clock::now_ns`],
/// nanoseconds. `offset` is asked while others wait, so of several who set the clock the last one's offset stays.
pub fn set_wall(offset: impl FnOnce() -> u64) {
    gate().vvar.lock().update(|vvar| {
        let offset = offset();
        for start in WALL.map(|clock| &vvar.clocks[clock as usize]) {
            start.seconds.store(offset / NANOS_PER_SEC, Ordering::Relaxed);
            start.nanoseconds.store(offset % NANOS_PER_SEC, Ordering::Relaxed);
        }
    });
}

/// Maps the image, with the data page below it, somewhere into `space`, and returns the image's address: for execve,
/// which tells it to the program as AT_SYSINFO_EHDR.
///
/// # Errors
/// `ENOMEM`.
pub fn map(space: &AddressSpace) -> Result<UserAddr> {
    const DATA: u64 = (VVAR_PAGES * PAGE_SIZE) as u64;
    const IMAGE: u64 = (GATE_PAGES * PAGE_SIZE) as u64;
    let start = space.find_free(DATA + IMAGE, PAGE_SIZE as u64)?;
    let base = start.wrapping_add(DATA);
    let code = Protection::READ | Protection::EXEC;
    let map = |addr, len, protection, may, object| {
        let backing = Some(Backing { object, first: 0 });
        let flags = MapFlags::empty();
        space.map(Request { addr, placement: Placement::Fixed, len, protection, may, flags, backing })
    };
    // The data page can never be made writable; of the code a process may make a copy of its own and write to that, as
    // debuggers do for their breakpoints.
    map(start, DATA, Protection::READ, Protection::READ, gate().vvar_pages.clone())?;
    map(base, IMAGE, code, Protection::all(), gate().image_pages.clone())?;
    Ok(base)
}

/// Where signal handlers without SA_RESTORER return to, in a process that has the image at `base`.
pub fn sigreturn(base: UserAddr) -> UserAddr {
    base.wrapping_add(sigreturn_offset() as u64)
}
