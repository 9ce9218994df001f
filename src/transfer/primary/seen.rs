//! What each secondary asked for last: which of them lag.
//!
//! Several secondaries may have one address, behind a translator of addresses for instance: then they are told apart by the keys that they sign
//! with, or by the names in their certificates. What one of them was called before (another key, a certificate of an hour) goes when it
//! has not asked for [`FORMER_AFTER`], or is beyond [`MOST_OF_ADDRESS`].

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, SystemTime};

use crate::telemetry::locked;
use crate::wire::{Name, Serial};

/// Pairs of a zone and a secondary that are remembered: 20,000 zones with five secondaries each. Beyond that the one that asked longest ago
/// is forgotten.
const MAX_REMEMBERED_PAIRS: usize = 100_000;
/// Names of secondaries of one address that are remembered for one zone: the POPs behind one translator of addresses. Beyond that the one
/// that asked longest ago is forgotten.
const MOST_OF_ADDRESS: usize = 16;
/// How long a name that asks no more stands beside one of the same address that does: longer than REFRESH, which is seldom more than a day.
const FORMER_AFTER: Duration = Duration::from_secs(2 * 86_400);

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
        let now = SystemTime::now();
        self.note_at_most(MAX_REMEMBERED_PAIRS, (zone, client), asked, (sent, serial), now);
    }

    fn note_at_most(
        &self,
        most: usize,
        (zone, client): (&Name, &SecondaryId),
        asked: AskedFor,
        (sent, serial): (Option<(Sent, Serial)>, Option<Serial>),
        at: SystemTime,
    ) {
        let mut entries = locked(&self.entries);
        entries.forget_former(zone, client, at);
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

impl Entries {
    /// Forgets names of the address of this secondary that it or others had for this zone before.
    fn forget_former(&mut self, zone: &Name, client: &SecondaryId, now: SystemTime) {
        let first = (zone.clone(), (client.0, KnownBy::Address));
        let of_address =
            self.seen.range(first..).take_while(|((name, other), _)| name == zone && other.0 == client.0);
        let (mut count, mut oldest, mut gone) = (0, None, Vec::new());
        for (key, (number, seen)) in of_address.filter(|((_, other), _)| other != client) {
            // After a step of the clock backwards nothing is old.
            if now.duration_since(seen.at).is_ok_and(|age| age > FORMER_AFTER) {
                gone.push((key.clone(), *number));
                continue;
            }
            count += 1;
            if oldest.is_none_or(|(_, least)| *number < least) {
                oldest = Some((key, *number));
            }
        }
        if let Some((key, number)) = oldest.filter(|_| count >= MOST_OF_ADDRESS) {
            gone.push((key.clone(), number));
        }
        for (key, number) in gone {
            self.seen.remove(&key);
            self.order.remove(&number);
        }
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
        let note = |zone| {
            table.note_at_most(3, (&name(zone), &client), AskedFor::Soa, (None, None), SystemTime::now())
        };
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

    #[test]
    fn what_a_secondary_was_called_before_is_forgotten_after_two_days_or_sixteen_names() {
        let table = SeenTable::default();
        let zone: Name = "example.".parse().unwrap();
        let begun = SystemTime::now();
        let note = |last, known_by: &str, hours: u64| {
            let known_by = match known_by {
                "" => KnownBy::Address,
                name => KnownBy::Certificate(name.into()),
            };
            let (client, at) =
                ((IpAddr::from([192, 0, 2, last]), known_by), begun + Duration::from_secs(hours * 3600));
            table.note_at_most(100, (&zone, &client), AskedFor::Soa, (None, None), at);
        };
        let known = || {
            let name = |it: Seen| match it.known_by {
                KnownBy::Certificate(name) => name.to_string(),
                _ => String::new(),
            };
            table.list().into_iter().map(name).collect::<Vec<_>>()
        };
        for (last, name, hours) in
            [(1, "", 0), (1, "2025", 0), (2, "other", 0), (1, "2026", 1), (1, "beside", 47)]
        {
            note(last, name, hours);
        }
        note(1, "2026", 48);
        assert_eq!(known(), ["", "2025", "2026", "beside", "other"]);
        // One of another address stays, however long ago it asked.
        note(1, "2026", 49);
        assert_eq!(known(), ["2026", "beside", "other"]);
        // A certificate for each hour.
        (0..40).for_each(|it| note(1, &format!("{it:02}"), 50));
        let expected: Vec<String> = (24..40).map(|it| it.to_string()).chain(["other".to_owned()]).collect();
        assert_eq!(known(), expected);
        assert_eq!(locked(&table.entries).order.len(), expected.len());
    }
}
