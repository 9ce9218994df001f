//! A name on the stack, as lookups want it: label starts known, lower case beside the case it came in.

use super::{Name, NameError};

/// An absolute name in two spellings, as it came and in lower case; never allocates.
///
/// The query path takes names apart with it: the QNAME, then the target of each CNAME and DNAME.
#[derive(Clone, Debug)]
pub struct LookupName {
    octets: [u8; Name::MAX_OCTETS],
    lower: [u8; Name::MAX_OCTETS],
    starts: [u8; Name::MAX_LABELS + 1],
    labels: u8,
    length: u8,
}

impl LookupName {
    /// The root, `.`.
    pub fn root() -> Self {
        Self {
            octets: [0; Name::MAX_OCTETS],
            lower: [0; Name::MAX_OCTETS],
            starts: [0; Name::MAX_LABELS + 1],
            labels: 0,
            length: 1,
        }
    }

    /// Takes the uncompressed name that `octets` begin with; what follows it does not matter.
    /// Fails with [`NameError::BadWire`] on an early end or a compression pointer, and when it is too long.
    pub fn from_wire_prefix(octets: &[u8]) -> Result<Self, NameError> {
        let mut name = Self::root();
        let length = name_length(octets)?;
        name.set(octets.get(..length).unwrap_or(&[0]));
        Ok(name)
    }

    /// Becomes `target`, one whole uncompressed name; on error it stays what it was.
    pub fn replace(&mut self, target: &[u8]) -> Result<(), NameError> {
        match name_length(target)? {
            length if length == target.len() => self.set(target),
            _ => return Err(NameError::BadWire),
        }
        Ok(())
    }

    /// Becomes its own leftmost `kept` labels in front of `target` (RFC 6672 section 2.2); on error, for instance
    /// [`NameError::NameTooLong`], it stays what it was.
    pub fn substitute(&mut self, kept: usize, target: &[u8]) -> Result<(), NameError> {
        let front = self.start(kept);
        let length = front + target.len();
        let mut joined = [0; Name::MAX_OCTETS];
        let joined = joined.get_mut(..length).ok_or(NameError::NameTooLong)?;
        for (to, from) in joined.iter_mut().zip(self.as_wire().iter().take(front).chain(target)) {
            *to = *from;
        }
        self.replace(joined)
    }

    /// The wire form in the case it came in.
    pub fn as_wire(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or(&[0])
    }

    /// The wire form in lower case.
    pub fn as_lower(&self) -> &[u8] {
        self.lower.get(..usize::from(self.length)).unwrap_or(&[0])
    }

    /// How many labels, the root label not counted.
    pub fn label_count(&self) -> usize {
        usize::from(self.labels)
    }

    /// The lower-case wire form of the ancestor that is left when `removed` labels are taken from the left.
    pub fn ancestor(&self, removed: usize) -> &[u8] {
        self.as_lower().get(self.start(removed)..).unwrap_or(&[0])
    }

    /// The label at `index` from the left, in lower case, without its length octet; empty past the end.
    pub fn label(&self, index: usize) -> &[u8] {
        let (start, end) = (self.start(index), self.start(index + 1));
        self.lower.get(start + 1..end).unwrap_or(&[])
    }

    /// The labels from the right to the left, but for the rightmost `above`, in lower case and without their length octets;
    /// with each the name down to it, without the labels that were left out.
    pub fn labels_upwards(&self, above: usize) -> impl Iterator<Item = (&[u8], &[u8])> {
        let labels = self.label_count().saturating_sub(above);
        let starts = self.starts.get(..labels).unwrap_or(&[]);
        let last = self.start(labels);
        let mut end = last;
        starts.iter().rev().map(move |start| {
            let start = usize::from(*start);
            let label = self.lower.get(start + 1..end).unwrap_or(&[]);
            end = start;
            (label, self.lower.get(start..last).unwrap_or(&[]))
        })
    }

    /// Takes a checked wire form: one whole uncompressed name.
    pub(super) fn set(&mut self, wire: &[u8]) {
        let (Some(octets), Some(lower)) =
            (self.octets.get_mut(..wire.len()), self.lower.get_mut(..wire.len()))
        else {
            return;
        };
        octets.copy_from_slice(wire);
        // A length octet is at most 63 and so never an upper-case letter.
        lower.copy_from_slice(wire);
        lower.make_ascii_lowercase();
        let (mut position, mut labels) = (0, 0);
        while let Some(&length) = wire.get(position) {
            if let Some(start) = self.starts.get_mut(labels) {
                *start = position as u8;
            }
            if length == 0 {
                break;
            }
            position += 1 + usize::from(length);
            labels += 1;
        }
        self.labels = labels as u8;
        self.length = wire.len() as u8;
    }

