//! RFC 2136 sections 2.4 and 3.2: the five kinds, and what is malformed.

use super::*;

const NOERROR: u8 = 0;
const FORMERR: u8 = 1;
const NXDOMAIN: u8 = 3;
const YXDOMAIN: u8 = 6;
const YXRRSET: u8 = 7;
const NXRRSET: u8 = 8;
const NOTZONE: u8 = 10;

#[test]
fn every_kind_holds_or_has_its_rcode() {
    let zone = zone(
        5,
        &[
            "in www.example. 300 A 1",
            "in www.example. 300 A 2",
            "in mail.example. 300 MX WWW.example.",
            "in below.ent.example. 300 TXT x",
            "in *.wild.example. 300 A 3",
            "in cut.example. 300 NS ns.cut.example.",
            "in ns.cut.example. 300 A 4",
        ],
    );
    let table: &[(&[&str], u8)] = &[
        // "RRset exists", without values (2.4.1).
        (&["any www.example. 0 A"], NOERROR),
        (&["any WWW.Example. 0 A"], NOERROR),
        (&["any www.example. 0 TXT"], NXRRSET),
        (&["any no.example. 0 A"], NXRRSET),
        (&["any ns.cut.example. 0 A"], NOERROR),
        (&["any www.example. 1 A"], FORMERR),
        (&["any www.example. 0 A 1"], FORMERR),
        (&["any www.example. 0 AXFR"], FORMERR),
        (&["any www.elsewhere. 0 A"], NOTZONE),
        // With values (2.4.2): the same records, in any order, whatever their TTL and the case of their names.
        (&["in www.example. 0 A 1", "in www.example. 0 A 2"], NOERROR),
        (&["in www.example. 0 A 2", "in WWW.example. 0 A 1", "in www.example. 0 A 2"], NOERROR),
        (&["in www.example. 0 A 1"], NXRRSET),
        (&["in www.example. 0 A 1", "in www.example. 0 A 2", "in www.example. 0 A 3"], NXRRSET),
        (&["in www.example. 0 A 1", "in www.example. 0 A 3"], NXRRSET),
        (&["in mail.example. 0 MX www.EXAMPLE."], NOERROR),
        (&["in no.example. 0 A 1"], NXRRSET),
        (&["in www.example. 300 A 1", "in www.example. 300 A 2"], FORMERR),
        (&["in www.example. 0 ANY"], FORMERR),
        (&["in www.elsewhere. 0 A 1"], NOTZONE),
        // "RRset does not exist" (2.4.3).
        (&["none www.example. 0 TXT"], NOERROR),
        (&["none no.example. 0 A"], NOERROR),
        (&["none below.ent.example. 0 TXT"], YXRRSET),
        (&["none www.example. 0 A"], YXRRSET),
        (&["none www.example. 1 A"], FORMERR),
        (&["none www.example. 0 A 1"], FORMERR),
        // "Name is in use" (2.4.4): not an empty non-terminal, not what a wildcard would answer.
        (&["any www.example. 0 ANY"], NOERROR),
        (&["any no.example. 0 ANY"], NXDOMAIN),
        (&["any ent.example. 0 ANY"], NXDOMAIN),
        (&["any x.wild.example. 0 ANY"], NXDOMAIN),
        (&["any *.wild.example. 0 ANY"], NOERROR),
        (&["any www.example. 0 ANY x"], FORMERR),
        // "Name is not in use" (2.4.5).
        (&["none no.example. 0 ANY"], NOERROR),
        (&["none ent.example. 0 ANY"], NOERROR),
        (&["none www.example. 0 ANY"], YXDOMAIN),
        (&["none example. 0 ANY"], YXDOMAIN),
        // Other classes (3.2.5).
        (&["3 www.example. 0 A 1"], FORMERR),
        (&["0 www.example. 0 A"], FORMERR),
        // In their order; those with values come last.
        (&[], NOERROR),
        (&["any no.example. 0 ANY", "none www.example. 0 ANY"], NXDOMAIN),
        (&["none www.example. 0 ANY", "any no.example. 0 ANY"], YXDOMAIN),
        (&["in www.example. 0 A 1", "none www.example. 0 ANY"], YXDOMAIN),
        (&["in www.example. 0 A 1", "any www.elsewhere. 0 A"], NOTZONE),
        (&["any www.example. 0 A", "none www.example. 0 TXT", "any www.example. 0 ANY"], NOERROR),
    ];
    for (lines, expected) in table {
        let found = check_prerequisites(&zone, &records(lines));
        let rcode = found.as_ref().map_or_else(|fault| fault.rcode().unwrap(), |()| NOERROR);
        assert_eq!(rcode, *expected, "{lines:?}: {found:?}");
    }
}

/// 64 KiB of prerequisites about one RRset of thousands of records: each record of the zone is compared once.
#[test]
fn a_message_full_of_prerequisites_is_judged_in_one_pass() {
    let many: Vec<String> = (0..4000).map(|it| format!("in big.example. 300 TXT t{it}")).collect();
    let lines: Vec<&str> = many.iter().map(String::as_str).collect();
    let zone = zone(5, &lines);
    let as_prerequisites: Vec<UpdateRecord> =
        records(&lines).into_iter().map(|it| UpdateRecord { ttl: 0, ..it }).collect();
    assert!(check_prerequisites(&zone, &as_prerequisites).is_ok());
    let fault = check_prerequisites(&zone, &as_prerequisites[1..]).unwrap_err();
    assert_eq!(fault.rcode(), Some(NXRRSET));
    let same: Vec<UpdateRecord> = (0..5400).map(|_| record("any big.example. 0 TXT")).collect();
    assert!(check_prerequisites(&zone, &same).is_ok());
}
