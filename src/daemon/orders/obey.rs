//! Which part carries out what operators order over the admin socket.

use std::sync::Arc;

use crate::control::{Call, Reply, Request, Response};
use crate::publish::{AcceptError, Fault, Settings};
use crate::telemetry::with_causes;
use crate::transfer::refresh::Order as TransferOrder;
use crate::wire::{Name, Serial};

use crate::daemon::controller::Controller;
use crate::daemon::orders::blocking::BlockingOrders;
use crate::daemon::orders::export::export;
use crate::daemon::orders::from_primaries::{catch_up, transfer, unhold};
use crate::daemon::orders::history;
use crate::daemon::orders::versions;
use crate::daemon::reload::reloading;
use crate::daemon::response::{done, failed};
use crate::daemon::zone_control::ZoneControl;

/// Carries out one order. What takes time goes on in a task or on a thread of its own, which answers.
pub(in crate::daemon) fn obey(controller: &mut Controller, Call { request, reply }: Call) {
    let (zones, blocking) = (controller.zones.clone(), &controller.orders.blocking);
    let settings = controller.configured.config.publish.clone();
    match request {
        // The control server answers these itself.
        Request::Status { .. }
        | Request::Metrics { .. }
        | Request::Catchment { .. }
        | Request::TestPanic { .. } => reply.send(failed("not an order".into())),
        Request::Drain { reason } => {
            controller.orders.begin_drain(reason, controller.configured.config.drain.deprefer, reply);
        }
        Request::Undrain {} => controller.orders.undrain(reply),
        Request::Reload {} => reloading::ask(controller, Some(reply)),
        Request::ZoneRemove { zone } | Request::ZoneRollback { zone, .. }
            if is_made_here(controller, &zone) =>
        {
            reply.send(failed(format!(
                "{zone} is a catalog that is made here, from the zones that are served: it changes with them, and goes when its [[catalog]] \
             leaves the configuration"
            )));
        }
        Request::ZoneRemove { zone } => answer(reply, async move { remove(&zones, &zone).await }),
        Request::ZoneRefresh { zone } => {
            answer(reply, async move { transfer(&zones, zone, TransferOrder::Refresh).await });
        }
        Request::ZoneRetransfer { zone } => {
            answer(reply, async move { transfer(&zones, zone, TransferOrder::Retransfer).await });
        }
        Request::ZoneCatchUp { zone } => {
            blocking.carry_out(reply, move || catch_up(&zones.transfers, zone.as_deref()));
        }
        Request::ZoneExport { zone } => blocking.carry_out(reply, move || export(&zones.published, &zone)),
        Request::ZoneHistory { zone } => {
            blocking.carry_out(reply, move || history::history(&zones.publisher.history(), &zone));
        }
        Request::ZoneDiff { zone, from, to } => {
            let history = move || history::difference(&zones.publisher.history(), &zone, from, to);
            blocking.carry_out(reply, history);
        }
        Request::ZoneHold { zone, reason } => {
            answer(reply, async move { versions::hold(&zones.publisher, &zone, Some(reason)).await.0 });
        }
        Request::ZoneUnhold { zone } => answer(reply, async move { unhold(&zones, &zone).await }),
        Request::ZoneRollback { zone, serial } => {
            let turns = blocking.clone();
            answer(reply, async move { rollback(zones, settings, turns, (zone, serial)).await });
        }
        Request::ZoneDiffRefused { zone } => blocking.carry_out(reply, move || {
            versions::difference_to_refused(&zones.publisher, &zones.published, &settings, &zone)
        }),
        Request::ZoneRelease { zones: names } => {
            answer(reply, async move { told(zones.canaries.release(names).await) });
        }
        Request::ZoneHalt { zones: names } => {
            answer(reply, async move { told(zones.canaries.halt(names).await) });
        }
        Request::CatalogAccept { catalog, serial } => {
            answer(reply, async move { accept_removals(&zones, &catalog, Serial(serial)).await });
        }
        Request::ZoneAccept { zone, serial } => {
            answer(reply, async move { accept(&zones, &zone, Serial(serial)).await });
        }
    }
}

/// Does the work in a task of its own, and answers.
fn answer(reply: Reply, work: impl Future<Output = Response> + Send + 'static) {
    tokio::spawn(async move { reply.send(work.await) });
}

/// Whether it is a catalog that is made here.
fn is_made_here(controller: &Controller, zone: &str) -> bool {
    let produced = &controller.configured.config.transfers.catalogs.produced;
    zone.parse::<Name>().is_ok_and(|zone| produced.iter().any(|catalog| catalog.name == zone))
}

