//! What may replace what stands.

use super::*;
use crate::zone::{Place, Record, ZoneBuilder};
use proptest::prelude::*;

fn version(serial: u32, source_serial: u32, content: u8, records: usize, signed: bool) -> Standing {
    let (serial, source_serial) = (Serial(serial), Serial(source_serial));
    let digest = [content; 32];
    Standing { serial, source_serial, source_digest: digest, digest: Some(digest), records, signed }
}

fn terms(serial: SerialRule, forced: bool) -> Terms {
    Terms { serial, shrink_limit_percent: 50, forced, is_anew: false, is_forked: false, raise: 0 }
}

/// What stands; serial, content, records and signatures of the candidate; rule; forced; the outcome.
#[test]
fn the_whole_table() {
    use SerialRule::{Bump, Strict};
    use Verdict::{Outdated, Serve, Unchanged};
    let plain = version(5, 5, b'a', 1000, false);
    let bumped = version(7, 5, b'a', 1000, false);
    // Differences led from serial 5 and content a to serial 7, content unknown, and known to be b.
    let led = Standing { digest: None, ..bumped.clone() };
    let known = Standing { digest: Some([b'b'; 32]), ..bumped.clone() };
    let signed = version(5, 5, b'a', 1000, true);
    let small = version(5, 5, b'a', 100, false);
    let far = version(0, 0, b'a', 1000, false);
    let top = version(u32::MAX, u32::MAX, b'a', 1000, false);
    let same = |serial| Err(Refused::SameSerial { serial: Serial(serial) });
    let back = |offered, served| Err(Refused::WentBack { offered: Serial(offered), served: Serial(served) });
    let shrank = |to| Err(Refused::Shrank { from: 1000, to, limit_percent: 50 });
    type Case<'a> =
        (Option<&'a Standing>, (u32, u8, usize, bool), SerialRule, bool, Result<Verdict, Refused>);
    let cases: Vec<Case<'_>> = vec![
        (None, (9, b'x', 1, false), Strict, false, Ok(Serve(Serial(9)))),
        (None, (9, b'x', 1, true), Bump, true, Ok(Serve(Serial(9)))),
        // Strict.
        (Some(&plain), (5, b'a', 1000, false), Strict, false, Ok(Unchanged(Serial(5)))),
        (Some(&plain), (6, b'a', 1000, false), Strict, false, Ok(Serve(Serial(6)))),
        (Some(&plain), (6, b'b', 1000, false), Strict, false, Ok(Serve(Serial(6)))),
        (Some(&plain), (5, b'b', 1000, false), Strict, false, same(5)),
        (Some(&plain), (5, b'b', 1000, false), Strict, true, Ok(Serve(Serial(5)))),
        (Some(&plain), (4, b'b', 1000, false), Strict, false, back(4, 5)),
        (Some(&plain), (4, b'a', 1000, false), Strict, false, back(4, 5)),
        (Some(&plain), (4, b'a', 1000, false), Strict, true, Ok(Serve(Serial(4)))),
        (Some(&far), (0x8000_0000, b'b', 1000, false), Strict, false, back(0x8000_0000, 0)),
        (Some(&top), (0, b'b', 1000, false), Strict, false, Ok(Serve(Serial(0)))),
        // The rule was bump before and is strict now: the served serial counts.
        (Some(&bumped), (5, b'a', 1000, false), Strict, false, Ok(Unchanged(Serial(7)))),
        (Some(&bumped), (6, b'b', 1000, false), Strict, false, back(6, 7)),
        (Some(&bumped), (7, b'b', 1000, false), Strict, false, same(7)),
        (Some(&bumped), (7, b'a', 1000, false), Strict, false, Ok(Unchanged(Serial(7)))),
        (Some(&bumped), (8, b'b', 1000, false), Strict, false, Ok(Serve(Serial(8)))),
        // After differences.
        (Some(&led), (5, b'a', 1000, false), Strict, false, Ok(Outdated)),
        (Some(&led), (5, b'a', 1000, false), Strict, true, Ok(Serve(Serial(5)))),
        (Some(&known), (5, b'a', 1000, false), Bump, false, Ok(Outdated)),
        (Some(&led), (5, b'b', 1000, false), Strict, false, back(5, 7)),
        (Some(&led), (6, b'b', 1000, false), Strict, false, back(6, 7)),
        (Some(&led), (6, b'b', 1000, false), Strict, true, Ok(Serve(Serial(6)))),
        (Some(&led), (7, b'a', 1000, false), Strict, false, same(7)),
        (Some(&known), (7, b'b', 1000, false), Strict, false, Ok(Unchanged(Serial(7)))),
        (Some(&known), (7, b'c', 1000, false), Strict, false, same(7)),
        (Some(&led), (8, b'b', 1000, false), Strict, false, Ok(Serve(Serial(8)))),
        (Some(&known), (6, b'b', 1000, false), Bump, false, Ok(Unchanged(Serial(7)))),
        (Some(&known), (6, b'c', 1000, false), Bump, false, Ok(Serve(Serial(8)))),
        // Bump.
        (Some(&plain), (5, b'a', 1000, false), Bump, false, Ok(Unchanged(Serial(5)))),
        (Some(&plain), (5, b'b', 1000, false), Bump, false, Ok(Serve(Serial(6)))),
        (Some(&bumped), (5, b'a', 1000, false), Bump, false, Ok(Unchanged(Serial(7)))),
        (Some(&bumped), (5, b'b', 1000, false), Bump, false, Ok(Serve(Serial(8)))),
        (Some(&bumped), (6, b'b', 1000, false), Bump, false, Ok(Serve(Serial(8)))),
        (Some(&bumped), (6, b'a', 1000, false), Bump, false, Ok(Unchanged(Serial(7)))),
        (Some(&bumped), (8, b'b', 1000, false), Bump, false, Ok(Serve(Serial(8)))),
        (Some(&bumped), (4, b'b', 1000, false), Bump, false, back(4, 5)),
        // What is served goes on, whatever an order lets pass.
        (Some(&bumped), (4, b'b', 1000, false), Bump, true, Ok(Serve(Serial(8)))),
        (Some(&bumped), (4, b'a', 1000, false), Bump, true, Ok(Unchanged(Serial(7)))),
        (Some(&bumped), (5, b'b', 3, false), Bump, true, Ok(Serve(Serial(8)))),
        (Some(&bumped), (9, b'b', 3, false), Bump, true, Ok(Serve(Serial(9)))),
        (Some(&led), (5, b'b', 1000, false), Bump, true, Ok(Serve(Serial(8)))),
        (Some(&signed), (5, b'b', 1000, true), Bump, true, Ok(Serve(Serial(5)))),
        (Some(&top), (u32::MAX, b'b', 1000, false), Bump, false, Ok(Serve(Serial(0)))),
        // Shrinking.
        (Some(&plain), (6, b'b', 500, false), Strict, false, Ok(Serve(Serial(6)))),
        (Some(&plain), (6, b'b', 499, false), Strict, false, shrank(499)),
        (Some(&plain), (6, b'b', 499, false), Strict, true, Ok(Serve(Serial(6)))),
        (Some(&plain), (5, b'b', 3, false), Bump, false, shrank(3)),
        (Some(&small), (6, b'b', 1, false), Strict, false, Ok(Serve(Serial(6)))),
        // Signatures.
        (Some(&signed), (6, b'b', 1000, true), Strict, false, Ok(Serve(Serial(6)))),
        (Some(&signed), (6, b'b', 1000, false), Strict, false, Err(Refused::SignaturesLost)),
        (Some(&signed), (6, b'b', 1000, false), Strict, true, Ok(Serve(Serial(6)))),
        (Some(&plain), (6, b'b', 1000, true), Strict, false, Ok(Serve(Serial(6)))),
        (Some(&signed), (5, b'b', 1000, true), Bump, false, Err(Refused::BumpOfSigned { serial: Serial(5) })),
    ];
    for (standing, (serial, content, records, signed), rule, forced, outcome) in cases {
        let offered = version(serial, serial, content, records, signed);
        assert_eq!(
            judge(&offered, standing, terms(rule, forced)),
            outcome,
            "{offered:?} after {standing:?}, {rule:?}, forced: {forced}"
        );
    }
}

