//! Domain names as lists of labels, apart from the server's own.

use std::fmt;

/// A name; its labels, the leftmost first. Compared octet by octet: lower it first to compare as DNS does.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub Vec<Vec<u8>>);

impl Name {
    /// Reads labels between dots, without escapes.
    pub fn plain(text: &str) -> Self {
        let labels = text.split('.').filter(|label| !label.is_empty());
        Self(labels.map(|label| label.as_bytes().to_vec()).collect())
    }

    /// This name below one more label.
    pub fn child(&self, label: &[u8]) -> Self {
        let labels = std::iter::once(label.to_vec()).chain(self.0.iter().cloned());
        Self(labels.collect())
    }

    /// This name without its leftmost `count` labels.
    pub fn ancestor(&self, count: usize) -> Self {
        Self(self.0.get(count..).unwrap_or_default().to_vec())
    }

    /// Whether it is `other` or below it; case matters.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.0.ends_with(&other.0)
    }

    /// In lower case.
    pub fn lower(&self) -> Self {
        Self(self.0.iter().map(|label| label.to_ascii_lowercase()).collect())
    }

    /// Whether the leftmost label is `*`.
    pub fn is_wildcard(&self) -> bool {
        self.0.first().is_some_and(|label| label == b"*")
    }

    /// Octets in wire form.
    pub fn wire_length(&self) -> usize {
        self.0.iter().map(|label| label.len() + 1).sum::<usize>() + 1
    }

    /// Wire form (RFC 1035 section 3.1).
    pub fn wire(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.wire_length());
        for label in &self.0 {
            octets.push(u8::try_from(label.len()).expect("a label of at most 63 octets"));
            octets.extend_from_slice(label);
        }
        octets.push(0);
        octets
    }

    /// From uncompressed wire form.
    pub fn from_wire(mut octets: &[u8]) -> Self {
        let mut labels = Vec::new();
        while let [length @ 1..=63, rest @ ..] = octets {
            let (label, after) = rest.split_at(usize::from(*length).min(rest.len()));
            labels.push(label.to_vec());
            octets = after;
        }
        Self(labels)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet_or_dot in self.0.iter().flat_map(|label| label.iter().map(Some).chain([None])) {
            match octet_or_dot {
                None => write!(out, ".")?,
                Some(octet @ (b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'*')) => {
                    write!(out, "{}", char::from(*octet))?;
                }
                Some(octet) => write!(out, "\\{octet:03}")?,
            }
        }
        if self.0.is_empty() { write!(out, ".") } else { Ok(()) }
    }
}
