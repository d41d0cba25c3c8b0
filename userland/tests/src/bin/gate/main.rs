//! The gate page: the vDSO, getunwind(2), and stacks through the signal trampoline.

mod functions;
mod getunwind;
mod image;
mod mapping;
mod trampoline;

use tollgate_tests::{linux, suite, tollgate};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(image::is_a_versioned_shared_object),
        linux!(image::both_hash_tables_are_there),
        linux!(image::debuggers_find_sections_and_frames),
        linux!(functions::clocks_agree_with_the_calls),
        linux!(functions::resolutions_agree_with_the_calls),
        linux!(functions::unknown_clocks_are_refused),
        linux!(functions::gettimeofday_and_time_agree_with_the_clock),
        linux!(functions::getcpu_names_the_cpu),
        linux!(functions::time_never_goes_back),
        linux!(mapping::cannot_be_written),
        linux!(mapping::survives_fork),
        linux!(mapping::is_somewhere_else_after_exec),
        tollgate!(mapping::is_the_crates_image),
        tollgate!(getunwind::only_the_size_is_asked),
        tollgate!(getunwind::a_small_buffer_is_not_looked_at),
        tollgate!(getunwind::the_data_and_no_more_are_copied),
        tollgate!(getunwind::a_bad_buffer_is_a_fault),
        tollgate!(getunwind::is_the_same_again_and_in_a_child),
        tollgate!(getunwind::describes_the_image_where_it_is),
        tollgate!(getunwind::agrees_with_the_dwarf_of_the_image),
        tollgate!(trampoline::a_handler_without_a_restorer_returns),
        tollgate!(trampoline::the_return_address_is_in_the_image),
        tollgate!(trampoline::each_step_unwinds_to_the_interrupted_place),
    ])
}
