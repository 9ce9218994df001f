//! Names that end with the zone's name twice: a dot is missing at their end in the zone file (RFC 1035 section 5.1), most likely.
//!
//! Looks at the records of one name at a time, as [`super::placement`] does. Allocates only for what it reports.

use crate::wire::{Name, RecordType};

use crate::zone::ZoneWarning;
use crate::zone::compile::check::Checks;
use crate::zone::compile::placement::apex_of;
use crate::zone::record::entry::Entry;

impl Checks {
    /// Warns of the owner, or else of the first record, that has a name which ends with the zone's name twice. Not for the zones of
    /// one label, in which `com.com` is a name like others.
    pub(in crate::zone) fn missing_dots(&mut self, node: &[Entry<'_>]) {
        let Some(first) = node.first() else { return };
        let apex = apex_of(first);
        let second = apex.first().and_then(|length| apex.get(usize::from(*length) + 1));
        if !self.has_room() || second.is_none_or(|length| *length == 0) {
            return;
        }
        let found = match is_repeated(first.owner(), apex) {
            true => Some((first, first.owner())),
            false => node.iter().find_map(|entry| {
                let name = target(entry)?;
                is_repeated(name, apex).then_some((entry, name))
            }),
        };
        if let Some((entry, name)) = found
            && let Ok(repeated) = Name::from_wire(name)
        {
            self.warn(ZoneWarning::RepeatedOrigin {
                owner: entry.owner_name(),
                repeated,
                place: entry.place,
            });
        }
    }
}

/// The owner of a record that comes to a zone, or the name that it points to, if that ends with the zone's name twice. Not for the zones of
/// one label.
pub fn repeated_origin(apex: &Name, (owner, record_type): (&[u8], RecordType), rdata: &[u8]) -> Option<Name> {
    if apex.label_count() < 2 {
        return None;
    }
    let names = [Some(owner), pointed_to(record_type, rdata)];
    let found = names.into_iter().flatten().find(|name| is_repeated(name, apex.as_wire()))?;
    Name::from_wire(found).ok()
}

/// Whether a name in wire form ends with the apex, and the labels before that with the apex again.
fn is_repeated(name: &[u8], apex: &[u8]) -> bool {
    let Some(labels) = apex.strip_suffix(&[0]) else { return false };
    let ends = |octets: &[u8], end: &[u8]| {
        let at = octets.len().checked_sub(end.len())?;
        octets.get(at..)?.eq_ignore_ascii_case(end).then_some(at)
    };
    let Some(at) = ends(name, apex) else { return false };
    let Some(at) = name.get(..at).and_then(|front| ends(front, labels)) else { return false };
    // It begins where a label does.
    let mut position = 0;
    while position < at {
        position += 1 + name.get(position).copied().map_or(0, usize::from);
    }
    position == at
}

/// The name at the end of RDATA, of types that point to a name.
fn target<'b>(entry: &Entry<'b>) -> Option<&'b [u8]> {
    pointed_to(entry.record_type, entry.rdata())
}

fn pointed_to(record_type: RecordType, rdata: &[u8]) -> Option<&[u8]> {
    let skip = match record_type {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => 0,
        RecordType::MX => 2,
        RecordType::SRV => 6,
        _ => return None,
    };
    rdata.get(skip..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_with_the_zone_twice_or_it_does_not() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        for (found, expected) in [
            ("www.example.com.example.com.", true),
            ("Example.COM.example.com.", true),
            ("www.example.com.", false),
            ("com.example.com.", false),
            ("xexample.com.example.com.", false),
            ("example.com.", false),
            ("www.example.com.net.example.com.", false),
        ] {
            assert_eq!(
                is_repeated(name(found).as_wire(), name("example.com.").as_wire()),
                expected,
                "{found}"
            );
        }
    }

    #[test]
    fn a_record_that_comes_is_looked_at_as_one_of_a_file() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let (apex, www, twice) =
            (name("example.com."), name("www.example.com."), name("www.example.com.example.com."));
        let found = |owner: &Name, record_type, rdata: &[u8]| {
            repeated_origin(&apex, (owner.as_wire(), record_type), rdata)
        };
        assert_eq!(found(&twice, RecordType::A, &[192, 0, 2, 1]), Some(twice.clone()));
        assert_eq!(found(&www, RecordType::CNAME, twice.as_wire()), Some(twice.clone()));
        assert_eq!(
            found(&www, RecordType::MX, &[&[0, 10][..], twice.as_wire()].concat()),
            Some(twice.clone())
        );
        assert_eq!(found(&www, RecordType::TXT, twice.as_wire()), None);
        assert_eq!(found(&www, RecordType::SRV, &[0, 1]), None);
        assert_eq!(found(&www, RecordType::CNAME, www.as_wire()), None);
        let (com, twice) = (name("com."), name("com.com."));
        assert_eq!(repeated_origin(&com, (twice.as_wire(), RecordType::A), &[192, 0, 2, 1]), None);
    }
}
