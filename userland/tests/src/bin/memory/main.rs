//! Memory: mappings, their protection, sharing and copying, the stack, faults, bad pointers, running out.

mod advice;
mod brk;
mod faults;
mod limits;
mod mapping;
mod pointers;
mod protection;
mod remap;
mod sharing;
mod stack;

use tollgate_tests::{linux, suite, tollgate};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(mapping::anonymous_memory_is_zero),
        linux!(mapping::bad_arguments_are_refused),
        linux!(mapping::a_free_hint_is_taken),
        linux!(mapping::fixed_replaces_what_was_there),
        linux!(mapping::noreplace_refuses_what_is_taken),
        linux!(mapping::unmapping_the_middle_leaves_the_ends),
        linux!(mapping::unmapping_nothing_succeeds),
        linux!(mapping::unmapped_memory_comes_back),
        linux!(mapping::many_small_mappings),
        linux!(mapping::populate_fills_at_once),
        linux!(mapping::the_kernel_fills_pages_on_its_own_access),
        linux!(protection::read_only_refuses_writes),
        linux!(protection::none_refuses_reads),
        linux!(protection::changing_the_middle_keeps_the_ends),
        linux!(protection::data_cannot_be_executed),
        linux!(protection::bad_arguments_are_refused),
        linux!(protection::a_hole_stops_the_change_halfway),
        linux!(protection::files_limit_their_mappings),
        linux!(remap::grows_in_place),
        linux!(remap::shrinks),
        linux!(remap::moves_with_its_content),
        linux!(remap::cannot_grow_into_a_neighbour),
        linux!(remap::moves_to_a_fixed_place),
        linux!(remap::bad_arguments_are_refused),
        linux!(brk::grows_and_shrinks),
        linux!(brk::comes_back_zeroed),
        linux!(brk::refuses_the_impossible),
        linux!(advice::dontneed_zeroes_anonymous_memory),
        linux!(advice::dontneed_brings_back_the_file),
        linux!(advice::bad_arguments_are_refused),
        linux!(sharing::a_child_has_its_own_copy),
        linux!(sharing::copies_through_generations),
        linux!(sharing::the_kernel_copies_before_it_writes),
        linux!(sharing::shared_memory_is_shared),
        linux!(sharing::shared_memory_outlives_its_maker),
        linux!(sharing::private_file_shows_the_file),
        linux!(sharing::private_file_keeps_writes_to_itself),
        linux!(sharing::beyond_the_file_is_a_bus_error),
        linux!(sharing::shared_file_writes_the_file),
        linux!(sharing::the_zero_page_is_never_written),
        linux!(stack::grows_by_itself),
        linux!(stack::grows_for_the_kernel),
        linux!(stack::stops_at_its_limit),
        linux!(stack::endless_recursion_faults),
        linux!(faults::nothing_mapped),
        linux!(faults::exact_address),
        linux!(faults::kernel_addresses),
        linux!(faults::non_canonical_addresses),
        linux!(faults::jumps_to_nowhere),
        linux!(faults::default_action_kills),
        linux!(pointers::outputs),
        linux!(pointers::inputs),
        linux!(pointers::straddling_outputs),
        linux!(pointers::partial_transfers),
        linux!(pointers::waiting_keeps_the_status),
        linux!(limits::address_space_limit),
        linux!(limits::absurd_sizes),
        tollgate!(limits::out_of_memory_kills_the_process).seconds(300),
        tollgate!(limits::out_of_memory_in_a_call_is_an_errno).seconds(300),
    ])
}
