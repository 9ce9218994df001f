//! Who may change what, and how the configuration file says it.

use std::collections::HashSet;

use super::*;
use crate::transfer::tsig::{Algorithm, Key, Keys};

fn spec(key: &str, names: &[&str], types: &[&str]) -> GrantSpec {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    GrantSpec { key: key.into(), names: owned(names), types: owned(types) }
}

fn keys() -> Keys {
    Keys::new(["a.", "b."].map(|text| Key::new(name(text), Algorithm::Sha256, b"secret").unwrap())).unwrap()
}

#[test]
fn a_key_may_change_what_its_entries_say_and_nothing_else() {
    let specs = [
        spec("a.", &["_acme-challenge.example."], &["txt"]),
        spec("a.", &["*.dyn.example.", "dyn.example."], &["A", "AAAA"]),
        spec("b", &[], &[]),
    ];
    let policy = policy(&name("example."), &specs, &keys()).unwrap();
    let table: &[(&str, &str, &str, bool)] = &[
        ("a.", "_acme-challenge.example.", "TXT", true),
        ("A.", "_ACME-challenge.Example.", "TXT", true),
        ("a.", "_acme-challenge.example.", "A", false),
        ("a.", "x._acme-challenge.example.", "TXT", false),
        ("a.", "host.dyn.example.", "A", true),
        ("a.", "a.b.dyn.example.", "AAAA", true),
        ("a.", "dyn.example.", "A", true),
        ("a.", "notdyn.example.", "A", false),
        ("a.", "example.", "A", false),
        ("b.", "www.example.", "A", true),
        ("b.", "example.", "SOA", false),
        ("b.", "sub.example.", "NS", false),
        ("c.", "www.example.", "A", false),
    ];
    for (key, owner, record_type, expected) in table {
        let record_type = RecordType::from_text(record_type).unwrap();
        assert_eq!(policy.allows(&name(key), &name(owner), record_type), *expected, "{key} {owner}");
    }
    // All types of a name go only if each of them may; those of the apex that stay do not count.
    let zone = zone(5, &["in h.dyn.example. 1 A 1", "in t.dyn.example. 1 A 1", "in t.dyn.example. 1 TXT x"]);
    let deletes = |key: &str, owner: &str| {
        let all = record(&format!("any {owner} 0 ANY"));
        prescan(&zone, &[all], (&policy, &name(key))).is_ok()
    };
    let found: HashSet<(&str, &str)> = ["a.", "b.", "c."]
        .into_iter()
        .flat_map(|key| {
            ["h.dyn.example.", "t.dyn.example.", "none.dyn.example.", "example."].map(|owner| (key, owner))
        })
        .filter(|(key, owner)| deletes(key, owner))
        .collect();
    let expected = [
        ("a.", "h.dyn.example."),
        ("a.", "none.dyn.example."),
        ("b.", "h.dyn.example."),
        ("b.", "t.dyn.example."),
        ("b.", "none.dyn.example."),
        ("b.", "example."),
    ];
    assert_eq!(found, HashSet::from(expected));
}

#[test]
fn what_cannot_be_meant_is_named() {
    let fault = |spec: GrantSpec| policy(&name("example."), &[spec], &keys()).unwrap_err().to_string();
    assert_eq!(fault(spec("c.", &[], &[])), "the key c. is defined by no [[key]]");
    assert_eq!(fault(spec("a.", &["www.test."], &[])), "www.test. is not in the zone example.");
    assert_eq!(fault(spec("a.", &["a..b"], &[])), "\"a..b\" is not a name");
    assert!(fault(spec("a.", &[], &["AXFR"])).starts_with("\"AXFR\" is not the type of a record"));
    assert!(fault(spec("a.", &[], &["NONSENSE"])).starts_with("\"NONSENSE\" is not the type of a record"));
    assert_eq!(
        policy(&name("example."), &[spec("a.", &[], &["any"])], &keys()).unwrap().0[0].types,
        Types::Every
    );
}
