//! The gate image: the code that the kernel maps into every process, and where its symbols are.
//!
//! The image is an ELF shared object, made by the crate's build script from the code in `build/code.rs`. It is the
//! vDSO that C libraries look for by `AT_SYSINFO_EHDR`.

use generated::{IMAGE_SIZE, SIGRETURN, URETPROBE, URETPROBE_RETURN};

use crate::frame::Function;

/// What the build script says of the image.
mod generated {
    use crate::frame::{Cfa::*, Frame, Function, ReturnAddress::*, Row};
    include!(concat!(env!("OUT_DIR"), "/gate.rs"));
}

/// Size of a page of memory.
pub const PAGE_SIZE: usize = 4096;
/// Number of pages of the image.
pub const GATE_PAGES: usize = IMAGE_SIZE / PAGE_SIZE;

/// The image's functions in ascending order, and their frames.
pub const FUNCTIONS: &[Function] = generated::FUNCTIONS;

static IMAGE: [u8; IMAGE_SIZE] = *include_bytes!(concat!(env!("OUT_DIR"), "/gate.so"));

/// The image's bytes, whole pages. It holds no addresses and may be mapped, readable and executable, at any page that
/// has [`crate::vvar::VVAR_PAGES`] of data before it.
pub fn image() -> &'static [u8] {
    &IMAGE
}

/// Offset in the image of the signal return trampoline: what a handler installed without SA_RESTORER returns to.
pub const fn sigreturn_offset() -> usize {
    SIGRETURN
}

/// Offset in the image of the return probe trampoline: what is put in place of a probed function's return address.
pub const fn uretprobe_offset() -> usize {
    URETPROBE
}

/// Offset in the image of the one place from which uretprobe(2) may be called: the program counter during the call.
/// The stack then holds `r11`, `rcx`, and `rax` in the slot that takes the true return address.
pub const fn uretprobe_return_offset() -> usize {
    URETPROBE_RETURN
}
