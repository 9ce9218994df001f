//! Whether a zone that is served may still be believed: a fact about secondary zones, told by the control plane.

/// How the version of a zone that is served stands against its SOA record's EXPIRE (RFC 1035 section 3.3.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    /// It is not a secondary zone, or a primary has confirmed it within EXPIRE.
    #[default]
    Current,
    /// It has expired, and is answered from all the same, with the extended error 3, Stale Answer (RFC 8914 section 4.4).
    Stale,
    /// It has expired: names in it are answered SERVFAIL with the extended error 24, Invalid Data (RFC 8914 section 4.25).
    Expired,
}
