//! Processes: clone flags, wait options, resource limits, auxiliary vector.
