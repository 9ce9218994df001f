//! Versions that an earlier build accepted.

use crate::zone::tests::*;

/// Records that today's rules refuse for where they stand, and the fault.
fn refused_today() -> Vec<(Vec<Plain>, &'static str)> {
    let record =
        |owner: &str, record_type, rdata: &[u8]| (owner.parse().unwrap(), record_type, rdata.to_vec());
    let ds = b"\0\0\x08\xc8\0";
    vec![
        (vec![record("example.", RecordType::DS, ds)], "at the apex of its own zone"),
        (
            vec![
                record("example.", RecordType::CDS, b"\0\0\0\0\0"),
                record("example.", RecordType::CDS, b"\0\0\x08\xc8\0"),
            ],
            "asks for deletion beside others",
        ),
        (
            vec![
                record("a.example.", RecordType::CNAME, b"\x01c\0"),
                record("a.example.", RecordType::A, &[1; 4]),
            ],
            "a CNAME stands alone",
        ),
        (
            vec![
                record("a.example.", RecordType::DNAME, b"\x01c\0"),
                record("b.a.example.", RecordType::A, &[1; 4]),
            ],
            "no record may be below it",
        ),
        (
            vec![
                record("a.example.", RecordType::DNAME, b"\x01c\0"),
                record("a.example.", RecordType::NS, b"\x01c\0"),
            ],
            "only at the apex may both stand",
        ),
    ]
}

#[test]
fn what_is_refused_today_is_a_warning_of_what_was_accepted_before() {
    for (records, expected) in refused_today() {
        let all: BTreeSet<Plain> = apex(1).into_iter().chain(records.clone()).collect();
        let faults = compiled(&all).unwrap_err();
        assert!(faults[0].to_string().contains(expected), "{faults:?}");
        let mut builder = ZoneBuilder::of_kept(ORIGIN.parse().unwrap());
        builder.add(batch(&all));
        let zone = builder.finish().unwrap();
        let is_said = |zone: &Zone| {
            zone.warnings().iter().any(|warning| {
                matches!(warning, ZoneWarning::RefusedToday { .. }) && warning.to_string().contains(expected)
            })
        };
        assert!(is_said(&zone), "{:?}", zone.warnings());
        // A journal that an earlier build wrote leads to such a version, and on from it.
        let (old, new) = (apex(1), apex(2));
        let sound = compiled(&apex(1).into_iter().collect()).unwrap();
        let added: Vec<Plain> = records.iter().cloned().chain([new[0].clone()]).collect();
        assert!(sound.with_changes(batch([&old[0]]), batch(&added)).is_err());
        let led = sound.with_kept_changes(batch([&old[0]]), batch(&added)).unwrap();
        assert_eq!((led.serial(), is_said(&led)), (Serial(2), true), "{:?}", led.warnings());
        let led = zone.with_kept_changes(batch([&old[0]]), batch([&new[0]])).unwrap();
        assert_eq!((led.serial(), is_said(&led)), (Serial(2), true), "{:?}", led.warnings());
        // Put right it is like any other.
        let deleted: Vec<Plain> = records.into_iter().chain([old[0].clone()]).collect();
        let right = zone.with_changes(batch(&deleted), batch([&new[0]])).unwrap();
        assert!(right.warnings().is_empty(), "{:?}", right.warnings());
    }
}

#[test]
fn what_hinders_answering_is_refused_of_what_was_accepted_before() {
    let mut builder = ZoneBuilder::of_kept(ORIGIN.parse().unwrap());
    builder.add(batch(&apex(1)[1..]));
    assert!(matches!(builder.finish().unwrap_err()[..], [ZoneFault::NoSoa { .. }]));
}
