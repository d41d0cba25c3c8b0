//! The bytes that the manual's chapter walks through are those of the data.

use tollgate_gate::unwind::table::Entries;
use tollgate_gate::{sigreturn_offset, unwind_data};

const MANUAL: &str = include_str!("../../../docs/src/gate.md");
const BASE: u64 = 0x7fff_f000_0000;

/// The bytes that begin the lines of a text block: pairs of hexadecimal digits, up to the first other word.
fn bytes(block: &str) -> Vec<u8> {
    let line = |line: &str| {
        let pairs =
            line.split_whitespace().map_while(|word| (word.len() == 2).then(|| u8::from_str_radix(word, 16).ok())?);
        pairs.collect::<Vec<u8>>()
    };
    block.lines().flat_map(line).collect()
}

#[test]
fn the_step_by_getunwind_is_the_one_of_the_data() {
    let data = unwind_data(BASE);
    let step = MANUAL.split("### By getunwind(2)").nth(1).expect("the section");
    let blocks: Vec<Vec<u8>> =
        step.split("```text\n").skip(1).map(|rest| bytes(rest.split("```").next().unwrap_or(""))).collect();
    let ip = BASE + sigreturn_offset() as u64 + 7;
    assert!(step.contains(&format!("`rip` = `{ip:#x}`")), "{ip:#x}");
    let entries: Vec<_> = Entries::new(&data).map(|entry| entry.expect("an entry")).collect();
    let number = entries.iter().position(|entry| (entry.start..entry.end).contains(&ip)).expect("an entry");
    assert_eq!(number, 0, "the manual says the first");
    assert_eq!(blocks[0], data[24 * number..24 * number + 24]);
    let entry = &entries[number];
    assert_eq!(blocks[1], data[entry.info..entry.info + 8 + entry.header.area_len()]);
}
