//! Numbers, names and RDATA in a message that a peer sent: positions in, values and the next position out.
//!
//! Never panics, whatever the octets, and allocates nothing but what a caller gives it to fill. Compression pointers are followed backwards only, so no message can
//! make it run in a circle.

use super::{Name, Part, RecordType, layout, lowers_names};

/// Octets of a header (RFC 1035 section 4.1.1).
pub const HEADER: usize = 12;
/// Octets of a record between its owner and its RDATA: type, class, TTL, RDLENGTH (RFC 1035 section 3.2.1).
pub const RECORD_FIXED: usize = 10;
/// Octets of the longest message: over TCP its length has 16 bits (RFC 1035 section 4.2.2).
pub const MAX_MESSAGE: usize = u16::MAX as usize;
/// The largest offset that a compression pointer can hold (RFC 1035 section 4.1.4).
pub(crate) const MAX_POINTER: usize = 0x3fff;

/// A name of a message in uncompressed wire form (RFC 1035 section 4.1.4), its case kept.
#[derive(Clone, Debug)]
pub struct FlatName {
    octets: [u8; Name::MAX_OCTETS],
    length: usize,
}

/// Why there is no name at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The message ends within it.
    #[error("a name runs past the end")]
    Short,
    /// A pointer that does not lead backwards: it may lead in a circle.
    #[error("a compression pointer does not lead backwards")]
    Pointer,
    /// A label of a kind that does not exist (RFC 6891 section 5).
    #[error("a label is of an unknown kind")]
    Label,
    /// More than 255 octets.
    #[error("a name is longer than 255 octets")]
    Long,
}

impl FlatName {
    /// The root.
    pub const ROOT: Self = Self { octets: [0; Name::MAX_OCTETS], length: 1 };

    /// The wire form.
    pub fn as_wire(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[0])
    }

    /// The wire form in lower case.
    pub fn lower(&self) -> Self {
        let mut lower = self.clone();
        lower.octets.make_ascii_lowercase();
        lower
    }

    /// An owned name.
    pub fn to_name(&self) -> Name {
        Name::from_wire(self.as_wire()).unwrap_or_else(|_| Name::root())
    }

    /// Reads the name at `at`, following pointers; the position behind it.
    pub fn read(&mut self, message: &[u8], at: usize) -> Result<usize, BadName> {
        let (mut position, mut run_start, mut behind, mut length) = (at, at, None, 0_usize);
        loop {
            let octet = *message.get(position).ok_or(BadName::Short)?;
            match octet {
                0..=63 => {
                    let end = position + 1 + usize::from(octet);
                    let label = message.get(position..end).ok_or(BadName::Short)?;
                    let place = self.octets.get_mut(length..length + label.len()).ok_or(BadName::Long)?;
                    place.copy_from_slice(label);
                    (length, position) = (length + label.len(), end);
                    if octet == 0 {
                        self.length = length;
                        return Ok(behind.unwrap_or(position));
                    }
                }
                0xc0.. => {
                    let low = *message.get(position + 1).ok_or(BadName::Short)?;
                    let target = usize::from(octet & 0x3f) << 8 | usize::from(low);
                    // Each run of labels begins before the one that points to it: so it ends.
                    if target >= run_start {
                        return Err(BadName::Pointer);
                    }
                    behind.get_or_insert(position + 2);
                    (position, run_start) = (target, target);
                }
                _ => return Err(BadName::Label),
            }
        }
    }
}

/// Copies the RDATA at `start..end` of a message to the end of `rdata`, uncompressed: names may be compressed in the types of RFC
/// 1035, and in those that RFC 3597 section 4 names. RDATA that has not the parts of its type is copied as far as it goes;
/// [`check_rdata`](super::check_rdata) refuses it then. `name` is memory to read names into.
///
/// # Errors
/// Not a valid name.
pub fn copy_rdata(
    (message, start, end): (&[u8], usize, usize),
    record_type: RecordType,
    name: &mut FlatName,
    rdata: &mut Vec<u8>,
) -> Result<(), BadName> {
    let within = message.get(..end).ok_or(BadName::Short)?;
    if !lowers_names(record_type) {
        rdata.extend_from_slice(within.get(start..).unwrap_or_default());
        return Ok(());
    }
    let mut at = start;
    for part in layout(record_type) {
        let next = match *part {
            Part::Octets(count) => at + count,
            Part::Text => at + 1 + usize::from(within.get(at).copied().unwrap_or_default()),
            Part::Name => {
                // Names before `start` may be pointed to, and nothing behind `end` is read: pointers lead backwards.
                let behind = name.read(within, at)?;
                rdata.extend_from_slice(name.as_wire());
                at = behind;
                continue;
            }
            Part::Texts | Part::Names | Part::Gateway { .. } | Part::HostIdentity | Part::Rest(_) => end,
        };
        let next = next.min(end);
        rdata.extend_from_slice(within.get(at..next).unwrap_or_default());
        at = next;
    }
    rdata.extend_from_slice(within.get(at..).unwrap_or_default());
    Ok(())
}