#[test]
fn a_first_version_is_raised_where_what_was_served_before_is_lost_and_it_is_not_signed() {
    let judged = |serial, signed, raise| {
        let offered = version(serial, serial, b'a', 10, signed);
        judge(&offered, None, Terms { raise, ..terms(SerialRule::Bump, false) })
    };
    assert_eq!(judged(5, false, 100), Ok(Verdict::Serve(Serial(105))));
    assert_eq!(judged(u32::MAX, false, 100), Ok(Verdict::Serve(Serial(99))));
    assert_eq!(judged(5, true, 100), Ok(Verdict::Serve(Serial(5))));
}

#[test]
fn a_bump_changes_the_serial_in_the_soa_and_nothing_else() {
    let soa = |serial: u32| Record {
        owner: "example.".parse().unwrap(),
        record_type: RecordType::SOA,
        ttl: 60,
        rdata: [&[0, 0][..], &serial.to_be_bytes(), &[1; 16]].concat().into(),
    };
    let mut ns = soa(5);
    ns.record_type = RecordType::NS;
    ns.rdata = b"\x02ns\x00".as_slice().into();
    let mut builder = ZoneBuilder::new("example.".parse().unwrap());
    builder.push(soa(5), Place::default());
    builder.push(ns.clone(), Place::default());
    let zone = with_serial(builder.finish().unwrap(), Serial(6)).unwrap();
    assert_eq!(zone.serial(), Serial(6));
    assert_eq!(zone.records().collect::<Vec<_>>(), [soa(6), ns]);
}

proptest! {
    /// Unless forced under the rule strict, the served serial never goes back and never stays while the content changes.
    #[test]
    fn the_served_serial_only_goes_on(
        versions in prop::collection::vec((any::<u32>(), 0..3_u8, 0..400_usize, any::<bool>(), any::<bool>()), 1..20),
    ) {
        let mut standing: Option<Standing> = None;
        for (serial, content, records, bump, forced) in versions {
            let rule = if bump { SerialRule::Bump } else { SerialRule::Strict };
            // Serials close together, so that all cases come up.
            let offered = version(serial % 8, serial % 8, content, records, false);
            let forced = forced && bump;
            let Ok(Verdict::Serve(serial)) = judge(&offered, standing.as_ref(), terms(rule, forced)) else {
                continue;
            };
            if let Some(before) = &standing {
                prop_assert!(serial.is_after(before.serial), "{} after {}", serial, before.serial);
            }
            standing = Some(Standing { serial, ..offered });
        }
    }
}
