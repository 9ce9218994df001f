//! Server-sent events: what changed, about once a second, and never more than a page can take.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::api::{self, Extent, MOST_NAME, parameter, zone_of};
use super::caps::{ConnectionPlace, StreamPlace};
use super::fleet_watch::{PERIOD, WAIT};
use super::payload::{Reply, events, text};
use super::state::State;
use crate::control::{FEED_ZONES, ZoneFilter};
use crate::fleet::{ANSWER_LIMIT, LastAnswer, PopLoad, Rounds, Surveyed, zone_path};
use crate::telemetry::with_causes;

/// Octets a second of one stream, on the average: a document that is longer comes less often.
const MOST_RATE: f64 = 40_000.0;

/// Events that wait for a client; it is slow then, and gets the next one when it has taken one.
const WAITING: usize = 2;

/// A comment so often keeps what stands between from closing a connection without traffic.
const COMMENT: Duration = Duration::from_secs(15);

/// A stream ends then, and the browser opens it again.
const LIFETIME: Duration = Duration::from_secs(1800);

/// Octets of the document of another POP at most.
const MOST_DOCUMENT: usize = 1 << 20;

/// How long a whole survey of the fleet may take: two answers of each POP, one after the other.
const WHOLE: Duration = Duration::from_secs(7);

/// Which stream.
enum Topic {
    Fleet,
    Pop(Option<String>),
    Zone(String),
}

