//! Links the kernel by its own script, and again when that changes.
fn main() {
    let script = format!("{}/linker.ld", env!("CARGO_MANIFEST_DIR"));
    println!("cargo::rerun-if-changed={script}");
    println!("cargo::rustc-link-arg=-T{script}");
}
