//! Orders for one zone, or for each zone that a pattern takes: hold, unhold, rollback, accept.
//!
//! With a pattern each zone that is rolled back or accepted has an order and a line of its own: where one cannot be carried out the others are
//! all the same, and the exit code says that something is wrong. Holds of many zones are one order: they are kept together.

use std::path::Path;
use std::time::Duration;

use crate::control::{self, CatalogStatus, Request, Response, ZoneStatus};

use super::exit::Exit;
use super::outcome::{CommandError, Outcome};
use super::output::{keep_error, print_note};
use super::remote::{ask, is_pattern, outcome_of, socket_path};

/// The list of very many zones takes some seconds, an order seldom one.
const LIMIT: Duration = Duration::from_secs(70);

pub(super) fn hold(config: Option<&Path>, socket: Option<&Path>, (name, reason): (&str, &str)) -> Outcome {
    ask(config, socket, &Request::ZoneHold { zone: name.to_owned(), reason: reason.to_owned() })
}

pub(super) fn unhold(config: Option<&Path>, socket: Option<&Path>, name: &str) -> Outcome {
    ask(config, socket, &Request::ZoneUnhold { zone: name.to_owned() })
}

pub(super) fn rollback(
    config: Option<&Path>,
    socket: Option<&Path>,
    (name, serial): (&str, Option<u32>),
) -> Outcome {
    if is_pattern(name) && serial.is_some() {
        return Err("a serial is that of one zone: give its name, or leave the serial out, and each zone goes back by one version".into());
    }
    let order = |zone: &str| Request::ZoneRollback { zone: zone.to_owned(), serial };
    // Catalogs that are made here change with the zones.
    let is_made = |zone: &ZoneStatus, catalogs: &[CatalogStatus]| {
        catalogs.iter().any(|catalog| catalog.produced && catalog.name == zone.name)
    };
    let of_each =
        |zone: &ZoneStatus, catalogs: &[CatalogStatus]| (!is_made(zone, catalogs)).then(|| order(&zone.name));
    match is_pattern(name) {
        true => each(config, socket, (name, NO_SUCH_ZONE), of_each, |_| None),
        false => ask(config, socket, &order(name)),
    }
}

pub(super) fn accept(
    config: Option<&Path>,
    socket: Option<&Path>,
    (name, serial): (&str, Option<u32>),
) -> Outcome {
    let order = |zone: &str, serial| Request::ZoneAccept { zone: zone.to_owned(), serial };
    match (is_pattern(name), serial) {
        (true, None) => each(
            config,
            socket,
            (name, "no version of a zone with such a name is refused"),
            |zone, _| Some(order(&zone.name, zone.refused_serial?)),
            not_accepted,
        ),
        (true, Some(_)) => {
            Err("a serial is that of one zone: give its name, or leave the serial out to accept what is refused now".into())
        }
        (false, Some(serial)) => ask(config, socket, &order(name, serial)),
        (false, None) => Err(which_serial(config, socket, name)?.into()),
    }
}

/// What is said where a name takes no zone.
const NO_SUCH_ZONE: &str = "no zone has such a name";

/// What is right in place of an `accept` without a serial.
fn which_serial(config: Option<&Path>, socket: Option<&Path>, name: &str) -> Result<String, CommandError> {
    let path = socket_path(config, socket)?;
    let request = Request::Status { zones: Some(name.to_owned()), most: None };
    let zones = match control::call(&path, &request, LIMIT)? {
        Response::Status { status } => status.zones,
        other => return outcome_of(other).map(|_| String::new()),
    };
    let Some(zone) = zones.first() else { return Ok(NO_SUCH_ZONE.to_owned()) };
    let accepts = |serial| {
        format!(
            "the serial is missing: `anyns zone accept {name} {serial}` accepts the version that is refused now"
        )
    };
    let none = || format!("no version of {name} is refused that an order could accept");
    Ok(zone.refused_serial.map(accepts).or_else(|| not_accepted(zone)).unwrap_or_else(none))
}

/// Why nothing of a zone is accepted although a version of it is refused: of one that a primary gave nothing may be kept here.
fn not_accepted(zone: &ZoneStatus) -> Option<String> {
    let refused = zone.transfer.as_ref()?.refused.filter(|_| zone.refused_serial.is_none())?;
    let name = &zone.name;
    Some(format!(
        "{name}: serial {refused} of a primary is refused, and it is not kept here, so it cannot be accepted: `anyns zone status {name}` says \
         why it is refused"
    ))
}

/// Gives each zone that the pattern takes its order, if it has one; `none`: what is said if none has. Says of a zone without one why, if
/// it is `left_out`.
fn each(
    config: Option<&Path>,
    socket: Option<&Path>,
    (pattern, none): (&str, &str),
    order: impl Fn(&ZoneStatus, &[CatalogStatus]) -> Option<Request>,
    left_out: impl Fn(&ZoneStatus) -> Option<String>,
) -> Outcome {
    let path = socket_path(config, socket)?;
    let request = Request::Status { zones: Some(pattern.to_owned()), most: None };
    let mut status = match control::call(&path, &request, LIMIT)? {
        Response::Status { status } => status,
        other => return outcome_of(other),
    };
    status.zones.sort_by(|one, other| one.name.cmp(&other.name));
    let (zones, catalogs) = (&status.zones, &status.catalogs);
    let orders: Vec<(&str, Request)> =
        zones.iter().filter_map(|zone| Some((zone.name.as_str(), order(zone, catalogs)?))).collect();
    let mut all_done = true;
    for text in zones.iter().filter_map(&left_out) {
        all_done = false;
        print_note(&text);
        keep_error(&text);
    }
    if orders.is_empty() && all_done {
        return Err(none.into());
    }
    for (zone, order) in &orders {
        match control::call(&path, order, LIMIT).map_err(Into::into).and_then(outcome_of) {
            Ok(_) => {}
            Err(error) => {
                all_done = false;
                // Most errors begin with the zone's name.
                let text = error.to_string();
                let text = if text.contains(zone) { text } else { format!("{zone}: {text}") };
                print_note(&text);
                keep_error(&text);
            }
        }
    }
    Ok(Exit::of(all_done))
}
