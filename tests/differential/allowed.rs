//! `allowed.toml`: differences in which anyns is right, each with the RFC section that says so.

use serde::Deserialize;

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
    /// Tags that must not be there.
    #[serde(default)]
    pub without: Vec<String>,
    /// QTYPEs; all if empty.
    #[serde(default)]
    pub types: Vec<String>,
    /// The parts that may differ.
    pub differs: Vec<String>,
    /// The section that makes us right.
    pub rfc: String,
    /// What the peer does instead.
    pub why: String,
}

impl Entry {
    /// Whether it hides this part of a difference.
    pub fn hides(&self, peer: &str, record_type: u16, tags: &Tags, part: &str) -> bool {
        let has = |tag: &String| tags.contains(tag.as_str());
        let kind = mnemonic(record_type);
        self.peers.iter().any(|name| name == peer)
            && self.tags.iter().all(has)
            && !self.without.iter().any(has)
            && (self.types.is_empty() || self.types.contains(&kind))
            && self.differs.iter().any(|allowed| allowed == part)
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
