//! The randomness one execve needs, drawn at once.
use core::sync::atomic::Ordering;

use tollgate_abi::process::ADDR_NO_RANDOMIZE;

use crate::fs::devices::random;
use crate::mm::PAGE_SIZE;
use crate::task::current;

/// Random bytes nobody else knows, used up word by word.
pub(super) struct Dice {
    words: [u64; 8],
    used: usize,
    /// Whether addresses are to be random.
    addresses: bool,
}

impl Dice {
    /// Draws for the current process, whose persona may ask for addresses that never change.
    pub(super) fn throw() -> Self {
        let mut bytes = [[0; 8]; 8];
        random::fill(bytes.as_flattened_mut());
        let persona = current().process.personality.load(Ordering::Relaxed);
        Self { words: bytes.map(u64::from_ne_bytes), used: 0, addresses: persona & ADDR_NO_RANDOMIZE == 0 }
    }

    /// Sixteen bytes for the program (AT_RANDOM).
    pub(super) fn seed(&mut self) -> [u64; 2] {
        [self.next(), self.next()]
    }

    /// A multiple of the page size below `1 << bits` pages.
    pub(super) fn pages(&mut self, bits: u32) -> u64 {
        self.below(1 << bits) * PAGE_SIZE as u64
    }

    /// A number below `limit`, a power of two; 0 when addresses are not to be random.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        if self.addresses { self.next() & (limit - 1) } else { 0 }
    }

    fn next(&mut self) -> u64 {
        let word = self.words[self.used];
        self.used += 1;
        word
    }
}
