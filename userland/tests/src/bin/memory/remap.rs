//! mremap.

use tollgate_tests::memory::{Mapping, PAGE, is_mapped, munmap, peek, poke};
use tollgate_tests::{Errno, sys};

fn mremap(old: usize, old_length: usize, length: usize, flags: i32, new: usize) -> sys::Result {
    sys!(libc::SYS_mremap, old, old_length, length, flags, new)
}

/// Two pages marked 1 and 2 with room behind them.
fn two_pages_and_room() -> Mapping {
    let mut mapping = Mapping::anonymous(6);
    munmap(mapping.page(2), 4 * PAGE).unwrap();
    mapping.length = 2 * PAGE;
    poke(mapping.page(0), 1);
    poke(mapping.page(1), 2);
    mapping
}

pub(crate) fn grows_in_place() {
    let mut mapping = two_pages_and_room();
    assert_eq!(mremap(mapping.address, 2 * PAGE, 5 * PAGE, 0, 0), Ok(mapping.address));
    mapping.length = 5 * PAGE;
    assert_eq!([0, 1, 2, 4].map(|page| peek(mapping.page(page))), [1, 2, 0, 0]);
}

pub(crate) fn shrinks() {
    let mapping = two_pages_and_room();
    assert_eq!(mremap(mapping.address, 2 * PAGE, PAGE, 0, 0), Ok(mapping.address));
    assert!(is_mapped(mapping.page(0)) && !is_mapped(mapping.page(1)));
    assert_eq!(peek(mapping.page(0)), 1);
}

pub(crate) fn moves_with_its_content() {
    let mapping = Mapping::anonymous(3);
    mapping.fill(8);
    let old = mapping.leak();
    // The page after it is taken, so it cannot grow where it is.
    let length = 2 * PAGE;
    let new = mremap(old, length, 100 * PAGE, libc::MREMAP_MAYMOVE, 0).expect("mremap");
    assert_ne!(new, old);
    assert!(!is_mapped(old) && !is_mapped(old + PAGE) && is_mapped(old + 2 * PAGE));
    assert_eq!((peek(new), peek(new + length - 1), peek(new + length)), (8, 8, 0));
    munmap(new, 100 * PAGE).unwrap();
    munmap(old, 3 * PAGE).unwrap();
}

pub(crate) fn cannot_grow_into_a_neighbour() {
    let mapping = Mapping::anonymous(3);
    assert_eq!(mremap(mapping.address, PAGE, 2 * PAGE, 0, 0), Err(Errno::ENOMEM));
    assert!([0, 1, 2].iter().all(|&page| is_mapped(mapping.page(page))));
}

pub(crate) fn moves_to_a_fixed_place() {
    let old = Mapping::anonymous(2);
    let target = Mapping::anonymous(2);
    old.fill(5);
    target.fill(6);
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    assert_eq!(mremap(old.address, PAGE, PAGE, flags, target.page(1)), Ok(target.page(1)));
    assert_eq!((peek(target.page(0)), peek(target.page(1))), (6, 5));
    assert!(!is_mapped(old.page(0)) && is_mapped(old.page(1)));
}

pub(crate) fn bad_arguments_are_refused() {
    let mapping = Mapping::anonymous(4);
    let (address, length) = (mapping.address, 2 * PAGE);
    let fixed = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    assert_eq!(mremap(address + 1, length, length, 0, 0), Err(Errno::EINVAL), "unaligned");
    assert_eq!(mremap(address, length, 0, 0, 0), Err(Errno::EINVAL), "no length");
    assert_eq!(mremap(address, length, length, 0x100, 0), Err(Errno::EINVAL), "no such flag");
    assert_eq!(mremap(address, length, length, libc::MREMAP_FIXED, address), Err(Errno::EINVAL), "fixed, not movable");
    assert_eq!(mremap(address, length, length, fixed, address + PAGE), Err(Errno::EINVAL), "onto itself");
    assert_eq!(mremap(address, length, length, fixed, 0x123), Err(Errno::EINVAL), "to an unaligned place");
    munmap(mapping.page(3), PAGE).unwrap();
    assert_eq!(mremap(mapping.page(3), PAGE, length, libc::MREMAP_MAYMOVE, 0), Err(Errno::EFAULT), "nothing there");
    assert_eq!(mremap(mapping.page(2), length, 5 * PAGE, libc::MREMAP_MAYMOVE, 0), Err(Errno::EFAULT), "a hole in it");
}
