//! Raw system calls, without a C library between the test and the kernel.

use core::arch::asm;
pub use tollgate_abi::Errno;

/// What a system call gives: its return value, or why not.
pub type Result = std::result::Result<usize, Errno>;

/// Calls the kernel: `sys!(libc::SYS_close, 3)`. Integers are sign-extended, references passed as addresses.
#[macro_export]
macro_rules! sys {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        // A match, so that temporaries among the arguments live until the call has been made.
        match ($number, [$($crate::sys::Argument::raw($argument)),*] as [usize; _]) {
            // SAFETY: a test calls the kernel with arguments that it chose for what they do to its own process, a
            // child forked for the purpose; memory it hands over is its own or deliberately not mapped.
            (number, arguments) => unsafe { $crate::sys::call(number, &arguments) },
        }
    };
}

/// Makes a system call with up to six arguments; the missing ones are zero.
///
/// # Safety
/// The kernel does what it is told with this process's memory and descriptors.
pub unsafe fn call(number: libc::c_long, arguments: &[usize]) -> Result {
    // SAFETY: as the caller promises.
    let value = unsafe { raw(number, arguments) };
    match value {
        -4095..=-1 => {
            let number = -value as i32;
            Err(Errno::try_from(number).unwrap_or_else(|_| panic!("the kernel returned the unknown errno {number}")))
        }
        _ => Ok(value as usize),
    }
}

/// As [`call`], with the value of rax as it is.
///
/// # Safety
/// As [`call`].
pub unsafe fn raw(number: libc::c_long, arguments: &[usize]) -> isize {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let value;
    // SAFETY: the kernel keeps all registers but rax, rcx and r11, and may write memory, as the constraints say.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => value,
            in("rdi") all[0], in("rsi") all[1], in("rdx") all[2],
            in("r10") all[3], in("r8") all[4], in("r9") all[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    value
}

/// What can be passed to a system call.
pub trait Argument {
    /// The value as the register holds it.
    fn raw(self) -> usize;
}

macro_rules! integers {
    ($($integer:ty)*) => { $(impl Argument for $integer {
        fn raw(self) -> usize { self as usize }
    })* };
}
integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl<T> Argument for *const T {
    fn raw(self) -> usize {
        self as usize
    }
}

impl<T> Argument for *mut T {
    fn raw(self) -> usize {
        self as usize
    }
}

impl<T> Argument for &T {
    fn raw(self) -> usize {
        self as *const T as usize
    }
}

impl<T> Argument for &mut T {
    fn raw(self) -> usize {
        self as *mut T as usize
    }
}

impl Argument for &std::ffi::CStr {
    fn raw(self) -> usize {
        self.as_ptr() as usize
    }
}
