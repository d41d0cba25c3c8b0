//! getunwind(2): the unwind table of the gate image.
use tollgate_abi::{Errno, Result};
use tollgate_gate::{UNWIND_SIZE, unwind_data};

use crate::mm::user::{self, UserPtr};
use crate::task;

/// Copies the unwind data of the gate image, as it is mapped in the calling process, to `buf` if they fit into `size`
/// bytes and `buf` is not null. Returns their size in either case; it is the same in every process.
///
/// # Errors
/// `EFAULT` when they fit but `buf` cannot be written.
pub fn getunwind(buf: UserPtr<u8>, size: usize) -> Result<usize> {
    if !buf.is_null() && size >= UNWIND_SIZE {
        let program = task::current().process.program().ok_or(Errno::EFAULT)?;
        user::write_bytes(buf.addr(), &unwind_data(program.gate.0))?;
    }
    Ok(UNWIND_SIZE)
}
