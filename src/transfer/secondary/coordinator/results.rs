//! What tasks of the coordinator bring back: answers to SOA queries, transfers that have ended.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::task::{Id, JoinError};

use crate::publish::Force;
use crate::transfer::refresh::Transferred;
use crate::wire::{Name, Serial};

use crate::transfer::secondary::coordinator::entry::ZoneEntry;
use crate::transfer::secondary::coordinator::{About, Coordinator, Done, now};
use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::{Fetch, Fetched, Received};
use crate::transfer::secondary::jobs::Ask;
use crate::transfer::secondary::jobs::slots::PeerEnd;
use crate::transfer::secondary::net::NetError;
use crate::transfer::secondary::net::ask::{AskError, AskOver};
use crate::transfer::secondary::report::{Diverged, LastTransfer};
use crate::transfer::secondary::sink::SinkError;

/// A transfer that fails sooner holds no place for long.
const LEAST_SILENCE: Duration = Duration::from_secs(1);

impl Coordinator {
    /// Takes the result of a task.
    pub(super) fn finish(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => (error.id(), None),
        };
        match (self.about.remove(&id), done) {
            (Some(About::Ask(ask)), done) => {
                let is_answered = matches!(done, Some(Done::Asked(Ok(_))));
                self.jobs.ask_ended(ask.address, is_answered, Instant::now());
                if !self.is_of_now(&ask.zone, ask.generation) {
                    return;
                }
                if let Some(entry) = self.zones.get_mut(&ask.zone) {
                    entry.is_paused = false;
                }
                let told = match done {
                    Some(Done::Asked(Ok(told))) => Some(told),
                    // It waits for its turn like any other query.
                    Some(Done::Asked(Err(AskError::RefusedOverUdp(_)))) => {
                        return self.jobs.add_ask(Ask { over: AskOver::Tcp, ..ask });
                    }
                    Some(Done::Asked(Err(AskError::WithoutEdns(doubt, _)))) => {
                        return self.jobs.add_ask(Ask { doubt: Some(doubt), ..ask });
                    }
                    Some(Done::Asked(Err(error))) => {
                        self.failed(&ask.zone, ask.address, &error);
                        None
                    }
                    _ => None,
                };
                if let (Some(told), Some(entry)) = (told, self.zones.get_mut(&ask.zone)) {
                    entry.note_told(Some(told.soa.serial), now());
                }
                self.step(&ask.zone, |refresh| {
                    refresh.note_time_left(ask.primary, told.and_then(|told| told.left));
                    refresh.answered(now(), ask.primary, told.map(|told| told.soa))
                });
            }
            (Some(About::Fetch { fetch, begun }), done) => {
                let thread = || Fetched {
                    end: Transferred::NotKept,
                    error: Some(FetchError::Thread),
                    received: Received::default(),
                    is_diverged: false,
                };
                let fetched = match done {
                    Some(Done::Fetched(fetched)) => fetched,
                    _ => thread(),
                };
                let end = peer_end(fetched.error.as_ref(), begun);
                let address = fetch.address;
                let told = |it: &mut Self| {
                    it.note_paused(&fetch, false);
                    it.fetched(&fetch, begun, fetched);
                };
                self.transfer_ended(address, (end, begun), told);
            }
            (Some(About::Compare { fetch, of, begun }), done) => {
                let found = match done {
                    Some(Done::Compared(found)) => found,
                    _ => Err(FetchError::Thread),
                };
                let is_silent = matches!(found, Err(FetchError::Net(_)));
                let end = end_of_comparison(found.as_ref().err(), begun);
                let address = fetch.address;
                let told = |it: &mut Self| it.compared(&fetch, of, (begun, is_silent), found);
                self.transfer_ended(address, (end, begun), told);
            }
            (None, _) => {}
        }
    }

    /// A transfer has ended that began then; `told` takes what came of it.
    fn transfer_ended(
        &mut self,
        address: SocketAddr,
        (end, begun): (PeerEnd, Instant),
        told: impl FnOnce(&mut Self),
    ) {
        let now = Instant::now();
        let (failed, is_back) = self.jobs.fetch_ended(address, end, begun, now);
        told(self);
        if is_back {
            self.wake_paused(address);
        }
        // A primary that is silent is not waited for once for each of its zones.
        for fetch in failed {
            let left = self.jobs.pause(fetch.address, now).unwrap_or_default();
            self.paused(&fetch, left);
        }
    }

    fn fetched(&mut self, fetch: &Fetch, begun: Instant, fetched: Fetched) {
        let Fetched { end, error, received, is_diverged } = fetched;
        let Received { octets, records, left } = received;
        let zone = &fetch.zone;
        let is_gone = |entry: &ZoneEntry| !Arc::ptr_eq(&entry.gate, &fetch.gate);
        if self.zones.get(zone).is_none_or(is_gone) {
            return;
        }
        if let Some(error) = &error {
            if let FetchError::Sink(SinkError::Diverged(serial, _)) = error {
                self.note_diverged(zone, fetch.address, *serial);
            }
            self.failed(zone, fetch.address, error);
        }
        if let Transferred::Served(soa) = end {
            let (took, serial) = (begun.elapsed(), soa.serial);
            let whole = fetch.from.is_none();
            tracing::info!(%zone, primary = %fetch.address, %serial, whole, octets, records, ms = took.as_millis() as u64, "zone transferred");
            if let Some(entry) = self.zones.get_mut(zone) {
                let before = entry.report(now()).and_then(|report| report.status.serial);
                if let Some(before) =
                    before.filter(|before| fetch.force == Force::Anew && before.is_after(serial))
                {
                    tracing::warn!(%zone, %serial, %before, "the zone that is listed again has an older serial at its primary: it is taken as another zone");
                }
                if fetch.force == Force::Forked {
                    tracing::warn!(%zone, %serial, "what was served is not in the history of the primary, whose serial went backwards, or which has other content under the serial: its version is served, which came whole");
                }
                let at = SystemTime::now();
                let primary = fetch.address;
                let since_told = entry.take_told(serial, begun, now());
                entry.last_transfer =
                    Some(LastTransfer { primary, whole, serial, octets, records, took, since_told, at });
                if entry.is_resolved_by((primary, fetch.force), whole) {
                    entry.diverged = None;
                }
            }
            if is_diverged {
                self.note_diverged(zone, fetch.address, serial);
            }
        }
        if self.is_of_now(zone, fetch.generation) {
            self.step(zone, |refresh| {
                match end {
                    Transferred::Served(_) => refresh.note_time_left_of_given(fetch.primary, left),
                    _ => refresh.note_time_left(fetch.primary, left),
                }
                refresh.transferred(now(), end)
            });
        }
    }

    fn note_paused(&mut self, fetch: &Fetch, is_paused: bool) {
        if let Some(entry) = self.zones.get_mut(&fetch.zone) {
            entry.is_paused = is_paused;
        }
    }

    /// A primary that was silent has answered: the zones that were not asked for meanwhile do not wait until their own pauses are over.
    fn wake_paused(&mut self, address: SocketAddr) {
        let waits = |entry: &ZoneEntry| entry.is_paused && entry.settings.addresses().contains(&address);
        let zones: Vec<Name> =
            self.zones.iter().filter(|(_, entry)| waits(entry)).map(|(name, _)| name.clone()).collect();
        for zone in zones {
            self.step(&zone, |refresh| {
                refresh.wake_soon(now());
                None
            });
        }
    }

    /// A transfer is not begun, because its primary was silent of late.
    pub(super) fn paused(&mut self, fetch: &Fetch, left: Duration) {
        self.note_paused(fetch, true);
        let error = FetchError::Paused { address: fetch.address, left };
        let end = Transferred::NotBegun;
        let fetched = Fetched { end, error: Some(error), received: Received::default(), is_diverged: false };
        self.fetched(fetch, Instant::now(), fetched);
    }

    /// Notes that a primary has other content under a serial than there is here.
    fn note_diverged(&mut self, zone: &Name, primary: SocketAddr, serial: Serial) {
        let Serial(number) = serial;
        tracing::error!(%zone, %primary, serial = number, "the primary has other content under this serial than there is here: the zone is transferred whole");
        if let Some(entry) = self.zones.get_mut(zone) {
            let now = now();
            entry.note_diverged(Diverged { primary, serial, at: now.wall }, now);
        }
    }

    /// Whether the primaries of a zone are still those.
    pub(super) fn is_of_now(&self, zone: &Name, generation: u64) -> bool {
        self.zones.get(zone).is_some_and(|entry| entry.generation == generation)
    }

    fn failed(&mut self, zone: &Name, primary: SocketAddr, error: &dyn std::error::Error) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        self.failure_log.write(primary.ip(), |left_out| {
            tracing::warn!(%zone, %primary, error = text, left_out, "the primary brought nothing");
        });
        if let Some(entry) = self.zones.get_mut(zone) {
            entry.note_error(primary, &text);
        }
    }
}

