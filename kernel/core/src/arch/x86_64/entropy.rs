//! What the CPU has of randomness.
use core::arch::asm;
use core::sync::atomic::{AtomicU8, Ordering};

/// Tries before a dry random number generator counts as broken, as Intel's manual advises.
const TRIES: u32 = 10;

/// One word from RDRAND; `None` when the CPU has none to give.
pub fn random_word() -> Option<u64> {
    if !has_rdrand() {
        return None;
    }
    for _ in 0..TRIES {
        let (word, valid): (u64, u8);
        // SAFETY: the CPU has the instruction, which changes its operand and the flags only.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) valid, options(nomem, nostack)) };
        if valid != 0 {
            return Some(word);
        }
    }
    None
}

/// The time stamp counter, raw.
pub fn time_stamp() -> u64 {
    // SAFETY: reading the counter has no effect.
    unsafe { core::arch::x86_64::_rdtsc() }
}

fn has_rdrand() -> bool {
    const UNKNOWN: u8 = 0;
    const ABSENT: u8 = 1;
    const PRESENT: u8 = 2;
    static STATE: AtomicU8 = AtomicU8::new(UNKNOWN);
    match STATE.load(Ordering::Relaxed) {
        UNKNOWN => {
            let present = core::arch::x86_64::__cpuid(1).ecx & 1 << 30 != 0;
            STATE.store(if present { PRESENT } else { ABSENT }, Ordering::Relaxed);
            present
        }
        state => state == PRESENT,
    }
}
