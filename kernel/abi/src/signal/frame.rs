//! The frame that Linux x86-64 pushes for a handler, and takes back in rt_sigreturn(2).
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{SigInfo, SigStack};

/// struct sigcontext: the registers, in the order of the ABI.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
#[expect(missing_docs, reason = "the registers of x86-64")]
pub struct SigContext {
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rsp: u64,
    pub rip: u64,
    pub rflags: u64,
    pub cs: u16,
    pub gs: u16,
    pub fs: u16,
    pub ss: u16,
    /// Error code of the last fault.
    pub err: u64,
    /// Vector of the last fault.
    pub trapno: u64,
    /// Low word of the old mask.
    pub oldmask: u64,
    /// Address of the last page fault.
    pub cr2: u64,
    /// Address of the FPU state, or 0.
    pub fpstate: u64,
    pub reserved: [u64; 8],
}

/// struct ucontext.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UContext {
    /// [`UC_FP_XSTATE`] and so on.
    pub flags: u64,
    /// Always 0.
    pub link: u64,
    /// The alternate stack.
    pub stack: SigStack,
    /// The registers.
    pub context: SigContext,
    /// The mask to return to.
    pub mask: u64,
}

/// struct rt_sigframe. It ends where the FPU state's padding begins.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SigFrame {
    /// The handler's return address.
    pub pretcode: u64,
    /// The context that was interrupted.
    pub uc: UContext,
    /// Why.
    pub info: SigInfo,
    /// The rest of siginfo_t.
    pub info_rest: [u64; 10],
}

/// The frame's FPU state is a whole XSAVE area.
pub const UC_FP_XSTATE: u64 = 1;
/// `ss` in the frame is meaningful.
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// rt_sigreturn takes `ss` as it is.
pub const UC_STRICT_RESTORE_SS: u64 = 4;

/// Bytes below the stack pointer that belong to the interrupted function.
pub const RED_ZONE: u64 = 128;

/// struct _fpx_sw_bytes: what the kernel leaves in the FXSAVE area's last bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FpSoftware {
    /// [`FP_XSTATE_MAGIC1`].
    pub magic1: u32,
    /// Bytes of the whole state with its trailing magic number.
    pub extended_size: u32,
    /// The state components that are there (XCR0).
    pub features: u64,
    /// Bytes of the XSAVE area.
    pub xstate_size: u32,
    /// Zeros.
    pub pad: [u32; 7],
}

/// Where [`FpSoftware`] is in the FPU state.
pub const FP_SOFTWARE_OFFSET: usize = 464;
/// Bytes of the FXSAVE part.
pub const FXSAVE_SIZE: usize = 512;
/// Offset of XSTATE_BV, the first word of the XSAVE header.
pub const XSTATE_BV_OFFSET: usize = 512;
/// Bytes of FXSAVE part and XSAVE header.
pub const XSAVE_MIN_SIZE: usize = 576;
/// In [`FpSoftware::magic1`]: an XSAVE area follows.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// After the XSAVE area.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;

const _: () = assert!(size_of::<SigContext>() == 256 && size_of::<UContext>() == 304);
const _: () = assert!(size_of::<SigFrame>() == 440 && size_of::<FpSoftware>() == 48);
