//! What each secondary asked for last: which of them lag.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::SystemTime;

use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Pairs of a zone and a secondary that are remembered: 20,000 zones with five secondaries each. Beyond that new
/// ones are not.
const MOST: usize = 100_000;

/// What a secondary asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedFor {
    /// The SOA record.
    Soa,
    /// Differences from a version on: the one that it serves.
    Ixfr,
    /// The whole zone.
    Axfr,
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The SOA record: there is nothing new.
    Soa,
    /// Differences.
    Differences,
    /// The whole zone.
    Whole,
}

/// The last request of one secondary for one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The zone.
    pub zone: Name,
    /// The secondary.
    pub client: IpAddr,
    /// What it asked for.
    pub asked: AskedFor,
    /// What was sent to it last, whole to the end.
    pub sent: Option<Sent>,
    /// When.
    pub at: SystemTime,
    /// The serial that it has, as far as is known: the one it asked from, or the one that was sent to it whole.
    pub serial: Option<Serial>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct SeenTable {
    entries: Mutex<BTreeMap<(Name, IpAddr), Seen>>,
}

impl SeenTable {
    /// Notes a request, or what was sent; what is not told stays as it was known.
    pub(super) fn note(
        &self,
        (zone, client): (&Name, IpAddr),
        asked: AskedFor,
        sent: Option<Sent>,
        serial: Option<Serial>,
    ) {
        let mut entries = locked(&self.entries);
        let key = (zone.clone(), client);
        if entries.len() >= MOST && !entries.contains_key(&key) {
            return;
        }
        let at = SystemTime::now();
        let before = entries.get(&key);
        let (serial, sent) =
            (serial.or(before.and_then(|seen| seen.serial)), sent.or(before.and_then(|seen| seen.sent)));
        let seen = Seen { zone: zone.clone(), client, asked, sent, at, serial };
        entries.insert(key, seen);
    }

    /// All, by zone and client.
    pub(super) fn list(&self) -> Vec<Seen> {
        let entries = locked(&self.entries);
        entries.values().cloned().collect()
    }
}
