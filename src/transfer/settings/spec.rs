//! `[transfer]` and what `[[zone]]` says of transfers: the form of the file's keys.
//!
//! ```toml
//! [transfer]
//! listen = ["198.51.100.7:53"]                                          # SOA queries, AXFR, IXFR, NOTIFY
//! allow = [{ from = "198.51.100.0/24", keys = ["hub-2026.", "hub-2027."] }] # who may transfer; two keys during a rollover
//! notify = [{ address = "198.51.100.8", key = "hub-2026." }]            # whom to tell of changes
//!
//! [[zone]]
//! name = "example.com"
//! primaries = [{ address = "198.51.100.1", key = "hub-2026." }]         # port 53 unless told
//! # or over TLS: primaries = [{ address = "198.51.100.1", tls = { ca-file = "ca.pem", name = "hub.example" } }]
//! notify-from = [{ from = "198.51.100.2/32" }]                          # beside the primaries
//! ```

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};

use crate::transfer::secondary::OnExpiry;

/// One server that is asked or told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PeerSpec {
    /// An address, or an address and a port.
    pub address: String,
    /// The name of the key that signs.
    pub key: Option<String>,
    /// TLS with it (RFC 9103); the port is 853 unless told. Of primaries alone: NOTIFY goes over UDP.
    pub tls: Option<TlsPeerSpec>,
}

/// How a primary is known over TLS: by one of `ca-file` with `name`, `pins`, or `opportunistic`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TlsPeerSpec {
    /// The authorities from which its certificate may come, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The name in its certificate.
    pub name: Option<String>,
    /// SHA-256 of its public key in base 64; two during a rollover.
    pub pins: Vec<String>,
    /// Not known at all: protects from who only listens.
    pub opportunistic: bool,
    /// Our certificate, for a primary that asks for one.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// `[transfer.tls]`: transfers out over TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsListenSpec {
    /// Where: management addresses; port 853 unless told.
    pub listen: Vec<String>,
    /// The certificate and what leads to its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities from which each secondary's certificate must come (mutual TLS); none is asked for without it.
    pub client_ca_file: Option<PathBuf>,
}

/// One entry of a list of who may do something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AllowedSpec {
    /// A prefix, or an address.
    pub from: String,
    /// The keys of which one must sign; none is asked for if there is none.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Whether it must come over TLS.
    #[serde(default)]
    pub tls: bool,
}

/// `[transfer]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct TransferSpec {
    /// Where SOA queries, transfers and NOTIFYs are taken: management addresses with their ports.
    pub listen: Vec<String>,
    /// The same over TLS, transfers alone.
    pub tls: Option<TlsListenSpec>,
    /// Who may transfer zones that say nothing else.
    pub allow: Vec<AllowedSpec>,
    /// Whom to tell of changes of zones that say nothing else.
    pub notify: Vec<PeerSpec>,
    /// Where NOTIFYs that come to a service address are forwarded to; nowhere without it.
    pub forward_notify: Vec<PeerSpec>,
    /// Transfers in at one time.
    pub transfers: Option<usize>,
    /// Transfers in at one time from one primary.
    pub transfers_per_primary: Option<usize>,
    /// SOA queries a second.
    pub soa_queries_per_second: Option<NonZeroU32>,
    /// SOA queries a second to one primary.
    pub soa_queries_per_second_per_primary: Option<NonZeroU32>,
    /// Octets a second that a primary must send, and a secondary must take.
    pub least_octets_per_second: Option<u64>,
    /// How long a primary may send nothing.
    #[serde(deserialize_with = "period")]
    pub silence: Option<Duration>,
    /// How long one transfer may take, in or out.
    #[serde(deserialize_with = "period")]
    pub longest: Option<Duration>,
    /// Octets of one transfer.
    pub most_octets: Option<u64>,
    /// Records of one transfer.
    pub most_records: Option<u64>,
    /// Octets that all transfers in take in memory at one time.
    pub most_memory: Option<u64>,
    /// REFRESH of SOA records counts as at least this.
    #[serde(deserialize_with = "period")]
    pub least_refresh: Option<Duration>,
    /// REFRESH of SOA records counts as at most this.
    #[serde(deserialize_with = "period")]
    pub most_refresh: Option<Duration>,
    /// What becomes of a zone that has expired, where it says nothing else.
    pub expired: OnExpirySpec,
    /// A last-resort POP: versions are served so long after they were first seen.
    #[serde(deserialize_with = "period")]
    pub delay: Option<Duration>,
    /// The same of versions with other keys.
    #[serde(deserialize_with = "period")]
    pub key_delay: Option<Duration>,
    /// How long before signatures of the served version expire the next version is served.
    #[serde(deserialize_with = "period")]
    pub signature_margin: Option<Duration>,
    /// Transfers out at one time.
    pub transfers_out: Option<usize>,
    /// Transfers out at one time to one client.
    pub transfers_out_per_client: Option<usize>,
    /// Updates a second of one client.
    pub updates_per_second: Option<NonZeroU32>,
    /// Connections of one secondary at one time.
    pub connections_per_client: Option<usize>,
}

/// `transfer.expired` and `zone.expired`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExpirySpec {
    /// It is answered SERVFAIL.
    #[default]
    ServFail,
    /// It is answered from, and the answers say that they are stale.
    Stale,
}

impl From<OnExpirySpec> for OnExpiry {
    fn from(spec: OnExpirySpec) -> Self {
        match spec {
            OnExpirySpec::ServFail => Self::ServFail,
            OnExpirySpec::Stale => Self::Stale,
        }
    }
}

/// What a `[[zone]]` says of transfers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ZoneTransferSpec {
    /// From where the zone comes; empty for one that comes from a file.
    pub primaries: Vec<PeerSpec>,
    /// Who may send NOTIFY beside the primaries; a primary that has a key and does not sign them, too.
    pub notify_from: Vec<AllowedSpec>,
    /// Who may transfer it; what `[transfer]` says if it is missing.
    pub allow_transfer: Option<Vec<AllowedSpec>>,
    /// Whom to tell that it changed; what `[transfer]` says if it is missing.
    pub notify: Option<Vec<PeerSpec>>,
    /// What becomes of it when it has expired; what `[transfer]` says if it is missing.
    pub expired: Option<OnExpirySpec>,
}

/// A duration as people write it.
fn period<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let parsed = humantime::parse_duration(&text).ok();
    let expected = &"a duration such as \"200ms\", \"5s\" or \"2m\"";
    parsed.map(Some).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), expected))
}
