//! Whether a test left frames or tasks behind.
//!
//! Tollgate counts both exactly and tells in `/proc/tollgate/frames`, a text file of lines `NAME NUMBER`:
//!
//! | line | meaning |
//! |---|---|
//! | `total N` | frames of memory the kernel manages |
//! | `used N` | frames handed out; kept-back empty ones (per-CPU caches, the heap's reserve) are not counted |
//! | `tasks N` | tasks that exist, zombies included |
//!
//! Linux has no such count: there nothing is checked.

use crate::time;
use std::time::Duration;

/// The kernel's counts at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Frames in use.
    pub used: u64,
    /// Tasks that exist.
    pub tasks: u64,
}

/// How often to look again before a growth is believed: the last of a process may take a moment to go.
const PATIENCE: usize = 200;

impl Counts {
    /// The counts now; `None` on a kernel that does not tell.
    pub fn read() -> Option<Counts> {
        let text = std::fs::read_to_string("/proc/tollgate/frames").ok()?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.trim().parse().ok()
        };
        Some(Counts { used: field("used")?, tasks: field("tasks")? })
    }

    /// Compares the counts with now's: `None` if nothing was lost since, otherwise what.
    pub fn lost(self) -> Option<String> {
        let mut lost = None;
        for _ in 0..PATIENCE {
            let now = Counts::read()?;
            if now.used <= self.used && now.tasks <= self.tasks {
                return None;
            }
            let frames = now.used as i64 - self.used as i64;
            let tasks = now.tasks as i64 - self.tasks as i64;
            lost = Some(format!("lost {frames} frames and {tasks} tasks"));
            time::sleep(Duration::from_millis(5));
        }
        lost
    }
}
