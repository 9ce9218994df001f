//! What each secondary asked for last: which of them lag.
//!
//! Several secondaries may have one address, behind a translator of addresses for instance: then they are told apart by the keys that they sign
//! with, or by the names in their certificates.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::SystemTime;

use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Pairs of a zone and a secondary that are remembered: 20,000 zones with five secondaries each. Beyond that the one that asked longest ago
/// is forgotten.
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

/// By what a secondary is told from others of its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KnownBy {
    /// Nothing: by its address alone.
    Address,
    /// The TSIG key that it signs with.
    Key(Name),
    /// It does not sign, and this is the name in the certificate that it shows.
    Certificate(Arc<str>),
}

/// A secondary, as far as it can be told from others.
pub(super) type SecondaryId = (IpAddr, KnownBy);

/// The last request of one secondary for one zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The zone.
    pub zone: Name,
    /// The address of the secondary.
    pub client: IpAddr,
    /// By what it is told from others of this address.
    pub known_by: KnownBy,
    /// What it asked for.
    pub asked: AskedFor,
    /// What was sent to it last, whole to the end.
    pub sent: Option<Sent>,
    /// When.
    pub at: SystemTime,
    /// The serial that it said it has when it asked for differences last.
    pub serial: Option<Serial>,
    /// The serial of the version that was sent to it last, whole to the end. Whether it serves that, it does not say.
    pub sent_serial: Option<Serial>,
}

/// All of them; clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct SeenTable {
    entries: Arc<Mutex<Entries>>,
}

/// No secondary is before it in the order.
const LEAST: SecondaryId = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), KnownBy::Address);

#[derive(Debug, Default)]
struct Entries {
    /// With the number of the last request.
    seen: BTreeMap<(Name, SecondaryId), (u64, Seen)>,
    /// By the number of their last request.
    order: BTreeMap<u64, (Name, SecondaryId)>,
    requests: u64,
}

impl SeenTable {
    /// Notes a request, or what was sent; what is not told stays as it was known.
    pub(super) fn note(
        &self,
        (zone, client): (&Name, &SecondaryId),
        asked: AskedFor,
        sent: Option<(Sent, Serial)>,
        serial: Option<Serial>,
    ) {
        self.note_at_most(MAX_REMEMBERED_PAIRS, (zone, client), asked, (sent, serial));
    }

    fn note_at_most(
        &self,
        most: usize,
        (zone, client): (&Name, &SecondaryId),
        asked: AskedFor,
        (sent, serial): (Option<(Sent, Serial)>, Option<Serial>),
    ) {
        let mut entries = locked(&self.entries);
        let Entries { seen: all, order, requests } = &mut *entries;
        let key = (zone.clone(), client.clone());
        let before = all.get(&key);
        let known =
            before.map(|(_, seen)| (seen.serial, seen.sent.zip(seen.sent_serial))).unwrap_or_default();
        match before {
            Some((number, _)) => drop(order.remove(number)),
            None if all.len() >= most => drop(order.pop_first().and_then(|(_, oldest)| all.remove(&oldest))),
            None => {}
        }
        *requests += 1;
        let (serial, (sent, sent_serial)) = (serial.or(known.0), sent.or(known.1).unzip());
        let at = SystemTime::now();
        let (client, known_by) = client.clone();
        let seen = Seen { zone: zone.clone(), client, known_by, asked, sent, at, serial, sent_serial };
        order.insert(*requests, key.clone());
        all.insert(key, (*requests, seen));
    }

    /// Forgets a zone that is served no more.
    pub(super) fn forget(&self, zone: &Name) {
        let mut entries = locked(&self.entries);
        let Entries { seen, order, .. } = &mut *entries;
        let first = (zone.clone(), LEAST);
        let of_zone = seen.range(first..).take_while(|((name, _), _)| name == zone);
        let gone: Vec<_> = of_zone.map(|(key, (number, _))| (key.clone(), *number)).collect();
        for (key, number) in gone {
            seen.remove(&key);
            order.remove(&number);
        }
    }

    /// Those of one zone, by secondary; `None` if somebody notes something at this moment. Never blocks.
    pub fn of(&self, zone: &Name) -> Option<Vec<Seen>> {
        let entries = match self.entries.try_lock() {
            Ok(entries) => entries,
            Err(TryLockError::Poisoned(entries)) => entries.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let first = (zone.clone(), LEAST);
        let of_zone = entries.seen.range(first..).take_while(|((name, _), _)| name == zone);
        Some(of_zone.map(|(_, (_, seen))| seen.clone()).collect())
    }

    /// All, by zone and secondary.
    pub fn list(&self) -> Vec<Seen> {
        locked(&self.entries).seen.values().map(|(_, seen)| seen.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_that_asked_longest_ago_makes_room_and_a_zone_that_is_gone_is_forgotten() {
        let table = SeenTable::default();
        let name = |zone: u32| -> Name { format!("z{zone}.").parse().unwrap() };
        let client = (IpAddr::from([192, 0, 2, 1]), KnownBy::Address);
        let note = |zone| table.note_at_most(3, (&name(zone), &client), AskedFor::Soa, (None, None));
        let known = || table.list().into_iter().map(|seen| seen.zone.to_string()).collect::<Vec<_>>();
        (1..=3).for_each(note);
        note(1);
        note(4);
        assert_eq!(known(), ["z1.", "z3.", "z4."]);
        table.forget(&name(3));
        assert_eq!(known(), ["z1.", "z4."]);
        note(5);
        note(6);
        assert_eq!(known(), ["z4.", "z5.", "z6."], "the place of the zone that is gone is free");
    }

    #[test]
    fn secondaries_of_one_address_are_told_apart_by_key_or_certificate() {
        let table = SeenTable::default();
        let zone: Name = "example.".parse().unwrap();
        let key = |text: &str| KnownBy::Key(text.parse().unwrap());
        let all = [key("a."), key("b."), KnownBy::Certificate("a.example".into()), KnownBy::Address];
        for (serial, known_by) in all.iter().enumerate() {
            let client = (IpAddr::from([0, 0, 0, 0]), known_by.clone());
            table.note((&zone, &client), AskedFor::Ixfr, None, Some(Serial(serial as u32)));
        }
        // The case of a key's name says nothing.
        table.note((&zone, &(IpAddr::from([0; 4]), key("A."))), AskedFor::Ixfr, None, Some(Serial(9)));
        let seen = table.of(&zone).unwrap();
        let serials: Vec<_> = seen.iter().map(|it| (it.known_by.clone(), it.serial.unwrap().0)).collect();
        let [a, b, certificate, address] = all;
        assert_eq!(serials, [(address, 3), (a, 9), (b, 1), (certificate, 2)]);
        table.forget(&zone);
        assert_eq!(table.list(), []);
    }
}
