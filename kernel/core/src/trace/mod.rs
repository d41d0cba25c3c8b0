//! What watches user programs: the hook points of the user-mode loop, and the gate page's glue.
