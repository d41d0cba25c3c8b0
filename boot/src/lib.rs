//! The host side of Tollgate: builds the kernel, the userland and the initramfs, starts them in
//! QEMU and passes the guest command's exit status on.
//!
//! The `tollgate` binary (`cargo run`) is a thin wrapper around [`run`]; the tests in `tests/` use
//! the same pieces to boot one machine for many tests.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`cargo`] | builds kernel, userland and sample programs |
//! | [`tree`], [`cpio`] | the files of the initramfs, and the archive they are written to |
//! | [`initramfs`] | which files those are |
//! | [`add`], [`libraries`] | `--add` and `--add-bin` |
//! | [`busybox`], [`symbols`] | the shell and tools; the kernel's symbol table |
//! | [`qemu`] | the machine: QEMU's command line |
//! | [`machine`], [`console`], [`klog`] | running it: time-out, standard streams, the kernel log |
//! | [`image`] | disk images for BIOS and UEFI |

pub mod add;
pub mod busybox;
pub mod cargo;
pub mod console;
pub mod cpio;
pub mod image;
pub mod initramfs;
pub mod klog;
pub mod libraries;
pub mod machine;
pub mod options;
pub mod qemu;
pub mod run;
pub mod symbols;
pub mod tree;
