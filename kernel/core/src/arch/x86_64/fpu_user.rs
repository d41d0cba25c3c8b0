//! FPU state from user memory: checked before the processor sees it, because XRSTOR faults on bad bits.
use core::arch::asm;
use core::mem::MaybeUninit;

use super::copy;
use super::fpu::{MAGIC2_SIZE, MAXIMUM, MXCSR, MXCSR_INITIAL, XSTATE_BV, features, size};
use crate::mm::addr::UserAddr;

/// Bytes of the FXSAVE part.
const LEGACY: usize = 512;
/// End of the header.
const HEADER_END: usize = 576;
/// Bits of MXCSR that may be set.
const MXCSR_MASK: u32 = 0xffff;

/// Room for an XSAVE area that a user program wrote, and the magic number behind it.
#[repr(C, align(64))]
pub struct UserArea {
    room: [MaybeUninit<u8>; MAXIMUM + MAGIC2_SIZE],
    /// How many bytes were read.
    len: usize,
}

impl UserArea {
    /// Reads what can be read of [`size`] bytes and the magic number at `from`.
    pub fn read(&mut self, from: UserAddr) {
        let wanted = size() + MAGIC2_SIZE;
        // SAFETY: `size()` is at most `MAXIMUM`, so there is room.
        let left = unsafe { copy::from_user(self.room.as_mut_ptr().cast(), from, wanted) };
        self.len = wanted - left;
    }

    /// What was read.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `read` wrote this many bytes.
        unsafe { self.room[..self.len].assume_init_ref() }
    }

    fn word(&self, at: usize) -> u64 {
        u64::from_le_bytes(*self.bytes()[at..].first_chunk().expect("eight bytes"))
    }

    /// Loads the CPU's registers from the first `len` bytes read, [`HEADER_END`] at least; what an area has behind them
    /// counts as zeros, and components not in `wanted` as not there. False, and nothing is loaded, when the bytes are not
    /// what XRSTOR takes.
    pub fn load(&mut self, len: usize, wanted: u64) -> bool {
        let present = self.word(XSTATE_BV);
        // XCOMP_BV and the reserved words.
        let header_is_good =
            present & !features() == 0 && (XSTATE_BV + 8..HEADER_END).step_by(8).all(|at| self.word(at) == 0);
        if !header_is_good {
            return false;
        }
        self.put(XSTATE_BV, &(present & wanted).to_le_bytes());
        self.room[len..size()].fill(MaybeUninit::new(0));
        self.restore()
    }

    /// Loads the CPU's x87 and SSE registers from the FXSAVE part, and the initial state into all others. False, and
    /// nothing is loaded, when the bytes are not what XRSTOR takes.
    pub fn load_legacy(&mut self) -> bool {
        self.room[LEGACY..size()].fill(MaybeUninit::new(0));
        self.put(XSTATE_BV, &0b11_u64.to_le_bytes());
        self.restore()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.room[at..at + bytes.len()].write_copy_of_slice(bytes);
    }

    /// The header is good and the whole area initialised.
    fn restore(&self) -> bool {
        let mxcsr = u32::from_le_bytes(*self.bytes()[MXCSR..].first_chunk().expect("four bytes"));
        if mxcsr & !MXCSR_MASK != 0 {
            return false;
        }
        // SAFETY: the area is 64-aligned, `size()` bytes of it are initialised, and header and MXCSR were checked.
        unsafe { restore(self.room.as_ptr().cast()) };
        true
    }
}

impl UserArea {
    /// Empty.
    pub const fn new() -> Self {
        Self { room: [const { MaybeUninit::uninit() }; MAXIMUM + MAGIC2_SIZE], len: 0 }
    }
}

impl Default for UserArea {
    fn default() -> Self {
        Self::new()
    }
}

/// Gives the CPU's registers the state a fresh program starts with.
pub fn load_initial() {
    /// No component is present, which means the initial state; MXCSR is always loaded.
    #[repr(C, align(64))]
    struct Initial([u8; MAXIMUM]);
    static INITIAL: Initial = {
        let mut area = [0; MAXIMUM];
        let mxcsr = MXCSR_INITIAL.to_le_bytes();
        area[MXCSR] = mxcsr[0];
        area[MXCSR + 1] = mxcsr[1];
        Initial(area)
    };
    // SAFETY: an aligned area with a good header.
    unsafe { restore(INITIAL.0.as_ptr()) };
}

/// XRSTOR with all components.
///
/// # Safety
/// `area` is 64-aligned and readable for [`size`] bytes, with nothing in it that XRSTOR faults on.
unsafe fn restore(area: *const u8) {
    // SAFETY: by this function's contract.
    unsafe {
        asm!("xrstor64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags, readonly));
    }
}

const _: () = assert!(MXCSR_INITIAL >> 16 == 0 && HEADER_END > XSTATE_BV);
