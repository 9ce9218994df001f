//! `allowed.toml`: differences in which anyns is right, each with the RFC section that says so.

use serde::Deserialize;

use super::message::{Message, Record};
use super::model::Tags;
use super::questions::mnemonic;

/// The most entries.
pub const MAX_ENTRIES: usize = 15;
/// What all entries together may hide, of all comparisons: half a percent.
pub const MAX_HIDDEN: f64 = 0.005;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allowed: Vec<Entry>,
}

/// One entry: it hides what it names of a difference when every condition holds. A difference is allowed when entries
/// hide all of it: a peer may be wrong in two ways at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The peers that differ.
    pub peers: Vec<String>,
    /// Tags of the model that must all be there.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tags of which one must be there, if there are any.
    #[serde(default)]
    pub any: Vec<String>,
    /// QTYPEs; all if empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The parts that may differ.
    pub differs: Vec<String>,
    /// If there are any, sections may differ in records of these types and signatures over them; the rest is compared.
    #[serde(default)]
    pub records: Vec<String>,
    /// The section that makes us right.
    pub rfc: String,
    /// What the peer does instead.
    pub why: String,
}

/// Two answers that differ.
pub struct Pair<'a> {
    pub peer: &'static str,
    pub record_type: u16,
    pub tags: &'a Tags,
    pub ours: Option<&'a Message>,
    pub theirs: Option<&'a Message>,
}

impl Entry {
    /// Whether it hides this part of a difference.
    pub fn hides(&self, pair: &Pair<'_>, part: &str) -> bool {
        let has = |tag: &String| pair.tags.contains(tag.as_str());
        let kind = mnemonic(pair.record_type);
        self.peers.iter().any(|name| name == pair.peer)
            && self.tags.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && (self.types.is_empty() || self.types.contains(&kind))
            && self.differs.iter().any(|allowed| allowed == part)
            && (self.records.is_empty() || self.rest_is_equal(pair, part))
    }

    /// Whether a section is the same but for the records that may differ. Other parts have no records.
    fn rest_is_equal(&self, pair: &Pair<'_>, part: &str) -> bool {
        let section = match part {
            "answer" => 0,
            "authority" => 1,
            _ => return true,
        };
        let rest = |message: &'_ Message| -> Vec<Record> {
            let records = message.sections[section].iter();
            records.filter(|record| !self.records.contains(&record.kind())).cloned().collect()
        };
        pair.ours.map(rest) == pair.theirs.map(rest)
    }
}

/// Reads the entries, each complete.
pub fn read() -> Vec<Entry> {
    let file: File =
        toml::from_str(include_str!("allowed.toml")).unwrap_or_else(|error| panic!("allowed.toml: {error}"));
    assert!(file.allowed.len() <= MAX_ENTRIES, "allowed.toml has more than {MAX_ENTRIES} entries");
    for entry in &file.allowed {
        assert!(
            entry.rfc.starts_with("RFC ") && !entry.why.is_empty(),
            "allowed.toml: no RFC section or reason: {entry:?}"
        );
    }
    file.allowed
}
