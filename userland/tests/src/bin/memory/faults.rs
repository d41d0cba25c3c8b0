//! What an access that cannot be raises.

use tollgate_tests::memory::{KERNEL, Mapping, NON_CANONICAL, PAGE, munmap, peek, peek_u64, poke, touch};
use tollgate_tests::process::in_child;
use tollgate_tests::signal::{Fault, fault_of};

const SEGV_MAPERR: i32 = 1;
/// The kernel raised it and knows no more.
const SI_KERNEL: i32 = 0x80;

fn not_mapped(address: usize) -> Option<Fault> {
    Some(Fault { signal: libc::SIGSEGV, code: SEGV_MAPERR, address })
}

pub(crate) fn nothing_mapped() {
    assert_eq!(fault_of(|| touch(0)), not_mapped(0));
    assert_eq!(fault_of(|| poke(8, 1)), not_mapped(8));
    let mapping = Mapping::anonymous(3);
    mapping.fill(1);
    let gone = mapping.page(1) + 17;
    for access in [|address| touch(address), |address| poke(address, 1)] {
        let fault = fault_of(|| {
            munmap(mapping.page(1), PAGE).unwrap();
            access(gone);
        });
        assert_eq!(fault, not_mapped(gone));
    }
}

/// An access across a page's end faults at the page that is missing.
pub(crate) fn exact_address() {
    let mapping = Mapping::anonymous(2);
    let fault = fault_of(|| {
        munmap(mapping.page(1), PAGE).unwrap();
        peek_u64(mapping.page(1) - 4);
    });
    assert_eq!(fault, not_mapped(mapping.page(1)));
}

pub(crate) fn kernel_addresses() {
    for address in [KERNEL, usize::MAX - PAGE, 0xffff_8000_0000_0000] {
        assert_eq!(fault_of(|| touch(address)), not_mapped(address));
        assert_eq!(fault_of(|| poke(address, 1)), not_mapped(address));
    }
}

pub(crate) fn non_canonical_addresses() {
    let expected = Some(Fault { signal: libc::SIGSEGV, code: SI_KERNEL, address: 0 });
    assert_eq!(fault_of(|| touch(NON_CANONICAL)), expected);
    assert_eq!(fault_of(|| poke(NON_CANONICAL, 1)), expected);
}

pub(crate) fn jumps_to_nowhere() {
    let jump = |address: usize| {
        // SAFETY: no function is there; the fault is the test.
        let function: extern "C" fn() = unsafe { std::mem::transmute(address) };
        fault_of(|| function())
    };
    assert_eq!(jump(16), not_mapped(16));
    assert_eq!(jump(KERNEL), not_mapped(KERNEL));
    assert_eq!(jump(NON_CANONICAL), Some(Fault { signal: libc::SIGSEGV, code: SI_KERNEL, address: 0 }));
}

pub(crate) fn default_action_kills() {
    assert_eq!(in_child(|| touch(0)).signal(), Some(libc::SIGSEGV));
    // Blocking or ignoring it does not help: the instruction cannot go on.
    let blocked = in_child(|| {
        tollgate_tests::signal::block(&[libc::SIGSEGV]);
        peek(0);
    });
    assert_eq!(blocked.signal(), Some(libc::SIGSEGV));
    let ignored = in_child(|| {
        tollgate_tests::signal::ignore(libc::SIGSEGV);
        peek(0);
    });
    assert_eq!(ignored.signal(), Some(libc::SIGSEGV));
}
