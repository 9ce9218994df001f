//! What a transfer brings, put into service by threads that may block: a large zone is compiled while it comes.
//!
//! ```text
//! fetch --- full batches, a few at a time ---> compiled, or compared with what is served
//!       --- the end, once all is verified ---> the Sink
//! ```
//!
//! Batches flow in, a version flows out to the [`Sink`], or nothing where the transfer breaks off before its end.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::publish::Force;
use crate::transfer::message::{Outcome, Soa};
use crate::transfer::refresh::{Comparison, Transferred};
use crate::wire::Name;
use crate::zone::{RecordBatch, Zone, ZoneBuilder};

use crate::transfer::secondary::fetch::fetch_error::FetchError;
use crate::transfer::secondary::fetch::install_gate::InstallGate;
use crate::transfer::secondary::sink::{Origin, Sink, SinkError};

/// Batches that wait to be compiled: enough that neither side waits for each single one of the other, few in memory. Beyond it the
/// primary has to wait.
const MOST_WAITING: usize = 8;

/// What is to become of a transfer.
#[derive(Debug, PartialEq, Eq)]
enum Installed {
    NotNewer,
    Served,
    /// In service in place of a version with the same serial and other content.
    ServedDiverged,
    /// Not in service, and not meant to be.
    Compared(Comparison),
}

/// What is done with a whole zone.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// It goes into service.
    Serve(Origin),
    /// It is compared with what is served, and forgotten.
    Compare,
}

/// A piece of a whole zone.
enum ZonePart {
    Records(RecordBatch),
    /// All of it came, and was verified.
    End,
}

/// One transfer on its way into service.
pub(super) struct Installing {
    sink: Arc<dyn Sink>,
    zone: Name,
    aim: Aim,
    gate: Arc<InstallGate>,
    /// The thread that compiles a large zone, once there is one.
    compiling: Option<Compiling>,
    /// Ends a comparison of which nobody waits for the result any more.
    abandoned: DropGuard,
}

struct Compiling {
    parts: mpsc::Sender<ZonePart>,
    done: JoinHandle<Result<Installed, FetchError>>,
}

impl Installing {
    pub(super) fn new(sink: &Arc<dyn Sink>, zone: &Name, origin: Origin, gate: &Arc<InstallGate>) -> Self {
        Self::with_aim(sink, zone, Aim::Serve(origin), gate)
    }

    /// One whose zone is compared with what is served: nothing of it goes into service.
    pub(super) fn to_compare(sink: &Arc<dyn Sink>, zone: &Name, gate: &Arc<InstallGate>) -> Self {
        Self::with_aim(sink, zone, Aim::Compare, gate)
    }

    fn with_aim(sink: &Arc<dyn Sink>, zone: &Name, aim: Aim, gate: &Arc<InstallGate>) -> Self {
        let abandoned = CancellationToken::new().drop_guard();
        Self { sink: sink.clone(), zone: zone.clone(), aim, gate: gate.clone(), compiling: None, abandoned }
    }

    /// Takes some records of a whole zone whose others are still to come; waits while enough of them wait.
    pub(super) async fn add(&mut self, soa: Soa, batches: Vec<RecordBatch>) -> Result<(), FetchError> {
        if self.compiling.is_none() {
            let (parts, mut received) = mpsc::channel(MOST_WAITING);
            let parts_of = move || std::iter::from_fn(move || received.blocking_recv());
            let done = self.spawn(soa, parts_of);
            self.compiling = Some(Compiling { parts, done });
        }
        let Some(compiling) = &self.compiling else { return Ok(()) };
        for batch in batches {
            compiling.parts.send(ZonePart::Records(batch)).await.map_err(|_| FetchError::Thread)?;
        }
        Ok(())
    }

    /// Puts into service what has come whole.
    pub(super) async fn finish(mut self, outcome: Outcome) -> (Transferred, Option<FetchError>, bool) {
        let (soa, done) = match outcome {
            Outcome::UpToDate { soa } => return (Transferred::NotNewer(soa), None, false),
            Outcome::AskWhole(_) => {
                return (Transferred::AskWhole, Some(FetchError::NoDifferences), false);
            }
            Outcome::Differences { soa, differences } => {
                let Aim::Serve(origin) = self.aim else {
                    return (Transferred::Faulty, Some(FetchError::Thread), false);
                };
                let (sink, zone) = (self.sink.clone(), self.zone.clone());
                let gate = self.gate.clone();
                let apply = move || {
                    gate.pass(|| sink.differences(&zone, differences, origin))
                        .ok_or(FetchError::ZoneGone)??;
                    Ok(Installed::Served)
                };
                (soa, tokio::task::spawn_blocking(apply))
            }
            Outcome::Whole { soa, batches } => match self.finish_whole(soa, batches).await {
                Some(done) => (soa, done),
                None => return (Transferred::Unreachable, Some(FetchError::Thread), false),
            },
        };
        match done.await {
            Ok(Ok(Installed::NotNewer)) => (Transferred::NotNewer(soa), None, false),
            Ok(Ok(found)) => (Transferred::Served(soa), None, found == Installed::ServedDiverged),
            Ok(Err(error)) => (end_of_sink(&error, soa), Some(error), false),
            Err(_) => (Transferred::Unreachable, Some(FetchError::Thread), false),
        }
    }

    /// Compares what has come whole with what is served.
    pub(super) async fn compare(mut self, outcome: Outcome) -> Result<Comparison, FetchError> {
        let Outcome::Whole { soa, batches } = outcome else { return Ok(Comparison::Moved) };
        let done = self.finish_whole(soa, batches).await.ok_or(FetchError::Thread)?;
        match done.await {
            Ok(Ok(Installed::Compared(found))) => Ok(found),
            Ok(Ok(_)) | Err(_) => Err(FetchError::Thread),
            Ok(Err(error)) => Err(error),
        }
    }

