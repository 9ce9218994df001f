//! Which primaries have other content than is served under the same serial: found by whole transfers that are compared and forgotten.
//!
//! One at a time in the process, seldom, and only while the transfers have little to do: a transfer that waits ends it. So the comparisons
//! of all zones after a start, or after an upgrade, take days where there are very many zones, and cost a primary one small zone each ten seconds,
//! or large ones for a twentieth of the time.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::publish::Force;
use crate::transfer::refresh::{Comparison, DueComparison};
use crate::wire::Name;

use crate::transfer::secondary::coordinator::{About, Coordinator, Done, now};
use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::{Fetch, compare};
use crate::transfer::secondary::jobs::comparisons::RunningComparison;

/// Between the end of one and the beginning of the next at least.
const PAUSE: Duration = Duration::from_secs(10);
/// The pause after one that took long, by what it took: then comparisons go on for a twentieth of the time.
const PAUSE_BY_LENGTH: u32 = 19;

impl Coordinator {
    /// After anything that may have changed a zone: notes when a primary of it is to be compared.
    pub(super) fn settle_comparison(&mut self, name: &Name) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let at = entry.comparison().map(|due| due.at);
        if at != entry.compare_at {
            let wanted = &mut self.comparisons.wanted;
            if let Some(before) = entry.compare_at {
                wanted.remove(&(before, name.clone()));
            }
            wanted.extend(at.map(|at| (at, name.clone())));
            entry.compare_at = at;
        }
    }

    /// Begins a comparison, if its time has come; when to come again, if that is known.
    pub(super) fn begin_comparison(&mut self) -> Option<Instant> {
        if let Some(under_way) = &self.comparisons.under_way {
            if self.jobs.has_waiting() {
                under_way.stop.cancel();
            }
            return None;
        }
        let now = Instant::now();
        loop {
            let (at, zone) = self.comparisons.wanted.first()?.clone();
            let at = at.max(self.comparisons.next);
            if at > now {
                return Some(at);
            }
            let found = self.zones.get(&zone).and_then(|entry| {
                let due = entry.comparison()?;
                let address = entry.settings.primaries.get(due.primary)?.address;
                Some((due, address, entry.generation, entry.gate.clone()))
            });
            let Some((due, address, generation, gate)) = found else {
                self.comparisons.wanted.pop_first();
                if let Some(entry) = self.zones.get_mut(&zone) {
                    entry.compare_at = None;
                }
                continue;
            };
            // The end of what goes on has it looked at again.
            if !self.jobs.begin_idle(address) {
                return None;
            }
            let (from, force) = (None, Force::No);
            let fetch = Fetch { zone, primary: due.primary, address, from, force, generation, gate };
            self.spawn_comparison(fetch, due);
            return None;
        }
    }

    fn spawn_comparison(&mut self, fetch: Fetch, of: DueComparison) {
        let stop = CancellationToken::new();
        self.comparisons.under_way = Some(RunningComparison { zone: fetch.zone.clone(), stop: stop.clone() });
        let (settings, idle, sink) = (self.settings.clone(), self.idle.clone(), self.sink.clone());
        let memory = self.memory.clone();
        let credentials = self.credentials(&fetch.zone, (fetch.primary, fetch.address));
        let about = About::Compare { fetch: fetch.clone(), of, begun: Instant::now() };
        let span = tracing::info_span!("comparison", zone = %fetch.zone, primary = %fetch.address);
        let task = async move {
            let comparing = compare(&settings, (&idle, &memory), &sink, (&fetch, &credentials));
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
        begun: Instant,
        found: Result<Comparison, FetchError>,
    ) {
        let took = begun.elapsed();
        self.comparisons.under_way = None;
        self.comparisons.next = Instant::now() + PAUSE.max(took * PAUSE_BY_LENGTH);
        let (zone, primary, serial) = (&fetch.zone, fetch.address, of.serial);
        let found = match found {
            Ok(found) => found,
            Err(FetchError::ZoneGone) => Comparison::Moved,
            Err(error) => {
                tracing::info!(%zone, %primary, %error, "the primary could not be compared with what is served");
                Comparison::Failed
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
