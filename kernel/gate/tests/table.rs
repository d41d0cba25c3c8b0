//! The unwind data against the description they are made from.

use tollgate_gate::image::{FUNCTIONS, PAGE_SIZE};
use tollgate_gate::unwind::table::{Entries, Entry, find};
use tollgate_gate::{GATE_PAGES, UNWIND_SIZE, image, sigreturn_offset, unwind_data, unwind_size};

const BASE: u64 = 0x7fff_f7fc_1000;

#[test]
fn every_byte_of_every_function_has_the_frame_described() {
    let data = unwind_data(BASE);
    for function in FUNCTIONS {
        for offset in function.start..function.end {
            let ip = BASE + offset as u64;
            let entry = find(&data, ip).unwrap_or_else(|| panic!("{}: no entry for {ip:#x}", function.name));
            let frame = entry.frame_at(ip).unwrap_or_else(|error| panic!("{}: {error:?}", function.name));
            let described = function.frame_at(offset).expect("a frame");
            assert!(frame.agrees_with(described), "{} + {offset}: {frame:?} is not {described:?}", function.name);
        }
    }
}

/// IA-64 code has three slots in 16 bytes and readers of real tables count so; the frame must not depend on it.
#[test]
fn slots_may_be_counted_as_on_ia64() {
    let data = unwind_data(BASE);
    for entry in Entries::new(&data).map(|entry| entry.expect("an entry")) {
        for ip in entry.start..entry.end {
            let slot = 3 * ((ip & !15) - entry.start) / 16 + (ip & 15);
            assert_eq!(entry.frame_at(ip), entry.frame_at(entry.start + slot));
        }
    }
}

#[test]
fn the_layout_is_the_one_consumers_rely_on() {
    let data = unwind_data(BASE);
    assert_eq!(data.len(), unwind_size());
    let entries: Vec<Entry<'_>> = Entries::new(&data).map(|entry| entry.expect("an entry")).collect();
    assert!(!entries.is_empty(), "readers look at the last entry of the table");
    let table_len = 24 * entries.len() + 8;
    assert_eq!(data[table_len - 8..table_len], [0; 8]);
    let mut info_end = UNWIND_SIZE;
    let mut last_end = BASE;
    for entry in &entries {
        assert_eq!(entry.info + 8 + entry.header.area_len(), info_end, "blocks are packed from the end backwards");
        assert!(entry.info.is_multiple_of(8));
        info_end = entry.info;
        assert_eq!((entry.header.version(), entry.header.flags()), (1, 0));
        assert!(entry.start >= last_end && entry.start < entry.end, "entries ascend and do not overlap");
        assert!(entry.start.is_multiple_of(16) && entry.end.is_multiple_of(16));
        let slots: u64 = entry.records().map(|record| record.expect("a record").region().unwrap_or(0)).sum();
        assert_eq!(slots, entry.end - entry.start);
        last_end = entry.end;
    }
    assert_eq!(info_end, table_len, "nothing lies between the table and the blocks");
    assert!(last_end <= BASE + image().len() as u64);
}

#[test]
fn only_the_addresses_differ_between_processes() {
    let (here, there) = (unwind_data(BASE), unwind_data(0x1000));
    for (one, other) in Entries::new(&here).zip(Entries::new(&there)) {
        let (one, other) = (one.expect("an entry"), other.expect("an entry"));
        assert_eq!(one.start - other.start, BASE - 0x1000);
        assert_eq!(Entry { start: 0, end: 0, ..one }, Entry { start: 0, end: 0, ..other });
    }
}

#[test]
fn the_signal_trampoline_is_the_one_debuggers_know() {
    assert_eq!(image().len(), GATE_PAGES * PAGE_SIZE);
    let entry = sigreturn_offset();
    assert!(entry.is_multiple_of(16));
    assert_eq!(image()[entry..entry + 9], [0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05]);
    assert_eq!(image()[entry - 1], 0x90, "an unwinder looks up the byte before the return address");
    let function = FUNCTIONS.iter().find(|function| function.entry == entry).expect("a description");
    assert!(function.start < entry);
}
