//! The encoder and the decoder of descriptor records, against each other.

mod common;

use proptest::prelude::*;
use tollgate_gate::ia64::{DecodeError, Record, Records};
use tollgate_gate::unwind::{mapping, table};

proptest! {
    #[test]
    fn what_is_written_reads_back(records in common::records()) {
        let area = common::encode(&records);
        let read: Result<Vec<Record<'_>>, _> = Records::new(&area).collect();
        prop_assert_eq!(read, Ok(records));
    }

    #[test]
    fn a_cut_area_reads_as_its_beginning(records in common::records(), cut in any::<prop::sample::Index>()) {
        let area = common::encode(&records);
        let read: Vec<_> = Records::new(&area[..cut.index(area.len())]).collect();
        for (number, record) in read.iter().enumerate() {
            match record {
                Ok(record) => prop_assert_eq!(record, &records[number]),
                Err(error) => prop_assert_eq!((*error, number), (DecodeError::Truncated, read.len() - 1)),
            }
        }
    }

    #[test]
    fn any_bytes_are_safe_to_read(bytes in prop::collection::vec(any::<u8>(), 0..200), slot in any::<u64>()) {
        for record in Records::new(&bytes).map_while(Result::ok) {
            prop_assert!(!record.to_string().contains('?'));
        }
        let _ = mapping::frame_at(&bytes, slot);
        for entry in table::Entries::new(&bytes).map_while(Result::ok) {
            let _ = entry.frame_at(entry.start);
        }
    }
}
