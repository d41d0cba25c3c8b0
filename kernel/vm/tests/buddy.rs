//! The buddy allocator against the obvious model: a set of taken frames.
use std::collections::BTreeMap;

use proptest::prelude::*;
use tollgate_vm::buddy::{Buddy, Link, ORDERS};

const FRAMES: usize = 3000;

#[derive(Clone, Debug)]
enum Step {
    Take(usize),
    TakeRun(usize),
    Give(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..ORDERS).prop_map(Step::Take),
        (1..1200usize).prop_map(Step::TakeRun),
        any::<usize>().prop_map(Step::Give),
    ]
}

proptest! {
    #[test]
    fn blocks_never_overlap_and_all_comes_back(steps in prop::collection::vec(step(), 1..200)) {
        let mut links = vec![Link::TAKEN; FRAMES];
        let mut buddy = Buddy::new(&mut links);
        buddy.give_run(7, 1000);
        buddy.give_run(1100, FRAMES - 1100);
        let total = 1000 + FRAMES - 1100;
        prop_assert_eq!(buddy.free_frames(), total);
        let mut held: BTreeMap<u32, usize> = BTreeMap::new();
        for step in steps {
            let taken = match step {
                Step::Take(order) => buddy.take(order).map(|start| {
                    assert!(start.is_multiple_of(1 << order));
                    (start, 1 << order)
                }),
                Step::TakeRun(count) => buddy.take_run(count).map(|start| (start, count)),
                Step::Give(which) if !held.is_empty() => {
                    let start = *held.keys().nth(which % held.len()).unwrap();
                    let count = held.remove(&start).unwrap();
                    buddy.give_run(start, count);
                    None
                }
                Step::Give(_) => None,
            };
            if let Some((start, count)) = taken {
                let end = start + count as u32;
                prop_assert!(start >= 7 && (end <= 1007 || start >= 1100) && end as usize <= FRAMES);
                if let Some((before, len)) = held.range(..end).next_back() {
                    prop_assert!(before + *len as u32 <= start, "{start:#x} overlaps {before:#x}");
                }
                held.insert(start, count);
            }
            prop_assert_eq!(buddy.free_frames() + held.values().sum::<usize>(), total);
        }
        for (start, count) in held {
            buddy.give_run(start, count);
        }
        // Everything is united again: the largest aligned blocks that fit can be had.
        let mut largest = [buddy.take(9), buddy.take(9)];
        largest.sort();
        prop_assert_eq!(largest, [Some(1536), Some(2048)]);
        prop_assert_eq!(buddy.take(9), None);
    }
}

#[test]
#[should_panic(expected = "freed twice")]
fn a_double_free_is_caught() {
    let mut links = vec![Link::TAKEN; 16];
    let mut buddy = Buddy::new(&mut links);
    buddy.give(3, 0);
    buddy.give(3, 0);
}

#[test]
fn exhaustion_is_none() {
    let mut links = vec![Link::TAKEN; 4];
    let mut buddy = Buddy::new(&mut links);
    buddy.give_run(0, 4);
    assert_eq!(buddy.take(2), Some(0));
    assert_eq!(buddy.take(0), None);
    assert_eq!(buddy.take_run(5000), None);
}