    /// Where the label at `index` begins; the root label's place for every index past the last.
    fn start(&self, index: usize) -> usize {
        self.starts.get(index.min(self.label_count())).copied().map_or(0, usize::from)
    }
}

impl From<&Name> for LookupName {
    fn from(name: &Name) -> Self {
        let mut lookup = Self::root();
        lookup.set(name.as_wire());
        lookup
    }
}

/// The length in octets of the uncompressed name that `octets` begin with, its root label counted.
pub fn name_length(octets: &[u8]) -> Result<usize, NameError> {
    let mut position = 0;
    loop {
        match octets.get(position) {
            Some(0) => break,
            Some(&length @ 1..=63) => position += 1 + usize::from(length),
            _ => return Err(NameError::BadWire),
        }
        // 254 octets and a root label are the most (RFC 1035 section 2.3.4).
        if position >= Name::MAX_OCTETS {
            return Err(NameError::NameTooLong);
        }
    }
    Ok(position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(text: &str) -> LookupName {
        LookupName::from(&text.parse::<Name>().unwrap())
    }

    #[test]
    fn labels_and_ancestors() {
        let name = lookup("WWW.Example.org");
        assert_eq!(name.label_count(), 3);
        assert_eq!(name.label(0), b"www");
        assert_eq!(name.label(2), b"org");
        assert_eq!(name.label(3), b"");
        let all = [
            (&b"org"[..], &b"\x03org"[..]),
            (b"example", b"\x07example\x03org"),
            (b"www", b"\x03www\x07example\x03org"),
        ];
        assert!(name.labels_upwards(0).eq(all));
        assert!(name.labels_upwards(2).eq([(&b"www"[..], &b"\x03www"[..])]));
        assert_eq!(name.labels_upwards(4).count() + lookup(".").labels_upwards(0).count(), 0);
        assert_eq!(name.ancestor(1), b"\x07example\x03org\0");
        assert_eq!(name.ancestor(3), b"\0");
        assert_eq!(name.ancestor(9), b"\0");
        assert_eq!(name.as_wire(), b"\x03WWW\x07Example\x03org\0");
        assert_eq!(lookup(".").ancestor(0), b"\0");
    }

    #[test]
    fn substitution_is_bounded() {
        let mut name = lookup("a.b.old.example");
        name.substitute(2, b"\x03new\0").unwrap();
        assert_eq!(name.as_wire(), b"\x01a\x01b\x03new\0");
        let long: Name = "x".repeat(63).parse().unwrap();
        let mut name = lookup(&[&"y".repeat(63)[..]; 3].join("."));
        let before = name.clone();
        // 3 * 64 octets in front of 65 are 257.
        assert_eq!(name.substitute(3, long.as_wire()), Err(NameError::NameTooLong));
        assert_eq!(name.as_wire(), before.as_wire());
        name.substitute(2, long.as_wire()).unwrap();
        assert_eq!(name.as_wire().len(), 193);
    }

    #[test]
    fn wire_faults() {
        assert_eq!(name_length(b"\x01a"), Err(NameError::BadWire));
        assert_eq!(name_length(b""), Err(NameError::BadWire));
        assert_eq!(name_length(b"\xc0\x0c"), Err(NameError::BadWire));
        assert_eq!(name_length(&[1; 300]), Err(NameError::NameTooLong));
        assert_eq!(name_length(b"\x01a\0\x07"), Ok(3));
        let mut most = [1, b'a'].repeat(127);
        most.push(0);
        assert_eq!(LookupName::from_wire_prefix(&most).unwrap().label_count(), 127);
    }

    proptest! {
        #[test]
        fn any_octets_are_taken_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let taken = LookupName::from_wire_prefix(&octets);
            let expected = (1..=octets.len()).find_map(|end| Name::from_wire(&octets[..end]).ok());
            prop_assert_eq!(taken.ok().map(|name| name.as_wire().to_vec()), expected.map(|name| name.as_wire().to_vec()));
        }
    }
}
