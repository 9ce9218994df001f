//! What the operator asks of new versions.

use crate::wire::{Name, NameError, RecordType};

/// Whether a version whose ZONEMD record does not fit its content is refused (RFC 8976 section 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zonemd {
    /// The records are not looked at.
    Off,
    /// It is refused: it is another version than the one that the digest was made of.
    #[default]
    Refuse,
}

/// What is asked of the versions of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneChecks {
    /// RRsets that must be there.
    pub must_have: Vec<NeededRecord>,
    /// Whether ZONEMD records are verified; `None` takes what holds for all zones.
    pub zonemd: Option<Zonemd>,
    /// A program and its arguments, which gets the zone file on standard input and says by its exit code whether the version is good;
    /// `None` takes what holds for all zones, an empty list asks for no record.
    pub program: Option<Vec<String>>,
}

/// An RRset that must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeededRecord {
    /// Its owner.
    pub owner: Name,
    /// Its type.
    pub record_type: RecordType,
}

/// Why a text does not name a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeededRecordFault {
    /// Not two words.
    #[error("{0:?} is not NAME TYPE, such as \"www A\" or \"@ MX\"")]
    Words(String),
    /// The name is invalid.
    #[error("{text:?}: {name} is no name")]
    Name {
        /// The text.
        text: String,
        /// The first word.
        name: String,
        /// What is wrong with it.
        #[source]
        source: NameError,
    },
    /// The name is not in the zone.
    #[error("{text:?}: {owner} is not in the zone {zone}")]
    OutOfZone {
        /// The text.
        text: String,
        /// The name.
        owner: Name,
        /// The zone.
        zone: Name,
    },
    /// The type is unknown.
    #[error("{text:?}: {record_type} is no type of records")]
    Type {
        /// The text.
        text: String,
        /// The second word.
        record_type: String,
    },
}

impl NeededRecord {
    /// Reads `NAME TYPE`; a name without a dot at its end is below the zone's, `@` is the zone's own (RFC 1035 section 5.1).
    ///
    /// # Errors
    /// It is not `NAME TYPE`, or the name is not in the zone.
    pub fn parse(text: &str, zone: &Name) -> Result<Self, NeededRecordFault> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [name, kind] = words[..] else { return Err(NeededRecordFault::Words(text.to_owned())) };
        let text = text.to_owned();
        let owner = match name {
            "@" => Ok(zone.clone()),
            name if name.ends_with('.') => name.parse::<Name>(),
            name if *zone == Name::root() => format!("{name}.").parse(),
            name => format!("{name}.{zone}").parse(),
        };
        let owner = owner.map_err(|source| NeededRecordFault::Name {
            text: text.clone(),
            name: name.to_owned(),
            source,
        })?;
        if !owner.is_at_or_below(zone) {
            return Err(NeededRecordFault::OutOfZone { text, owner, zone: zone.clone() });
        }
        let record_type = RecordType::from_text(kind)
            .ok_or_else(|| NeededRecordFault::Type { text, record_type: kind.to_owned() })?;
        Ok(Self { owner, record_type })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_records_are_named_as_in_a_zone_file() {
        let zone: Name = "example.com.".parse().unwrap();
        let parse = |text| NeededRecord::parse(text, &zone).map(|it| (it.owner.to_string(), it.record_type));
        assert_eq!(parse("www A"), Ok(("www.example.com.".to_owned(), RecordType::A)));
        assert_eq!(parse("  @  mx "), Ok(("example.com.".to_owned(), RecordType::MX)));
        assert_eq!(parse("a.example.com. TXT"), Ok(("a.example.com.".to_owned(), RecordType::TXT)));
        for (text, part) in [
            ("www", "NAME TYPE"),
            ("www A 1", "NAME TYPE"),
            ("www.example.net. A", "not in the zone"),
            ("www NONSENSE", "no type"),
            ("a..b A", "no name"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
