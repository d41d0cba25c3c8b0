//! TLB shootdown: making other CPUs forget translations.
//!
//! A request is a generation number posted to each CPU's mailbox. A CPU that serves its mailbox flushes everything the
//! mailbox asks for and then publishes the generation it has caught up with; the requester waits for that. Nobody
//! holds a lock while waiting for another CPU, and whoever waits with interrupts off serves its own mailbox meanwhile
//! (see [`poll`]), so two CPUs that shoot at each other both get on.
use core::sync::atomic::{AtomicU64, Ordering};

use super::{apic, cpu, percpu};
use crate::mm::addr::UserAddr;

/// What to forget.
#[derive(Clone, Copy, Debug)]
pub enum Flush {
    /// All of the CPU's user translations.
    All,
    /// The pages from `start`, `pages` of them.
    Range {
        /// First page.
        start: UserAddr,
        /// How many pages.
        pages: usize,
    },
}

/// Beyond this many pages, flushing everything is cheaper.
const MAX_SINGLE_PAGES: usize = 32;

/// A CPU's requests: the last generation asked of it, and the last it has flushed.
pub(super) struct Mailbox {
    asked: AtomicU64,
    done: AtomicU64,
}

impl Mailbox {
    pub(super) const fn new() -> Self {
        Self { asked: AtomicU64::new(0), done: AtomicU64::new(0) }
    }
}

fn flush_here(flush: Flush) {
    match flush {
        Flush::Range { start, pages } if pages <= MAX_SINGLE_PAGES => {
            for page in 0..pages as u64 {
                // SAFETY: forgetting a translation is always sound.
                unsafe {
                    core::arch::asm!("invlpg [{}]", in(reg) start.0.wrapping_add(page * 4096), options(nostack, preserves_flags));
                }
            }
        }
        // SAFETY: reloads the same tables; user translations are never global.
        _ => unsafe { cpu::write_cr3(cpu::read_cr3()) },
    }
}

/// Makes every CPU in the bit mask `cpus` (this one included, if in it) forget; returns when all have. May be called
/// with locks held: waiting CPUs serve each other's requests (see [`poll`]).
pub fn shootdown(cpus: u64, flush: Flush) {
    percpu::irq_disable();
    let me = percpu::cpu_id();
    if cpus & 1 << me != 0 {
        flush_here(flush);
    }
    if cpus & !(1 << me) == 0 {
        percpu::irq_enable();
        return;
    }
    let mut tickets = [0u64; percpu::MAX_CPUS];
    let others = || (0..percpu::cpu_count()).filter(move |&c| c != me && cpus & 1 << c != 0);
    for other in others() {
        let Some(block) = percpu::of_cpu(other) else { continue };
        tickets[other] = block.tlb.asked.fetch_add(1, Ordering::SeqCst) + 1;
        apic::send_ipi(other, apic::vector::TLB);
    }
    for other in others() {
        let Some(block) = percpu::of_cpu(other) else { continue };
        while block.tlb.done.load(Ordering::Acquire) < tickets[other] {
            poll();
            core::hint::spin_loop();
        }
    }
    percpu::irq_enable();
}

/// Serves shootdown requests for this CPU; called wherever a CPU spins with interrupts off.
pub fn poll() {
    let mailbox = &percpu::this_cpu().tlb;
    let asked = mailbox.asked.load(Ordering::SeqCst);
    if asked != mailbox.done.load(Ordering::Relaxed) {
        flush_here(Flush::All);
        mailbox.done.store(asked, Ordering::Release);
    }
}
