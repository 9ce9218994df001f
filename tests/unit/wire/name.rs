//! Names: their order, their text, their faults.

use std::hash::BuildHasher;

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn labels_are_ordered_as_lower_case_octets() {
    let short = [
        b"".as_slice(),
        b"A",
        b"a",
        b"Z",
        b"z",
        b"[",
        b"@",
        b"aB",
        b"Ab",
        b"ab0",
        b"a\0",
        b"a\xc1",
        b"a\xe1",
    ];
    // Alone, and behind what ends within a word, with a word and behind one.
    let octets: Vec<Vec<u8>> = [0, 3, 7, 8, 9, 13]
        .iter()
        .flat_map(|&length| short.iter().map(move |end| [&vec![b'x'; length][..], *end].concat()))
        .collect();
    for (one, other) in octets.iter().flat_map(|one| octets.iter().map(move |other| (one, other))) {
        let lower = |label: &[u8]| label.to_ascii_lowercase();
        assert_eq!(compare_labels(one, other), lower(one).cmp(&lower(other)), "{one:?} {other:?}");
    }
}

#[test]
fn canonical_order_is_the_example_of_rfc4034_section_6_1() {
    let mut names: Vec<Name> = [
        "*.z.example",
        "\\200.z.example",
        "zABC.a.EXAMPLE",
        "Z.a.example",
        "\\001.z.example",
        "example",
        "yljkjljk.a.example",
        "a.example",
        "z.example",
    ]
    .map(name)
    .into();
    names.sort();
    let sorted: Vec<String> = names.iter().map(Name::to_string).collect();
    assert_eq!(
        sorted,
        [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            "\\001.z.example.",
            "*.z.example.",
            "\\200.z.example."
        ]
    );
}

#[test]
fn octets_within_a_label_are_no_labels() {
    // The last label of the one ends as the two labels of the other do, the length octet included.
    let of = |length: u8, first: u8| {
        Name::from_wire(&[&[length, first][..], &[b'z'; 12], b"\x01b\0"].concat()).unwrap()
    };
    let (one, other) = (of(15, b'c'), of(13, b'd'));
    assert_eq!((one.label_count(), other.label_count()), (1, 2));
    assert_eq!((one.cmp(&other), other.cmp(&one)), (Ordering::Greater, Ordering::Less));
}

#[test]
fn faults_have_their_names() {
    let root = Name::root();
    let fault = |text: &str| Name::from_text(text.as_bytes(), &root).unwrap_err();
    assert_eq!(fault("a..b"), NameError::EmptyLabel);
    assert_eq!(fault(".a"), NameError::EmptyLabel);
    assert_eq!(fault("\\25"), NameError::BadEscape);
    assert_eq!(fault("\\256"), NameError::BadEscape);
    assert_eq!(fault("a\\"), NameError::BadEscape);
    assert_eq!(fault(&"x".repeat(64)), NameError::LabelTooLong);
    assert_eq!(fault(&"abcdefg.".repeat(32)), NameError::NameTooLong);
    assert_eq!(Name::from_wire(b"\x01a").unwrap_err(), NameError::BadWire);
    assert_eq!(Name::from_wire(b"\x01a\0\0").unwrap_err(), NameError::BadWire);
    assert_eq!(Name::from_wire(b"\xc0\0").unwrap_err(), NameError::BadWire);
}

#[test]
fn subdomains_end_on_label_boundaries() {
    assert!(name("www.Example.org").is_at_or_below(&name("example.ORG")));
    assert!(name("example.org").is_at_or_below(&name("example.org")));
    assert!(!name("badexample.org").is_at_or_below(&name("example.org")));
    assert!(!name("org").is_at_or_below(&name("example.org")));
    assert!(name("org").is_at_or_below(&Name::root()));
}

/// Labels of octets that are letters in both cases, lengths of labels, and others.
fn labels() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let octet = prop::sample::select(b"aAbZz[\x00\x01\x02\x03\xc1\xe1".to_vec());
    prop::collection::vec(prop::collection::vec(octet, 1..14), 0..3)
}

proptest! {
    #[test]
    fn order_is_that_of_the_lower_case_labels_from_the_right(
        one in prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "ab", "Ab", "[", "z0"]), 0..5),
        other in prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "ab", "Ab", "[", "z0"]), 0..5),
    ) {
        let of = |labels: &[&str]| name(&format!("{}.", labels.join(".")));
        let key = |labels: &[&str]| labels.iter().rev().map(|label| label.to_ascii_lowercase()).collect::<Vec<_>>();
        prop_assert_eq!(of(&one).cmp(&of(&other)), key(&one).cmp(&key(&other)));
    }

    #[test]
    fn order_equality_and_hash_ignore_case_alone(
        (one, other) in (labels(), labels(), labels()).prop_map(|(one, other, end)| {
            ([one, end.clone()].concat(), [other, end].concat())
        }),
        flips in any::<u64>(),
    ) {
        let of = |labels: &[Vec<u8>]| {
            let wire = labels.iter().flat_map(|label| [&[label.len() as u8][..], label].concat());
            Name::from_wire(&wire.chain([0]).collect::<Vec<_>>()).unwrap()
        };
        let flip = |(at, octet): (usize, &u8)| match flips >> (at % 64) & 1 {
            1 if octet.is_ascii_uppercase() => octet.to_ascii_lowercase(),
            1 => octet.to_ascii_uppercase(),
            _ => *octet,
        };
        let flip_all = |label: &Vec<u8>| label.iter().enumerate().map(flip).collect();
        let flipped: Vec<Vec<u8>> = one.iter().map(flip_all).collect();
        let hasher = std::hash::RandomState::new();
        let hash = |name: &Name| hasher.hash_one(name);
        let key = |labels: &[Vec<u8>]| -> Vec<_> {
            labels.iter().rev().map(|label| label.to_ascii_lowercase()).collect()
        };
        prop_assert_eq!(of(&one).cmp(&of(&other)), key(&one).cmp(&key(&other)));
        prop_assert_eq!(of(&one).cmp(&of(&flipped)), Ordering::Equal);
        prop_assert_eq!((of(&one), hash(&of(&one))), (of(&flipped), hash(&of(&flipped))));
    }

    #[test]
    fn text_form_goes_both_ways(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
        let mut wire = Vec::new();
        for label in &labels {
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        let name = Name::from_wire(&wire).unwrap();
        let again: Name = name.to_string().parse().unwrap();
        prop_assert_eq!(again.as_wire(), &wire[..]);
    }
}
