//! What `vvar.rs` synchronises with. `kernel/models` compiles that file with loom's instead.

pub(crate) use core::hint::spin_loop;
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
