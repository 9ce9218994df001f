//! What each secondary asked for last: which of them lag.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, TryLockError};
use std::time::SystemTime;

use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Pairs of a zone and a secondary that are remembered: 20,000 zones with five secondaries each. Beyond that new
/// ones are not.
const MAX_REMEMBERED_PAIRS: usize = 100_000;

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

/// All of them; clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct SeenTable {
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    seen: BTreeMap<(Name, IpAddr), Seen>,
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
        if entries.seen.len() >= MAX_REMEMBERED_PAIRS && !entries.seen.contains_key(&key) {
            return;
        }
        let at = SystemTime::now();
        let before = entries.seen.get(&key);
        let (serial, sent) =
            (serial.or(before.and_then(|seen| seen.serial)), sent.or(before.and_then(|seen| seen.sent)));
        let seen = Seen { zone: zone.clone(), client, asked, sent, at, serial };
        entries.seen.insert(key, seen);
    }

    /// Those of one zone, by client; `None` if somebody notes something at this moment. Never blocks.
    pub fn of(&self, zone: &Name) -> Option<Vec<Seen>> {
        let entries = match self.entries.try_lock() {
            Ok(entries) => entries,
            Err(TryLockError::Poisoned(entries)) => entries.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let first = (zone.clone(), IpAddr::from([0; 4]));
        let of_zone = entries.seen.range(first..).take_while(|((name, _), _)| name == zone);
        Some(of_zone.map(|(_, seen)| seen.clone()).collect())
    }

    /// All, by zone and client.
    pub fn list(&self) -> Vec<Seen> {
        locked(&self.entries).seen.values().cloned().collect()
    }
}
