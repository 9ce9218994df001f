//! One version of a catalog zone, read (RFC 9432 section 4).

use std::collections::BTreeMap;

use crate::wire::{Name, RecordType, Serial};
use crate::zone::{NodeRef, Zone};

use super::produce::{ACCEPTED, REMOVED, WAITS};

/// Members of one catalog: ten times the largest that hosters publish.
const MOST_MEMBERS: usize = 1_000_000;
/// Octets of the groups of one member together: a group is a word, and there are few.
const MOST_GROUP_OCTETS: usize = 1024;

/// One version of a catalog zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogZone {
    /// Its name.
    pub name: Name,
    /// Its serial.
    pub serial: Serial,
    /// The serial of the version in which its operator accepted many removals last: an anyns that produces it says so.
    pub accepted: Option<Serial>,
    /// Whether removals wait for an operator: an anyns that produces it says so.
    pub waits: bool,
    /// Its members, by their names.
    pub members: BTreeMap<Name, CatalogMember>,
    /// The serials of the versions in which zones were removed last, by the first label of each: an anyns that produces it says so.
    pub removed: BTreeMap<Box<[u8]>, Serial>,
}

/// One member zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogMember {
    /// The label that makes the member node unique: another one for the same zone means that the zone begins anew (section 5.4).
    pub label: Box<[u8]>,
    /// The catalog that may take it over (section 4.4.1).
    pub new_owner: Option<Name>,
    /// Its groups (section 4.4.2), sorted.
    pub groups: Vec<Box<[u8]>>,
}

/// Why a zone is no catalog: what the version before says stays in force (section 5.1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogFault {
    /// No TXT record at `version`, or not one of one string (section 4.2.1).
    #[error("{0} has no version: one TXT record of one string at version.{0}")]
    NoVersion(Name),
    /// Another version.
    #[error("{catalog} has version {version:?}; version 2 is known (RFC 9432)")]
    OtherVersion {
        /// The catalog.
        catalog: Name,
        /// What it says.
        version: String,
    },
    /// A member node with several PTR records (section 4.1).
    #[error("{owner} has {count} PTR records; a member has one")]
    SeveralMembers {
        /// The member node.
        owner: Name,
        /// How many.
        count: usize,
    },
    /// One zone at two member nodes (section 4.1).
    #[error("{member} is a member twice, the second time at {owner}")]
    Twice {
        /// The zone.
        member: Name,
        /// The second member node.
        owner: Name,
    },
    /// A `coo` property with several PTR records (section 4.4.1).
    #[error("{owner} has {count} PTR records; a change of ownership names one catalog")]
    SeveralOwners {
        /// The property.
        owner: Name,
        /// How many.
        count: usize,
    },
    /// Too many members.
    #[error("{catalog} has more than {MOST_MEMBERS} members")]
    TooMany {
        /// The catalog.
        catalog: Name,
    },
}

impl CatalogZone {
    /// Reads a zone. Properties that are not known, such as those below `ext`, say nothing (section 4.5).
    ///
    /// # Errors
    /// It is broken, or of another version.
    pub fn read(zone: &Zone) -> Result<Self, CatalogFault> {
        let catalog = zone.origin();
        check_version(zone)?;
        let depth = catalog.label_count();
        let mut nodes: BTreeMap<Box<[u8]>, (Option<Name>, CatalogMember)> = BTreeMap::new();
        let mut members = BTreeMap::new();
        let (mut accepted, mut waits, mut removed) = (None, false, BTreeMap::new());
        for node in zone.nodes() {
            let owner = node.owner();
            let labels: Vec<&[u8]> = owner.labels().collect();
            // The leftmost labels, without the catalog's own.
            let own = labels.get(..labels.len().saturating_sub(depth)).unwrap_or_default();
            match own {
                [label, zones] if is(zones, b"zones") => {
                    let entry = nodes.entry(label.to_ascii_lowercase().into()).or_default();
                    entry.0 = member_of(node, &owner)?;
                    if nodes.len() > MOST_MEMBERS {
                        return Err(CatalogFault::TooMany { catalog: catalog.clone() });
                    }
                }
                [property, label, zones] if is(zones, b"zones") => {
                    let entry = nodes.entry(label.to_ascii_lowercase().into()).or_default();
                    if is(property, b"coo") {
                        entry.1.new_owner = new_owner_of(node, &owner)?;
                    } else if is(property, b"group") {
                        entry.1.groups = groups_of(node);
                    }
                }
                path if is_path(path, ACCEPTED) => accepted = serial_of(node),
                path if is_path(path, WAITS) => waits = node.set(RecordType::TXT).is_some(),
                [label, path @ ..] if is_path(path, REMOVED) && removed.len() < MOST_MEMBERS => {
                    removed.extend(serial_of(node).map(|serial| (label.to_ascii_lowercase().into(), serial)));
                }
                _ => {}
            }
        }
        for (label, (member, properties)) in nodes {
            let Some(member) = member else { continue };
            let owner = || node_name(&label, catalog);
            if members.contains_key(&member) {
                return Err(CatalogFault::Twice { member, owner: owner() });
            }
            members.insert(member, CatalogMember { label, ..properties });
        }
        Ok(Self { name: catalog.clone(), serial: zone.serial(), accepted, waits, members, removed })
    }
}

