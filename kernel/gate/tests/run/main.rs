//! Runs the image's code on this machine, mapped as a kernel would map it.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod mapped;
mod step;
mod time;
