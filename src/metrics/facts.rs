//! What a scrape tells beyond the status document and the counters. Times are Unix seconds.

use std::time::Duration;

/// What a scrape tells beyond the status document and the counters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tells one text of the configuration from another.
    pub config_digest: String,
    /// The zones that have samples of their own.
    pub zones: Vec<ZoneFacts>,
    /// When the first signature of any zone expires.
    pub signatures_expire: Option<u64>,
    /// Transfers into this POP.
    pub transfers: TransferTotals,
    /// What is sent to others, and what they send.
    pub outward: OutwardFacts,
    /// Zones that are asked most, and how many queries were seen for each.
    pub busy_zones: Vec<(String, u64)>,
    /// Queries that were seen for all others.
    pub other_queries: u64,
    /// Every prefix.
    pub prefixes: Vec<PrefixFacts>,
    /// Every neighbor.
    pub sessions: Vec<SessionFacts>,
    /// Whether the deciding task renews the announcement.
    pub lease_held: bool,
    /// Seconds since each source of facts was last checked, by its name.
    pub fact_ages: Vec<(&'static str, f64)>,
    /// Seconds since each task's last heartbeat, by its name.
    pub task_ages: Vec<(String, f64)>,
    /// Log records that were dropped.
    pub log_dropped: u64,
    /// Samples for dnstap and the query log.
    pub samples: SampleFacts,
    /// Log records and spans for an OpenTelemetry receiver.
    pub exported: ExportFacts,
    /// When each certificate in use is valid.
    pub certificates: Vec<CertificateFacts>,
    /// Connections to the page that found no place.
    pub web_refused: u64,
}

/// One zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneFacts {
    /// Its name.
    pub name: String,
    /// Whether it is served in its newest version, without faults, and has not expired.
    pub is_well: bool,
    /// The serial that is served.
    pub serial: Option<u32>,
    /// The start of the digest of what is served, once it is made.
    pub digest: Option<String>,
    /// How many records are served.
    pub records: u64,
    /// When the version that is served was accepted.
    pub accepted: Option<u64>,
    /// When its first signature expires.
    pub signatures_expire: Option<u64>,
    /// What its primaries say, if it has some.
    pub transfer: Option<TransferFacts>,
}

/// What the primaries of a zone say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransferFacts {
    /// The newest serial that a primary told (RFC 1982).
    pub primary_serial: Option<u32>,
    /// When a primary last confirmed what is served.
    pub checked: Option<u64>,
    /// When it expires.
    pub expires: Option<u64>,
    /// How many attempts in a row have failed.
    pub failures: u64,
    /// When they are asked next, while they are not being asked.
    pub next: Option<u64>,
}

/// Transfers into this POP, of all zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferTotals {
    /// Whole zones that came (AXFR, RFC 5936).
    pub whole: u64,
    /// Differences that came (IXFR, RFC 1995).
    pub differences: u64,
    /// Octets of both.
    pub octets: u64,
    /// Zones of which no version has ever come.
    pub empty: u64,
    /// Zones that no primary has confirmed for longer than REFRESH.
    pub stale: u64,
    /// Zones whose primary's serial went backwards.
    pub behind: u64,
    /// Of which a primary had other content under the serial that was served.
    pub diverged: u64,
    /// Of which two primaries have other content under one serial.
    pub contradicting: u64,
    /// Of which a version of a primary is refused.
    pub refused: u64,
    /// Zones of which a primary has a newer version than is served.
    pub behind_primary: u64,
    /// How long the first of those has been so.
    pub behind_primary_for: Duration,
}

/// What is sent to secondaries, and what others send that changes zones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutwardFacts {
    /// Transfers to secondaries, by kind and result.
    pub transfers: Vec<(&'static str, &'static str, u64)>,
    /// Octets of them.
    pub octets: u64,
    /// Requests for zones that were refused, by reason.
    pub refusals: Vec<(&'static str, u64)>,
    /// Targets of NOTIFYs.
    pub targets: Vec<TargetNotifies>,
    /// Dynamic updates, by result.
    pub updates: Vec<(&'static str, u64)>,
    /// Messages whose signature was not accepted, by their kind and the error.
    pub bad_signatures: Vec<(&'static str, &'static str, u64)>,
}

/// What became of the NOTIFYs to one target, or to all that have no samples of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetNotifies {
    /// Its address and port.
    pub target: String,
    /// Those that it has taken.
    pub taken: u64,
    /// Those that it answered with an error.
    pub refused: u64,
    /// Those that it has not answered.
    pub unanswered: u64,
    /// Zones whose last NOTIFY it answered with an error.
    pub zones_refused: u64,
    /// Zones whose NOTIFYs it has not answered for a minute.
    pub zones_silent: u64,
}

/// One prefix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrefixFacts {
    /// The prefix.
    pub prefix: String,
    /// How much longer it is on hold before it is announced, in seconds.
    pub hold: f64,
    /// How often it was withdrawn after it had been announced.
    pub withdrawals: u64,
    /// How long the last withdrawal took, from the decision until no neighbor held the route, in seconds.
    pub withdrawn_in: Option<f64>,
}

/// One neighbor's session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionFacts {
    /// The neighbor's address.
    pub neighbor: String,
    /// Whether it is established (RFC 4271 section 8.2.2).
    pub is_established: bool,
    /// How many times it came up.
    pub established: u64,
    /// Since when it has its state.
    pub since: u64,
}

/// Log records and spans for an OpenTelemetry receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportFacts {
    /// Those that it has taken.
    pub exported: u64,
    /// Those that found no room, or that it refused.
    pub dropped: u64,
}

/// Samples for dnstap and the query log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleFacts {
    /// dnstap messages that were written.
    pub written: u64,
    /// dnstap messages that no collector took.
    pub dropped: u64,
    /// Samples that the query log left out.
    pub log_dropped: u64,
    /// Samples that a worker could not hand over: no record was free, or the query was too long for one.
    pub not_taken: u64,
}

/// When a certificate is valid, in Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// What it is used for.
    pub purpose: &'static str,
    /// Since when.
    pub not_before: u64,
    /// Until when.
    pub expires: u64,
}
