//! The stopwatch.

use std::arch::x86_64::{__rdtscp, _mm_lfence};
use std::hint::black_box;
use tollgate_tests::{sys, time};

/// One operation.
pub(crate) struct Row {
    /// What it is called in the table. No commas.
    pub(crate) name: &'static str,
    /// Measures it.
    pub(crate) run: fn() -> Cost,
}

/// What one operation costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Of the time-stamp counter; instructions under `--icount`.
    pub(crate) ticks: u64,
    /// By the monotonic clock.
    pub(crate) nanoseconds: u64,
}

impl Cost {
    /// For a batch that did more than one operation each time.
    pub(crate) fn divided_by(self, times: u64) -> Cost {
        Cost { ticks: self.ticks / times, nanoseconds: self.nanoseconds / times }
    }

    /// What is left after a part that does not belong to it.
    pub(crate) fn minus(self, part: Cost) -> Cost {
        Cost {
            ticks: self.ticks.saturating_sub(part.ticks),
            nanoseconds: self.nanoseconds.saturating_sub(part.nanoseconds),
        }
    }
}

/// The batches of a measurement, of which the cheapest counts.
const BATCHES: usize = 12;

/// Measures an operation: batches of so many repetitions, the loop's own cost taken off.
pub(crate) fn measure(repetitions: u64, mut operation: impl FnMut()) -> Cost {
    measure_after(|| {}, repetitions, |(), _| operation())
}

/// The same with a preparation before each batch that is not measured. The operation gets what was prepared and
/// the number of the repetition.
pub(crate) fn measure_after<T>(
    mut prepare: impl FnMut() -> T,
    repetitions: u64,
    mut operation: impl FnMut(&T, u64),
) -> Cost {
    let whole = batches(&mut prepare, repetitions, &mut operation);
    whole.minus(batches(&mut || {}, repetitions, &mut |(), number| {
        black_box(number);
    }))
}

fn batches<T>(prepare: &mut impl FnMut() -> T, repetitions: u64, operation: &mut impl FnMut(&T, u64)) -> Cost {
    let mut best = Cost { ticks: u64::MAX, nanoseconds: u64::MAX };
    for _ in 0..BATCHES {
        let prepared = prepare();
        let (clock, counter) = (time::monotonic(), ticks());
        for number in 0..repetitions {
            operation(&prepared, number);
        }
        let (counter, clock) = (ticks() - counter, time::monotonic() - clock);
        best.ticks = best.ticks.min(counter);
        best.nanoseconds = best.nanoseconds.min(clock.as_nanos() as u64);
    }
    best.divided_by(repetitions)
}

fn ticks() -> u64 {
    let mut processor = 0;
    // SAFETY: every x86-64 processor this runs on has rdtscp; the fence has no effect on memory.
    unsafe {
        _mm_lfence();
        __rdtscp(&mut processor)
    }
}

/// Binds this process, and with it all that it starts, to the first CPU it may use.
pub(crate) fn stay_on_one_cpu() -> sys::Result {
    let mut set = [0u64; 16];
    let length = sys!(libc::SYS_sched_getaffinity, 0, size_of_val(&set), &mut set)?;
    let first = set.iter().position(|&word| word != 0).unwrap_or(0);
    let mut one = [0u64; 16];
    one[first] = 1 << set[first].trailing_zeros().min(63);
    sys!(libc::SYS_sched_setaffinity, 0, length, &one)
}
