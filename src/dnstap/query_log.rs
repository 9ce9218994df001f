//! Samples as log records, with addresses that do not name a person.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::telemetry::SampledMessage;
use crate::wire::{Name, Query, octets};

/// Records a second at most: a sample of one in one under a flood must not push every other record out of the log's queue.
const MOST_PER_SECOND: u32 = 200;

/// Bits of an address that are told: a network, not a household (RFC 7871 section 11.1 advises no more than these).
const IPV4_BITS: u8 = 24;
/// The same for IPv6: a site.
const IPV6_BITS: u8 = 48;

/// The query log, and how much of this second's room is used.
#[derive(Debug)]
pub(super) struct QueryLog {
    full_addresses: bool,
    second: Instant,
    written: u32,
    dropped: Arc<AtomicU64>,
}

impl QueryLog {
    /// Records that found no room are counted in `dropped`.
    pub(super) fn new(full_addresses: bool, now: Instant, dropped: Arc<AtomicU64>) -> Self {
        Self { full_addresses, second: now, written: 0, dropped }
    }

    /// Writes a record, unless this second has had enough; `is_own`: the client is this POP itself.
    pub(super) fn write(&mut self, sample: &SampledMessage, is_own: bool, now: Instant) {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            (self.second, self.written) = (now, 0);
        }
        if self.written >= MOST_PER_SECOND {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        self.written += 1;
        let client = told(sample.client.ip(), self.full_addresses);
        let question = Query::parse(sample.query()).and_then(|query| query.question);
        let name = question.as_ref().and_then(|question| Name::from_wire(question.name).ok());
        let name = name.map_or_else(|| "(none)".to_owned(), |name| name.to_string());
        let record_type =
            question.map_or_else(|| "(none)".to_owned(), |question| question.record_type.to_string());
        let rcode = octets::rcode(sample.response());
        let length = sample.response().len();
        tracing::info!(%client, transport = sample.transport.word(), name, r#type = record_type, rcode, octets = length, own = is_own, "query");
    }
}

/// An address as it is told.
fn told(address: IpAddr, full: bool) -> String {
    let bits = if address.is_ipv4() { IPV4_BITS } else { IPV6_BITS };
    match IpNet::new(address, bits) {
        Ok(prefix) if !full => prefix.trunc().to_string(),
        _ => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_its_network() {
        for (address, full, text) in [
            ("192.0.2.77", false, "192.0.2.0/24"),
            ("2001:db8:1:2::3", false, "2001:db8:1::/48"),
            ("192.0.2.77", true, "192.0.2.77"),
        ] {
            assert_eq!(told(address.parse().unwrap(), full), text);
        }
    }
}
