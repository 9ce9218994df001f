//! Domain names (RFC 1035 section 3.1, RFC 4343 for case, RFC 4034 section 6.1 for order).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use smallvec::SmallVec;

/// The octets of a name: most names are short and need no memory of their own, so that a map of names is searched in its own memory.
type Octets = SmallVec<[u8; 24]>;

/// An absolute domain name in uncompressed wire form, its case kept.
///
/// Equality, order and hash ignore ASCII case (RFC 4343); the order is the canonical one of RFC 4034 section 6.1,
/// so a sorted list of names is a zone in canonical order.
pub struct Name {
    octets: Octets,
}

/// Why a text or octets are not a valid domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A label of more than 63 octets (RFC 1035 section 2.3.4).
    #[error("a label is longer than 63 octets")]
    LabelTooLong,
    /// More than 255 octets in wire form (RFC 1035 section 2.3.4).
    #[error("the name is longer than 255 octets")]
    NameTooLong,
    /// Two dots in a row, or a dot in front.
    #[error("a label is empty")]
    EmptyLabel,
    /// A backslash that is followed neither by three digits up to 255 nor by another character.
    #[error("a backslash must be followed by three digits up to 255 or by one other character")]
    BadEscape,
    /// The wire form ends early, goes on after the root label, or holds a compression pointer.
    #[error("not the wire form of one uncompressed name")]
    BadWire,
}

impl Name {
    /// The most octets a name takes in wire form (RFC 1035 section 2.3.4).
    pub const MAX_OCTETS: usize = 255;
    /// The most labels of a name, the root not counted: 127 labels of one octet make 255 octets with the root.
    pub const MAX_LABELS: usize = 127;

    /// The root, `.`.
    pub fn root() -> Self {
        Self { octets: Octets::from_slice(&[0]) }
    }

    /// Takes one whole uncompressed wire-form name.
    pub fn from_wire(octets: &[u8]) -> Result<Self, NameError> {
        let mut position = 0;
        loop {
            match octets.get(position) {
                Some(0) if position + 1 == octets.len() => break,
                Some(&length @ 1..=63) => position += 1 + usize::from(length),
                _ => return Err(NameError::BadWire),
            }
        }
        if octets.len() > Self::MAX_OCTETS {
            return Err(NameError::NameTooLong);
        }
        Ok(Self { octets: Octets::from_slice(octets) })
    }

    /// Reads presentation format (RFC 1035 section 5.1): a name that ends in a dot is absolute, any other is
    /// relative to `origin`; `@` alone is `origin` itself.
    pub fn from_text(text: &[u8], origin: &Name) -> Result<Self, NameError> {
        if text == b"@" {
            return Ok(origin.clone());
        }
        if text == b"." {
            return Ok(Self::root());
        }
        let mut wire = SmallVec::<[u8; Self::MAX_OCTETS + 1]>::new();
        let mut start = 0;
        wire.push(0);
        let mut rest = text;
        let mut absolute = false;
        loop {
            // What has no meaning of its own is taken at once, up to what does.
            let plain = rest.iter().take_while(|octet| !matches!(octet, b'.' | b'\\')).count();
            if wire.len() + plain > Self::MAX_OCTETS {
                return Err(NameError::NameTooLong);
            }
            let (plain, special) = rest.split_at(plain);
            wire.extend_from_slice(plain);
            let Some((octet, escaped, after)) = next_character(special)? else { break };
            rest = after;
            if octet == b'.' && !escaped {
                close_label(&mut wire, start)?;
                absolute = rest.is_empty();
                start = wire.len();
                if !absolute {
                    wire.push(0);
                }
            } else {
                wire.push(octet);
            }
            if wire.len() > Self::MAX_OCTETS {
                return Err(NameError::NameTooLong);
            }
        }
        if absolute {
            wire.push(0);
        } else {
            close_label(&mut wire, start)?;
            wire.extend_from_slice(&origin.octets);
        }
        if wire.len() > Self::MAX_OCTETS {
            return Err(NameError::NameTooLong);
        }
        Ok(Self { octets: Octets::from_slice(&wire) })
    }