    /// The last records of a whole zone; its thread, unless that has ended.
    async fn finish_whole(
        &mut self,
        soa: Soa,
        batches: Vec<RecordBatch>,
    ) -> Option<JoinHandle<Result<Installed, FetchError>>> {
        if self.compiling.is_none() {
            let parts = batches.into_iter().map(ZonePart::Records).chain([ZonePart::End]);
            return Some(self.spawn(soa, move || parts));
        }
        let rest = self.add(soa, batches).await;
        let Compiling { parts, done } = self.compiling.take().filter(|_| rest.is_ok())?;
        // Of a thread that has ended the result is looked at in any case.
        let _ = parts.send(ZonePart::End).await;
        Some(done)
    }

    fn spawn<P: Iterator<Item = ZonePart>>(
        &self,
        soa: Soa,
        parts: impl FnOnce() -> P + Send + 'static,
    ) -> JoinHandle<Result<Installed, FetchError>> {
        let (sink, zone, gate) = (self.sink.clone(), self.zone.clone(), self.gate.clone());
        let (aim, abandoned) = (self.aim, self.abandoned.token().clone());
        tokio::task::spawn_blocking(move || match aim {
            Aim::Serve(origin) => whole((&*sink, &gate), &zone, soa, origin, parts()),
            Aim::Compare => {
                let goes_on = || !abandoned.is_cancelled();
                compared(&*sink, &zone, soa, (parts(), &goes_on)).map(Installed::Compared)
            }
        })
    }
}

fn end_of_sink(error: &FetchError, soa: Soa) -> Transferred {
    match error {
        FetchError::Sink(SinkError::NotFitting(_) | SinkError::Diverged(..)) => Transferred::AskWhole,
        FetchError::Sink(SinkError::Refused(_)) => Transferred::Refused(soa.serial),
        FetchError::NoZone(_) => Transferred::NoZone(soa.serial),
        FetchError::Sink(SinkError::Failed(_)) => Transferred::NotKept,
        _ => Transferred::Unreachable,
    }
}

/// Compiles a whole zone as its parts come, and offers it, if it is newer than what is served or an operator wants it.
fn whole(
    (sink, gate): (&dyn Sink, &InstallGate),
    name: &Name,
    soa: Soa,
    origin: Origin,
    parts: impl Iterator<Item = ZonePart>,
) -> Result<Installed, FetchError> {
    let served = sink.served(name);
    let is_newer = |served: &Arc<Zone>| {
        let is_same = origin.force == Force::Forked && soa.serial == served.serial();
        is_same || soa.serial.is_after(served.serial())
    };
    let is_forced = origin.force >= Force::Anew;
    let is_wanted = is_forced || served.as_ref().is_none_or(is_newer);
    let builder = compile(name, served.as_ref(), is_wanted, parts)?;
    // Another one may have come meanwhile.
    let is_wanted = is_wanted && (is_forced || sink.served(name).as_ref().is_none_or(is_newer));
    if !is_wanted {
        return Ok(Installed::NotNewer);
    }
    let zone = builder.finish().map_err(FetchError::NoZone)?;
    let same_serial = served.filter(|served| served.serial() == zone.serial());
    // Where another content was to be expected, it is no news.
    let is_diverged = !matches!(origin.force, Force::Anew | Force::Forked)
        && same_serial.is_some_and(|served| served.make_digest(|| true) != zone.make_digest(|| true));
    gate.pass(|| sink.whole(zone, origin)).ok_or(FetchError::ZoneGone)??;
    Ok(if is_diverged { Installed::ServedDiverged } else { Installed::Served })
}

/// Takes the records of a whole zone, if they are wanted.
fn compile(
    name: &Name,
    served: Option<&Arc<Zone>>,
    is_wanted: bool,
    mut parts: impl Iterator<Item = ZonePart>,
) -> Result<ZoneBuilder, FetchError> {
    let builder = match served {
        Some(served) => ZoneBuilder::after(served),
        None => ZoneBuilder::new(name.clone()),
    };
    let mut builder = builder.received().in_order();
    // Names that did not change are shared with the version that is served.
    let standing = builder.standing();
    loop {
        match parts.next() {
            Some(ZonePart::Records(_)) if !is_wanted => {}
            Some(ZonePart::Records(batch)) => builder.add(match &standing {
                Some(standing) => standing.reduce(batch),
                None => batch,
            }),
            Some(ZonePart::End) => return Ok(builder),
            // The transfer broke off: nobody waits for the result.
            None => return Err(FetchError::Thread),
        }
    }
}

/// Compares a whole zone with what is served, by their digests: names in another case are no other content.
fn compared(
    sink: &dyn Sink,
    name: &Name,
    soa: Soa,
    (parts, goes_on): (impl Iterator<Item = ZonePart>, &dyn Fn() -> bool),
) -> Result<Comparison, FetchError> {
    let has_serial = |served: &Arc<Zone>| served.serial() == soa.serial;
    let Some(before) = sink.served(name).filter(has_serial) else { return Ok(Comparison::Moved) };
    let builder = compile(name, Some(&before), true, parts)?;
    let zone = builder.finish().map_err(FetchError::NoZone)?;
    // Another one may be served by now.
    let Some(served) = sink.served(name).filter(has_serial) else { return Ok(Comparison::Moved) };
    let digests = served.make_digest(goes_on).zip(zone.make_digest(goes_on));
    Ok(match digests {
        Some((ours, theirs)) if ours == theirs => Comparison::Same,
        Some(_) => Comparison::Other,
        None => Comparison::Moved,
    })
}
