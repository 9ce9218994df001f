//! What the status document says of transfers. Times are Unix seconds (UTC).

use serde::{Deserialize, Serialize};

use super::document::document;

document! {
    /// A zone that comes from primaries (RFC 1035 section 3.3.13: REFRESH, RETRY, EXPIRE).
    TransferStatus {
        /// `idle`, `asking` or `transferring`.
        phase: String,
        /// Its primaries, in the order of the configuration.
        primaries: Vec<PrimaryStatus>,
        /// When a primary last answered that it has what is served, an older version, or one that is refused here; `None` if none ever did.
        checked: Option<u64>,
        /// When the primaries are asked next; `None` while they are.
        next: Option<u64>,
        /// When what is served expires, or has expired.
        expires: Option<u64>,
        /// Whether it has expired, whatever becomes of it.
        expired: bool,
        /// Since when no primary has answered so although REFRESH was over.
        stale_since: Option<u64>,
        /// Since when every attempt has failed.
        failing_since: Option<u64>,
        /// How many attempts in a row have failed.
        failures: u64,
        /// What went wrong last; it stays when all is well again.
        last_error: Option<String>,
        /// When that was.
        last_error_at: Option<u64>,
        /// The serial that a primary has although a newer one is served here, which no primary that answers has: it went backwards.
        behind: Option<u32>,
        /// The last time that a primary had other content under the serial that was served; until differences fit again, or an operator has
        /// ordered the whole zone.
        #[serde(default)]
        diverged: Option<DivergedStatus>,
        /// A primary that has other content under one serial than the one that gave what is served, until a comparison says otherwise.
        #[serde(default)]
        contradiction: Option<ContradictionStatus>,
        /// The serial of the version that was refused, and is not asked for again.
        refused: Option<u32>,
        /// Since when a version is refused.
        #[serde(default)]
        refused_since: Option<u64>,
        /// The last transfer that put a version into service.
        last_transfer: Option<LastTransferStatus>,
    }

    /// A primary that had other content under the serial that was served.
    DivergedStatus {
        /// The primary's address and port.
        primary: String,
        /// The serial.
        serial: u32,
        /// When it was noticed.
        at: u64,
    }

    /// Two primaries that have other content under one serial.
    ContradictionStatus {
        /// The address and port of the one whose content is not served.
        primary: String,
        /// The one that gave what is served; `None` if that is no primary any more.
        giver: Option<String>,
        /// The serial.
        serial: u32,
    }

    /// One primary.
    PrimaryStatus {
        /// Its address and port.
        address: String,
        /// The serial that it told last.
        serial: Option<u32>,
    }

    /// A transfer that put a version into service.
    LastTransferStatus {
        /// From which primary.
        primary: String,
        /// Whether the whole zone was asked for (AXFR), or differences (IXFR).
        whole: bool,
        /// The serial that it led to.
        serial: u32,
        /// Octets that came.
        octets: u64,
        /// Records that came.
        records: u64,
        /// From the query until the version was in service, in milliseconds.
        took_ms: u64,
        /// When it was in service.
        at: u64,
    }

    /// One secondary of a zone.
    SecondaryStatus {
        /// Its address.
        address: String,
        /// The TSIG key that it signs with, which tells it from others of its address.
        #[serde(default)]
        key: Option<String>,
        /// The name in the certificate that it shows over TLS, where it does not sign.
        #[serde(default)]
        certificate: Option<String>,
        /// What it asked for last: `SOA`, `IXFR` or `AXFR`.
        asked: String,
        /// The serial that it said it has when it asked for differences last; `None` if it never did.
        serial: Option<u32>,
        /// The serial of the version that was sent to it last. It does not say whether it serves that.
        #[serde(default)]
        sent: Option<u32>,
        /// When it asked.
        at: u64,
    }

    /// A target of NOTIFYs that does not take those of a zone.
    NotifyStatus {
        /// Its address and port.
        address: String,
        /// Since when it answers them with errors, if its last answer was one.
        refused_since: Option<u64>,
        /// When the first left that it has not answered since its last answer.
        unanswered_since: Option<u64>,
    }

    /// Versions of a zone that wait at a last-resort POP.
    WaitingStatus {
        /// The newest.
        newest: u32,
        /// In how many steps they will be served.
        steps: u64,
        /// When the oldest was first seen.
        since: u64,
        /// When the next step is due; `None` if that does not depend on the time.
        until: Option<u64>,
        /// Why then, or why not.
        why: String,
    }
}
