//! Numbers, digests and octets in the values of the database: big-endian, each of a fixed place or with its length before it.
//!
//! Pure; never trusts a length.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::since_1970;
use crate::publish::accept::Digest;
use crate::wire::Name;

/// Reads fields one after the other; `None` where a value ends too early or says what cannot be.
#[derive(Clone, Copy, Debug)]
pub(in crate::publish) struct Fields<'o>(pub(in crate::publish) &'o [u8]);

impl<'o> Fields<'o> {
    pub(in crate::publish) fn octets(&mut self, length: usize) -> Option<&'o [u8]> {
        let (octets, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(octets)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.octets(LENGTH)?.try_into().ok()
    }

    pub(in crate::publish) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(in crate::publish) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(in crate::publish) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(in crate::publish) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(in crate::publish) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    pub(in crate::publish) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.u64()?).ok()
    }

    pub(in crate::publish) fn flag(&mut self) -> Option<bool> {
        self.u8().map(|flag| flag != 0)
    }

    pub(in crate::publish) fn digest(&mut self) -> Option<Digest> {
        self.array()
    }

    /// A value that may be missing.
    pub(in crate::publish) fn maybe<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.flag()? {
            true => read(self).map(Some),
            false => Some(None),
        }
    }

    /// Octets with their length, two octets, before them.
    pub(in crate::publish) fn short(&mut self) -> Option<&'o [u8]> {
        let length = self.u16()?;
        self.octets(length.into())
    }

    /// A moment: nanoseconds since 1970.
    pub(in crate::publish) fn time(&mut self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_nanos(self.u64()?))
    }
}

pub(in crate::publish) fn push_maybe<T>(
    out: &mut Vec<u8>,
    value: Option<T>,
    push: impl FnOnce(&mut Vec<u8>, T),
) {
    out.push(value.is_some().into());
    if let Some(value) = value {
        push(out, value);
    }
}

/// Octets with their length before them; more than 65,535 are cut, which no path and no name has.
pub(in crate::publish) fn push_short(out: &mut Vec<u8>, octets: &[u8]) {
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(octets.iter().take(length.into()));
}

/// A moment; one outside of the years 1970 to 2554 is the nearest of these.
pub(in crate::publish) fn push_time(out: &mut Vec<u8>, time: SystemTime) {
    let since = since_1970(time).as_nanos();
    out.extend(u64::try_from(since).unwrap_or(u64::MAX).to_be_bytes());
}

/// The key of a zone: its labels in lower case, the last one first, each with its length before it. So zones below one name
/// stand together, about in the order in which the publisher visits them.
pub(in crate::publish) fn key_of(zone: &Name) -> Vec<u8> {
    let zone = zone.to_lowercase();
    let mut labels: Vec<&[u8]> = zone.labels().collect();
    labels.reverse();
    let mut key = Vec::with_capacity(zone.as_wire().len());
    for label in labels {
        // At most 63 octets.
        key.push(label.len() as u8);
        key.extend(label);
    }
    key
}

/// The zone of a key.
pub(in crate::publish) fn zone_of(key: &[u8]) -> Option<Name> {
    let (mut fields, mut labels) = (Fields(key), Vec::new());
    while !fields.0.is_empty() {
        let length = fields.u8()?;
        labels.push((length, fields.octets(length.into())?));
    }
    let mut wire = Vec::with_capacity(key.len() + 1);
    for (length, label) in labels.into_iter().rev() {
        wire.push(length);
        wire.extend(label);
    }
    wire.push(0);
    Name::from_wire(&wire).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_to_one_and_stand_together() {
        for text in [".", "example.org.", "0/25.2.0.192.in-addr.arpa.", "a\\.b.example.", "\\000.x."] {
            let name: Name = text.parse().unwrap();
            assert_eq!(zone_of(&key_of(&name)), Some(name), "{text}");
        }
        let key = |text: &str| key_of(&text.parse().unwrap());
        assert!(key("a.b.example.").starts_with(&key("B.Example.")));
        assert_eq!(zone_of(&[0]), None);
        assert_eq!(zone_of(&[5, b'a']), None);
    }
}
