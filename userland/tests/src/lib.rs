//! The frame of the guest tests, and what the tests share.
//!
//! Each mechanism of the kernel has a binary in `src/bin`. A binary's `main` hands lists of [`Test`]s to
//! [`suite::main`], which runs each in a child process of its own, with a time-out, and prints
//!
//! ```text
//! ok NAME
//! not ok NAME: reason
//! skip NAME: reason
//! N passed, N failed, N skipped
//! ```
//!
//! The exit status is 0 exactly if none failed. Arguments are name filters (a test runs if its name contains
//! one of them) and options: `--list` prints the names instead, `--exact` makes the filters whole names.
//!
//! A test is a function that returns if it passes and panics (`assert!` and the like) if it does not. One that
//! finds it cannot run here calls [`skip!`](crate::skip). A test of an interface that Linux also has is
//! registered with [`linux!`](crate::linux) and must pass on Linux as well: that is how the tests are tested.
//! One of ours alone is registered with [`tollgate!`](crate::tollgate) and is skipped elsewhere.
//!
//! On Tollgate the frame also checks after each test that no frame of memory and no task was lost; see [`leaks`].

pub mod child;
pub mod clone;
pub mod elf;
pub mod leaks;
pub mod memory;
pub mod pipe;
pub mod process;
pub mod random;
pub mod scratch;
pub mod signal;
pub mod suite;
pub mod sys;
pub mod time;

pub use suite::Test;
pub use tollgate_abi::Errno;

/// Whether the kernel is Tollgate rather than Linux.
pub fn on_tollgate() -> bool {
    std::path::Path::new("/proc/tollgate").exists()
}

/// The number of CPUs this process may run on.
pub fn cpus() -> usize {
    // SAFETY: cpu_set_t is plain integers, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    sys!(libc::SYS_sched_getaffinity, 0, size_of::<libc::cpu_set_t>(), &mut set).expect("sched_getaffinity");
    // SAFETY: reads the set, which is ours.
    unsafe { libc::CPU_COUNT(&set) as usize }
}
