//! Queries from every region while something happens, each of them accounted for.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::catchment::{SERVICES, ZONE};
use super::error::LabError;
use super::faults::Moment;
use super::nodes::RunningLab;
use super::result::{ClientResult, Segment};
use super::routes::{RouteChange, RouteMonitors};
use super::topology::Role;
use crate::support::stream::{Record, Stream};
use crate::support::wait::looked_for;
use crate::support::zones;

/// Queries per second from the region that the fault is in, for each family.
pub const RATE: u32 = 1000;

/// The same from the other regions: enough to see that they lose nothing, and cheap.
pub const OTHER_RATE: u32 = 200;

/// How long anything that a scenario waits for may take: the longest hold time is 9 s.
pub const BOUND: Duration = Duration::from_secs(30);

/// Streams from every client, over both families, and monitors at every router.
pub struct Observation {
    streams: Vec<ClientStream>,
    monitors: RouteMonitors,
}

/// The stream of one client over one family.
pub struct ClientStream {
    /// The client's node.
    pub client: String,
    /// Its region.
    pub pop: String,
    /// 0 for IPv4, 1 for IPv6.
    pub family: usize,
    /// The instance that answered before anything happened.
    pub before: String,
    stream: Stream,
}

impl Observation {
    /// Starts asking, and waits until each stream is answered well.
    pub fn start(lab: &RunningLab, pop: &str) -> Result<Self, LabError> {
        let monitors = RouteMonitors::start(lab)?;
        let mut streams = Vec::new();
        for client in lab.topology.with_role(Role::Client, None) {
            let region = lab.topology.nodes.get(client).and_then(|node| node.pop.clone()).unwrap_or_default();
            let rate = if region == pop { RATE } else { OTHER_RATE };
            for (family, server) in SERVICES.iter().take(2).enumerate() {
                let Ok(server) = server.parse::<IpAddr>() else { continue };
                let stream = Stream::start(&lab.space(client), server, rate, zones::questions(ZONE));
                let (client, pop) = (client.to_owned(), region.clone());
                streams.push(ClientStream { client, pop, family, before: String::new(), stream });
            }
        }
        let observation = Self { streams, monitors };
        observation.settle("every stream is answered")?;
        let Self { mut streams, monitors } = observation;
        streams.iter_mut().for_each(|client| client.before = client.stream.last_instance());
        Ok(Self { streams, monitors })
    }

    /// The streams of a region.
    pub fn of_pop<'a>(&'a self, pop: &'a str) -> impl Iterator<Item = &'a ClientStream> {
        self.streams.iter().filter(move |stream| stream.pop == pop)
    }

    /// Waits until each stream has had answers for about half a second more.
    pub fn settle(&self, what: &str) -> Result<(), LabError> {
        self.wait_answers(what, OTHER_RATE / 2, RATE / 2)
    }

    /// Waits until the streams of a rate have had so many more answers.
    pub fn wait_answers(&self, what: &str, others: u32, affected: u32) -> Result<(), LabError> {
        let from: Vec<u32> = self.streams.iter().map(|client| client.stream.answered()).collect();
        let most = |index: usize| {
            if self.streams.get(index).is_some_and(|client| self.is_slow(client)) { others } else { affected }
        };
        wait(what, || {
            let more = self
                .streams
                .iter()
                .zip(&from)
                .map(|(client, from)| client.stream.answered().wrapping_sub(*from));
            more.enumerate().all(|(index, more)| more >= most(index))
        })
    }

    fn is_slow(&self, client: &ClientStream) -> bool {
        client.stream.rate() == OTHER_RATE
    }

    /// Waits until both streams of a region are answered by another POP than `pop`.
    pub fn wait_elsewhere(&self, lab: &RunningLab, pop: &str) -> Result<(), LabError> {
        let is_here = |instance: &str| {
            lab.topology.nodes.get(instance).is_none_or(|node| node.pop.as_deref() == Some(pop))
        };
        wait(&format!("another POP answers the clients of {pop}"), || {
            self.of_pop(pop).all(|client| !is_here(&client.stream.last_instance()))
        })
    }

    /// Waits until no stream is answered by this server any more.
    pub fn wait_gone(&self, server: &str) -> Result<(), LabError> {
        let moved: Vec<&ClientStream> =
            self.streams.iter().filter(|client| client.before == server).collect();
        wait(&format!("another server answers than {server}"), || {
            moved.iter().all(|client| client.stream.last_instance() != server)
        })
    }

    /// Waits until no stream is answered by this server, and for half a second more.
    pub fn wait_unused(&self, server: &str) -> Result<(), LabError> {
        let is_used = || self.streams.iter().any(|client| client.stream.last_instance() == server);
        wait(&format!("nobody is answered by {server}"), || !is_used())?;
        self.settle("answers of the others go on")
    }

    /// Ends all of it: what each client saw, and what the routers did after the moment.
    pub fn end(self, moment: Moment) -> (Vec<ClientResult>, Vec<RouteChange>) {
        let changes = self.monitors.changes(moment.time);
        let clients = self.streams.into_iter().map(|client| {
            let ClientStream { client, pop, family, before, stream } = client;
            let rate = stream.rate();
            client_result(client, pop, family, rate, &before, &stream.stop(), moment.instant)
        });
        (clients.collect(), changes)
    }
}

/// Waits for something, within [`BOUND`].
pub fn wait(what: &str, mut look: impl FnMut() -> bool) -> Result<(), LabError> {
    let late = || LabError::Late { what: what.to_owned(), seconds: BOUND.as_secs() };
    looked_for(BOUND, || look().then_some(())).ok_or_else(late)
}

fn client_result(
    client: String,
    pop: String,
    family: usize,
    rate: u32,
    before: &str,
    record: &Record,
    zero: Instant,
) -> ClientResult {
    let after = |at: Instant| match at.checked_duration_since(zero) {
        Some(after) => after.as_secs_f64() * 1000.0,
        None => zero.duration_since(at).as_secs_f64() * -1000.0,
    };
    let mut result =
        ClientResult { client, pop, family, rate, sent: record.asked.len(), ..ClientResult::default() };
    for asked in &record.asked {
        let at_ms = after(asked.at);
        let answer = asked.answer.as_ref();
        let instance = answer.map(|(_, answer)| answer.instance.clone());
        let lost = usize::from(answer.is_none());
        if at_ms < UNDER_WAY_MS {
            result.lost_before += lost
        } else {
            result.lost += lost
        }
        if let Some((took, answer)) = answer {
            match zones::one_version(answer) {
                Ok(version) => {
                    let arrived = at_ms + took.as_secs_f64() * 1000.0;
                    result.versions.entry(version).or_insert(arrived);
                }
                Err(fault) => result.faults.push(fault),
            }
            if result.elsewhere_ms.is_none() && at_ms >= 0.0 && answer.instance != before {
                result.elsewhere_ms = Some(at_ms + took.as_secs_f64() * 1000.0);
            }
        }
        match result.segments.last_mut() {
            Some(last) if last.instance == instance => last.to_ms = at_ms,
            _ => result.segments.push(Segment { from_ms: at_ms, to_ms: at_ms, instance }),
        }
    }
    result.faults.extend(record.strays.iter().cloned());
    result.faults.truncate(MOST_FAULTS);
    result.gap_ms = record.longest_gap().as_secs_f64() * 1000.0;
    result
}

/// A query that was sent so long before the fault was under way when it came; what was lost earlier, a busy machine lost.
const UNDER_WAY_MS: f64 = -50.0;

/// How many wrong answers of a stream are told; one would fail a test.
const MOST_FAULTS: usize = 10;
