//! Finding a free place.
//!
//! A subtree is searched between two edges: the end of the range below it and the start of the range above it. What a
//! node knows of its subtree says at once whether any gap between the edges can be large enough.
use core::ops::Range;

use super::node::{Link, Node};

/// The highest free place of `len` bytes, inside `within`, between the edges `below` and `above` of this subtree.
pub(super) fn highest<T>(link: &Link<T>, len: u64, within: &Range<u64>, below: u64, above: u64) -> Option<u64> {
    let Some(node) = link else { return free_place(len, within, below, above).map(|place| place.end - len) };
    if !can_fit(node, len, within, below, above) {
        return None;
    }
    highest(&node.right, len, within, node.end, above).or_else(|| highest(&node.left, len, within, below, node.start))
}

/// The lowest such place.
pub(super) fn lowest<T>(link: &Link<T>, len: u64, within: &Range<u64>, below: u64, above: u64) -> Option<u64> {
    let Some(node) = link else { return free_place(len, within, below, above).map(|place| place.start) };
    if !can_fit(node, len, within, below, above) {
        return None;
    }
    lowest(&node.left, len, within, below, node.start).or_else(|| lowest(&node.right, len, within, node.end, above))
}

/// The gap between two edges, as far as it lies inside `within`, if `len` bytes fit.
fn free_place(len: u64, within: &Range<u64>, below: u64, above: u64) -> Option<Range<u64>> {
    let place = below.max(within.start)..above.min(within.end);
    (place.end.checked_sub(place.start)? >= len).then_some(place)
}

/// Whether a gap of this subtree may be large enough; `false` is certain.
fn can_fit<T>(node: &Node<T>, len: u64, within: &Range<u64>, below: u64, above: u64) -> bool {
    let largest = node.gap.max(node.low.saturating_sub(below)).max(above.saturating_sub(node.high));
    largest >= len && below < within.end && above > within.start
}
