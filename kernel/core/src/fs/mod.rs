//! Files.

/// A table of open files: descriptor to open file description.
pub struct FdTable {}

/// Root directory, working directory and umask.
pub struct FsContext {}
