//! Zones as data: records that the generator made, and their text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::name::Name;

/// The most records of an RRset that points to addresses. Knot DNS 3.2.6 hangs for ever on an MX set of some forty
/// records whose exchanges are in its zone; the run would end there.
const MOST_POINTING: usize = 12;

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
    /// The name in the RDATA of NS, CNAME and DNAME.
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
    pub fn add(&mut self, mut record: Record) {
        let node = self.nodes.entry(record.owner.lower()).or_default();
        if let Some(first) = node.iter().find(|other| other.kind == record.kind) {
            record.ttl = first.ttl;
        }
        let same = |other: &&Record| other.kind == record.kind;
        let pointing = matches!(record.kind, "MX" | "SRV" | "NAPTR" | "HTTPS" | "NS");
        let full = pointing && node.iter().filter(same).count() >= MOST_POINTING;
        let text = record.text.to_ascii_lowercase();
        if !full && !node.iter().filter(same).any(|other| other.text.to_ascii_lowercase() == text) {
            node.push(record);
        }
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
