//! Files: descriptors, reading and writing, names, directories, pipes, polling, devices.

mod attributes;
mod descriptors;
mod devices;
mod directories;
mod io;
mod names;
mod open;
mod pipes;
mod polling;
mod process_files;
mod vectors;

use tollgate_tests::{linux, suite};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(open::creates_and_truncates),
        linux!(open::exclusive_creation),
        linux!(open::access_modes_are_kept),
        linux!(open::errors),
        linux!(open::names_through_directories),
        linux!(open::lowest_free_number),
        linux!(open::umask_is_applied),
        linux!(io::offsets_move),
        linux!(io::seeking),
        linux!(io::append_goes_to_the_end),
        linux!(io::holes_are_zero),
        linux!(io::positioned),
        linux!(io::truncation),
        linux!(io::large_transfers),
        linux!(io::odd_lengths),
        linux!(io::bad_descriptors),
        linux!(io::open_files_outlive_their_names),
        linux!(vectors::gather_and_scatter),
        linux!(vectors::errors),
        linux!(descriptors::dup_shares_everything_but_the_flag),
        linux!(descriptors::dup2_replaces),
        linux!(descriptors::dup3_takes_flags),
        linux!(descriptors::fcntl_duplicates_above),
        linux!(descriptors::status_flags),
        linux!(descriptors::limit_is_an_error),
        linux!(descriptors::closing_twice_is_an_error),
        linux!(attributes::stat_tells_kind_and_size),
        linux!(attributes::links_are_counted),
        linux!(attributes::modes_change),
        linux!(attributes::empty_path),
        linux!(attributes::access_looks),
        linux!(directories::make_list_and_remove),
        linux!(directories::many_entries),
        linux!(directories::listing_in_small_pieces),
        linux!(directories::listing_goes_back),
        linux!(directories::errors),
        linux!(directories::working_directory),
        linux!(directories::removed_while_open),
        linux!(names::dots_and_slashes),
        linux!(names::lengths),
        linux!(names::symbolic_links),
        linux!(names::endless_links),
        linux!(names::hard_links),
        linux!(names::unlinking),
        linux!(names::renaming),
        linux!(names::renaming_directories),
        linux!(names::renaming_errors),
        linux!(pipes::bytes_in_order),
        linux!(pipes::end_of_file),
        linux!(pipes::broken_pipe),
        linux!(pipes::capacity),
        linux!(pipes::small_writes_are_whole),
        linux!(pipes::nonblocking),
        linux!(pipes::wrong_end),
        linux!(pipes::cannot_seek),
        linux!(pipes::large_writes_wait_for_readers),
        linux!(pipes::many_writers),
        linux!(polling::pipe_states),
        linux!(polling::time_out),
        linux!(polling::wakes_up),
        linux!(polling::odd_entries),
        linux!(polling::select_works),
        linux!(devices::null_and_zero),
        linux!(devices::large_transfers),
        linux!(devices::random_numbers),
        linux!(devices::only_terminals_are_terminals),
        linux!(process_files::own_status),
        linux!(process_files::links),
        linux!(process_files::others),
        linux!(process_files::memory_counts),
    ])
}
