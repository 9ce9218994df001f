//! The documents of the API: what a target asks for, and JSON.

use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use super::payload::{Reply, json, text, whole};
use super::samples::RateSample;
use super::state::State;
use super::timeline::RouteChange;
use crate::control::{CatchmentStatus, FEED_ZONES, InquiryError, RouteState, Status, Verdict, ZoneFilter};
use crate::fleet::{ANSWER_LIMIT, FleetError, PopClient, PopDocument, PopLoad, escaped};
use crate::telemetry::with_causes;

/// The most zones of a status: some hundred kilobytes. Who needs all of them asks the admin socket.
const MOST_ZONES: usize = 1000;
/// The zones of a status that does not say how many.
const USUAL_ZONES: usize = 100;
/// The client prefixes of each family in a catchment that does not say how many.
const USUAL_PREFIXES: usize = 100;
/// The client prefixes of each family that another POP is asked for at most.
const MOST_PREFIXES: usize = 1000;
/// Octets of its answer at most; each prefix takes up to 100.
const MOST_CATCHMENT: usize = 1 << 18;
/// The steps of a zone in its history: as many as the page lists.
const MOST_STEPS: usize = 200;
/// Octets of such an answer at most; each step takes up to 200.
const MOST_HISTORY: usize = 1 << 17;
/// The most characters of a zone or a pattern: no name is longer, each octet escaped.
pub(super) const MOST_NAME: usize = 1024;
/// The most buckets of serials in one request.
const MOST_BUCKETS: usize = 8;

/// What a POP tells of itself.
#[derive(Serialize)]
pub(super) struct PopView<'a> {
    status: &'a Status,
    load: RateSample,
    /// The last minutes, oldest first; empty unless asked for.
    history: Vec<RateSample>,
    /// What became of the routes, after the number that was asked for.
    changes: Vec<RouteChange>,
    /// By bucket, the digest of the serials; empty unless asked for, as the next two.
    digests: &'a [u64],
    /// By bucket, the digest of the contents that are known.
    contents: &'a [u64],
    /// By bucket, the digest of the serials of the zones whose contents are known.
    made: &'a [u64],
}

/// How much of it is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) zones: usize,
    pub(super) history: bool,
    pub(super) after: u64,
    pub(super) digests: bool,
}

impl Extent {
    fn digests(self, all: &[u64]) -> &[u64] {
        if self.digests { all } else { &[] }
    }
}

/// The value of a parameter of a query, percent-decoded (RFC 3986 section 2.1), a `%` without two digits as it stands; `None` if it
/// is not there or is no UTF-8.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
    Some(percent_decode_str(value?.1).decode_utf8().ok()?.into_owned())
}

fn number<T: std::str::FromStr>(query: &str, name: &str) -> Option<T> {
    parameter(query, name)?.parse().ok()
}

