//! Signals: numbers, sigaction, siginfo, the signal frame.