    /// The uncompressed wire form, in the case it was given.
    pub fn as_wire(&self) -> &[u8] {
        &self.octets
    }

    /// The labels without their length octets, the leftmost first, the root label left out.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest: &[u8] = &self.octets;
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, next) = after.split_at_checked(usize::from(length))?;
            rest = next;
            (length != 0).then_some(label)
        })
    }

    /// How many labels, the root label not counted.
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.octets.len() == 1
    }

    /// The name without its leftmost label; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let length = usize::from(*self.octets.first()?);
        (length != 0)
            .then(|| Self { octets: Octets::from_slice(self.octets.get(1 + length..).unwrap_or(&[0])) })
    }

    /// Whether this name is `ancestor` or lies below it.
    pub fn is_at_or_below(&self, ancestor: &Name) -> bool {
        let Some(start) = self.octets.len().checked_sub(ancestor.octets.len()) else { return false };
        let mut position = 0;
        while position < start {
            position += 1 + usize::from(self.octets[position]);
        }
        position == start && self.octets[start..].eq_ignore_ascii_case(&ancestor.octets)
    }

    /// Whether the leftmost label is a lone asterisk (RFC 4592 section 2.1.1).
    pub fn is_wildcard(&self) -> bool {
        self.octets.starts_with(b"\x01*")
    }

    /// The same name in lower case (RFC 4034 section 6.2).
    pub fn to_lowercase(&self) -> Self {
        Self { octets: self.octets.iter().map(u8::to_ascii_lowercase).collect() }
    }
}

/// Fills in the length octet of the label that began at `start`.
fn close_label(wire: &mut [u8], start: usize) -> Result<(), NameError> {
    match wire.len() - start - 1 {
        0 => Err(NameError::EmptyLabel),
        length @ 1..=63 => {
            wire[start] = length as u8;
            Ok(())
        }
        _ => Err(NameError::LabelTooLong),
    }
}

/// An octet, whether it was escaped, and what follows it.
type Character<'a> = (u8, bool, &'a [u8]);

/// One character of presentation format: its octet, whether it was escaped, and what follows it.
fn next_character(text: &[u8]) -> Result<Option<Character<'_>>, NameError> {
    match text {
        [] => Ok(None),
        [b'\\', a @ b'0'..=b'9', rest @ ..] => match rest {
            [b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] => {
                let value = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
                let octet = u8::try_from(value).map_err(|_| NameError::BadEscape)?;
                Ok(Some((octet, true, rest)))
            }
            _ => Err(NameError::BadEscape),
        },
        [b'\\', octet, rest @ ..] => Ok(Some((*octet, true, rest))),
        [b'\\'] => Err(NameError::BadEscape),
        [octet, rest @ ..] => Ok(Some((*octet, false, rest))),
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads an absolute name; the last dot may be missing.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::from_text(text.as_bytes(), &Self::root())
    }
}

impl Clone for Name {
    /// Copies the octets at once; that of `SmallVec` takes them one by one.
    fn clone(&self) -> Self {
        Self { octets: Octets::from_slice(&self.octets) }
    }
}

impl fmt::Display for Name {
    /// Presentation format with the last dot; octets that are no printable ASCII as `\DDD`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return formatter.write_str(".");
        }
        for label in self.labels() {
            for run in label.chunk_by(|a, b| is_plain(*a) && is_plain(*b)) {
                match run {
                    [octet @ (b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$')] => {
                        write!(formatter, "\\{}", char::from(*octet))?;
                    }
                    [octet] if !is_plain(*octet) => write!(formatter, "\\{octet:03}")?,
                    // ASCII alone.
                    plain => formatter.write_str(str::from_utf8(plain).unwrap_or_default())?,
                }
            }
            formatter.write_str(".")?;
        }
        Ok(())
    }
}

