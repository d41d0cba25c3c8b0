//! The gate image in memory: its frames, the clocks' data page, and how both get into a process.
//!
//! The image and the page are made by the crate `tollgate-gate`; here they are given frames, which all processes share.
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use tollgate_abi::time::clock::{CLOCK_REALTIME, CLOCK_TAI};
use tollgate_abi::{Errno, Result};
use tollgate_gate::vvar::{CLOCKS, FLAG_CPU, FLAG_TSC, NANOS_PER_SEC, VVAR_PAGES, Vvar};
use tollgate_gate::{GATE_PAGES, image, sigreturn_offset};

use super::PAGE_SIZE;
use super::addr::UserAddr;
use super::frame::Frame;
use super::space::{AddressSpace, MemoryObject, Protection};
use crate::arch::{clock, cpu};
use crate::sync::{Once, Rank, SpinLock};

const _: () = assert!(VVAR_PAGES == 1 && size_of::<Vvar>() <= PAGE_SIZE);

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
            vvar.shift.store(shift.into(), Ordering::Relaxed);
            let cpu = if cpu::has_tsc_aux() { FLAG_CPU } else { 0 };
            vvar.flags.store(FLAG_TSC | cpu, Ordering::Relaxed);
        });
        Gate { vvar: SpinLock::new(Rank::Vvar, vvar), vvar_pages, image_pages }
    });
    for clock in [CLOCK_REALTIME, CLOCK_TAI] {
        set_clock(clock, clock::boot_unix_ns());
    }
}

fn gate() -> &'static Gate {
    GATE.get().expect("the gate page is made at boot")
}

/// Sets a clock as programs read it without a system call: its time, in nanoseconds, when [`clock::now_ns`] was 0.
/// For clocks that only count from boot that is 0, as the page has it from the start.
///
/// # Panics
/// When the page has no room for the clock (identifiers from 12 on).
pub fn set_clock(clock: i32, start_ns: u64) {
    let clock = usize::try_from(clock).ok().filter(|clock| *clock < CLOCKS).expect("a clock of the page");
    gate().vvar.lock().update(|vvar| {
        vvar.clocks[clock].seconds.store(start_ns / NANOS_PER_SEC, Ordering::Relaxed);
        vvar.clocks[clock].nanoseconds.store(start_ns % NANOS_PER_SEC, Ordering::Relaxed);
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
    space.map_segment(start, DATA, Protection::READ, Some((gate().vvar_pages.clone(), 0)))?;
    space.map_segment(base, IMAGE, Protection::READ | Protection::EXEC, Some((gate().image_pages.clone(), 0)))?;
    Ok(base)
}

/// Where signal handlers without SA_RESTORER return to, in a process that has the image at `base`.
pub fn sigreturn(base: UserAddr) -> UserAddr {
    base.wrapping_add(sigreturn_offset() as u64)
}