async fn rollback(
    zones: ZoneControl,
    settings: Arc<Settings>,
    turns: BlockingOrders,
    version: (String, Option<u32>),
) -> Response {
    // Until its end: it reads the history on a thread that may wait for a disk.
    let _turn = match turns.take().await {
        Ok(turn) => turn,
        Err(busy) => return busy,
    };
    versions::rollback(zones, settings, version).await
}

/// Lets zones go that a catalog lists no more.
async fn accept_removals(zones: &ZoneControl, catalog: &str, serial: Serial) -> Response {
    match catalog.parse::<Name>() {
        Err(error) => failed(format!("{catalog}: not a zone name: {error}")),
        Ok(name) => told(zones.catalogs.accept(name, serial).await),
    }
}

/// What came of an order, in words.
fn told(outcome: Result<String, String>) -> Response {
    match outcome {
        Ok(message) => done(message),
        Err(message) => failed(message),
    }
}

async fn remove(zones: &ZoneControl, zone: &str) -> Response {
    match zone.parse::<Name>() {
        Err(error) => failed(format!("{zone}: not a zone name: {error}")),
        Ok(name) if zones.transfers.is_transferred(&name) => failed(format!(
            "{name} comes from primaries: it goes when its [[zone]] leaves the configuration, or when its catalog lists it no more"
        )),
        Ok(name) => {
            let report = zones.publisher.report().load();
            let faults = report.zones.get(&name).map(|zone| &zone.faults);
            let is_held =
                faults.is_some_and(|faults| faults.iter().any(|fault| matches!(fault, Fault::Held { .. })));
            match zones.publisher.remove(&name).await {
                // A hold lasts until `unhold`, as its order has said.
                Ok(()) if is_held => done(format!(
                    "{name} is no longer served; it is still held: another zone of this name would stay at its first version until: anyns zone unhold {name}"
                )),
                Ok(()) => done(format!("{name} is no longer served")),
                Err(error) => failed(with_causes(&error)),
            }
        }
    }
}

/// Lets a refused version pass. Not one of the serial that is served where secondaries have the zone from here: none of them would take it.
async fn accept(zones: &ZoneControl, zone: &str, serial: Serial) -> Response {
    let ZoneControl { publisher, transfers, canaries, .. } = zones;
    let name = match zone.parse::<Name>() {
        Err(error) => return failed(format!("{zone}: not a zone name: {error}")),
        Ok(name) => name,
    };
    let report = publisher.report().load();
    let known = report.zones.get(&name);
    let is_same = known.is_some_and(|it| it.serial == Some(serial) && it.refused_serial == Some(serial));
    if transfers.sends() && is_same {
        return failed(format!(
            "{name} {serial} is not accepted: secondaries have serial {serial} with other content, and would keep that; raise the serial in the \
             source of the zone"
        ));
    }
    // To canaries first.
    let waits_for_release = || canaries.released(&name).is_some_and(|released| released != Some(serial));
    // A secondary takes no version that goes back by itself (RFC 1982).
    let goes_back = known.is_some_and(|it| it.serial.is_some_and(|served| served.is_after(serial)));
    match publisher.accept(&name, serial).await {
        Ok(served) if served != serial => {
            let waits = versions::waiting_words(&name, served, canaries.released(&name));
            done(format!("version {serial} of {name} is served, with serial {served}{waits}"))
        }
        Ok(_) if transfers.sends() && goes_back && waits_for_release() => {
            let waits = versions::waiting_words(&name, serial, canaries.released(&name));
            done(format!(
                "{name} {serial} is served here{waits}; secondaries that have a later serial keep it until they are ordered to take this one: \
                 `anyns zone retransfer {name}` at each canary now, and at each other POP when it is released; with a serial above theirs they \
                 would take it by themselves"
            ))
        }
        Ok(_) if transfers.sends() && goes_back => done(format!(
            "{name} {serial} is served here; secondaries that have a later serial keep it until they are ordered to take this one: at each POP \
             `anyns zone retransfer {name}`; with a serial above theirs they would take it by themselves"
        )),
        Ok(_) => {
            let waits = versions::waiting_words(&name, serial, canaries.released(&name));
            done(format!("{name} {serial} is served{waits}"))
        }
        Err(AcceptError::NothingRefused { .. }) if transfers.is_transferred(&name) => failed(format!(
            "{name} comes from primaries, and no refused version of it is kept here that could be accepted. Correct it at the primary; or \
             `anyns zone retransfer {name}` serves whatever the primary has then, without a check of the content"
        )),
        Err(error) => failed(with_causes(&error)),
    }
}
