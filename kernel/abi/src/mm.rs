//! Memory: mmap, mprotect, mremap and madvise constants.
