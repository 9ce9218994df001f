//! Which key may change what of a zone (RFC 3007 section 3.1 leaves it to the operator).

use crate::wire::{Name, RecordType};

/// Who may change what of one zone. An empty one lets nobody change anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(pub Vec<Grant>);

/// What one key may change; a key may have several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The key.
    pub key: Name,
    /// Of these names; empty for every name of the zone.
    pub names: Vec<NamePattern>,
    /// Records of these types.
    pub types: Types,
}

/// Some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamePattern {
    /// This name alone.
    Exactly(Name),
    /// Every name below this one.
    Below(Name),
}

/// Some types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Types {
    /// All but NS and SOA: a delegation, and what the whole zone depends on, must be named.
    Ordinary,
    /// All.
    Every,
    /// These.
    These(Vec<RecordType>),
}

impl Policy {
    /// Whether a key may change anything.
    pub fn has(&self, key: &Name) -> bool {
        self.0.iter().any(|grant| grant.key == *key)
    }

    /// Whether a key may change records of this owner and type.
    pub fn allows(&self, key: &Name, owner: &Name, record_type: RecordType) -> bool {
        self.of(key, owner).any(|grant| grant.types.have(record_type))
    }

    /// Whether a key may change some records of this owner.
    pub fn allows_some(&self, key: &Name, owner: &Name) -> bool {
        self.of(key, owner).next().is_some()
    }

    fn of<'p>(&'p self, key: &'p Name, owner: &'p Name) -> impl Iterator<Item = &'p Grant> {
        let grants = self.0.iter().filter(move |grant| grant.key == *key);
        grants.filter(|grant| {
            grant.names.is_empty() || grant.names.iter().any(|pattern| pattern.matches(owner))
        })
    }
}

impl NamePattern {
    fn matches(&self, owner: &Name) -> bool {
        match self {
            Self::Exactly(name) => owner == name,
            Self::Below(name) => owner != name && owner.is_at_or_below(name),
        }
    }
}

impl Types {
    fn have(&self, record_type: RecordType) -> bool {
        match self {
            Self::Ordinary => !matches!(record_type, RecordType::NS | RecordType::SOA),
            Self::Every => true,
            Self::These(types) => types.contains(&record_type),
        }
    }
}
