//! Timers: things to do at a time, and sleeping.
use alloc::sync::Arc;

/// What happens when a timer fires. Runs in the timer interrupt with interrupts off: it may wake tasks and queue
/// signals, nothing that sleeps.
pub trait Expire: Send + Sync {
    /// The time has come. Returns the next time to fire (monotonic nanoseconds), if any.
    fn expire(self: Arc<Self>, now: u64) -> Option<u64>;
}

/// Fires every timer of this CPU that is due. Called by the timer interrupt.
pub fn expire(now: u64) {
    let _ = now;
    todo!("signal+time")
}
