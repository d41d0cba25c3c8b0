//! Processes: fork, clone, exec, exit, wait, sessions and groups.

mod clone;
mod elf;
mod exec;
mod exit;
mod fork;
mod helper;
mod orphans;
mod script;
mod sessions;
mod wait;
mod waitid;

use tollgate_tests::{linux, suite, tollgate};

fn main() -> std::process::ExitCode {
    helper::run_if_asked();
    suite::main(&[
        linux!(fork::child_has_an_id_and_a_parent),
        linux!(fork::many_children_at_once),
        linux!(fork::a_family_of_generations),
        linux!(fork::descriptors_share_their_offset),
        linux!(fork::only_the_calling_thread_goes_on),
        linux!(fork::pending_signals_stay_with_the_parent),
        linux!(fork::registers_survive),
        linux!(clone::vfork_waits_for_exit),
        linux!(clone::vfork_waits_for_exec),
        linux!(clone::memory_shared_without_thread),
        linux!(clone::thread_ids_are_stored_and_cleared),
        linux!(clone::cleared_id_wakes_a_waiter),
        linux!(clone::files_shared),
        linux!(clone::working_directory_shared),
        linux!(clone::thread_local_pointer),
        linux!(clone::siblings_by_parent_flag),
        linux!(clone::other_exit_signals),
        linux!(clone::impossible_flags_are_refused),
        linux!(exit::status_is_eight_bits),
        linux!(exit::group_exit_ends_threads),
        linux!(exit::group_exit_from_a_thread),
        linux!(exit::leader_may_go_first),
        linux!(exit::a_fatal_signal_ends_all_threads),
        linux!(exit::threads_leave_no_zombies),
        linux!(wait::status_of_each_end),
        linux!(wait::no_child_is_an_error),
        linux!(wait::nohang_does_not_wait),
        linux!(wait::chooses_by_id_and_group),
        linux!(wait::stops_and_continues),
        linux!(wait::another_thread_may_wait),
        linux!(wait::ignored_children_reap_themselves),
        linux!(wait::zombies_stay_until_waited_for),
        linux!(wait::bad_options_are_refused),
        linux!(wait::resource_usage_is_told),
        linux!(waitid::tells_each_end),
        linux!(waitid::nowait_leaves_the_child),
        linux!(waitid::stops_and_continues),
        linux!(waitid::bad_arguments_are_refused),
        linux!(exec::arguments_and_environment),
        linux!(exec::no_arguments_at_all),
        linux!(exec::auxiliary_vector),
        linux!(exec::initial_registers),
        linux!(exec::close_on_exec),
        linux!(exec::signals_across_exec),
        linux!(exec::identity_stays),
        linux!(exec::ends_other_threads),
        linux!(exec::from_another_thread),
        linux!(exec::too_long_arguments),
        linux!(exec::failures_change_nothing),
        linux!(exec::new_memory),
        linux!(elf::smallest_program),
        linux!(elf::zeroed_memory_after_the_file),
        linux!(elf::truncated_headers),
        linux!(elf::wrong_headers),
        linux!(elf::impossible_segments),
        linux!(elf::random_damage),
        linux!(script::interpreter_and_argument),
        linux!(script::shell),
        linux!(script::scripts_for_scripts),
        linux!(script::broken_first_lines),
        linux!(sessions::a_new_session),
        linux!(sessions::leaders_cannot_make_one),
        linux!(sessions::groups_of_children),
        linux!(sessions::group_errors),
        linux!(sessions::signals_to_a_group),
        linux!(sessions::others_are_visible),
        linux!(orphans::get_a_new_parent),
        tollgate!(orphans::go_to_init),
        linux!(orphans::zombies_of_the_dead_are_reaped),
    ])
}
