//! Makes the gate image and the description of its functions, for `src/image.rs` to include.
//!
//! The code is assembled here and not by the compiler, because then each instruction's frame can be stated beside it,
//! once, for both formats of unwind tables. `frame.rs` and `vvar.rs` are the crate's own: the words the description is
//! in, and the data page the code reads.
#![allow(unreachable_pub, reason = "a build script has no outside, and two modules are shared with the crate")]

mod code;
mod dwarf;
mod elf;
mod text;

#[path = "../src/atomic.rs"]
mod atomic;
#[path = "../src/frame.rs"]
#[allow(dead_code, reason = "the crate itself uses the rest")]
mod frame;
#[path = "../src/vvar.rs"]
#[allow(dead_code, reason = "the crate itself uses the rest")]
mod vvar;

use std::fmt::Write;
use std::path::Path;

use text::{Assembled, Text};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for input in ["build", "src/frame.rs", "src/vvar.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let mut text = Text::new(elf::TEXT);
    code::write(&mut text)?;
    let mut image = elf::image(&text)?;
    image.resize(image.len().next_multiple_of(4096), 0);

    let out = std::env::var("OUT_DIR")?;
    std::fs::write(Path::new(&out).join("gate.so"), &image)?;
    std::fs::write(Path::new(&out).join("gate.rs"), description(&text.functions, image.len()))?;
    Ok(())
}

/// The functions as Rust source. The names of types and variants are in scope where it is included, so what `Debug`
/// prints of a frame is an expression.
fn description(functions: &[Assembled], size: usize) -> String {
    let mut source =
        format!("pub(super) const IMAGE_SIZE: usize = {size};\npub(super) const FUNCTIONS: &[Function] = &[\n");
    for function in functions {
        let Assembled { name, start, entry, code_end, end, rows } = function;
        writeln!(
            source,
            "Function {{ name: {name:?}, start: {start}, entry: {entry}, code_end: {code_end}, end: {end}, rows: &["
        )
        .expect("strings grow");
        for (from, frame) in rows {
            writeln!(source, "    Row {{ from: {from}, frame: {frame:?} }},").expect("strings grow");
        }
        source += "] },\n";
    }
    source += "];\n";
    let mut constant = |constant: &str, value: usize| {
        writeln!(source, "pub(super) const {constant}: usize = {value};").expect("strings grow")
    };
    let find = |name| functions.iter().find(|function| function.name == name).expect("a function of the image");
    constant("SIGRETURN", find(code::SIGRETURN).entry);
    let uretprobe = find(code::URETPROBE);
    constant("URETPROBE", uretprobe.entry);
    // The first frame that knows the caller begins where the system call returns to.
    let after = uretprobe.rows.iter().find(|(_, frame)| frame.return_address != frame::ReturnAddress::Unknown);
    constant("URETPROBE_RETURN", after.expect("a frame after the call").0);
    source
}
