//! The unwind data and the text of records, against a decoder that is not ours: `readelf -u`.

mod common;

use proptest::prelude::*;
use tollgate_gate::ia64::Records;
use tollgate_gate::unwind::table::Entries;
use tollgate_gate::unwind_data;

const BASE: u64 = 0x7fff_f7fc_1000;

/// The unwind data as `readelf -u` should print them.
fn expected(data: &[u8]) -> String {
    let mut text = String::new();
    for entry in Entries::new(data).map(|entry| entry.expect("an entry")) {
        text += &format!("[{:#x}-{:#x}], info at +{:#x}\n", entry.start, entry.end, entry.info);
        text += &format!("v1, flags=0x0 (), len={} bytes\n", entry.area.len());
        for record in Records::new(entry.area) {
            text += &format!("{}\n", record.expect("a record"));
        }
    }
    text
}

/// What readelf printed, without headings, indentation and the place of a name for the function (there are none).
fn normalized(printed: &str) -> String {
    let lines = printed.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("Unwind section"));
    lines.map(|line| line.strip_prefix("<>: ").unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn readelf_decodes_the_gate_page() {
    let data = unwind_data(BASE);
    let Some(printed) = common::readelf("gate", &data) else { return };
    assert!(!printed.contains("nknown") && !printed.contains("corrupt"), "{printed}");
    assert_eq!(normalized(&printed), expected(&data));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 100, ..ProptestConfig::default() })]
    #[test]
    fn readelf_decodes_all_records(functions in prop::collection::vec(common::records(), 200)) {
        let data = common::unwind_data(&functions);
        if let Some(printed) = common::readelf("records", &data) {
            prop_assert_eq!(normalized(&printed), expected(&data));
        }
    }
}
