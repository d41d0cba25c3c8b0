//! The tree of an address space's mappings: disjoint ranges of addresses, each with a value.
//!
//! A height-balanced (AVL) tree ordered by address, in which every node also knows the bounds of its subtree and the
//! largest gap inside, so that a free place for a new mapping is found in logarithmic time ([`gap`]).
mod gap;
mod iter;
mod node;

use core::ops::Range;

pub use iter::Iter;
use node::{Link, Node};

/// A value that can be cut and joined as its range is.
pub trait Region: Sized {
    /// Cuts the value where `offset` bytes of its range lie below the cut; keeps the lower part, returns the upper.
    fn split_off(&mut self, offset: u64) -> Self;

    /// Whether `next`, whose range begins where ours of `len` bytes ends, could be one with this.
    fn continues(&self, len: u64, next: &Self) -> bool;
}

/// Disjoint, non-empty ranges of addresses, each with a `T`.
#[derive(Debug)]
pub struct RangeTree<T> {
    root: Link<T>,
    len: usize,
}

impl<T> Default for RangeTree<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RangeTree<T> {
    /// Without any range.
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no range.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The range that holds `addr`.
    #[inline]
    pub fn get(&self, addr: u64) -> Option<(Range<u64>, &T)> {
        let mut link = &self.root;
        while let Some(node) = link {
            link = if addr < node.start {
                &node.left
            } else if addr >= node.end {
                &node.right
            } else {
                return Some((node.range(), &node.value));
            };
        }
        None
    }

    /// The first range that ends above `addr`: the one that holds it or the next one up.
    pub fn at_or_above(&self, addr: u64) -> Option<(Range<u64>, &T)> {
        let (mut link, mut found) = (&self.root, None);
        while let Some(node) = link {
            if node.end > addr {
                found = Some((node.range(), &node.value));
                link = &node.left;
            } else {
                link = &node.right;
            }
        }
        found
    }

    /// The last range that starts below `addr`.
    pub fn below(&self, addr: u64) -> Option<(Range<u64>, &T)> {
        let (mut link, mut found) = (&self.root, None);
        while let Some(node) = link {
            if node.start < addr {
                found = Some((node.range(), &node.value));
                link = &node.right;
            } else {
                link = &node.left;
            }
        }
        found
    }

    /// Whether nothing is in `range`.
    pub fn is_free(&self, range: &Range<u64>) -> bool {
        self.at_or_above(range.start).is_none_or(|(next, _)| next.start >= range.end)
    }

    /// Whether every address of `range` is in some range.
    pub fn covers(&self, range: &Range<u64>) -> bool {
        let mut at = range.start;
        for (piece, _) in self.iter_from(range.start) {
            if at >= range.end || piece.start > at {
                break;
            }
            at = piece.end;
        }
        at >= range.end
    }

    /// All ranges in order of address.
    pub fn iter(&self) -> Iter<'_, T> {
        self.iter_from(0)
    }

    /// The ranges that end above `addr`, in order.
    pub fn iter_from(&self, addr: u64) -> Iter<'_, T> {
        Iter::new(&self.root, addr)
    }

    /// Start of the highest free place of `len` bytes inside `within`.
    pub fn highest_gap(&self, len: u64, within: Range<u64>) -> Option<u64> {
        gap::highest(&self.root, len, &within, within.start, within.end)
    }

    /// Start of the lowest free place of `len` bytes inside `within`.
    pub fn lowest_gap(&self, len: u64, within: Range<u64>) -> Option<u64> {
        gap::lowest(&self.root, len, &within, within.start, within.end)
    }

    /// A tree of the same shape, with values made by `copy`.
    ///
    /// # Errors
    /// The first that `copy` returns.
    pub fn try_clone<E>(&self, mut copy: impl FnMut(&T) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self { root: node::try_clone(&self.root, &mut copy)?, len: self.len })
    }

    /// Gives the range that holds `addr` other bounds, which must not overlap its neighbours.
    ///
    /// # Panics
    /// When no range holds `addr` or the new bounds are empty.
    pub fn resize(&mut self, addr: u64, bounds: Range<u64>) {
        assert!(bounds.start < bounds.end);
        self.change(addr, |node| (node.start, node.end) = (bounds.start, bounds.end));
    }

    fn change<R>(&mut self, addr: u64, f: impl FnOnce(&mut Node<T>) -> R) -> R {
        node::change(&mut self.root, addr, f).expect("a range holds the address")
    }

    fn add(&mut self, range: Range<u64>, value: T) {
        self.len += 1;
        node::insert(&mut self.root, Node::new(range, value));
    }
}

