//! Broken executables: an errno or a plan with numbers in range, never a panic.
use proptest::prelude::*;
use tollgate_abi::Errno;
use tollgate_elf::{Header, Kind, PROGRAM_HEADER_SIZE, Plan};

const LIMIT: u64 = 0x7fff_ffff_f000;

/// One PT_LOAD as (flags, offset, address, file size, memory size).
type Load = (u32, u64, u64, u64, u64);

fn elf(kind: u16, entry: u64, loads: &[Load]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend_from_slice(&kind.to_le_bytes());
    file.extend_from_slice(&62u16.to_le_bytes());
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&entry.to_le_bytes());
    file.extend_from_slice(&64u64.to_le_bytes());
    file.extend_from_slice(&0u64.to_le_bytes());
    file.extend_from_slice(&0u32.to_le_bytes());
    for half in [64, PROGRAM_HEADER_SIZE as u16, loads.len() as u16, 64, 0, 0] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for &(flags, offset, address, file_size, memory_size) in loads {
        file.extend_from_slice(&1u32.to_le_bytes());
        file.extend_from_slice(&flags.to_le_bytes());
        for word in [offset, address, address, file_size, memory_size, 4096] {
            file.extend_from_slice(&word.to_le_bytes());
        }
    }
    file
}

fn plan(file: &[u8]) -> Result<Plan, Errno> {
    let header = Header::parse(file)?;
    let start = usize::try_from(header.table_offset).map_err(|_| Errno::ENOEXEC)?;
    let table = file.get(start..).and_then(|rest| rest.get(..header.table_size())).ok_or(Errno::ENOEXEC)?;
    Plan::new(&header, table, LIMIT)
}

#[test]
fn an_ordinary_program_has_the_plan_one_expects() {
    let file = elf(2, 0x40_1000, &[(5, 0, 0x40_0000, 0x1234, 0x1234), (6, 0x1f00, 0x40_2f00, 0x80, 0x2200)]);
    let plan = plan(&file).unwrap();
    assert_eq!(plan.kind, Kind::Fixed);
    assert_eq!(plan.span, 0x40_0000..0x40_6000);
    assert_eq!(plan.headers_at, Some(0x40_0040));
    let data = &plan.segments[1];
    assert_eq!((data.start, data.file_offset, data.file_end, data.end), (0x40_2000, 0x1000, 0x40_2f80, 0x40_6000));
    assert_eq!(data.file_pages_end(), 0x40_3000);
    assert_eq!((data.read, data.write, data.execute), (true, true, false));
}

#[test]
fn what_is_no_program_is_enoexec() {
    assert_eq!(plan(b"").unwrap_err(), Errno::ENOEXEC);
    assert_eq!(plan(b"\x7fELF").unwrap_err(), Errno::ENOEXEC);
    let good = elf(2, 0x40_0000, &[(5, 0, 0x40_0000, 0x1000, 0x1000)]);
    for (at, byte) in [(0, 0), (4, 1), (5, 2), (16, 1), (18, 3), (54, 55), (56, 0), (57, 255)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert_eq!(plan(&bad).unwrap_err(), Errno::ENOEXEC, "byte {at}");
    }
    assert_eq!(plan(&good[..100]).unwrap_err(), Errno::ENOEXEC);
    assert_eq!(plan(&elf(3, 0, &[(5, 0, 0, 0, 0)])).unwrap_err(), Errno::ENOEXEC);
}

#[test]
fn segments_that_cannot_be_mapped_are_einval() {
    let cases: [(&str, Load); 6] = [
        ("file part larger than memory", (5, 0, 0x40_0000, 0x2000, 0x1000)),
        ("wraps around", (5, 0, 0xffff_ffff_ffff_f000, 0x1000, 0x2000)),
        ("beyond user space", (5, 0, LIMIT - 0x1000, 0x1000, 0x2000)),
        ("huge", (6, 0, 0x40_0000, 0x1000, u64::MAX - 0x40_0000)),
        ("not aligned alike", (5, 0x10, 0x40_0000, 0x1000, 0x1000)),
        ("offset overflows", (5, !0xfff, 0x40_0000, 0x1000, 0x1000)),
    ];
    for (what, load) in cases {
        assert_eq!(plan(&elf(2, 0x40_0000, &[load])).unwrap_err(), Errno::EINVAL, "{what}");
    }
    assert_eq!(plan(&elf(2, LIMIT, &[(5, 0, 0x40_0000, 0x1000, 0x1000)])).unwrap_err(), Errno::EINVAL);
}

fn check(plan: &Plan) {
    assert!(!plan.segments.is_empty());
    assert!(plan.align.is_power_of_two() && plan.align >= 4096);
    assert!(plan.span.start < plan.span.end && plan.span.end <= LIMIT);
    for s in &plan.segments {
        assert!(s.start % 4096 == 0 && s.end % 4096 == 0 && s.file_offset % 4096 == 0);
        assert!(s.start <= s.file_end && s.file_pages_end() <= s.end && s.start < s.end);
        assert!(plan.span.start <= s.start && s.end <= plan.span.end);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(file in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(plan) = plan(&file) {
            check(&plan);
        }
    }

    #[test]
    fn any_segments_are_survived(
        kind in 2u16..4,
        entry: u64,
        loads in proptest::collection::vec(
            (any::<u32>(), prop_oneof![any::<u64>(), 0u64..0x10_0000], prop_oneof![any::<u64>(), 0u64..0x80_0000],
             prop_oneof![any::<u64>(), 0u64..0x1_0000], prop_oneof![any::<u64>(), 0u64..0x10_0000]), 0..6),
        flips in proptest::collection::vec((0usize..400, any::<u8>()), 0..3),
    ) {
        let mut file = elf(kind, entry, &loads);
        for (at, byte) in flips {
            if let Some(b) = file.get_mut(at) {
                *b = byte;
            }
        }
        if let Ok(plan) = plan(&file) {
            check(&plan);
        }
    }
}