/// 503, because the thread `control` does not tell.
fn untold(error: InquiryError) -> Reply {
    text(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// 503, because the newest document is old.
pub(super) fn stale(seconds: u64) -> Reply {
    text(StatusCode::SERVICE_UNAVAILABLE, stale_line(seconds))
}

fn stale_line(seconds: u64) -> String {
    format!("the status is {seconds} s old: the thread control does not run, or has not begun")
}

/// `/healthz`: whether this process is alive, as far as it can tell.
pub(super) fn health(state: &State) -> Reply {
    match state.feed() {
        Ok(_) => text(StatusCode::OK, "alive"),
        Err(seconds) => stale(seconds),
    }
}

/// `/readyz`: whether this POP is announced as configured, and answers well.
pub(super) fn readiness(state: &State) -> Reply {
    match state.feed() {
        Err(seconds) => stale(seconds),
        Ok(feed) => match unready(&feed.status) {
            None if feed.status.dry_run => text(StatusCode::OK, "ready (dry run)"),
            None => text(StatusCode::OK, "ready"),
            Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}")),
        },
    }
}

/// Why it is not; a faulty zone is no reason, because the others are served.
fn unready(status: &Status) -> Option<String> {
    if status.stopping {
        return Some("it stops in order".to_owned());
    }
    for prefix in &status.prefixes {
        let is_sent = prefix.neighbors.iter().any(|neighbor| neighbor.sent == RouteState::Announced);
        if prefix.intent != "announce" {
            return Some(format!("{} is to {}", prefix.prefix, prefix.intent));
        }
        if !status.dry_run && !is_sent {
            return Some(format!("{} is not sent to any neighbor", prefix.prefix));
        }
    }
    (status.overall.verdict == Verdict::Down).then(|| "the POP is down".to_owned())
}

/// `/api/v1/status?zones=PATTERN|bad&most=N`: the document of `anyns status --json`.
pub(super) async fn status(state: &State, query: &str) -> Reply {
    let zones = parameter(query, "zones");
    if zones.as_ref().is_some_and(|zones| zones.len() > MOST_NAME) {
        return text(StatusCode::BAD_REQUEST, format!("zones has more than {MOST_NAME} octets"));
    }
    let most = number(query, "most").unwrap_or(USUAL_ZONES).min(MOST_ZONES);
    let mut zones = zones.as_deref().map_or(ZoneFilter::All, ZoneFilter::parse);
    if matches!(zones, ZoneFilter::All) && most > USUAL_ZONES {
        // Of all zones, more than a page are found by a walk.
        zones = ZoneFilter::Pattern("*".to_owned());
    }
    match state.status(zones, most).await {
        Ok(status) => json(&*status),
        Err(error) => untold(error),
    }
}

/// `/api/v1/pop?most=N&history=1&after=NUMBER`: status, load, digests and changes in one, for the other POPs.
pub(super) fn pop(state: &State, query: &str) -> Reply {
    let extent = Extent {
        zones: number(query, "most").unwrap_or(FEED_ZONES),
        history: parameter(query, "history").is_some(),
        after: number(query, "after").unwrap_or(u64::MAX),
        digests: parameter(query, "digests").is_none_or(|digests| digests != "0"),
    };
    match view(state, extent, |view| json(view)) {
        Ok(reply) => reply,
        Err(seconds) => stale(seconds),
    }
}

/// Has the view of this POP written; the age of the document in seconds if that is too old.
pub(super) fn view<T>(
    state: &State,
    extent: Extent,
    write: impl FnOnce(&PopView<'_>) -> T,
) -> Result<T, u64> {
    let feed = state.feed()?;
    let mut cut = None;
    if extent.zones < feed.status.zones.len() {
        let mut status = feed.status.clone();
        status.zones.truncate(extent.zones);
        cut = Some(status);
    }
    Ok(write(&PopView {
        status: cut.as_ref().unwrap_or(&feed.status),
        load: state.newest_rates(),
        history: if extent.history { state.rates() } else { Vec::new() },
        changes: state.changes(extent.after),
        digests: extent.digests(&feed.digests),
        contents: extent.digests(&feed.contents),
        made: extent.digests(&feed.made),
    }))
}

/// This POP as the others would read it; where it has told nothing for too long its name, and that.
pub(super) fn own_document(state: &State) -> Result<PopDocument, (String, String)> {
    let feed = state.feed().map_err(|seconds| (state.pop_name(), stale_line(seconds)))?;
    let status = serde_json::to_value(&feed.status).and_then(serde_json::from_value);
    let RateSample { queries, limited, servfail, .. } = state.newest_rates();
    let load = PopLoad { queries, limited, servfail };
    Ok(PopDocument { status: status.unwrap_or_default(), load, ..PopDocument::default() })
}

/// `/api/v1/serials?buckets=N,N`: name and serial of each zone in some buckets; with `contents=1` the start of the digest of its content,
/// too, or null while that is not made.
pub(super) async fn serials(state: &State, query: &str) -> Reply {
    let list = parameter(query, "buckets").unwrap_or_default();
    let buckets: Result<Vec<u8>, _> = list.split(',').map(str::parse).collect();
    let Some(buckets) = buckets.ok().filter(|buckets| buckets.len() <= MOST_BUCKETS) else {
        let line =
            format!("buckets is a list of at most {MOST_BUCKETS} numbers from 0 to 255, such as 7,130");
        return text(StatusCode::BAD_REQUEST, line);
    };
    let served = match state.serials(buckets).await {
        Ok(served) => served,
        Err(error) => return untold(error),
    };
    match parameter(query, "contents").is_some() {
        true => json(&served.iter().map(|zone| (&zone.name, zone.serial, &zone.content)).collect::<Vec<_>>()),
        false => json(&served.iter().map(|zone| (&zone.name, zone.serial)).collect::<Vec<_>>()),
    }
}

/// `/api/v1/catchment?most=N`: the document of `anyns catchment --json`; 404 where nobody counts clients. With `pop=NAME` that of
/// another POP, which is asked for it.
pub(super) async fn catchment(state: &State, query: &str) -> Reply {
    let most = number(query, "most").unwrap_or(USUAL_PREFIXES);
    if let Some(name) = parameter(query, "pop").filter(|name| !name.is_empty()) {
        return other_catchment(state, &name, most.min(MOST_PREFIXES)).await;
    }
    match state.catchment(most).await {
        Ok(Some(catchment)) => json(&catchment),
        Ok(None) => text(StatusCode::NOT_FOUND, CatchmentStatus::NOT_KEPT),
        Err(error) => untold(error),
    }
}

/// `/api/v1/history?zone=NAME`: the last steps of a zone that are kept, oldest first; with `pop=NAME` those of another POP, which is asked
/// for them.
pub(super) async fn history(state: &State, query: &str) -> Reply {
    let zone = parameter(query, "zone").unwrap_or_default();
    if zone.is_empty() || zone.len() > MOST_NAME || !matches!(ZoneFilter::parse(&zone), ZoneFilter::Name(_)) {
        return text(StatusCode::BAD_REQUEST, "zone names one zone, such as zone=example.org");
    }
    if let Some(name) = parameter(query, "pop").filter(|name| !name.is_empty()) {
        let clients = state.fleet.clients();
        match clients.iter().find(|(known, _)| *known == name) {
            Some((_, client)) => return other_history(client, &zone).await,
            None if name == state.pop_name() => {}
            None => return unknown_pop(),
        }
    }
    match state.history(zone).await {
        Ok(mut history) => {
            history.steps.drain(..history.steps.len().saturating_sub(MOST_STEPS));
            json(&history)
        }
        Err(reason) => text(StatusCode::NOT_FOUND, reason),
    }
}

async fn other_history(client: &Result<PopClient, FleetError>, zone: &str) -> Reply {
    let path = format!("/api/v1/history?zone={}", escaped(zone));
    let told = match client {
        Ok(client) => client.document::<Value>(&path, MOST_HISTORY, ANSWER_LIMIT).await,
        Err(error) => return text(StatusCode::BAD_GATEWAY, with_causes(error)),
    };
    match told {
        Ok(history) => json(&history),
        Err(FleetError::Status { status: 404 }) => text(StatusCode::NOT_FOUND, "no step is kept there"),
        Err(error) => text(StatusCode::BAD_GATEWAY, with_causes(&error)),
    }
}

/// What another POP tells of its clients.
async fn other_catchment(state: &State, name: &str, most: usize) -> Reply {
    let clients = state.fleet.clients();
    let Some((_, client)) = clients.iter().find(|(known, _)| known == name) else { return unknown_pop() };
    let path = format!("/api/v1/catchment?most={most}");
    let told = match client {
        Ok(client) => client.document::<Value>(&path, MOST_CATCHMENT, ANSWER_LIMIT).await,
        Err(error) => return text(StatusCode::BAD_GATEWAY, with_causes(error)),
    };
    match told {
        Ok(catchment) => json(&catchment),
        Err(FleetError::Status { status: 404 }) => text(StatusCode::NOT_FOUND, CatchmentStatus::NOT_KEPT),
        Err(error) => text(StatusCode::BAD_GATEWAY, with_causes(&error)),
    }
}

/// 404, for a POP that is not listed.
pub(super) fn unknown_pop() -> Reply {
    text(StatusCode::NOT_FOUND, "no POP of this name is in [fleet]")
}

/// `/metrics`: OpenMetrics for who accepts it, Prometheus's text format otherwise.
pub(super) async fn metrics(state: &State, accept: &str) -> Reply {
    let openmetrics = accepts_openmetrics(accept);
    let media_type = match openmetrics {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    match state.metrics(openmetrics).await {
        Ok(metrics) => whole(StatusCode::OK, media_type, metrics),
        Err(error) => untold(error),
    }
}

/// Whether a field Accept names OpenMetrics, and with a weight above zero (RFC 9110 section 12.4.2).
fn accepts_openmetrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let weight =
            |part: &str| part.to_ascii_lowercase().strip_prefix("q=").map(|weight| weight.parse::<f64>());
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"))
            && !parts.filter_map(weight).any(|weight| weight == Ok(0.0))
    })
}

