//! The gate image: the code that the kernel maps into every process, and where its symbols are.

use crate::frame::{Frame, Function, Row};

/// Size of a page of memory.
pub const PAGE_SIZE: usize = 4096;
/// Number of pages of the image.
pub const GATE_PAGES: usize = 1;

/// A byte that traps: between functions.
const INT3: u8 = 0xcc;
/// A byte that does nothing: within functions.
const NOP: u8 = 0x90;

/// The signal return trampoline: `mov $15, %rax; syscall`. Debuggers and unwinders know exactly these bytes.
const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05];
/// The signal trampoline's place; a bundle of NOPs goes before it.
const SIGRETURN_ENTRY: usize = 16;

/// The image's functions in ascending order, and their frames.
pub const FUNCTIONS: &[Function] = &[Function {
    name: "__kernel_rt_sigreturn",
    start: 0,
    entry: SIGRETURN_ENTRY,
    end: SIGRETURN_ENTRY + 16,
    rows: &[Row { from: 0, frame: Frame::SIGNAL }],
}];

static IMAGE: [u8; PAGE_SIZE * GATE_PAGES] = {
    let mut image = [INT3; PAGE_SIZE * GATE_PAGES];
    let (function, _) = image.split_at_mut(SIGRETURN_ENTRY + 16);
    let mut at = 0;
    while at < function.len() {
        function[at] = NOP;
        at += 1;
    }
    function.split_at_mut(SIGRETURN_ENTRY).1.split_at_mut(SIGRETURN.len()).0.copy_from_slice(&SIGRETURN);
    image
};

/// The image's bytes, whole pages. It holds no addresses and may be mapped, readable and executable, anywhere.
pub fn image() -> &'static [u8] {
    &IMAGE
}

/// Offset in the image of the signal return trampoline: what a handler installed without SA_RESTORER returns to.
pub const fn sigreturn_offset() -> usize {
    SIGRETURN_ENTRY
}
