//! What operators order over the admin socket.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::control::{Call, Reply, Request, Response};
use crate::publish::{AcceptError, Fault, PublisherHandle, Report, ZoneReport};
use crate::telemetry::{counted, with_causes};
use crate::transfer::delay::CaughtUp;
use crate::transfer::refresh::Order as TransferOrder;
use crate::wire::{Name, Serial};

use crate::daemon::controller::Controller;
use crate::daemon::drain::Drain;
use crate::daemon::orders::export::export;
use crate::daemon::orders::history;
use crate::daemon::orders::versions;
use crate::daemon::reload::reloading;
use crate::daemon::response::{done, failed};
use crate::daemon::transfers::transferring::TransferControl;

/// Carries out one order. What takes time goes on in a task of its own, which answers.
pub(in crate::daemon) fn obey(controller: &mut Controller, call: Call) {
    let Call { request, reply } = call;
    let publisher = controller.publisher.clone();
    let response = match request {
        // The control server answers these itself.
        Request::Status { .. }
        | Request::Metrics { .. }
        | Request::Catchment { .. }
        | Request::TestPanic { .. } => failed("not an order".into()),
        Request::Drain { reason } => return drain(controller, reason, reply),
        Request::Undrain {} => return undrain(controller, reply),
        Request::Reload {} => return reloading::ask(controller, Some(reply)),
        Request::ZoneRemove { zone } | Request::ZoneRollback { zone, .. }
            if is_made_here(controller, &zone) =>
        {
            failed(format!(
                "{zone} is a catalog that is made here, from the zones that are served: it changes with them, and goes when its [[catalog]] \
             leaves the configuration"
            ))
        }
        Request::ZoneRemove { zone } => {
            let transfers = controller.transfers.clone();
            tokio::spawn(async move {
                reply.send(remove(&publisher, &transfers, &zone).await);
            });
            return;
        }
        Request::ZoneRefresh { zone } => return transfer(controller, zone, TransferOrder::Refresh, reply),
        Request::ZoneRetransfer { zone } => {
            return transfer(controller, zone, TransferOrder::Retransfer, reply);
        }
        Request::ZoneCatchUp { zone } => {
            let transfers = controller.transfers.clone();
            return controller.blocking.carry_out(reply, move || catch_up(&transfers, zone.as_deref()));
        }
        Request::ZoneExport { zone } => {
            let published = controller.published.clone();
            return controller.blocking.carry_out(reply, move || export(&published, &zone));
        }
        Request::ZoneHistory { zone } => {
            let history = move || history::history(&publisher.history(), &zone);
            return controller.blocking.carry_out(reply, history);
        }
        Request::ZoneDiff { zone, from, to } => {
            let difference = move || history::difference(&publisher.history(), &zone, from, to);
            return controller.blocking.carry_out(reply, difference);
        }
        Request::ZoneHold { zone, reason } => {
            tokio::spawn(async move {
                reply.send(versions::hold(&publisher, &zone, Some(reason)).await.0);
            });
            return;
        }
        Request::ZoneUnhold { zone } => return unhold(controller, zone, reply),
        Request::ZoneRollback { zone, serial } => {
            let (published, settings) = (controller.published.clone(), controller.config.publish.clone());
            let turns = controller.blocking.clone();
            tokio::spawn(async move {
                // Until its end: it reads the history on a thread that may wait for a disk.
                let _turn = match turns.take().await {
                    Ok(turn) => turn,
                    Err(busy) => return reply.send(busy),
                };
                reply.send(versions::rollback(publisher, published, settings, (zone, serial)).await);
            });
            return;
        }
        Request::ZoneDiffRefused { zone } => {
            let (published, settings) = (controller.published.clone(), controller.config.publish.clone());
            let difference =
                move || versions::difference_to_refused(&publisher, &published, &settings, &zone);
            return controller.blocking.carry_out(reply, difference);
        }
        Request::ZoneRelease { zones } => {
            let canaries = controller.canaries.clone();
            tokio::spawn(async move { reply.send(told(canaries.release(zones).await)) });
            return;
        }
        Request::ZoneHalt { zones } => {
            let canaries = controller.canaries.clone();
            tokio::spawn(async move { reply.send(told(canaries.halt(zones).await)) });
            return;
        }
        Request::CatalogAccept { catalog, serial } => {
            let catalogs = controller.catalogs.clone();
            tokio::spawn(async move {
                reply.send(match catalog.parse::<Name>() {
                    Err(error) => failed(format!("{catalog}: not a zone name: {error}")),
                    Ok(name) => told(catalogs.accept(name, Serial(serial)).await),
                });
            });
            return;
        }
        Request::ZoneAccept { zone, serial } => {
            let transfers = controller.transfers.clone();
            tokio::spawn(async move {
                reply.send(accept(&publisher, &transfers, &zone, Serial(serial)).await);
            });
            return;
        }
    };
    reply.send(response);
}

