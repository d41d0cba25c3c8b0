//! Numbers noted by handlers, in order.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use tollgate_tests::signal::Context;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static NOTES: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

/// Notes a number. Safe in a handler; beyond 256 notes only the count goes on.
pub(crate) fn note(number: u64) {
    let index = COUNT.fetch_add(1, SeqCst);
    if let Some(note) = NOTES.get(index) {
        note.store(number, SeqCst);
    }
}

/// How many were noted.
pub(crate) fn count() -> usize {
    COUNT.load(SeqCst)
}

/// Takes all notes.
pub(crate) fn take() -> Vec<u64> {
    let count = COUNT.swap(0, SeqCst).min(NOTES.len());
    NOTES[..count].iter().map(|note| note.load(SeqCst)).collect()
}

/// A handler that notes its signal.
pub(crate) extern "C" fn note_signal(signal: i32, _: *mut libc::siginfo_t, _: *mut Context) {
    note(signal as u64);
}
