//! The scenarios: something happens while every region asks, and what follows is written down.

use super::catchment::ZONE;
use super::ecmp;
use super::error::LabError;
use super::faults::{self, Breakage, Moment};
use super::nodes::RunningLab;
use super::observe::{OTHER_RATE, Observation, RATE, wait};
use super::result::{ClientResult, Event, FamilyResult, ScenarioResult};
use super::routes::RouteChange;
use super::sessions::{End, SessionResult, Sessions};
use super::topology::Role;
use super::zone;

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What to call it.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// The POP that it happens to, unless another is asked for.
    pub pop: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Crash(Breakage),
    OneServer,
    Drain,
    CutOff,
    Deploy,
    WrongZone,
    HubLost,
    Upgrade,
    /// A router that loses its power, or a drain, while clients have sessions open.
    Sessions(Option<Breakage>),
    /// A server joins and leaves the ECMP group of its POP, of resilient next hops where it says so.
    Group {
        is_resilient: bool,
    },
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "process-crash",
        what: "kill -9 of anyns",
        pop: "us",
        kind: Kind::Crash(Breakage::Process),
    },
    Scenario {
        name: "one-of-two",
        what: "kill -9 of anyns on the server that answers, of two",
        pop: "ap",
        kind: Kind::OneServer,
    },
    Scenario {
        name: "server-crash",
        what: "the server loses its power",
        pop: "us",
        kind: Kind::Crash(Breakage::Server),
    },
    Scenario {
        name: "switch-crash",
        what: "the switch forwards nothing, carriers stay",
        pop: "us",
        kind: Kind::Crash(Breakage::Switch),
    },
    Scenario {
        name: "router-crash",
        what: "the router loses its power",
        pop: "us",
        kind: Kind::Crash(Breakage::Router),
    },
    Scenario {
        name: "link-loss",
        what: "the link between the POP and its transit is lost",
        pop: "us",
        kind: Kind::Crash(Breakage::Link),
    },
    Scenario { name: "drain", what: "anyns drain", pop: "eu", kind: Kind::Drain },
    Scenario {
        name: "sessions-crash",
        what: "the router loses its power; TCP, DoT and DoQ sessions are open",
        pop: "us",
        kind: Kind::Sessions(Some(Breakage::Router)),
    },
    Scenario {
        name: "sessions-drain",
        what: "anyns drain; TCP, DoT and DoQ sessions are open",
        pop: "eu",
        kind: Kind::Sessions(None),
    },
    Scenario {
        name: "ecmp-plain",
        what: "a server joins and leaves a plain ECMP group; TCP connections are open",
        pop: "ap",
        kind: Kind::Group { is_resilient: false },
    },
    Scenario {
        name: "ecmp-resilient",
        what: "a server joins and leaves a resilient ECMP group; TCP connections are open",
        pop: "ap",
        kind: Kind::Group { is_resilient: true },
    },
    Scenario {
        name: "cut-off",
        what: "the region loses its links to the others",
        pop: "us",
        kind: Kind::CutOff,
    },
    Scenario {
        name: "upgrade",
        what: "every server is stopped (SIGTERM) and started, one after the other",
        pop: "us",
        kind: Kind::Upgrade,
    },
    Scenario { name: "deploy", what: "a new version of the zone at the hub", pop: "us", kind: Kind::Deploy },
    Scenario {
        name: "wrong-zone",
        what: "a zone without nearly all of its records at the hub",
        pop: "us",
        kind: Kind::WrongZone,
    },
    Scenario { name: "hub-lost", what: "the hub dies; SOA refresh is 4 s", pop: "us", kind: Kind::HubLost },
];

