//! Interrupts from devices and other CPUs, by vector.
use super::apic::{self, vector};
use super::{clock, tlb, uart};

/// Handles one interrupt. Interrupts are off. `from_user`: it came while user code ran.
pub(super) fn dispatch(number: u8, from_user: bool) {
    const COM1: u8 = vector::ISA + uart::COM1_LINE;
    match number {
        vector::TIMER => {
            apic::end_of_interrupt();
            clock::interrupt(from_user);
        }
        vector::RESCHEDULE => apic::end_of_interrupt(), // The gates and the run queue are looked at on the way out.
        vector::TLB => {
            apic::end_of_interrupt();
            tlb::poll();
        }
        COM1 => {
            uart::interrupt();
            apic::end_of_interrupt();
        }
        vector::SPURIOUS => {}
        other => {
            apic::end_of_interrupt();
            log::warn!("interrupt {other:#x} has no handler");
        }
    }
}