impl<T: Region> RangeTree<T> {
    /// Adds a range, and joins it with its neighbours where the values allow.
    ///
    /// # Panics
    /// When the range is empty or overlaps another.
    pub fn insert(&mut self, range: Range<u64>, value: T) {
        assert!(range.start < range.end && self.is_free(&range), "{range:x?} is not a free range");
        let joins_below = self
            .below(range.start)
            .filter(|(below, other)| below.end == range.start && other.continues(below.end - below.start, &value))
            .map(|(below, _)| below);
        let joins_above = self
            .get(range.end)
            .filter(|(above, other)| above.start == range.end && value.continues(range.end - range.start, other))
            .map(|(above, _)| above);
        match (joins_below, joins_above) {
            (Some(below), Some(above)) => {
                node::remove(&mut self.root, above.start);
                self.len -= 1;
                self.change(below.start, |node| node.end = above.end);
            }
            (Some(below), None) => self.change(below.start, |node| node.end = range.end),
            (None, Some(above)) => self.change(above.start, |node| {
                // The lower part's value stands for the whole: offsets count from the start.
                (node.start, node.value) = (range.start, value);
            }),
            (None, None) => self.add(range, value),
        }
    }

    /// Removes the lowest piece of what lies inside `within`, cutting ranges at its bounds.
    pub fn take_first(&mut self, within: &Range<u64>) -> Option<(Range<u64>, T)> {
        let found = self.at_or_above(within.start)?.0;
        if found.start >= within.end || within.is_empty() {
            return None;
        }
        let piece = found.start.max(within.start)..found.end.min(within.end);
        if piece == found {
            let node = node::remove(&mut self.root, found.start).expect("found just now");
            self.len -= 1;
            return Some((piece, node.value));
        }
        let value = if piece.start == found.start {
            self.change(found.start, |node| {
                let upper = node.value.split_off(piece.end - piece.start);
                node.start = piece.end;
                core::mem::replace(&mut node.value, upper)
            })
        } else {
            let mut value = self.change(found.start, |node| {
                node.end = piece.start;
                node.value.split_off(piece.start - found.start)
            });
            if piece.end < found.end {
                let upper = value.split_off(piece.end - piece.start);
                self.add(piece.end..found.end, upper);
            }
            value
        };
        Some((piece, value))
    }

    /// Removes all that lies inside `within`, cutting ranges at its bounds; `each` gets the pieces.
    pub fn take(&mut self, within: Range<u64>, mut each: impl FnMut(Range<u64>, T)) {
        while let Some((piece, value)) = self.take_first(&within) {
            each(piece, value);
        }
    }

    /// Changes the values of all that lies inside `within`, cutting ranges at its bounds and joining what became
    /// alike.
    pub fn update(&mut self, within: Range<u64>, mut each: impl FnMut(&Range<u64>, &mut T)) {
        let mut at = within.start;
        while let Some((piece, mut value)) = self.take_first(&(at..within.end)) {
            each(&piece, &mut value);
            at = piece.end;
            self.insert(piece, value);
        }
    }

    /// How many more ranges there would be if ranges were cut at the bounds of `within`.
    pub fn cuts(&self, within: &Range<u64>) -> usize {
        let cut = |at: u64| usize::from(self.get(at).is_some_and(|(range, _)| range.start < at));
        cut(within.start) + cut(within.end)
    }
}
