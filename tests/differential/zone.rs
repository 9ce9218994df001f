//! Zones as data: records that the generator made, and their text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::name::Name;

/// How a zone is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Not at all.
    Unsigned,
    /// With NSEC (RFC 4034).
    Nsec,
    /// With NSEC3 (RFC 5155), no opt-out.
    Nsec3,
    /// With NSEC3 and opt-out (RFC 5155 section 6).
    Nsec3OptOut,
}

impl Signing {
    /// Algorithm, flags, iterations and salt of the NSEC3 chain (RFC 5155 section 4.3), with the opt-out flag that the
    /// NSEC3 records have and NSEC3PARAM has not.
    pub fn nsec3_parameters(self) -> Option<&'static str> {
        match self {
            Self::Unsigned | Self::Nsec => None,
            Self::Nsec3 => Some("1 0 1 aabb"),
            Self::Nsec3OptOut => Some("1 1 0 -"),
        }
    }
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    /// The owner, in the case that the file writes.
    pub owner: Name,
    /// In seconds; the same in a whole RRset.
    pub ttl: u32,
    /// The mnemonic of the type.
    pub kind: &'static str,
    /// RDATA as text.
    pub text: String,
    /// The name in the RDATA, where it has one.
    pub target: Option<Name>,
}

/// One zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The apex.
    pub origin: Name,
    /// How it is signed before it is served.
    pub signing: Signing,
    /// By owner in lower case.
    pub nodes: BTreeMap<Name, Vec<Record>>,
}

impl Zone {
    /// The records of a name, any case.
    pub fn records(&self, name: &Name) -> &[Record] {
        self.nodes.get(&name.lower()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first record of this type.
    pub fn find(&self, name: &Name, kind: &str) -> Option<&Record> {
        self.records(name).iter().find(|record| record.kind == kind)
    }

    /// Whether the name exists: it or something below it has records.
    pub fn exists(&self, name: &Name) -> bool {
        let name = name.lower();
        self.nodes.keys().any(|owner| owner.is_at_or_below(&name))
    }

    /// Adds a record; an RRset keeps the TTL of its first record, and no record stands twice.
    ///
    /// MX, SRV, NAPTR and HTTPS sets name a target once, and never their owner. Knot DNS 3.2.6 hangs for ever when an
    /// RRset that is added for one of their records does not fit and comes again for another; the run would end there.
    pub fn add(&mut self, mut record: Record) {
        let points = matches!(record.kind, "MX" | "SRV" | "NAPTR" | "HTTPS");
        let target = record.target.as_ref().filter(|_| points).map(Name::lower);
        let node = self.nodes.entry(record.owner.lower()).or_default();
        let same: Vec<&Record> = node.iter().filter(|other| other.kind == record.kind).collect();
        let text = record.text.to_ascii_lowercase();
        let known = same.iter().any(|other| {
            other.text.to_ascii_lowercase() == text
                || target.is_some() && other.target.as_ref().map(Name::lower) == target
        });
        if let Some(first) = same.first() {
            record.ttl = first.ttl;
        }
        if !known && target != Some(record.owner.lower()) {
            node.push(record);
        }
    }

    /// Drops HTTPS records that lead to other HTTPS records: Knot DNS 3.2.6 adds those too, and hangs as [`Zone::add`]
    /// tells.
    pub fn cut_https_chains(&mut self) {
        let has_https = |records: &[Record]| records.iter().any(|record| record.kind == "HTTPS");
        let owners: Vec<Name> = self
            .nodes
            .iter()
            .filter(|(_, records)| has_https(records))
            .map(|(owner, _)| owner.clone())
            .collect();
        let leads_on = |record: &Record| {
            let target = record.target.as_ref().map(Name::lower).unwrap_or_default();
            let is_there = |owner: &Name| {
                *owner == target || owner.is_wildcard() && target.is_at_or_below(&owner.ancestor(1))
            };
            record.kind == "HTTPS" && owners.iter().any(is_there)
        };
        self.nodes.values_mut().for_each(|records| records.retain(|record| !leads_on(record)));
        self.nodes.retain(|_, records| !records.is_empty());
    }

    /// The file that serves it, without a directory.
    pub fn file(&self) -> String {
        format!("{}zone", self.origin.lower())
    }

    /// Master file text, the SOA first.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let apex = self.origin.lower();
        let first = self.nodes.get(&apex).into_iter();
        let others = self.nodes.iter().filter(|(owner, _)| **owner != apex).map(|(_, records)| records);
        for record in first.chain(others).flatten() {
            let Record { owner, ttl, kind, text: rdata, .. } = record;
            writeln!(text, "{owner} {ttl} IN {kind} {rdata}").expect("a string can be written");
        }
        text
    }
}
