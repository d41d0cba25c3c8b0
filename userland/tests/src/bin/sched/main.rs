//! The scheduler and the clocks.

mod affinity;
mod clocks;
mod running;
mod sleeping;

use tollgate_tests::{linux, suite};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(affinity::is_told_and_set),
        linux!(affinity::decides_where_a_task_runs),
        linux!(affinity::moves_a_running_task),
        linux!(affinity::is_inherited),
        linux!(affinity::bad_arguments_are_refused),
        linux!(running::several_at_once),
        linux!(running::spinning_tasks_share_a_cpu),
        linux!(running::sleepers_get_in_among_spinners),
        linux!(running::yield_lets_others_in),
        linux!(running::many_threads),
        linux!(running::many_processes),
        linux!(running::work_spreads_over_the_cpus),
        linux!(running::nice_values),
        linux!(running::policy_is_the_ordinary_one),
        linux!(sleeping::no_sleep_is_too_short),
        linux!(sleeping::absolute_sleeps),
        linux!(sleeping::sleeps_end_in_order),
        linux!(sleeping::bad_times_are_refused),
        linux!(clocks::monotonic_never_goes_back),
        linux!(clocks::cpus_agree),
        linux!(clocks::cpu_time_is_time_on_a_cpu),
        linux!(clocks::other_processes_cpu_time),
        linux!(clocks::clocks_agree_with_each_other),
        linux!(clocks::bad_clocks_are_refused),
    ])
}

/// What the tests of this binary share.
mod cpu {
    use tollgate_tests::sys;

    /// A set of CPUs.
    pub(crate) type Set = [u64; 16];

    /// The CPUs this task may use.
    pub(crate) fn allowed() -> Set {
        let mut set = [0; 16];
        sys!(libc::SYS_sched_getaffinity, 0, size_of::<Set>(), &mut set).expect("sched_getaffinity");
        set
    }

    /// Their numbers.
    pub(crate) fn numbers() -> Vec<usize> {
        let set = allowed();
        (0..1024).filter(|cpu| set[cpu / 64] & 1 << (cpu % 64) != 0).collect()
    }

    /// The set of one CPU.
    pub(crate) fn only(cpu: usize) -> Set {
        let mut set = [0; 16];
        set[cpu / 64] = 1 << (cpu % 64);
        set
    }

    /// Keeps a task to some CPUs; 0 is the caller.
    pub(crate) fn keep_to(task: i32, set: &Set) -> sys::Result {
        sys!(libc::SYS_sched_setaffinity, task, size_of::<Set>(), set)
    }

    /// The CPU this runs on.
    pub(crate) fn current() -> usize {
        let mut cpu = 0u32;
        sys!(libc::SYS_getcpu, &mut cpu, 0, 0).expect("getcpu");
        cpu as usize
    }
}
