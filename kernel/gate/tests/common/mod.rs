//! What the tests of the unwind tables share: random records, and an ELF file around unwind data for readelf.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Write;
use std::process::Command;

use proptest::prelude::*;
use tollgate_gate::ia64::{Abstract, Encoder, Record, Special, Target, header};
use tollgate_unwind::elf;

/// Numbers at the borders of the variable-length form.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..40u64, Just(127), Just(128), Just(300), 0..1_000_000u64]
}

fn special() -> impl Strategy<Value = Special> {
    prop::sample::select(&Special::ALL[..])
}

fn abstract_register() -> impl Strategy<Value = Abstract> {
    prop_oneof![
        (0..32u8).prop_map(Abstract::Gr),
        (0..32u8).prop_map(Abstract::Fr),
        (0..32u8).prop_map(Abstract::Br),
        (0..11u8).prop_map(Abstract::Special),
    ]
}

/// Register numbers below 32 only: readelf cuts the others.
fn target() -> impl Strategy<Value = Target> {
    prop_oneof![(1..32u8).prop_map(Target::Gr), (0..32u8).prop_map(Target::Fr), (0..32u8).prop_map(Target::Br)]
}

/// Records legal in both kinds of region.
fn x_record() -> BoxedStrategy<Record<'static>> {
    let qp = || prop::option::of(0..64u8);
    prop_oneof![
        (qp(), number(), abstract_register(), number()).prop_map(|(qp, t, reg, pspoff)| Record::SpillPspRel {
            qp,
            t,
            reg,
            pspoff
        }),
        (qp(), number(), abstract_register(), number()).prop_map(|(qp, t, reg, spoff)| Record::SpillSpRel {
            qp,
            t,
            reg,
            spoff
        }),
        (qp(), number(), abstract_register(), target()).prop_map(|(qp, t, reg, to)| Record::SpillReg {
            qp,
            t,
            reg,
            to
        }),
        (qp(), number(), abstract_register()).prop_map(|(qp, t, reg)| Record::Restore { qp, t, reg }),
    ]
    .boxed()
}

fn body_record() -> BoxedStrategy<Record<'static>> {
    prop_oneof![
        x_record(),
        (number(), number()).prop_map(|(t, ecount)| Record::Epilogue { t, ecount }),
        number().prop_map(|label| Record::LabelState { label }),
        number().prop_map(|label| Record::CopyState { label }),
    ]
    .boxed()
}

fn prologue_record() -> BoxedStrategy<Record<'static>> {
    prop_oneof![
        x_record(),
        (0..32u8).prop_map(|brmask| Record::BrMem { brmask }),
        (0..32u8, 0..128u8).prop_map(|(brmask, gr)| Record::BrGr { brmask, gr }),
        (0..12u8, 0..128u8).prop_map(|(what, gr)| Record::InGr { what, gr }),
        (0..16u8, 0..1u32 << 20).prop_map(|(grmask, frmask)| Record::FrGrMem { grmask, frmask }),
        (0..16u8).prop_map(|frmask| Record::FrMem { frmask }),
        (0..16u8).prop_map(|grmask| Record::GrMem { grmask }),
        (number(), number()).prop_map(|(t, size)| Record::MemStackF { t, size }),
        number().prop_map(|t| Record::MemStackV { t }),
        number().prop_map(|pspoff| Record::SpillBase { pspoff }),
        number().prop_map(|spoff| Record::PspSpRel { spoff }),
        (special(), number()).prop_map(|(reg, t)| Record::When { reg, t }),
        number().prop_map(|t| Record::PriunatWhenGr { t }),
        (special(), number()).prop_map(|(reg, pspoff)| Record::PspRel { reg, pspoff }),
        (special(), number()).prop_map(|(reg, spoff)| Record::SpRel { reg, spoff }),
        (0..16u8, 0..128u8).prop_map(|(grmask, gr)| Record::GrGr { grmask, gr }),
        (any::<u8>(), any::<u8>()).prop_map(|(abi, context)| Record::Unwabi { abi, context }),
    ]
    .boxed()
}

/// A region header and records which may follow it.
fn region() -> BoxedStrategy<Vec<Record<'static>>> {
    let prologue = prop_oneof![
        number().prop_map(|rlen| Record::Prologue { rlen }),
        (0..16u8, 0..128u8, number()).prop_map(|(mask, grsave, rlen)| Record::PrologueGr { mask, grsave, rlen }),
    ];
    let with = |head: BoxedStrategy<Record<'static>>, records: BoxedStrategy<Record<'static>>| {
        (head, prop::collection::vec(records, 0..8)).prop_map(|(head, mut records)| {
            records.insert(0, head);
            records
        })
    };
    // Only a spill mask depends on its region: two bits for each of its slots.
    let masked = prop::collection::vec(any::<u8>(), 0..40).prop_map(|imask| {
        let rlen = 4 * imask.len() as u64;
        vec![Record::Prologue { rlen }, Record::SpillMask { imask: imask.leak(), rlen }]
    });
    prop_oneof![
        4 => with(prologue.boxed(), prologue_record()),
        4 => with(number().prop_map(|rlen| Record::Body { rlen }).boxed(), body_record()),
        1 => masked,
    ]
    .boxed()
}

/// The records of one function.
pub(crate) fn records() -> impl Strategy<Value = Vec<Record<'static>>> {
    prop::collection::vec(region(), 1..5).prop_map(|regions| regions.concat())
}

/// The records as a descriptor area.
pub(crate) fn encode(records: &[Record<'_>]) -> Vec<u8> {
    let mut area = Encoder::<8192>::new();
    records.iter().for_each(|record| area.record(*record));
    area.as_bytes().to_vec()
}

/// Unwind data of functions at made-up places, laid out as getunwind(2) lays them out.
pub(crate) fn unwind_data(functions: &[Vec<Record<'_>>]) -> Vec<u8> {
    let infos: Vec<Vec<u8>> = functions
        .iter()
        .map(|records| {
            let mut area = encode(records);
            area.resize(area.len().next_multiple_of(8), 0);
            [&header(area.len() as u64 / 8).to_le_bytes()[..], &area].concat()
        })
        .collect();
    let size = infos.iter().map(|info| 24 + info.len()).sum::<usize>() + 8;
    let (mut table, mut end) = (Vec::new(), size);
    for (number, info) in infos.iter().enumerate() {
        end -= info.len();
        let start = 0x1_0000 + 64 * number as u64;
        table.extend([start, start + 64, end as u64].map(u64::to_le_bytes).concat());
    }
    table.extend([0; 8]);
    table.extend(infos.iter().rev().flatten());
    table
}

/// What `readelf -u` prints of the unwind data; `None`, with a message, when there is no readelf.
pub(crate) fn readelf(name: &str, data: &[u8]) -> Option<String> {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.elf", std::process::id()));
    std::fs::File::create(&path).and_then(|mut file| file.write_all(&elf::around(data))).expect("write the ELF file");
    let output = Command::new("readelf").arg("-u").arg(&path).env("LC_ALL", "C").output();
    std::fs::remove_file(&path).expect("remove the ELF file");
    match output {
        Ok(output) => {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(errors.is_empty(), "readelf complains: {errors}");
            Some(String::from_utf8(output.stdout).expect("readelf prints text"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no readelf (it is in the package binutils)");
            None
        }
        Err(error) => panic!("readelf: {error}"),
    }
}
