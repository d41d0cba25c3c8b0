//! Walking the tree in order of address.
use core::ops::Range;

use super::node::{Link, Node};

/// More than an AVL tree of 2^32 nodes is high.
const MAX_HEIGHT: usize = 48;

/// Ranges in order of address; see [`super::RangeTree::iter`].
pub struct Iter<'a, T> {
    /// Nodes still to be visited, each before its right subtree; the next one is last.
    pending: [Option<&'a Node<T>>; MAX_HEIGHT],
    len: usize,
}

impl<'a, T> Iter<'a, T> {
    pub(super) fn new(root: &'a Link<T>, addr: u64) -> Self {
        let mut iter = Self { pending: [None; MAX_HEIGHT], len: 0 };
        iter.descend(root, addr);
        iter
    }

    /// Puts the path to the first range of `link` that ends above `addr` on the stack.
    fn descend(&mut self, mut link: &'a Link<T>, addr: u64) {
        while let Some(node) = link {
            link = if node.end > addr {
                self.pending[self.len] = Some(node);
                self.len += 1;
                &node.left
            } else {
                &node.right
            };
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (Range<u64>, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        self.len = self.len.checked_sub(1)?;
        let node = self.pending[self.len]?;
        self.descend(&node.right, 0);
        Some((node.range(), &node.value))
    }
}
