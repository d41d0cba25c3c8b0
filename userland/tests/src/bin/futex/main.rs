//! Futexes.

mod operations;
mod robust;
mod stress;

use tollgate_tests::{linux, suite, tollgate};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(operations::another_value_is_not_waited_for),
        linux!(operations::wait_gives_up),
        linux!(operations::wake_counts),
        linux!(operations::between_processes),
        linux!(operations::at_different_addresses),
        linux!(operations::private_ones_stay_in_the_process),
        linux!(operations::requeue_moves_waiters),
        linux!(operations::compare_requeue_looks_first),
        linux!(operations::bitsets_choose),
        linux!(operations::absolute_time_outs),
        linux!(operations::wake_and_operate),
        linux!(operations::bad_arguments_are_refused),
        tollgate!(operations::priority_inheritance_is_refused),
        linux!(robust::owner_that_dies_is_marked),
        linux!(robust::pending_operation_counts),
        linux!(robust::waiters_are_woken),
        linux!(robust::exec_counts_as_death),
        linux!(robust::hostile_lists_do_no_harm),
        linux!(robust::lists_are_told),
        linux!(stress::threads_exclude_each_other).seconds(120),
        linux!(stress::processes_exclude_each_other).seconds(120),
        linux!(stress::no_wake_up_is_lost).seconds(120),
    ])
}

/// What the tests of this binary share.
mod futex {
    use std::sync::atomic::AtomicU32;
    use std::time::Duration;
    use tollgate_tests::{sys, time};

    /// FUTEX_WAIT, for up to ten seconds: no test hangs for want of a wake-up.
    pub(crate) fn wait(word: &AtomicU32, value: u32) -> sys::Result {
        wait_for(word, value, Duration::from_secs(10))
    }

    /// FUTEX_WAIT with a limit.
    pub(crate) fn wait_for(word: &AtomicU32, value: u32, limit: Duration) -> sys::Result {
        sys!(libc::SYS_futex, word, libc::FUTEX_WAIT, value, &time::timespec(limit))
    }

    /// FUTEX_WAKE.
    pub(crate) fn wake(word: &AtomicU32, count: i32) -> sys::Result {
        sys!(libc::SYS_futex, word, libc::FUTEX_WAKE, count)
    }

    /// A mutex of one word: 0 free, 1 taken, 2 taken and perhaps waited for.
    pub(crate) fn lock(word: &AtomicU32) {
        use std::sync::atomic::Ordering::SeqCst;
        if word.compare_exchange(0, 1, SeqCst, SeqCst).is_ok() {
            return;
        }
        while word.swap(2, SeqCst) != 0 {
            let _ = wait(word, 2);
        }
    }

    /// Gives the mutex back.
    pub(crate) fn unlock(word: &AtomicU32) {
        use std::sync::atomic::Ordering::SeqCst;
        if word.swap(0, SeqCst) == 2 {
            wake(word, 1).expect("wake");
        }
    }
}
