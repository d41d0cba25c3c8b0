//! FPU, SSE and AVX state by XSAVE.

/// One task's extended state: an XSAVE area in the standard (not compacted) format, as signal frames carry it.
pub struct FpuState {}

impl FpuState {
    /// The state a fresh program starts with.
    pub fn new() -> Self {
        todo!("lead")
    }

    /// Stores the CPU's registers here (the current task's state lives in the CPU while it runs).
    pub fn save(&mut self) {
        todo!("lead")
    }

    /// Loads the CPU's registers from here.
    pub fn restore(&self) {
        todo!("lead")
    }

    /// The XSAVE area's bytes ([`size`] of them).
    pub fn as_bytes(&self) -> &[u8] {
        todo!("lead")
    }

    /// Replaces the area by bytes a user program wrote, made harmless: reserved MXCSR bits, XSTATE_BV and XCOMP_BV are
    /// checked, so that loading it cannot fault. `false` (and no change) when they are bad. `bytes` may be the 512
    /// bytes of FXSAVE alone, which leaves the rest in its initial state.
    pub fn set_from_user(&mut self, bytes: &[u8]) -> bool {
        let _ = bytes;
        todo!("lead")
    }
}

impl Clone for FpuState {
    fn clone(&self) -> Self {
        todo!("lead")
    }
}

/// Bytes of an XSAVE area on this machine (at least 576).
pub fn size() -> usize {
    todo!("lead")
}

/// The state components in use (XCR0).
pub fn features() -> u64 {
    todo!("lead")
}
