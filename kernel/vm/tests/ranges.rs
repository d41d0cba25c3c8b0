//! The tree of mappings against the obvious model: one entry per page.
use std::collections::BTreeMap;
use std::ops::Range;

use proptest::prelude::*;
use tollgate_vm::ranges::{RangeTree, Region};

/// Pages of the model's address space; addresses are page numbers here.
const PAGES: u64 = 200;

/// Like a file mapping: a kind, and which part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    kind: u8,
    offset: u64,
}

impl Region for Part {
    fn split_off(&mut self, offset: u64) -> Self {
        Self { kind: self.kind, offset: self.offset + offset }
    }
    fn continues(&self, len: u64, next: &Self) -> bool {
        self.kind == next.kind && self.offset + len == next.offset
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// As MAP_FIXED: takes what is there, then inserts.
    Map(Range<u64>, Part),
    Take(Range<u64>),
    Recolour(Range<u64>, u8),
}

fn range() -> impl Strategy<Value = Range<u64>> {
    (0..PAGES, 1..40u64).prop_map(|(start, len)| start..(start + len).min(PAGES))
}

fn step() -> impl Strategy<Value = Step> {
    // Offsets that follow the address, so that neighbours often join.
    let part = |range: &Range<u64>, kind: u8, shift: u64| Part { kind, offset: range.start + 1000 * shift };
    prop_oneof![
        3 => (range(), 0..3u8, 0..2u64).prop_map(move |(r, kind, shift)| Step::Map(r.clone(), part(&r, kind, shift))),
        2 => range().prop_map(Step::Take),
        2 => (range(), 0..3u8).prop_map(|(r, kind)| Step::Recolour(r, kind)),
    ]
}

/// What each page has.
type Model = BTreeMap<u64, Part>;

fn apply(tree: &mut RangeTree<Part>, model: &mut Model, step: &Step) {
    match step {
        Step::Map(range, part) => {
            let mut taken = 0;
            tree.take(range.clone(), |piece, _| taken += piece.end - piece.start);
            assert_eq!(taken, model.range(range.clone()).count() as u64);
            tree.insert(range.clone(), *part);
            for page in range.clone() {
                model.insert(page, Part { kind: part.kind, offset: part.offset + page - range.start });
            }
        }
        Step::Take(range) => {
            tree.take(range.clone(), |piece, part| {
                for page in piece.clone() {
                    let expected = Part { kind: part.kind, offset: part.offset + page - piece.start };
                    assert_eq!(model.remove(&page), Some(expected));
                }
            });
            assert!(tree.is_free(range));
        }
        Step::Recolour(range, kind) => {
            tree.update(range.clone(), |_, part| part.kind = *kind);
            for (_, part) in model.range_mut(range.clone()) {
                part.kind = *kind;
            }
        }
    }
}

fn check(tree: &RangeTree<Part>, model: &Model) {
    let mut last: Option<(Range<u64>, Part)> = None;
    let (mut pages, mut ranges) = (0, 0);
    for (range, part) in tree.iter() {
        if let Some((below, other)) = &last {
            assert!(below.end <= range.start, "{below:?} and {range:?} overlap or are out of order");
            let joinable = below.end == range.start && other.continues(below.end - below.start, part);
            assert!(!joinable, "{below:?} and {range:?} should be one");
        }
        for page in range.clone() {
            let here = Part { kind: part.kind, offset: part.offset + page - range.start };
            assert_eq!(model.get(&page), Some(&here));
            assert_eq!(tree.get(page), Some((range.clone(), part)));
        }
        pages += range.end - range.start;
        ranges += 1;
        last = Some((range, *part));
    }
    assert_eq!(pages, model.len() as u64);
    assert_eq!(tree.len(), ranges);
}

fn free_in(model: &Model, range: Range<u64>) -> bool {
    model.range(range).next().is_none()
}

proptest! {
    #[test]
    fn agrees_with_a_table_of_pages(steps in prop::collection::vec(step(), 1..60)) {
        let (mut tree, mut model) = (RangeTree::new(), Model::new());
        for step in &steps {
            apply(&mut tree, &mut model, step);
            check(&tree, &model);
        }
        let copy = tree.try_clone(|part| Ok::<_, ()>(*part)).unwrap();
        check(&copy, &model);
    }

    #[test]
    fn finds_gaps_and_neighbours(steps in prop::collection::vec(step(), 1..30), within in range(), len in 1..30u64) {
        let (mut tree, mut model) = (RangeTree::new(), Model::new());
        for step in &steps {
            apply(&mut tree, &mut model, step);
        }
        let fits = |start: &u64| start + len <= within.end && free_in(&model, *start..start + len);
        prop_assert_eq!(tree.highest_gap(len, within.clone()), within.clone().rev().find(fits));
        prop_assert_eq!(tree.lowest_gap(len, within.clone()), within.clone().find(fits));
        prop_assert_eq!(tree.covers(&within), within.clone().all(|page| model.contains_key(&page)));
        prop_assert_eq!(tree.is_free(&within), free_in(&model, within.clone()));
        let above = tree.at_or_above(within.start).map(|(range, _)| range.start.max(within.start));
        prop_assert_eq!(above, model.range(within.start..).next().map(|(page, _)| *page));
        let below = tree.below(within.start).map(|(range, _)| range.end.min(within.start));
        prop_assert_eq!(below, model.range(..within.start).next_back().map(|(page, _)| page + 1));
        let before = tree.len();
        let cuts = tree.cuts(&within);
        let mut fresh = 7;
        tree.update(within, |_, part| {
            part.kind = fresh;
            fresh += 1;
        });
        prop_assert_eq!(tree.len(), before + cuts);
    }
}

#[test]
fn stays_shallow_with_many_ranges() {
    let mut tree = RangeTree::new();
    for i in 0..65_530u64 {
        tree.insert(i * 3..i * 3 + 2, Part { kind: 0, offset: 0 });
    }
    assert_eq!(tree.len(), 65_530);
    assert_eq!(tree.iter().count(), 65_530);
    assert_eq!(tree.highest_gap(1, 0..196_589), Some(196_586));
    assert_eq!(tree.lowest_gap(2, 0..300_000), Some(196_589));
    tree.resize(3, 3..6);
    assert_eq!(tree.lowest_gap(1, 3..1000), Some(8));
    tree.take(0..200_000, |_, _| ());
    assert!(tree.is_empty());
}
