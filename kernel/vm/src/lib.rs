//! The part of memory management that touches no memory, so that it can be tested on the host:
//!
//! - [`buddy`]: which physical frames are free, in power-of-two blocks;
//! - [`ranges`]: the tree of an address space's mappings, with its search for gaps.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod buddy;
pub mod ranges;