/// What the end of a transfer says of its primary. One whose connection broke may have been started anew.
fn peer_end(error: Option<&FetchError>, begun: Instant) -> PeerEnd {
    match error {
        None => PeerEnd::Answered,
        Some(FetchError::Net(error)) => match error {
            NetError::Broke { .. } | NetError::Udp { .. } | NetError::NoAddress(_) => PeerEnd::Unknown,
            _ if begun.elapsed() < LEAST_SILENCE => PeerEnd::Unknown,
            _ => PeerEnd::Silent,
        },
        Some(FetchError::Thread | FetchError::ZoneGone | FetchError::Memory { .. }) => PeerEnd::Unknown,
        Some(_) => PeerEnd::Answered,
    }
}

/// The same of a comparison, whose limits are shorter: that it came to none is no reason to leave the primary alone.
fn end_of_comparison(error: Option<&FetchError>, begun: Instant) -> PeerEnd {
    match peer_end(error, begun) {
        PeerEnd::Silent => PeerEnd::Unknown,
        end => end,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_primary_is_silent_where_a_transfer_waited_for_it_in_vain() {
        let address = SocketAddr::from(([192, 0, 2, 1], 53));
        let of = |error, waited| {
            let error: Option<FetchError> = error;
            peer_end(error.as_ref(), Instant::now().checked_sub(waited).unwrap())
        };
        let silent = || Some(FetchError::Net(NetError::Silent { address, after: Duration::ZERO }));
        let broke = NetError::Broke { address, source: io::ErrorKind::ConnectionReset.into() };
        assert_eq!(of(silent(), LEAST_SILENCE), PeerEnd::Silent);
        assert_eq!(of(silent(), Duration::ZERO), PeerEnd::Unknown);
        assert_eq!(of(Some(broke.into()), LEAST_SILENCE), PeerEnd::Unknown);
        assert_eq!(of(Some(FetchError::ZoneGone), LEAST_SILENCE), PeerEnd::Unknown);
        assert_eq!(of(Some(FetchError::NoDifferences), LEAST_SILENCE), PeerEnd::Answered);
        assert_eq!(of(None, LEAST_SILENCE), PeerEnd::Answered);
        // A comparison fails no transfer that waits for the same primary.
        let begun = Instant::now().checked_sub(LEAST_SILENCE).unwrap();
        assert_eq!(end_of_comparison(silent().as_ref(), begun), PeerEnd::Unknown);
        assert_eq!(end_of_comparison(None, begun), PeerEnd::Answered);
    }
}
