//! The image and its data page in this process.

use std::ptr;

use tollgate_gate::image;
use tollgate_gate::image::{FUNCTIONS, PAGE_SIZE};
use tollgate_gate::vvar::{VVAR_PAGES, Vvar};

/// One mapping of the image; every test has its own. It stays for the life of the process.
pub(crate) struct Gate {
    /// Address of the image.
    pub(crate) base: usize,
    /// The data page, which the test writes as a kernel would.
    pub(crate) vvar: &'static Vvar,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let data = VVAR_PAGES * PAGE_SIZE;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at a place of the system's choice touches nothing that exists.
        let start = unsafe { libc::mmap(ptr::null_mut(), data + image().len(), protection, flags, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        let base = start as usize + data;
        // SAFETY: the mapping is writable, ours alone, and this long; it is never unmapped.
        unsafe {
            ptr::copy_nonoverlapping(image().as_ptr(), base as *mut u8, image().len());
            assert_eq!(libc::mprotect(base as *mut _, image().len(), libc::PROT_READ | libc::PROT_EXEC), 0);
        }
        // SAFETY: the page is zeroed, aligned, lives for ever, and a Vvar is made of atomics only.
        Self { base, vvar: unsafe { &*start.cast::<Vvar>() } }
    }

    /// Address of a function.
    pub(crate) fn address(&self, name: &str) -> usize {
        let function = FUNCTIONS.iter().find(|function| function.name == name);
        self.base + function.unwrap_or_else(|| panic!("no {name}")).entry
    }

    /// Calls a function with three arguments, as any C function is called.
    pub(crate) fn call(&self, name: &str, arguments: [usize; 3]) -> i64 {
        // SAFETY: all functions called by name here follow the C calling convention and take at most three arguments,
        // numbers or pointers that are null or the caller's own.
        let function: extern "C" fn(usize, usize, usize) -> i64 = unsafe { std::mem::transmute(self.address(name)) };
        function(arguments[0], arguments[1], arguments[2])
    }
}