/// 404.
pub(super) fn not_found() -> Reply {
    text(StatusCode::NOT_FOUND, "there is no such page here; / is the first one")
}

/// The parts of a zone that change when somebody has to know.
pub(super) fn zone_of(status: &Value) -> Value {
    status.get("zones").and_then(|zones| zones.get(0)).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{Feed, NeighborStatus, PrefixStatus};

    #[test]
    fn parameters_are_decoded_and_nothing_else_is_taken() {
        let table = [
            ("zones=a.example&most=5", "zones", Some("a.example")),
            ("xzones=a&zones=b", "zones", Some("b")),
            ("zones=%2Aa%2f%C3%A9", "zones", Some("*a/é")),
            ("zones=%zz", "zones", Some("%zz")),
            ("zones=%2", "zones", Some("%2")),
            ("zones=%+1", "zones", Some("%+1")),
            ("zones=%FF", "zones", None),
            ("zones", "zones", None),
            ("", "zones", None),
        ];
        for (query, name, value) in table {
            assert_eq!(parameter(query, name).as_deref(), value, "{query}");
        }
        assert_eq!(number::<usize>("most=-1", "most"), None);
    }

    #[test]
    fn openmetrics_goes_to_who_accepts_it() {
        for (accept, accepts) in [
            ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1", true),
            ("text/plain, Application/OpenMetrics-Text", true),
            ("application/openmetrics-text;q=0, text/plain", false),
            ("application/openmetrics-text; q=0.000", false),
            ("application/openmetrics-textile", false),
            ("*/*", false),
            ("", false),
        ] {
            assert_eq!(accepts_openmetrics(accept), accepts, "{accept}");
        }
    }

    #[test]
    fn a_pop_that_stands_alone_and_tells_nothing_has_its_name_and_the_reason() {
        let feed = crate::handoff::Latest::new(Feed::default());
        let (inquiries, _asked) = crate::handoff::queue(1).unwrap();
        let fleet = crate::web::fleet_watch::FleetWatch::new(std::sync::Arc::new(Default::default));
        let state = State::new(feed.reader(), inquiries, fleet, std::sync::Arc::new(|_| Err(String::new())));
        let told = || {
            let report = crate::fleet::alone(own_document(&state).as_ref().map_err(Clone::clone));
            report.pops.into_iter().map(|pop| (pop.name, pop.error)).collect::<Vec<_>>()
        };
        let status = |now| Status { now, pop: "ams1".into(), ..Status::default() };
        feed.publish(Feed { status: status(1), ..Feed::default() });
        assert_eq!(told(), [("ams1".to_owned(), None)]);
        feed.publish(Feed { status: status(0), ..Feed::default() });
        let error = "the status is 0 s old: the thread control does not run, or has not begun";
        assert_eq!(told(), [("ams1".to_owned(), Some(error.to_owned()))]);
    }

    #[test]
    fn a_pop_is_ready_while_every_prefix_is_announced_as_configured() {
        let neighbor = NeighborStatus { sent: RouteState::Announced, ..NeighborStatus::default() };
        let prefix = PrefixStatus {
            prefix: "192.0.2.0/24".into(),
            intent: "announce".into(),
            neighbors: vec![neighbor],
            ..PrefixStatus::default()
        };
        let mut status = Status { prefixes: vec![prefix], ..Status::default() };
        assert_eq!(unready(&status), None, "degraded, and ready");
        status.prefixes[0].neighbors[0].sent = RouteState::Depreferred;
        assert_eq!(unready(&status).unwrap(), "192.0.2.0/24 is not sent to any neighbor");
        status.dry_run = true;
        assert_eq!(unready(&status), None);
        status.prefixes[0].intent = "deprefer".into();
        assert_eq!(unready(&status).unwrap(), "192.0.2.0/24 is to deprefer");
        status.stopping = true;
        assert_eq!(unready(&status).unwrap(), "it stops in order");
        let down = Status::default();
        assert_eq!(
            unready(&Status { overall: crate::control::overall(&down), ..down }).unwrap(),
            "the POP is down"
        );
    }
}
