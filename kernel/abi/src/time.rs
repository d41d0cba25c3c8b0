//! Time: clocks, timespec, timers.
