//! The user-mode loop: a thread's whole life, with every gate in order.
