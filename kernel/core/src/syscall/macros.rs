//! The table's grammar.

/// Declares the system calls: `NUMBER => name(arg: Type, ...) = handler;`.
///
/// Makes `dispatch(number, args)` and `describe(number)`, so that each call can be made and printed.
macro_rules! syscalls {
    ($($number:literal => $name:ident($($arg:ident: $type:ty),*) = $handler:path;)*) => {
        /// Makes system call `number`.
        ///
        /// # Errors
        /// The call's own; `ENOSYS` when there is none of this number.
        pub fn dispatch(number: u64, args: [u64; 6]) -> tollgate_abi::Result<usize> {
            match number {
                $($number => {
                    #[allow(unused_mut, unused_variables, reason = "calls without arguments use neither")]
                    let mut raw = args.into_iter();
                    $handler($(<$type as $crate::syscall::args::SyscallArg>::from_raw({
                        let _ = stringify!($arg);
                        raw.next().unwrap_or(0)
                    })?),*)
                })*
                _ => Err(tollgate_abi::Errno::ENOSYS),
            }
        }

        /// What there is to know of system call `number`.
        pub fn describe(number: u64) -> Option<&'static $crate::syscall::table::Description> {
            match number {
                $($number => {
                    static THIS: $crate::syscall::table::Description = $crate::syscall::table::Description {
                        print: |args, f| {
                            #[allow(unused_mut, unused_variables, reason = "calls without arguments use neither")]
                            let mut raw = args.iter();
                            let mut tuple = f.debug_tuple(stringify!($name));
                            $(match <$type as $crate::syscall::args::SyscallArg>::from_raw({
                                let _ = stringify!($arg);
                                raw.next().copied().unwrap_or(0)
                            }) {
                                Ok(value) => tuple.field(&value),
                                Err(_) => tuple.field(&"?"),
                            };)*
                            tuple.finish()
                        },
                    };
                    Some(&THIS)
                })*
                _ => None,
            }
        }
    };
}