/// The position behind the name at `at`; pointers are not followed.
pub fn skip_name(message: &[u8], at: usize) -> Option<usize> {
    let mut position = at;
    loop {
        match *message.get(position)? {
            0 => return Some(position + 1),
            octet @ 1..=63 => position += 1 + usize::from(octet),
            0xc0.. => return (position + 2 <= message.len()).then_some(position + 2),
            _ => return None,
        }
    }
}

/// Whether octets are one whole uncompressed name that is `apex` or below it.
pub fn is_in_zone(owner: &[u8], apex: &Name) -> bool {
    let apex = apex.as_wire();
    let Some(start) = owner.len().checked_sub(apex.len()) else { return false };
    let ends = owner.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(apex));
    let mut at = 0;
    while ends && at < start {
        at += 1 + owner.get(at).copied().map_or(0, usize::from);
    }
    ends && at == start && owner.len() <= Name::MAX_OCTETS && skip_name(owner, 0) == Some(owner.len())
}

/// The 16-bit number at `at`.
pub fn u16_at(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*message.get(at..)?.first_chunk::<2>()?))
}

/// The 32-bit number at `at`.
pub fn u32_at(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*message.get(at..)?.first_chunk::<4>()?))
}

/// The RCODE of a message, with the upper bits that its OPT record has (RFC 6891 section 6.1.3); the four bits of the header where
/// no OPT record can be read.
pub fn rcode(message: &[u8]) -> Option<u16> {
    let lower = u16::from(message.get(3)? & 0xf);
    Some(upper_rcode(message).unwrap_or(0) << 4 | lower)
}

/// The first octet of the OPT record's TTL field.
fn upper_rcode(message: &[u8]) -> Option<u16> {
    let mut at = HEADER;
    for _ in 0..u16_at(message, 4)? {
        at = skip_name(message, at)? + 4;
    }
    let counts = [6, 8, 10].map(|at| u16_at(message, at).map_or(0, u32::from));
    for _ in 0..counts.iter().sum() {
        at = skip_name(message, at)?;
        if u16_at(message, at)? == RecordType::OPT.0 {
            return message.get(at + 4).copied().map(u16::from);
        }
        at += RECORD_FIXED + usize::from(u16_at(message, at + 8)?);
    }
    None
}

/// Puts a 16-bit number at `at`, if there is room.
pub fn put_u16(message: &mut [u8], at: usize, value: u16) {
    if let Some(place) = message.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8], at: usize) -> Result<(Vec<u8>, usize), BadName> {
        let mut name = FlatName::ROOT;
        let behind = name.read(message, at)?;
        Ok((name.as_wire().to_vec(), behind))
    }

    #[test]
    fn pointers_lead_backwards_or_are_refused() {
        assert_eq!(read(b"\x01a\x00\x01b\xc0\x00rest", 3), Ok((b"\x01b\x01a\0".to_vec(), 7)));
        assert_eq!(read(b"\xc0\x00", 0), Err(BadName::Pointer));
        assert_eq!(read(b"\x01a\xc0\x00", 0), Err(BadName::Pointer));
        assert_eq!(read(b"\xc0\x02\xc0\x00", 2), Err(BadName::Pointer));
        assert_eq!(read(b"\xc0\x02\x00", 0), Err(BadName::Pointer));
        assert_eq!(read(b"\x01a", 0), Err(BadName::Short));
        assert_eq!(read(b"\x01a\xc0", 0), Err(BadName::Short));
        assert_eq!(read(b"\x40a\x00", 0), Err(BadName::Label));
        let long = [&[&[63_u8][..], &[b'x'; 63]].concat().repeat(4)[..], &[0]].concat();
        assert_eq!(read(&long, 0), Err(BadName::Long));
        let just = [&[&[63_u8][..], &[b'x'; 63]].concat().repeat(3)[..], &[61], &[b'x'; 61], &[0]].concat();
        assert_eq!(read(&just, 0).unwrap().1, 255);
        assert_eq!((skip_name(b"\x01a\xc0\x00", 0), skip_name(b"\x01a\xc0", 0)), (Some(4), None));
    }

    #[test]
    fn an_rcode_has_the_upper_bits_of_the_opt_record() {
        let header = |rcode: u8, counts: [u8; 4]| {
            let [questions, answers, authorities, additional] = counts;
            vec![0, 1, 0x84, rcode, 0, questions, 0, answers, 0, authorities, 0, additional]
        };
        let question = b"\x01a\x07example\0\0\x01\0\x01";
        let answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
        let opt = b"\0\0\x29\x04\xd0\x01\0\x80\0\0\0";
        for (message, expected) in [
            (header(3, [0; 4]), 3),
            ([&header(3, [1, 1, 0, 0])[..], question, answer].concat(), 3),
            ([&header(0, [0, 0, 0, 1])[..], opt].concat(), 16),
            ([&header(7, [1, 1, 1, 1])[..], question, answer, answer, opt].concat(), 23),
            // It ends early, or is none.
            ([&header(7, [1, 1, 1, 1])[..], question, answer, answer, &opt[..4]].concat(), 7),
            ([&header(2, [0, 0, 0, 9])[..], b"\x40"].concat(), 2),
        ] {
            assert_eq!(rcode(&message), Some(expected), "{message:?}");
        }
        assert_eq!(rcode(&[0, 1, 2]), None);
    }
}
