//! The runner: `cargo run` builds everything and starts QEMU.
fn main() {}