/// Whether it is a catalog that is made here.
fn is_made_here(controller: &Controller, zone: &str) -> bool {
    let produced = &controller.config.transfers.catalogs.produced;
    zone.parse::<Name>().is_ok_and(|zone| produced.iter().any(|catalog| catalog.name == zone))
}

/// What came of an order, in words.
fn told(outcome: Result<String, String>) -> Response {
    match outcome {
        Ok(message) => done(message),
        Err(message) => failed(message),
    }
}

/// Ends a hold. A version of a primary that was refused meanwhile is asked for again.
fn unhold(controller: &Controller, zone: String, reply: Reply) {
    let (publisher, transfers) = (controller.publisher.clone(), controller.transfers.clone());
    tokio::spawn(async move {
        let (response, zones) = versions::hold(&publisher, &zone, None).await;
        for zone in zones.into_iter().filter(|zone| transfers.is_transferred(zone)) {
            // It cannot be asked now: then its timer does that.
            let _ = transfers.order(Some(zone), TransferOrder::Refresh).await;
        }
        reply.send(response);
    });
}

/// Serves at once what waits at a last-resort POP. An order that waits for the end of a hold is kept before it is answered: waits for the disk.
fn catch_up(transfers: &TransferControl, zone: Option<&str>) -> Response {
    let Some(delayed) = transfers.delayed() else {
        return failed(
            "no version waits here: this is no last-resort POP, because transfer.delay is not set".to_owned(),
        );
    };
    let name = match zone.map(str::parse::<Name>).transpose() {
        Ok(name) => name,
        Err(error) => return failed(format!("{}: not a zone name: {error}", zone.unwrap_or_default())),
    };
    let caught = delayed.catch_up(name.as_ref());
    let held = caught.iter().filter(|it| it.is_held).count();
    let kept = if held > 0 { delayed.keep_waiting() } else { Ok(()) };
    let restart = match kept {
        Ok(()) => String::new(),
        Err(error) => format!("; a restart forgets that order, because it cannot be kept: {error}"),
    };
    match (caught.as_slice(), name) {
        ([], Some(name)) if !transfers.is_transferred(&name) => {
            failed(format!("{name} comes from no primary"))
        }
        ([], Some(name)) => failed(format!("no version of {name} waits")),
        ([], None) => done("no version waits".to_owned()),
        ([CaughtUp { zone, serial, is_held: true }], Some(_)) => done(format!(
            "{zone} is held; it goes to serial {serial} at once, without the versions before it, when the hold ends: anyns zone unhold {zone}{restart}"
        )),
        ([CaughtUp { zone, serial, .. }], Some(_)) => done(format!(
            "{zone}: serial {serial} is put into service now; `anyns zone status {zone}` tells what comes of it"
        )),
        (_, _) => done(format!(
            "{}: the newest versions are put into service now, {held} of them when their hold ends{restart}",
            counted(caught.len(), "zone")
        )),
    }
}