/// How many answers pass while the hub is lost: two times SOA refresh (4 s) at the rate of the streams.
const TWO_REFRESHES: u32 = 8;

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Result<Self, LabError> {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name).copied();
        found.ok_or_else(|| {
            super::error::unknown("scenario", name, SCENARIOS.iter().map(|scenario| scenario.name))
        })
    }

    /// Runs it in a whole lab, which is whole again afterwards.
    pub fn run(self, lab: &RunningLab, pop: Option<&str>) -> Result<ScenarioResult, LabError> {
        let pop = pop.unwrap_or(self.pop);
        lab.topology.the(Role::Router, pop)?;
        let observation = Observation::start(lab, pop)?;
        let mut moment = Moment::now();
        let (mut sessions, mut group_changes) = (Vec::new(), Vec::new());
        let outcome = match self.kind {
            Kind::Sessions(breakage) => sessions_move(lab, &observation, pop, breakage, &mut moment)
                .map(|results| sessions = results)
                .map(|()| Vec::new()),
            Kind::Group { is_resilient } => ecmp::change_group(lab, pop, is_resilient, &mut moment)
                .map(|results| group_changes = results)
                .map(|()| Vec::new()),
            _ => self.happen(lab, &observation, pop, &mut moment),
        };
        let (clients, routes) = observation.end(moment);
        let notes = match outcome {
            Ok(notes) => notes,
            Err(error) => {
                // The first fault is the one to tell; the lab may still be put right.
                let _ = faults::mend(lab);
                return Err(error);
            }
        };
        let mut result = self.result(lab, pop, clients, routes, notes);
        result.events.extend(sessions.iter().map(|session| session_event(pop, session, moment)));
        result.events.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        (result.sessions, result.group_changes) = (sessions, group_changes);
        faults::mend(lab)?;
        Ok(result)
    }

    /// Does it and waits for what must follow; what was seen besides. Corrects the moment where it is known better.
    fn happen(
        self,
        lab: &RunningLab,
        seen: &Observation,
        pop: &str,
        moment: &mut Moment,
    ) -> Result<Vec<String>, LabError> {
        match self.kind {
            Kind::Crash(breakage) => {
                *moment = breakage.make(lab, pop)?;
                seen.wait_elsewhere(lab, pop)?;
                seen.settle("answers from elsewhere go on").map(|()| Vec::new())
            }
            Kind::OneServer => {
                let servers: Vec<&str> = seen.of_pop(pop).map(|client| client.before.as_str()).collect();
                // The IPv4 stream's server; the IPv6 stream may be at the other one.
                let Some(server) = servers.first() else { return Ok(Vec::new()) };
                *moment = Breakage::Process.make(lab, server)?;
                seen.wait_gone(server)?;
                seen.settle("the other server goes on").map(|()| Vec::new())
            }
            Kind::Drain => {
                faults::drain(lab, pop)?;
                seen.wait_elsewhere(lab, pop)?;
                seen.settle("answers from elsewhere go on").map(|()| Vec::new())
            }
            Kind::CutOff => {
                *moment = faults::cut_off(lab, pop)?;
                // Longer than every hold time, so that whatever would be withdrawn is: 10 s of answers.
                seen.wait_answers("answers go on", OTHER_RATE * 10, RATE * 10).map(|()| Vec::new())
            }
            Kind::Deploy => {
                let version = next_version(lab)?;
                zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, version)?)?;
                // As a pipeline waits; what each server says of itself is looked at beside it.
                zone::wait(lab, ZONE, version)?;
                wait_all_serve(lab, version)?;
                seen.settle("answers of the new version go on").map(|()| Vec::new())
            }
            Kind::WrongZone => wrong_zone(lab, seen),
            Kind::HubLost => hub_lost(lab, seen),
            Kind::Upgrade => upgrade(lab, seen),
            // These have results of their own.
            Kind::Sessions(_) | Kind::Group { .. } => Ok(Vec::new()),
        }
    }

    fn result(
        self,
        lab: &RunningLab,
        pop: &str,
        clients: Vec<ClientResult>,
        routes: Vec<RouteChange>,
        notes: Vec<String>,
    ) -> ScenarioResult {
        let transit = lab.topology.the(Role::Transit, pop).unwrap_or_default();
        let of_pop =
            |family: usize| clients.iter().find(|client| client.pop == pop && client.family == family);
        let family = |family: usize| {
            let client = of_pop(family)?;
            let first = routes.iter().find(|change| change.router == transit && change.family == family);
            Some(FamilyResult {
                family: FAMILIES[family],
                withdrawn_ms: first.map(|change| change.at_ms),
                elsewhere_ms: client.elsewhere_ms,
                lost: client.lost,
                sent: client.sent,
                rate: client.rate,
            })
        };
        let families = [0, 1].into_iter().filter_map(family).collect();
        let lost_elsewhere =
            clients.iter().filter(|client| client.pop != pop).map(|client| client.lost).sum();
        let events = events(self.what, pop, &clients, &routes, notes);
        let moves = matches!(self.kind, Kind::Crash(_) | Kind::OneServer | Kind::Drain | Kind::Sessions(_));
        let (scenario, what, runtime) = (self.name.to_owned(), self.what.to_owned(), lab.runtime());
        ScenarioResult {
            scenario,
            what,
            pop: pop.to_owned(),
            runtime,
            moves,
            families,
            lost_elsewhere,
            events,
            clients,
            routes,
            sessions: Vec::new(),
            group_changes: Vec::new(),
        }
    }
}

