//! Calls that go on where they were interrupted: restart_syscall(2).
use alloc::boxed::Box;

use tollgate_abi::{Errno, Result};

use crate::task::current;

/// Makes the current call restart through `restart` if no handler runs (and fail with EINTR if one does): returns the
/// error for the call to return. `restart` may call this again.
pub fn restart_with(restart: impl FnOnce() -> Result<usize> + Send + 'static) -> Errno {
    let old = current().signals.restart.lock().replace(Box::new(restart));
    drop(old); // Outside the lock: whatever it holds may be large.
    Errno::ERESTARTBLOCK
}

/// restart_syscall(2).
///
/// # Errors
/// The interrupted call's; `EINTR` when there is none.
pub fn restart() -> Result<usize> {
    let restart = current().signals.restart.lock().take();
    restart.map_or(Err(Errno::EINTR), |restart| restart())
}