/// The primaries are asked, or a zone is transferred, behind the answer: what comes of it is in the status and the log.
fn transfer(controller: &Controller, zone: Option<String>, order: TransferOrder, reply: Reply) {
    let transfers = controller.transfers.clone();
    let report = controller.publisher.report().load();
    tokio::spawn(async move {
        // A whole zone that is ordered passes without a check, so it would end what a hold is for.
        let keeps_holds = order == TransferOrder::Retransfer;
        let name = zone.map(|zone| zone.parse::<Name>().map_err(|error| (zone, error))).transpose();
        reply.send(match name {
            Err((zone, error)) => failed(format!("{zone}: not a zone name: {error}")),
            Ok(Some(zone)) if keeps_holds && is_held(&report, &zone) => failed(format!(
                "{zone} is held, and nothing is transferred: `anyns zone unhold {zone}` first"
            )),
            Ok(Some(zone)) => transfer_one(&transfers, zone, order).await,
            Ok(None) => {
                // Not beside the task that decides.
                let held = move || if keeps_holds { held_zones(&report) } else { BTreeSet::new() };
                match tokio::task::spawn_blocking(held).await {
                    Ok(held) => transfer_all(&transfers, held, order).await,
                    Err(error) => failed(with_causes(&error)),
                }
            }
        });
    });
}

/// Whether an operator holds a zone.
fn is_held(report: &Report, zone: &Name) -> bool {
    report.zones.get(&zone.to_lowercase()).is_some_and(|zone| has_hold_fault(zone))
}

fn has_hold_fault(zone: &ZoneReport) -> bool {
    zone.faults.iter().any(|fault| matches!(fault, Fault::Held { .. }))
}

/// The zones that operators hold: looks at all.
fn held_zones(report: &Report) -> BTreeSet<Name> {
    let held = report.zones.iter().filter(|(_, zone)| has_hold_fault(zone));
    held.map(|(name, _)| name.clone()).collect()
}

/// What is done, in words.
fn words(order: TransferOrder) -> &'static str {
    match order {
        TransferOrder::Refresh => "the primaries are asked now",
        TransferOrder::Retransfer => {
            "transferred whole now, whatever the serial, and served without a check of the content; what no answer can be made from is refused all the \
             same: malformed records, records beside a CNAME, a broken NSEC or NSEC3 chain, one with too many iterations"
        }
    }
}

async fn transfer_one(transfers: &TransferControl, zone: Name, order: TransferOrder) -> Response {
    match transfers.order(Some(zone.clone()), order).await {
        Err(error) => failed(with_causes(&error)),
        Ok(0) => failed(format!("{zone} comes from no primary: no [[zone]] names some for it")),
        Ok(_) => done(format!("{zone}: {}; `anyns zone status {zone}` tells what comes of it", words(order))),
    }
}

async fn transfer_all(transfers: &TransferControl, held: BTreeSet<Name>, order: TransferOrder) -> Response {
    let held: BTreeSet<Name> = held.into_iter().filter(|zone| transfers.is_transferred(zone)).collect();
    let left_out = match held.first() {
        None => String::new(),
        Some(first) if held.len() == 1 => format!("; {first} is held and stays as it is"),
        Some(first) => format!("; {} are held and stay as they are, the first is {first}", held.len()),
    };
    match transfers.order_all_but(held, order).await {
        Err(error) => failed(with_causes(&error)),
        Ok(0) if left_out.is_empty() => failed("no zone comes from a primary".to_owned()),
        Ok(count) => done(format!(
            "{}: {}{left_out}; `anyns status` tells what comes of it",
            counted(count, "zone"),
            words(order)
        )),
    }
}

