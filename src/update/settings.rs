//! What the operator says of updates: the keys of the file, and the settings that they make.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::transfer::tsig::Keys;
use crate::wire::{Name, NameError, RecordType};

use super::policy::{Grant, NamePattern, Policy, Types};

/// What the operator says of updates.
#[derive(Clone, Debug, Default)]
pub struct UpdateSettings {
    /// All keys.
    pub keys: Arc<Keys>,
    /// The zones that take updates.
    pub zones: HashMap<Name, Policy>,
}

/// One entry of `update` in a `[[zone]]`.
///
/// ```toml
/// update = [{ key = "certbot.", names = ["_acme-challenge.example."], types = ["TXT"] }]
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrantSpec {
    /// The key that signs.
    pub key: String,
    /// Names of the zone: `www.example.` is that name alone, `*.dyn.example.` all below `dyn.example.`; every name without it.
    #[serde(default)]
    pub names: Vec<String>,
    /// Types; without it all but NS and SOA; `ANY` is all.
    #[serde(default)]
    pub types: Vec<String>,
}

/// Why an entry of `update` is invalid.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFault {
    /// The name of a key or of a record that is no name.
    #[error("{text:?} is not a name")]
    Name {
        /// What it says.
        text: String,
        /// Why.
        #[source]
        source: NameError,
    },
    /// A key that is not defined.
    #[error("the key {0} is defined by no [[key]]")]
    NoKey(Name),
    /// A name that is not in the zone.
    #[error("{name} is not in the zone {zone}")]
    NotInZone {
        /// The name.
        name: Name,
        /// The zone.
        zone: Name,
    },
    /// Not a type of records, or one that no zone holds.
    #[error("{0:?} is not the type of a record: A, TXT, TYPE65280; ANY for all")]
    Type(String),
}

/// Who may change what of a zone.
///
/// # Errors
/// The first entry that is invalid.
pub fn policy(zone: &Name, specs: &[GrantSpec], keys: &Keys) -> Result<Policy, PolicyFault> {
    let grant = |spec: &GrantSpec| {
        let key = name(&spec.key)?.to_lowercase();
        if keys.get(&key).is_none() {
            return Err(PolicyFault::NoKey(key));
        }
        let names = spec.names.iter().map(|text| pattern(zone, text)).collect::<Result<_, _>>()?;
        Ok(Grant { key, names, types: types(&spec.types)? })
    };
    Ok(Policy(specs.iter().map(grant).collect::<Result<_, _>>()?))
}

fn name(text: &str) -> Result<Name, PolicyFault> {
    text.parse().map_err(|source| PolicyFault::Name { text: text.to_owned(), source })
}

fn pattern(zone: &Name, text: &str) -> Result<NamePattern, PolicyFault> {
    let name = name(text)?;
    if !name.is_at_or_below(zone) {
        return Err(PolicyFault::NotInZone { name, zone: zone.clone() });
    }
    Ok(match name.parent().filter(|above| name.is_wildcard() && above.is_at_or_below(zone)) {
        Some(above) => NamePattern::Below(above),
        None => NamePattern::Exactly(name),
    })
}

fn types(texts: &[String]) -> Result<Types, PolicyFault> {
    if texts.is_empty() {
        return Ok(Types::Ordinary);
    }
    if texts.iter().any(|text| text.eq_ignore_ascii_case("ANY")) {
        return Ok(Types::Every);
    }
    let read = |text: &String| {
        let record_type = RecordType::from_text(text).filter(|record_type| !record_type.is_meta());
        record_type.ok_or_else(|| PolicyFault::Type(text.clone()))
    };
    Ok(Types::These(texts.iter().map(read).collect::<Result<_, _>>()?))
}
