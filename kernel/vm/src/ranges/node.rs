//! The balanced tree itself.
use alloc::boxed::Box;
use core::cmp::Ordering;
use core::ops::Range;

pub(super) type Link<T> = Option<Box<Node<T>>>;

/// One range and the roots of what lies below and above it.
#[derive(Debug)]
pub(super) struct Node<T> {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Lowest start in this subtree.
    pub(super) low: u64,
    /// Highest end in this subtree.
    pub(super) high: u64,
    /// Bytes of the largest gap between two ranges of this subtree.
    pub(super) gap: u64,
    pub(super) left: Link<T>,
    pub(super) right: Link<T>,
    height: u8,
    pub(super) value: T,
}

impl<T> Node<T> {
    pub(super) fn new(range: Range<u64>, value: T) -> Box<Self> {
        let Range { start, end } = range;
        Box::new(Self { start, end, low: start, high: end, gap: 0, left: None, right: None, height: 1, value })
    }

    pub(super) fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Computes anew what the node knows of its subtree, from its children.
    fn refresh(&mut self) {
        let (mut low, mut high, mut gap, mut height) = (self.start, self.end, 0, 0);
        if let Some(left) = &self.left {
            low = left.low;
            gap = left.gap.max(self.start - left.high);
            height = left.height;
        }
        if let Some(right) = &self.right {
            high = right.high;
            gap = gap.max(right.gap).max(right.low - self.end);
            height = height.max(right.height);
        }
        (self.low, self.high, self.gap, self.height) = (low, high, gap, height + 1);
    }
}

fn height<T>(link: &Link<T>) -> u8 {
    link.as_ref().map_or(0, |node| node.height)
}

/// Makes the right child the root.
fn rotate_left<T>(root: &mut Box<Node<T>>) {
    let mut right = root.right.take().expect("only a right-heavy tree is turned left");
    root.right = right.left.take();
    root.refresh();
    core::mem::swap(root, &mut right);
    root.left = Some(right);
    root.refresh();
}

/// Makes the left child the root.
fn rotate_right<T>(root: &mut Box<Node<T>>) {
    let mut left = root.left.take().expect("only a left-heavy tree is turned right");
    root.left = left.right.take();
    root.refresh();
    core::mem::swap(root, &mut left);
    root.right = Some(left);
    root.refresh();
}

/// Restores balance after one insertion or removal below `root`.
fn balance<T>(root: &mut Box<Node<T>>) {
    root.refresh();
    if height(&root.left) > height(&root.right) + 1 {
        let left = root.left.as_mut().expect("it is the higher side");
        if height(&left.right) > height(&left.left) {
            rotate_left(left);
        }
        rotate_right(root);
    } else if height(&root.right) > height(&root.left) + 1 {
        let right = root.right.as_mut().expect("it is the higher side");
        if height(&right.left) > height(&right.right) {
            rotate_right(right);
        }
        rotate_left(root);
    }
}

/// Adds a node whose range overlaps none.
pub(super) fn insert<T>(link: &mut Link<T>, node: Box<Node<T>>) {
    match link {
        None => *link = Some(node),
        Some(root) => {
            insert(if node.start < root.start { &mut root.left } else { &mut root.right }, node);
            balance(root);
        }
    }
}

/// Removes the node that starts at `start`.
pub(super) fn remove<T>(link: &mut Link<T>, start: u64) -> Link<T> {
    let root = link.as_mut()?;
    let removed = match start.cmp(&root.start) {
        Ordering::Less => remove(&mut root.left, start),
        Ordering::Greater => remove(&mut root.right, start),
        Ordering::Equal => {
            let mut node = link.take()?;
            *link = match (node.left.take(), node.right.take()) {
                (None, other) | (other, None) => other,
                (left, mut right) => {
                    let mut next = remove_lowest(&mut right)?;
                    (next.left, next.right) = (left, right);
                    Some(next)
                }
            };
            Some(node)
        }
    };
    if let Some(root) = link {
        balance(root);
    }
    removed
}

fn remove_lowest<T>(link: &mut Link<T>) -> Link<T> {
    let root = link.as_mut()?;
    if root.left.is_none() {
        let mut lowest = link.take()?;
        *link = lowest.right.take();
        return Some(lowest);
    }
    let lowest = remove_lowest(&mut root.left);
    balance(root);
    lowest
}

/// Lets `f` change the node that holds `addr` (its bounds too), and everything above learn of it.
pub(super) fn change<T, R>(link: &mut Link<T>, addr: u64, f: impl FnOnce(&mut Node<T>) -> R) -> Option<R> {
    let root = link.as_mut()?;
    let result = if addr < root.start {
        change(&mut root.left, addr, f)
    } else if addr >= root.end {
        change(&mut root.right, addr, f)
    } else {
        Some(f(root))
    };
    root.refresh();
    result
}

/// A subtree of the same shape.
pub(super) fn try_clone<T, E>(link: &Link<T>, copy: &mut impl FnMut(&T) -> Result<T, E>) -> Result<Link<T>, E> {
    let Some(node) = link else { return Ok(None) };
    let left = try_clone(&node.left, copy)?;
    let value = copy(&node.value)?;
    let right = try_clone(&node.right, copy)?;
    let Node { start, end, low, high, gap, height, .. } = **node;
    Ok(Some(Box::new(Node { start, end, low, high, gap, left, right, height, value })))
}
