//! All address spaces there are, for those who take pages away from under them.
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::tree;
use crate::mm::space::AddressSpace;

/// Unmaps an object's pages from index `first` on wherever they are mapped: the object has got shorter. Rare enough
/// that every address space is asked. No lock may be held that closing a file takes.
///
/// `identity` is [`crate::mm::space::MemoryObject::identity`].
pub fn unmap_object(identity: usize, first: u64) {
    for space in all() {
        space.unmap_object(identity, first);
    }
}

/// Every process's address space. Processes that share one (vfork) give it twice.
fn all() -> Vec<Arc<AddressSpace>> {
    let tree = tree::lock();
    tree.processes().filter_map(|process| process.any_thread()?.space()).collect()
}
