//! Signals: actions, masks, queues, frames, waiting, timers, and what faulting instructions raise.

mod actions;
mod altstack;
mod defaults;
mod faults;
mod frame;
mod hostile;
mod mask;
mod queue;
mod record;
mod restart;
mod send;
mod stop;
mod threads;
mod timers;
mod waiting;

use tollgate_tests::{linux, suite, tollgate};

fn main() -> std::process::ExitCode {
    suite::main(&[
        linux!(actions::handler_gets_the_signal),
        linux!(actions::old_action_comes_back),
        linux!(actions::signal_is_blocked_while_handled),
        linux!(actions::nodefer_lets_it_nest),
        linux!(actions::mask_of_the_action_is_added),
        linux!(actions::resethand_is_for_once),
        linux!(actions::ignoring_drops_what_is_pending),
        linux!(actions::handlers_nest),
        linux!(actions::bad_arguments_are_refused),
        linux!(actions::handler_may_go_elsewhere),
        linux!(actions::delivery_by_number),
        linux!(mask::blocked_signals_wait),
        linux!(mask::unblocking_delivers_at_once),
        linux!(mask::kill_and_stop_cannot_be_blocked),
        linux!(mask::handler_may_change_the_mask_to_return_to),
        linux!(mask::bad_arguments_are_refused),
        linux!(queue::real_time_signals_in_order),
        linux!(queue::ordinary_signals_merge),
        linux!(queue::lower_numbers_first),
        linux!(queue::own_thread_first),
        linux!(queue::information_arrives_whole),
        linux!(queue::information_cannot_be_forged),
        linux!(queue::limit_is_an_error),
        linux!(altstack::handler_runs_there),
        linux!(altstack::handlers_nest_there),
        linux!(altstack::state_is_told),
        linux!(altstack::bad_stacks_are_refused),
        linux!(altstack::children_and_threads),
        linux!(altstack::overflow_of_it_kills),
        linux!(frame::general_registers_survive),
        linux!(frame::vector_registers_survive),
        linux!(frame::wide_vectors_survive),
        linux!(frame::floating_point_modes_survive),
        linux!(frame::red_zone_survives),
        linux!(frame::handler_starts_clean),
        linux!(frame::context_tells_the_fault),
        linux!(frame::changes_take_effect),
        linux!(frame::survives_preemption),
        tollgate!(frame::kernel_has_a_trampoline),
        linux!(hostile::bad_stack_pointers),
        linux!(hostile::bad_instruction_pointers),
        linux!(hostile::kernel_selectors),
        linux!(hostile::flags_are_filtered),
        linux!(hostile::bad_floating_point_state),
        linux!(hostile::random_frames).seconds(120),
        linux!(hostile::handler_stack_is_not_there),
        linux!(defaults::each_signal_has_its_action),
        linux!(defaults::dead_processes_take_no_signal),
        linux!(send::errors),
        linux!(send::to_a_thread),
        linux!(send::to_whichever_thread_takes_it),
        linux!(send::before_kill_returns),
        linux!(stop::terminal_stops),
        linux!(stop::orphaned_groups_do_not_stop),
        linux!(stop::all_threads_stop),
        linux!(stop::continues_though_blocked_or_ignored),
        linux!(stop::stops_and_continues_cancel),
        linux!(stop::parent_is_told),
        linux!(stop::parent_may_not_want_to_know),
        linux!(stop::sleeps_go_on_afterwards),
        linux!(waiting::timed_wait_takes_a_pending_one),
        linux!(waiting::timed_wait_waits),
        linux!(waiting::timed_wait_gives_up),
        linux!(waiting::timed_wait_is_interrupted),
        linux!(waiting::suspend_swaps_the_mask),
        linux!(waiting::pause_returns_after_a_handler),
        linux!(restart::read_starts_again),
        linux!(restart::read_is_interrupted),
        linux!(restart::write_tells_what_it_wrote),
        linux!(restart::wait_starts_again_or_not),
        linux!(restart::futex_starts_again_or_not),
        linux!(restart::sleep_is_never_restarted),
        linux!(restart::poll_is_never_restarted),
        linux!(restart::ignored_signals_interrupt_nothing),
        linux!(timers::alarm_rings_once),
        linux!(timers::alarm_is_replaced),
        linux!(timers::interval_timer_repeats),
        linux!(timers::timer_tells_what_is_left),
        linux!(timers::virtual_time),
        linux!(timers::children_have_none),
        linux!(timers::bad_arguments_are_refused),
        linux!(faults::integer_division),
        linux!(faults::x87_exceptions),
        linux!(faults::simd_exceptions),
        linux!(faults::illegal_instructions),
        linux!(faults::privileged_instructions),
        linux!(faults::breakpoints),
        linux!(faults::single_step),
        linux!(faults::alignment),
        linux!(faults::stack_segment),
        linux!(faults::software_interrupts),
        linux!(faults::handler_may_mend_and_go_on),
        linux!(threads::each_has_its_own_mask),
        linux!(threads::handlers_are_everyones),
        linux!(threads::many_signals_between_threads),
    ])
}
