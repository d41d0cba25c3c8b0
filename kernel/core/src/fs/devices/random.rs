//! Random bytes: a ChaCha20 generator that rekeys itself with its own output, seeded from the CPU.
use tollgate_abi::Result;

use crate::fs::{File, FileOps, Sink, Source};
use crate::sync::{Rank, SpinLock};
use crate::task::sched;

const BLOCK: usize = 64;

/// Key of the generator; `None` until first used.
static KEY: SpinLock<Option<[u32; 8]>> = SpinLock::new(Rank::Device, None);

/// Fills `out` with random bytes fit for keys.
///
/// Each call runs the generator under a key that the same output has already replaced, so that what was given out
/// cannot be found from the state later.
pub fn fill(out: &mut [u8]) {
    let mut key = {
        let mut slot = KEY.lock();
        let current = slot.unwrap_or_else(seed);
        let block = chacha20_block(&current, 0, entropy_word());
        *slot = Some(core::array::from_fn(|i| block[i]));
        core::array::from_fn(|i| block[8 + i])
    };
    for (counter, chunk) in out.chunks_mut(BLOCK).enumerate() {
        let block = chacha20_block(&key, counter as u32, 0);
        for (to, word) in chunk.chunks_mut(4).zip(block) {
            to.copy_from_slice(&word.to_le_bytes()[..to.len()]);
        }
    }
    key.fill(0);
}

fn seed() -> [u32; 8] {
    core::array::from_fn(|_| entropy_word() as u32)
}

/// One word from the CPU's random number generator, mixed with the time stamp counter, which is all there is without.
fn entropy_word() -> u64 {
    crate::arch::entropy::random_word().unwrap_or(0)
        ^ crate::arch::entropy::time_stamp().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The ChaCha20 block function (RFC 8439, section 2.3) with a 64-bit nonce.
fn chacha20_block(key: &[u32; 8], counter: u32, nonce: u64) -> [u32; 16] {
    const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    let mut initial = [0; 16];
    initial[..4].copy_from_slice(&CONSTANTS);
    initial[4..12].copy_from_slice(key);
    initial[12] = counter;
    initial[14] = nonce as u32;
    initial[15] = (nonce >> 32) as u32;
    let mut state = initial;
    for _ in 0..10 {
        for i in 0..4 {
            quarter_round(&mut state, [i, 4 + i, 8 + i, 12 + i]);
        }
        for i in 0..4 {
            quarter_round(&mut state, [i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4]);
        }
    }
    core::array::from_fn(|i| state[i].wrapping_add(initial[i]))
}

fn quarter_round(state: &mut [u32; 16], [a, b, c, d]: [usize; 4]) {
    for (add, to, rotate, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
        state[add] = state[add].wrapping_add(state[to]);
        state[rotate] = (state[rotate] ^ state[add]).rotate_left(by);
    }
}

/// /dev/random and /dev/urandom.
pub(super) struct Random;

impl FileOps for Random {
    fn read(&self, _: &File, _: &mut u64, to: &mut Sink<'_>) -> Result<usize> {
        read(to)
    }

    /// What programs write is welcome but changes nothing: the CPU's entropy is enough.
    fn write(&self, _: &File, _: &mut u64, from: &mut Source<'_>) -> Result<usize> {
        Ok(from.remaining())
    }

    fn seek(&self, _: &File, _: u64, _: i64, _: i32) -> Result<u64> {
        Ok(0)
    }
}

/// Fills `to` with random bytes: getrandom(2) and the devices.
///
/// # Errors
/// `EFAULT`.
pub fn read(to: &mut Sink<'_>) -> Result<usize> {
    let mut buffer = [0; 256];
    while to.remaining() > 0 && !to.faulted() {
        let chunk = to.remaining().min(buffer.len());
        fill(&mut buffer[..chunk]);
        to.put(&buffer[..chunk]);
        if sched::give_way() {
            break;
        }
    }
    to.result()
}