/// What became of a session, at the time when its retry was answered.
fn session_event(pop: &str, session: &SessionResult, moment: Moment) -> Event {
    let asked_ms = session.asked.saturating_duration_since(moment.instant).as_secs_f64() * 1000.0;
    let (family, name) = (FAMILIES[session.family], session.transport.name());
    let end = match session.end {
        End::Reset => "is reset",
        End::Closed => "is closed by it",
        End::Silence => "is given up",
    };
    let how = match session.resumed {
        Some(true) => "resumes it at",
        _ => "is answered anew by",
    };
    let what = format!(
        "client-{pop}: the {name} session with {} {end} {:.1} ms after its next query; the client {how} {} ({family})",
        session.before, session.ended_ms, session.after
    );
    Event { at_ms: asked_ms + session.answered_ms, what }
}

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

/// The events in order: the fault, the first change at each router, and what the clients of the POP saw.
fn events(
    what: &str,
    pop: &str,
    clients: &[ClientResult],
    routes: &[RouteChange],
    notes: Vec<String>,
) -> Vec<Event> {
    let mut events = vec![Event { at_ms: 0.0, what: what.to_owned() }];
    let mut told: Vec<(&str, usize)> = Vec::new();
    for change in routes {
        let key = (change.router.as_str(), change.family);
        if !told.contains(&key) {
            told.push(key);
            let how = if change.gone { "has no route any more" } else { "has another route" };
            let what = format!("{} {how} ({})", change.router, FAMILIES[change.family]);
            events.push(Event { at_ms: change.at_ms, what });
        }
    }
    for client in clients.iter().filter(|client| client.pop == pop) {
        let (name, family) = (&client.client, FAMILIES[client.family]);
        let mut tell = |at_ms: f64, what: String| {
            events.push(Event { at_ms, what: format!("{name} {what} ({family})") })
        };
        if let Some(lost) =
            client.segments.iter().find(|segment| segment.instance.is_none() && segment.to_ms >= -50.0)
        {
            tell(lost.from_ms, format!("loses its first query of {}", client.lost));
        }
        if let Some(at_ms) = client.elsewhere_ms {
            let mut servers = client.segments.iter().filter_map(|segment| segment.instance.as_deref());
            let before = servers.next().unwrap_or_default();
            let next = servers.find(|server| *server != before).unwrap_or("another server");
            tell(at_ms, format!("is answered by {next}"));
        }
        for (version, at_ms) in client.versions.iter().filter(|(_, at_ms)| **at_ms > 0.0) {
            tell(*at_ms, format!("is answered from version {version}"));
        }
    }
    let last = events.iter().map(|event| event.at_ms).fold(0.0, f64::max);
    events.extend(notes.into_iter().map(|what| Event { at_ms: last, what }));
    events.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    events
}

/// A version that no server has had, one above the highest that any client is answered.
fn next_version(lab: &RunningLab) -> Result<u32, LabError> {
    let serials = super::catchment::map(lab).into_iter().filter_map(|seen| seen.serial);
    let refused = hub_serial(lab).unwrap_or(0);
    Ok(serials.max().unwrap_or(1).max(refused) + 1)
}