/// Whether an octet stands for itself in presentation format.
fn is_plain(octet: u8) -> bool {
    matches!(octet, 0x21..=0x7e) && !matches!(octet, b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$')
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Name({self})")
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.octets.eq_ignore_ascii_case(&other.octets)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // No name is the beginning of another one, so the end needs no mark.
        let (words, end) = self.octets.as_chunks::<8>();
        words.iter().for_each(|word| state.write_u64(lowercase_word(u64::from_be_bytes(*word))));
        state.write_u64(lowercase_word(word_of(end)));
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    /// Canonical order (RFC 4034 section 6.1): label by label from the right, each as lower-case octets. Maps of names compare them by the
    /// million.
    fn cmp(&self, other: &Self) -> Ordering {
        compare_aligned(&self.octets, &other.octets).unwrap_or_else(|| {
            let (mine, theirs) = (self.label_count(), other.label_count());
            let common = |octets, skipped| (0..skipped).fold(octets, |octets, _| split_label(octets).1);
            let a = common(&*self.octets, mine.saturating_sub(theirs));
            let b = common(&*other.octets, theirs.saturating_sub(mine));
            // Of names whose common labels are equal, the one with fewer labels comes first.
            compare_aligned(a, b).unwrap_or(Ordering::Equal).then(mine.cmp(&theirs))
        })
    }
}

/// The order of two names with as many labels, walked from the left: the last difference decides. `None` if one has more labels.
fn compare_aligned(mut one: &[u8], mut other: &[u8]) -> Option<Ordering> {
    let mut order = Ordering::Equal;
    loop {
        let ((a, after), (b, other_after)) = (split_label(one), split_label(other));
        match (a, b) {
            ([], []) => return Some(order),
            ([], _) | (_, []) => return None,
            _ => order = compare_labels(a, b).then(order),
        }
        (one, other) = (after, other_after);
    }
}

/// The leftmost label without its length octet, and what follows it.
fn split_label(octets: &[u8]) -> (&[u8], &[u8]) {
    let Some((&length, after)) = octets.split_first() else { return (&[], &[]) };
    after.split_at_checked(usize::from(length)).unwrap_or((&[], &[]))
}

/// The order of two labels as lower-case octets, eight at a time. Only those that differ are made lower-case: names of zones share most of
/// theirs.
fn compare_labels(one: &[u8], other: &[u8]) -> Ordering {
    let compare_words = |a: u64, b: u64| match a == b {
        true => Ordering::Equal,
        false => lowercase_word(a).cmp(&lowercase_word(b)),
    };
    let ((one_words, one_end), (other_words, other_end)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    for (a, b) in one_words.iter().zip(other_words) {
        let order = compare_words(u64::from_be_bytes(*a), u64::from_be_bytes(*b));
        if order != Ordering::Equal {
            return order;
        }
    }
    let end = |words: &[[u8; 8]], end| {
        words
            .get(one_words.len().min(other_words.len()))
            .map_or_else(|| word_of(end), |word| u64::from_be_bytes(*word))
    };
    // Of labels that are the same as far as the shorter one goes, that one comes first.
    compare_words(end(one_words, one_end), end(other_words, other_end)).then(one.len().cmp(&other.len()))
}

/// Up to eight octets as a number, which is ordered as they are; zeros stand for those that are missing.
fn word_of(octets: &[u8]) -> u64 {
    let (four, rest) = octets.split_first_chunk::<4>().unwrap_or((&[0; 4], octets));
    let word =
        rest.iter().fold(u64::from(u32::from_be_bytes(*four)), |word, octet| word << 8 | u64::from(*octet));
    word.checked_shl(8 * (8 - octets.len() as u32)).unwrap_or(0)
}

/// Eight octets with their upper-case letters made lower-case.
fn lowercase_word(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH_BITS: u64 = ONES * 0x80;
    // The high bit of each octet says whether it is at least "A", and whether it is behind "Z"; no octet carries into the next.
    let low_bits = word & !HIGH_BITS;
    let from_a = low_bits + ONES * (0x80 - b'A' as u64);
    let behind_z = low_bits + ONES * (0x7f - b'Z' as u64);
    let is_upper = from_a & !behind_z & !word & HIGH_BITS;
    word | is_upper >> 2
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;
    use proptest::prelude::*;

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
            one in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4),
            other in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4),
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
}
