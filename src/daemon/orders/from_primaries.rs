//! Orders about zones that come from primaries: asked for, transferred whole, put into service before their time.

use std::collections::BTreeSet;

use crate::control::Response;
use crate::publish::{Fault, Report, ZoneReport};
use crate::telemetry::{counted, with_causes};
use crate::transfer::delay::CaughtUp;
use crate::transfer::refresh::Order as TransferOrder;
use crate::wire::Name;

use crate::daemon::orders::versions;
use crate::daemon::response::{done, failed};
use crate::daemon::transfers::transferring::TransferControl;
use crate::daemon::zone_control::ZoneControl;

/// Ends a hold. A version of a primary that was refused meanwhile is asked for again.
pub(in crate::daemon) async fn unhold(zones: &ZoneControl, zone: &str) -> Response {
    let (response, names) = versions::hold(&zones.publisher, zone, None).await;
    for zone in names.into_iter().filter(|zone| zones.transfers.is_transferred(zone)) {
        // It cannot be asked now: then its timer does that.
        let _ = zones.transfers.order(Some(zone), TransferOrder::Refresh).await;
    }
    response
}

/// Serves at once what waits at a last-resort POP. An order that waits for the end of a hold is kept before it is answered: waits for the disk.
pub(in crate::daemon) fn catch_up(transfers: &TransferControl, zone: Option<&str>) -> Response {
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
pub(in crate::daemon) async fn transfer(
    zones: &ZoneControl,
    zone: Option<String>,
    order: TransferOrder,
) -> Response {
    // A whole zone that is ordered passes without a check, so it would end what a hold is for.
    let keeps_holds = order == TransferOrder::Retransfer;
    let report = zones.publisher.report().load();
    match zone.map(|zone| zone.parse::<Name>().map_err(|error| (zone, error))).transpose() {
        Err((zone, error)) => failed(format!("{zone}: not a zone name: {error}")),
        Ok(Some(zone)) if keeps_holds && is_held(&report, &zone) => {
            failed(format!("{zone} is held, and nothing is transferred: `anyns zone unhold {zone}` first"))
        }
        Ok(Some(zone)) => transfer_one(&zones.transfers, zone, order).await,
        Ok(None) => {
            // Not beside the task that decides.
            let held = move || if keeps_holds { held_zones(&report) } else { BTreeSet::new() };
            match tokio::task::spawn_blocking(held).await {
                Ok(held) => transfer_all(&zones.transfers, held, order).await,
                Err(error) => failed(with_causes(&error)),
            }
        }
    }
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