fn hub_serial(lab: &RunningLab) -> Option<u32> {
    let hub = lab.topology.with_role(Role::Hub, None).next()?;
    let status = status(lab, hub)?;
    status["zones"].as_array()?.first()?["serial"].as_u64()?.try_into().ok()
}

/// Waits until every server serves this version.
fn wait_all_serve(lab: &RunningLab, version: u32) -> Result<(), LabError> {
    wait(&format!("every server serves version {version}"), || {
        lab.topology.with_role(Role::Server, None).all(|server| {
            let status = status(lab, server);
            status.is_some_and(|status| {
                status["zones"][0]["serial"] == version && status["zones"][0]["state"] == "served"
            })
        })
    })
}

/// The status document of the anyns on a node.
pub fn status(lab: &RunningLab, node: &str) -> Option<serde_json::Value> {
    let output = lab.command(node, &["anyns", "status", "--json"]).ok()?.output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// A wrong version reaches the POPs: each refuses it and serves on; the next right one is taken.
fn wrong_zone(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    let version = next_version(lab)?;
    zone::deploy(lab, ZONE, &zone::shrunk(&lab.topology, version)?)?;
    let mut notes = Vec::new();
    for server in lab.topology.with_role(Role::Server, None) {
        wait(&format!("{server} refuses version {version}"), || {
            let Some(status) = status(lab, server) else { return false };
            let Some(fault) = status["zones"][0]["faults"].as_array().and_then(|faults| faults.first())
            else {
                return false;
            };
            let text = fault.as_str().map_or_else(|| fault.to_string(), ToOwned::to_owned);
            notes.push(format!("{server} refuses it: {text}"));
            true
        })?;
    }
    seen.settle("answers of the old version go on")?;
    let right = version + 1;
    zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, right)?)?;
    wait_all_serve(lab, right)?;
    seen.settle("answers of the right version go on")?;
    Ok(notes)
}

/// The hub is gone for two times SOA refresh; then it comes back with a new version.
fn hub_lost(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    let hub = lab.topology.with_role(Role::Hub, None).next().unwrap_or("hub").to_owned();
    let version = next_version(lab)?;
    lab.run(&hub, &["sh", "/run/lab/node", "kill-server"])?;
    seen.wait_answers("answers go on without the hub", OTHER_RATE * TWO_REFRESHES, RATE * TWO_REFRESHES)?;
    zone::deploy(lab, ZONE, &zone::at_version(&lab.topology, version)?)?;
    lab.run(&hub, &["sh", "/run/lab/node", "mend"])?;
    wait_all_serve(lab, version)?;
    seen.settle("answers of the new version go on")?;
    Ok(Vec::new())
}

/// Sessions are open when the POP breaks or, without a breakage, is drained; the client goes on as soon as another POP answers.
fn sessions_move(
    lab: &RunningLab,
    seen: &Observation,
    pop: &str,
    breakage: Option<Breakage>,
    moment: &mut Moment,
) -> Result<Vec<SessionResult>, LabError> {
    let open = Sessions::open(lab, pop)?;
    *moment = match breakage {
        Some(breakage) => breakage.make(lab, pop)?,
        None => Moment::now(),
    };
    let results = std::thread::scope(|scope| {
        // The order returns when the drain is done; the routes move before.
        let drain = breakage.is_none().then(|| scope.spawn(|| faults::drain(lab, pop)));
        let results = seen.wait_elsewhere(lab, pop).and_then(|()| open.go_on());
        let drained =
            drain.map(|drain| drain.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        drained.transpose().and(results)
    })?;
    seen.settle("answers from elsewhere go on").map(|()| results)
}

/// Each server is stopped in order and started again; the next one only when the lab is whole.
fn upgrade(lab: &RunningLab, seen: &Observation) -> Result<Vec<String>, LabError> {
    for server in lab.topology.with_role(Role::Server, None) {
        lab.run(server, &["pkill", "-TERM", "-x", "anyns"])?;
        wait(&format!("anyns on {server} ends"), || lab.run(server, &["pgrep", "-x", "anyns"]).is_err())?;
        lab.run(server, &["sh", "/run/lab/node", "mend"])?;
        faults::wait_whole(lab)?;
    }
    seen.settle("answers go on")?;
    Ok(Vec::new())
}