/// The stream at this path; `None` if there is none.
pub(super) fn stream(state: &Arc<State>, place: &ConnectionPlace, path: &str, query: &str) -> Option<Reply> {
    let topic = match path {
        "/events/fleet" => Topic::Fleet,
        "/events/pop" => Topic::Pop(parameter(query, "name").filter(|name| !name.is_empty())),
        "/events/zone" => Topic::Zone(parameter(query, "zone").unwrap_or_default()),
        _ => return None,
    };
    if let Topic::Zone(zone) = &topic
        && (zone.is_empty()
            || zone.len() > MOST_NAME
            || !matches!(ZoneFilter::parse(zone), ZoneFilter::Name(_)))
    {
        // For a pattern each POP would walk all of its zones every second.
        return Some(text(StatusCode::BAD_REQUEST, "zone names one zone, such as zone=example.org"));
    }
    if let Topic::Pop(Some(name)) = &topic
        && !state.fleet.clients().iter().any(|(known, _)| known == name)
    {
        return Some(api::unknown_pop());
    }
    let Some(place) = place.stream() else {
        return Some(text(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open; close one"));
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let stream =
        EventStream { state: state.clone(), sender, comment_at: Instant::now() + COMMENT, _place: place };
    tokio::spawn(async move {
        // The client is gone, or the time is over: either way there is nothing more to do.
        let _ = timeout(LIFETIME, stream.run(topic)).await;
    });
    Some(events(receiver))
}

/// `/api/v1/fleet`: one survey, with what slow POPs answer.
pub(super) async fn fleet(state: &State) -> Reply {
    let mut surveys = state.fleet.follow();
    // What was found before somebody asked says nothing of now.
    let mut newest = None;
    let whole = async {
        while surveys.changed().await.is_ok() {
            let found = surveys.borrow_and_update().clone();
            let settled = found.settled;
            newest = Some(found);
            if settled {
                return;
            }
        }
    };
    let _ = timeout(WHOLE, whole).await;
    match newest {
        Some(found) => super::payload::json(&found.report),
        None => text(StatusCode::GATEWAY_TIMEOUT, "the POPs were not asked in time"),
    }
}

/// The client is gone.
struct Gone;

/// What a stream of one POP has told.
#[derive(Debug, Default)]
struct SentState {
    /// When the process of the POP began.
    process: Option<u64>,
    /// The number of the last change.
    after: u64,
}

impl SentState {
    /// Whether the last minutes are to be told, too.
    fn history(&self) -> bool {
        self.process.is_none()
    }

    /// Takes the next document. A POP that has started again counts its changes from 1: none are told now, and the next document has
    /// all of them and the last minutes.
    fn take(&mut self, document: &mut Value) {
        let process = document.pointer("/status/started").and_then(Value::as_u64);
        if self.process.is_some() && self.process != process {
            *self = Self::default();
            if let Some(changes) = document.get_mut("changes") {
                *changes = json!([]);
            }
            return;
        }
        self.process = process.or(Some(0));
        let numbers = document.get("changes").and_then(Value::as_array).into_iter().flatten();
        let newest = numbers.filter_map(|change| change.get("number")?.as_u64()).max();
        self.after = newest.unwrap_or(self.after);
    }
}

/// One stream.
struct EventStream {
    state: Arc<State>,
    sender: mpsc::Sender<Bytes>,
    comment_at: Instant,
    _place: StreamPlace,
}

impl EventStream {
    async fn run(mut self, topic: Topic) -> Result<(), Gone> {
        match topic {
            Topic::Fleet => self.fleet().await,
            Topic::Pop(name) => self.pop(name).await,
            Topic::Zone(zone) => self.zone(&zone).await,
        }
    }

    /// Sends one event; JSON has no line feed outside of its strings, where it is escaped.
    async fn send(&mut self, event: &str, data: &impl Serialize) -> Result<usize, Gone> {
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        self.comment_at = Instant::now() + COMMENT;
        self.push(format!("event: {event}\ndata: {data}\n\n")).await?;
        Ok(data.len())
    }

    async fn push(&self, text: String) -> Result<(), Gone> {
        self.sender.send(text.into()).await.map_err(|_| Gone)
    }

    /// A comment if nothing was sent for long; an error if nobody listens any more.
    async fn keep_alive(&mut self) -> Result<(), Gone> {
        if self.sender.is_closed() {
            return Err(Gone);
        }
        if Instant::now() >= self.comment_at {
            self.comment_at = Instant::now() + COMMENT;
            self.push(":\n\n".to_owned()).await?;
        }
        Ok(())
    }

    /// POPs that changed, their order, zones that differ, and the load of all.
    async fn fleet(&mut self) -> Result<(), Gone> {
        let mut surveys = self.state.fleet.follow();
        let mut sent: BTreeMap<String, String> = BTreeMap::new();
        loop {
            tokio::select! {
                changed = surveys.changed() => changed.map_err(|_| Gone)?,
                () = self.sender.closed() => return Err(Gone),
            }
            let found: Arc<Surveyed> = surveys.borrow_and_update().clone();
            let report = &found.report;
            let mut octets = 0;
            let order: Vec<&str> = report.pops.iter().map(|pop| pop.name.as_str()).collect();
            octets += self
                .send_changed(
                    &mut sent,
                    "order",
                    "order",
                    &json!({"pops": order, "alone": self.state.fleet.is_alone()}),
                )
                .await?;
            for pop in &report.pops {
                let mut steady = pop.clone();
                steady.load = PopLoad::default();
                octets += self.send_changed(&mut sent, &format!("pop {}", pop.name), "pop", &steady).await?;
            }
            let zones = json!({
                "differing": report.differing, "age": report.differing_age, "more": report.more_differ, "silent": report.not_compared,
            });
            octets += self.send_changed(&mut sent, "zones", "zones", &zones).await?;
            let load: Vec<(&str, f64, f64, f64)> = report
                .pops
                .iter()
                .map(|pop| {
                    let PopLoad { queries, limited, servfail } = pop.load;
                    (pop.name.as_str(), queries, limited, servfail)
                })
                .collect();
            octets += self.send("load", &load).await?;
            sleep(Duration::from_secs_f64(octets as f64 / MOST_RATE).min(COMMENT)).await;
        }
    }

    async fn send_changed(
        &mut self,
        sent: &mut BTreeMap<String, String>,
        key: &str,
        event: &str,
        data: &impl Serialize,
    ) -> Result<usize, Gone> {
        let text = serde_json::to_string(data).map_err(|_| Gone)?;
        if sent.get(key) == Some(&text) {
            return Ok(0);
        }
        let octets = self.send(event, data).await?;
        sent.insert(key.to_owned(), text);
        Ok(octets)
    }

    /// One POP, this one or another, as often as its document's length allows.
    async fn pop(&mut self, name: Option<String>) -> Result<(), Gone> {
        let mut told = SentState::default();
        loop {
            let begun = Instant::now();
            let document = match &name {
                None => self.own(told.history(), told.after),
                Some(name) => self.other(name, told.history(), told.after).await,
            };
            let octets = match document {
                Ok(mut document) => {
                    told.take(&mut document);
                    self.send("pop", &document).await?
                }
                Err(error) => self.send("trouble", &error).await?,
            };
            self.keep_alive().await?;
            let pause = Duration::from_secs_f64(octets as f64 / MOST_RATE).max(PERIOD);
            sleep_until(begun + pause).await;
        }
    }

    fn own(&self, history: bool, after: u64) -> Result<Value, String> {
        let extent = Extent { zones: FEED_ZONES, history, after, digests: false };
        let view = api::view(&self.state, extent, |view| {
            serde_json::to_value(view).map_err(|error| error.to_string())
        });
        view.map_err(|seconds| format!("the status is {seconds} s old: the thread control does not run"))?
    }

    async fn other(&self, name: &str, history: bool, after: u64) -> Result<Value, String> {
        let clients = self.state.fleet.clients();
        let client = clients.iter().find(|(known, _)| known == name).map(|(_, client)| client);
        let client = client.ok_or("no POP of this name is in [fleet]")?;
        let client = client.as_ref().map_err(|error| with_causes(error))?;
        let history = if history { "&history=1" } else { "" };
        let path = format!("/api/v1/pop?digests=0&after={after}{history}");
        client.document(&path, MOST_DOCUMENT, ANSWER_LIMIT).await.map_err(|error| with_causes(&error))
    }

    /// One zone at every POP, when something of it changed.
    async fn zone(&mut self, zone: &str) -> Result<(), Gone> {
        let mut sent = BTreeMap::new();
        let (mut pops, path) = (Rounds::<Value>::default(), zone_path(zone));
        loop {
            let begun = Instant::now();
            let rows: Vec<Value> = if self.state.fleet.is_alone() {
                vec![self.zone_here(zone).await]
            } else {
                let clients = self.state.fleet.clients();
                pops.turn(&clients, &path, begun + WAIT).await;
                let row = |(pop, last): (&str, LastAnswer<'_, Value>)| match last {
                    Some((_, Ok(status))) => json!({"pop": pop, "zone": zone_of(status)}),
                    Some((_, Err(error))) => json!({"pop": pop, "error": error}),
                    None => json!({"pop": pop, "error": "no answer yet"}),
                };
                clients.iter().map(|(name, _)| name.as_str()).zip(pops.answers()).map(row).collect()
            };
            let octets = self.send_changed(&mut sent, "zone", "zone", &rows).await?;
            self.keep_alive().await?;
            let pause = Duration::from_secs_f64(octets as f64 / MOST_RATE).max(PERIOD);
            sleep_until(begun + pause).await;
        }
    }

    async fn zone_here(&self, zone: &str) -> Value {
        match self.state.status(ZoneFilter::Name(zone.to_owned()), 1).await {
            Ok(status) => {
                let zone = status.zones.first();
                json!({"pop": status.pop, "zone": zone})
            }
            Err(error) => json!({"pop": "", "error": error.to_string()}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pop_that_started_again_tells_all_of_its_changes() {
        let document = |started: u64, numbers: &[u64]| {
            let changes: Vec<Value> = numbers.iter().map(|number| json!({"number": number})).collect();
            json!({"status": {"started": started}, "changes": changes})
        };
        let mut told = SentState::default();
        for (started, numbers, sent, asks) in [
            (100, &[1, 2, 3][..], 3, (false, 3)),
            (100, &[], 0, (false, 3)),
            (100, &[4], 1, (false, 4)),
            // The new process was asked for changes after 4.
            (200, &[5], 0, (true, 0)),
            (200, &[1, 2, 3, 4, 5], 5, (false, 5)),
            (200, &[6], 1, (false, 6)),
        ] {
            let mut document = document(started, numbers);
            told.take(&mut document);
            assert_eq!(document["changes"].as_array().unwrap().len(), sent, "{started} {numbers:?}");
            assert_eq!((told.history(), told.after), asks, "{started} {numbers:?}");
        }
    }
}
