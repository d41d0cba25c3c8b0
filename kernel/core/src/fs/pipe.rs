//! Pipes.

/// A pipe.
pub struct Pipe {}
