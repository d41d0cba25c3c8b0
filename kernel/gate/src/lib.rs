//! The gate page: kernel code mapped into user space, and one description of its frames.
#![no_std]
#![forbid(unsafe_code)]
