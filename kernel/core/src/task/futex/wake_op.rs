//! The little program of FUTEX_WAKE_OP: change a word, compare what it was.
use tollgate_abi::{Errno, Result};

use crate::arch::copy::cmpxchg_u32;
use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;

/// An encoded operation and comparison, as futex(2) describes it.
#[derive(Clone, Copy, Debug)]
pub struct WakeOp(pub u32);

impl WakeOp {
    /// Does the operation on the word at `addr`; returns whether the comparison holds of the old value.
    ///
    /// # Errors
    /// `ENOSYS` for operations and comparisons there are not, `EFAULT`.
    pub(super) fn apply(self, addr: UserAddr) -> Result<bool> {
        let (shift, operation, comparison) = (self.0 >> 31 != 0, self.0 >> 28 & 7, self.0 >> 24 & 15);
        // Both arguments are 12 bits with sign.
        let (argument, compared) = ((self.0 << 8) as i32 >> 20, (self.0 << 20) as i32 >> 20);
        let argument = if shift { 1u32 << (argument & 31) } else { argument as u32 };
        let change = |old: u32| match operation {
            0 => Ok(argument),
            1 => Ok(old.wrapping_add(argument)),
            2 => Ok(old | argument),
            3 => Ok(old & !argument),
            4 => Ok(old ^ argument),
            _ => Err(Errno::ENOSYS),
        };
        let mut old = UserPtr::<u32>::new(addr).read()?;
        loop {
            match cmpxchg_u32(addr, old, change(old)?) {
                Ok(was) if was == old => break,
                Ok(was) => old = was,
                Err(()) => return Err(Errno::EFAULT),
            }
        }
        let old = old as i32;
        match comparison {
            0 => Ok(old == compared),
            1 => Ok(old != compared),
            2 => Ok(old < compared),
            3 => Ok(old <= compared),
            4 => Ok(old > compared),
            5 => Ok(old >= compared),
            _ => Err(Errno::ENOSYS),
        }
    }
}
