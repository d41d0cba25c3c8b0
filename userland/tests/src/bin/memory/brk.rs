//! The heap's end. Raw calls: no allocation happens between them.

use tollgate_tests::memory::{PAGE, is_mapped, peek, poke};
use tollgate_tests::sys;

fn brk(end: usize) -> usize {
    sys!(libc::SYS_brk, end).expect("brk never fails")
}

pub(crate) fn grows_and_shrinks() {
    let start = brk(0);
    assert_eq!(brk(0), start);
    let page = start.next_multiple_of(PAGE);
    assert_eq!(brk(page + 3 * PAGE + 1), page + 3 * PAGE + 1);
    poke(page, 1);
    poke(page + 4 * PAGE - 1, 1);
    assert_eq!(brk(page + PAGE), page + PAGE);
    assert!(is_mapped(page) && !is_mapped(page + PAGE));
    assert_eq!(peek(page), 1);
    assert_eq!(brk(start), start);
}

pub(crate) fn comes_back_zeroed() {
    let page = brk(0).next_multiple_of(PAGE);
    brk(page + 2 * PAGE);
    poke(page + PAGE, 77);
    brk(page + PAGE);
    brk(page + 2 * PAGE);
    assert_eq!(peek(page + PAGE), 0);
    brk(page);
}

pub(crate) fn refuses_the_impossible() {
    let now = brk(0);
    for end in [1, PAGE, usize::MAX, 1 << 47, 1 << 62] {
        assert_eq!(brk(end), now, "brk({end:#x}) changed something");
    }
}