/// The serial in the TXT record of a node.
fn serial_of(node: NodeRef<'_>) -> Option<Serial> {
    let set = node.set(RecordType::TXT)?;
    let text = std::str::from_utf8(set.rdata().next().and_then(single_string)?).ok()?;
    text.parse().ok().map(Serial)
}

/// The name of a member node.
fn node_name(label: &[u8], catalog: &Name) -> Name {
    let octets = [&[label.len() as u8], label, b"\x05zones", catalog.as_wire()].concat();
    Name::from_wire(&octets).unwrap_or_else(|_| catalog.clone())
}

fn is(label: &[u8], expected: &[u8]) -> bool {
    label.eq_ignore_ascii_case(expected)
}

fn is_path(labels: &[&[u8]], expected: [&[u8]; 3]) -> bool {
    labels.len() == expected.len() && labels.iter().zip(expected).all(|(one, other)| is(one, other))
}

fn check_version(zone: &Zone) -> Result<(), CatalogFault> {
    let catalog = || zone.origin().clone();
    let no_version = || CatalogFault::NoVersion(catalog());
    let owner = Name::from_text(b"version", zone.origin()).map_err(|_| no_version())?;
    let node = zone.find(&crate::wire::LookupName::from(&owner)).ok_or_else(no_version)?;
    let mut texts = node.set(RecordType::TXT).into_iter().flat_map(|set| set.rdata());
    let (Some(rdata), None) = (texts.next(), texts.next()) else { return Err(no_version()) };
    match single_string(rdata).ok_or_else(no_version)? {
        b"2" => Ok(()),
        other => {
            let version = String::from_utf8_lossy(other).into_owned();
            Err(CatalogFault::OtherVersion { catalog: catalog(), version })
        }
    }
}

/// The one character string of a TXT record's RDATA.
fn single_string(rdata: &[u8]) -> Option<&[u8]> {
    let (length, string) = rdata.split_first()?;
    (usize::from(*length) == string.len()).then_some(string)
}

/// The names in the PTR records of a node.
fn pointers(node: NodeRef<'_>) -> Vec<Name> {
    let rdata = node.set(RecordType::PTR).into_iter().flat_map(|set| set.rdata());
    rdata.filter_map(|rdata| Name::from_wire(rdata).ok()).collect()
}

fn member_of(node: NodeRef<'_>, owner: &Name) -> Result<Option<Name>, CatalogFault> {
    let mut members = pointers(node);
    match members.len() {
        0 | 1 => Ok(members.pop()),
        count => Err(CatalogFault::SeveralMembers { owner: owner.clone(), count }),
    }
}

fn new_owner_of(node: NodeRef<'_>, owner: &Name) -> Result<Option<Name>, CatalogFault> {
    let mut owners = pointers(node);
    match owners.len() {
        0 | 1 => Ok(owners.pop()),
        count => Err(CatalogFault::SeveralOwners { owner: owner.clone(), count }),
    }
}

/// The groups of a member; a TXT record of several strings names none.
fn groups_of(node: NodeRef<'_>) -> Vec<Box<[u8]>> {
    let rdata = node.set(RecordType::TXT).into_iter().flat_map(|set| set.rdata());
    let mut left = MOST_GROUP_OCTETS;
    let mut groups: Vec<Box<[u8]>> = rdata
        .filter_map(single_string)
        .take_while(|group| match left.checked_sub(group.len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        })
        .map(Into::into)
        .collect();
    groups.sort();
    groups
}