/// The drain begins at once; the answer comes when it is known whether a restart keeps it.
fn drain(controller: &mut Controller, reason: String, reply: Reply) {
    controller.drain_file.forget_late();
    if let Some(earlier) = controller.drain_file.forget_end() {
        earlier.send(failed("a newer order drains".into()));
    }
    let now = Instant::now();
    let is_under_way = controller.drain != Drain::None;
    let note = if is_under_way { "; the reason is the new one" } else { "" };
    controller.drain.begin(&reason, controller.config.drain.deprefer, now);
    let what = match (&controller.drain, is_under_way) {
        (Drain::Depreferred { withdraw_at, .. }, was) => {
            let left = withdraw_at.saturating_duration_since(now).as_millis();
            let wait = humantime::format_duration(Duration::from_millis(left as u64));
            let what =
                if was { "draining already: withdraws" } else { "draining: prefers less now, withdraws" };
            format!("{what} in {wait}")
        }
        (_, _) => "drained already: the routes are withdrawn".to_owned(),
    };
    tracing::warn!(reason, "draining by order");
    let kept = controller.drain_file.keep(Some(reason));
    tokio::spawn(async move {
        let kept = kept.await.map_err(std::io::Error::other).flatten();
        let restart = match kept {
            Ok(true) => "stays drained, also across a restart, until undrain".to_owned(),
            Ok(false) => "without zones.state-directory a restart ends the drain".to_owned(),
            Err(error) => format!("a restart ends the drain, because it cannot be kept: {error}"),
        };
        reply.send(done(format!("{what}{note}; {restart}")));
    });
}

/// The drain ends when no restart would bring it back: [`end_drain`].
fn undrain(controller: &mut Controller, reply: Reply) {
    if controller.drain == Drain::None {
        return reply.send(failed("not drained".into()));
    }
    controller.drain_file.forget_late();
    if let Some(earlier) = controller.drain_file.end(reply) {
        earlier.send(failed("a newer order ends the drain".into()));
    }
}

/// The file of the drain is removed, or cannot be.
pub(in crate::daemon) fn end_drain(
    controller: &mut Controller,
    (removed, reply): (std::io::Result<bool>, Reply),
) {
    let remark = match removed {
        // Nobody is known to have ordered it, so a file that cannot be removed does not keep it.
        Err(error) if controller.drain_file.is_unknown() => format!("; a restart drains it again: {error}"),
        Err(error) => return reply.send(failed(format!("cannot end the drain: {error}"))),
        Ok(_) => String::new(),
    };
    controller.drain.end();
    tracing::warn!("the drain is over: health decides{remark}");
    reply.send(done(format!("undrained: health decides{remark}")));
}

async fn remove(publisher: &Arc<PublisherHandle>, transfers: &TransferControl, zone: &str) -> Response {
    match zone.parse::<Name>() {
        Err(error) => failed(format!("{zone}: not a zone name: {error}")),
        Ok(name) if transfers.is_transferred(&name) => failed(format!(
            "{name} comes from primaries: it goes when its [[zone]] leaves the configuration, or when its catalog lists it no more"
        )),
        Ok(name) => match publisher.remove(&name).await {
            Ok(()) => done(format!("{name} is no longer served")),
            Err(error) => failed(with_causes(&error)),
        },
    }
}

/// Lets a refused version pass. Not one of the serial that is served where secondaries have the zone from here: none of them would take it.
async fn accept(
    publisher: &Arc<PublisherHandle>,
    transfers: &TransferControl,
    zone: &str,
    serial: Serial,
) -> Response {
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
    // A secondary takes no version that goes back by itself (RFC 1982).
    let goes_back = known.is_some_and(|it| it.serial.is_some_and(|served| served.is_after(serial)));
    match publisher.accept(&name, serial).await {
        Ok(served) if served != serial => {
            done(format!("version {serial} of {name} is served, with serial {served}"))
        }
        Ok(_) if transfers.sends() && goes_back => done(format!(
            "{name} {serial} is served here; secondaries that have a later serial keep it until they are ordered to take this one: at each POP \
             `anyns zone retransfer {name}`; with a serial above theirs they would take it by themselves"
        )),
        Ok(_) => done(format!("{name} {serial} is served")),
        Err(AcceptError::NothingRefused { .. }) if transfers.is_transferred(&name) => failed(format!(
            "{name} comes from primaries, and no refused version of it is kept here that could be accepted. Correct it at the primary; or \
             `anyns zone retransfer {name}` serves whatever the primary has then, without a check of the content"
        )),
        Err(error) => failed(with_causes(&error)),
    }
}
