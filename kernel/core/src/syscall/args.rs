//! Argument types: how a raw register becomes something a handler can trust the type of.
use core::fmt::Debug;

use tollgate_abi::Result;

use crate::mm::addr::UserAddr;
use crate::mm::user::UserPtr;

/// A type a system call can take. `Debug` is what tracing prints.
pub trait SyscallArg: Sized + Debug {
    /// Makes the value, or says why it is none (unknown flag bits: `EINVAL`).
    ///
    /// # Errors
    /// Whatever the call shall fail with.
    fn from_raw(raw: u64) -> Result<Self>;
}

macro_rules! plain_argument {
    ($($t:ty),*) => {$(
        impl SyscallArg for $t {
            fn from_raw(raw: u64) -> Result<Self> {
                Ok(raw as $t) // The ABI: high bits of a narrower argument are ignored.
            }
        }
    )*};
}
plain_argument!(i32, u32, i64, u64, usize, isize);

impl SyscallArg for UserAddr {
    fn from_raw(raw: u64) -> Result<Self> {
        Ok(Self(raw))
    }
}

impl<T> SyscallArg for UserPtr<T> {
    fn from_raw(raw: u64) -> Result<Self> {
        Ok(Self::new(UserAddr(raw)))
    }
}

/// A file descriptor number as the program gave it; AT_FDCWD (-100) included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fd(pub i32);

impl SyscallArg for Fd {
    fn from_raw(raw: u64) -> Result<Self> {
        Ok(Self(raw as i32))
    }
}

/// Makes a bitflags type an argument that refuses unknown bits with `EINVAL`.
#[macro_export]
macro_rules! flags_argument {
    ($($t:ty: $bits:ty),* $(,)?) => {$(
        impl $crate::syscall::args::SyscallArg for $t {
            fn from_raw(raw: u64) -> tollgate_abi::Result<Self> {
                Self::from_bits(raw as $bits).ok_or(tollgate_abi::Errno::EINVAL)
            }
        }
    )*};
}
