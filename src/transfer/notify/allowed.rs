//! Who may do something: a list of prefixes, each with a key or without.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::wire::Name;

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSource {
    /// From where.
    pub prefix: IpNet,
    /// The keys of which one must sign; during a rollover the old one and the new one. Empty: no key is asked for.
    pub keys: Vec<Name>,
    /// Whether it must come over TLS (RFC 9103).
    pub encrypted: bool,
}

/// Who may do something. An empty list allows nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(pub Vec<AllowedSource>);

impl Allowed {
    /// Whether a message from `source`, signed with `key` or not, encrypted or not, is allowed by any entry. A valid signature with
    /// a key that an entry does not ask for does no harm.
    pub fn allows(&self, source: IpAddr, key: Option<&Name>, is_encrypted: bool) -> bool {
        let source = source.to_canonical();
        self.0.iter().any(|entry| {
            let is_signed = entry.keys.is_empty() || key.is_some_and(|key| entry.keys.contains(key));
            entry.prefix.contains(&source) && is_signed && (is_encrypted || !entry.encrypted)
        })
    }
}
