//! Which primaries have other content than is served under the same serial: found by whole transfers that are compared and forgotten.
//!
//! One at a time in the process, seldom, and only while the transfers have little to do: a transfer that waits for it to end ends it. So the
//! comparisons of all zones after a start, or after an upgrade, take days where there are very many zones, and cost a primary one small zone each
//! ten seconds, or large ones for a twentieth of the time. A primary that is silent is left alone, and delays no transfer because of that.

use std::time::Instant;

use tracing::Instrument;

use crate::publish::Force;
use crate::transfer::message::TransferFault;
use crate::transfer::refresh::{Comparison, DueComparison};
use crate::wire::Name;

use crate::transfer::secondary::coordinator::entry::ZoneEntry;
use crate::transfer::secondary::coordinator::{About, Coordinator, Done, now};
use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::{Fetch, compare};

impl Coordinator {
    /// After anything that may have changed a zone: notes when a primary of it is to be compared.
    pub(super) fn settle_comparison(&mut self, name: &Name) {
        let due = self.zones.get(name).and_then(|entry| {
            let due = entry.comparison()?;
            Some((entry.settings.primaries.get(due.primary)?.address, due.at))
        });
        self.comparisons.note(name, due);
    }

    /// Begins a comparison, if its time has come; when to come again, if that is known.
    pub(super) fn begin_comparison(&mut self) -> Option<Instant> {
        if let Some(under_way) = &self.comparisons.under_way {
            if self.jobs.has_waiting_beside(under_way.address) {
                under_way.stop.cancel();
            }
            return None;
        }
        let now = Instant::now();
        if let Some(until) = self.comparisons.pause(now) {
            return Some(until);
        }
        // The first one that is left alone may be asked again.
        let mut again: Option<Instant> = None;
        let mut note_again = |at: Instant| again = Some(again.map_or(at, |again| again.min(at)));
        for (at, address, zone) in self.comparisons.firsts() {
            if at > now {
                note_again(at);
                continue;
            }
            if let Some(left) = self.jobs.pause(address, now) {
                note_again(now + left);
                continue;
            }
            let found = self.zones.get(&zone).and_then(|entry| {
                let due = entry.comparison()?;
                let is_there = entry.settings.primaries.get(due.primary)?.address == address;
                (is_there && due.at <= now).then(|| (due, entry.generation, entry.gate.clone()))
            });
            let Some((due, generation, gate)) = found else {
                // It is noted anew with the next one of that address.
                self.settle_comparison(&zone);
                note_again(now);
                continue;
            };
            // The end of what goes on has it looked at again.
            if self.jobs.begin_idle(address) {
                let (from, force) = (None, Force::No);
                let fetch = Fetch { zone, primary: due.primary, address, from, force, generation, gate };
                self.spawn_comparison(fetch, due);
                return None;
            }
        }
        again
    }

    fn spawn_comparison(&mut self, fetch: Fetch, of: DueComparison) {
        let stop = self.comparisons.begin(fetch.zone.clone(), fetch.address);
        let (settings, idle, sink) = (self.settings.clone(), self.idle.clone(), self.sink.clone());
        let memory = self.memory.clone();
        let credentials = self.credentials(&fetch.zone, (fetch.primary, fetch.address));
        // One that has other content is told only where the giver has what is served: a digest may differ because of what was served here.
        let giver = of.giver.and_then(|primary| {
            let address = self.zones.get(&fetch.zone)?.settings.primaries.get(primary)?.address;
            let credentials = self.credentials(&fetch.zone, (primary, address));
            Some((Fetch { primary, address, ..fetch.clone() }, credentials))
        });
        let about = About::Compare { fetch: fetch.clone(), of, begun: Instant::now() };
        let span = tracing::info_span!("comparison", zone = %fetch.zone, primary = %fetch.address);
        let task = async move {
            let comparing = async {
                let found = compare(&settings, (&idle, &memory), &sink, (&fetch, &credentials)).await?;
                let Some((fetch, credentials)) = giver.filter(|_| found == Comparison::Other) else {
                    return Ok(found);
                };
                let of_giver = compare(&settings, (&idle, &memory), &sink, (&fetch, &credentials)).await;
                Ok(if matches!(of_giver, Ok(Comparison::Other)) { Comparison::NobodyHas } else { found })
            };
            Done::Compared(tokio::select! {
                // Whether the primary answers is not known.
                () = stop.cancelled() => Err(FetchError::ZoneGone),
                found = comparing => found,
            })
        };
        let handle = self.tasks.spawn(task.instrument(span));
        self.about.insert(handle.id(), about);
    }

    /// Takes what a comparison has found.
    pub(super) fn compared(
        &mut self,
        fetch: &Fetch,
        of: DueComparison,
        (begun, is_silent): (Instant, bool),
        found: Result<Comparison, FetchError>,
    ) {
        let took = begun.elapsed();
        self.comparisons.ended(fetch.address, (took, is_silent), Instant::now());
        let (zone, primary, serial) = (&fetch.zone, fetch.address, of.serial);
        let found = match found {
            Ok(found) => found,
            Err(FetchError::ZoneGone) => Comparison::Moved,
            Err(error) => {
                let is_too_large = matches!(
                    error,
                    FetchError::Memory { is_alone: true, .. }
                        | FetchError::Fault(TransferFault::TooManyRecords(_))
                );
                tracing::info!(%zone, %primary, %error, is_too_large, "the primary could not be compared with what is served");
                let is_of_now = |entry: &&mut ZoneEntry| entry.generation == fetch.generation;
                if let Some(entry) = self.zones.get_mut(zone).filter(is_of_now) {
                    entry.note_error(
                        primary,
                        &format!("it could not be compared with what is served: {error}"),
                    );
                }
                if is_too_large { Comparison::TooLarge } else { Comparison::Failed }
            }
        };
        tracing::debug!(%zone, %primary, %serial, ?found, ms = took.as_millis() as u64, "the primary was compared with what is served");
        if self.is_of_now(zone, fetch.generation) {
            self.step(zone, |refresh| {
                refresh.compared(of, found, now());
                None
            });
        }
    }
}
