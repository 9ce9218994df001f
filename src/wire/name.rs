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
        end.iter().for_each(|octet| state.write_u8(octet.to_ascii_lowercase()));
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
        let quick = compare_where_they_differ(&self.octets, &other.octets);
        quick.or_else(|| (self == other).then_some(Ordering::Equal)).unwrap_or_else(|| {
            let (mine, theirs) = (self.label_count(), other.label_count());
            let common = |octets, skipped| (0..skipped).fold(octets, |octets, _| split_label(octets).1);
            let a = common(&*self.octets, mine.saturating_sub(theirs));
            let b = common(&*other.octets, theirs.saturating_sub(mine));
            // Of names whose common labels are equal, the one with fewer labels comes first.
            compare_aligned(a, b).unwrap_or(Ordering::Equal).then(mine.cmp(&theirs))
        })
    }
}

/// The order of two names, found from their ends: most that are compared end in the same labels. `None` where that does not tell it:
/// one is the end of the other, or one has within a label what looks like labels in the other.
fn compare_where_they_differ(one: &[u8], other: &[u8]) -> Option<Ordering> {
    let common = common_end(one, other)?;
    let (a, behind) = label_at(one, one.len().checked_sub(common + 1)?)?;
    let (b, other_behind) = label_at(other, other.len().checked_sub(common + 1)?)?;
    (behind == other_behind).then(|| compare_labels(a, b))
}

/// How many octets are the same at the ends of both, but for case; `None` if that is not seen eight octets at a time.
fn common_end(mut one: &[u8], mut other: &[u8]) -> Option<usize> {
    let mut common = 0;
    loop {
        let ((before, a), (other_before, b)) = (one.split_last_chunk::<8>()?, other.split_last_chunk::<8>()?);
        let difference = lowercase_word(u64::from_be_bytes(*a)) ^ lowercase_word(u64::from_be_bytes(*b));
        if difference != 0 {
            return Some(common + difference.trailing_zeros() as usize / 8);
        }
        (one, other, common) = (before, other_before, common + 8);
    }
}

/// The label that this octet belongs to, its length octet counted, and how many octets come behind it.
fn label_at(octets: &[u8], position: usize) -> Option<(&[u8], usize)> {
    let mut start = 0;
    loop {
        let end = start + 1 + usize::from(*octets.get(start)?);
        if end > position {
            return Some((octets.get(start + 1..end)?, octets.len() - end));
        }
        start = end;
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

/// The order of two labels as lower-case octets; most differ in the first eight, which are compared at once.
fn compare_labels(one: &[u8], other: &[u8]) -> Ordering {
    if let (Some(a), Some(b)) = (one.first_chunk(), other.first_chunk()) {
        let order = lowercase_word(u64::from_be_bytes(*a)).cmp(&lowercase_word(u64::from_be_bytes(*b)));
        if order != Ordering::Equal {
            return order;
        }
    }
    one.iter().map(u8::to_ascii_lowercase).cmp(other.iter().map(u8::to_ascii_lowercase))
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
#[path = "../../tests/unit/wire/name.rs"]
mod tests;
