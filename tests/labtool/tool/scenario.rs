//! The scenarios: something happens while every region asks, and what follows is written down.

use super::ecmp;
use super::error::LabError;
use super::faults::{self, Breakage, Moment};
use super::nodes::RunningLab;
use super::observe::{OTHER_RATE, Observation, RATE};
use super::result::{ClientResult, FamilyResult, ScenarioResult};
use super::routes::RouteChange;
use super::sessions;
use super::steps;
use super::timeline::{FAMILIES, events, session_event};
use super::topology::{Role, Stack};

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What to call it.
    pub name: &'static str,
    /// What is done, with anyns.
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
        what: "the router loses its power; TCP, DoT, DoH and DoQ sessions are open",
        pop: "us",
        kind: Kind::Sessions(Some(Breakage::Router)),
    },
    Scenario {
        name: "sessions-drain",
        what: "anyns drain; TCP, DoT, DoH and DoQ sessions are open",
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

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Result<Self, LabError> {
        let found = SCENARIOS.iter().find(|scenario| scenario.name == name).copied();
        found.ok_or_else(|| {
            super::error::unknown("scenario", name, SCENARIOS.iter().map(|scenario| scenario.name))
        })
    }

    /// What is done with this stack.
    fn what(self, stack: Stack) -> &'static str {
        match (stack, self.kind) {
            (Stack::Stitched, Kind::Crash(Breakage::Process)) => "kill -9 of NSD",
            (Stack::Stitched, Kind::OneServer) => "kill -9 of NSD on the server that answers, of two",
            (Stack::Stitched, Kind::Drain) => "the disable file of the health checks",
            (Stack::Stitched, Kind::Sessions(Some(_))) => {
                "the router loses its power; TCP and DoT sessions are open"
            }
            (Stack::Stitched, Kind::Sessions(None)) => "the disable file; TCP and DoT sessions are open",
            (Stack::Stitched, Kind::Deploy) => "a new version of the zone at the hub; nsd-control reload",
            (Stack::Stitched, Kind::Upgrade) => {
                "every server: disable file, NSD, BIRD and ExaBGP stopped and started"
            }
            _ => self.what,
        }
    }

    /// Runs it in a whole lab, which is whole again afterwards.
    pub fn run(self, lab: &RunningLab, pop: Option<&str>) -> Result<ScenarioResult, LabError> {
        let pop = pop.unwrap_or(self.pop);
        lab.topology.the(Role::Router, pop)?;
        let observation = Observation::start(lab, pop)?;
        let mut moment = Moment::now();
        let (mut followed, mut group_changes) = (Vec::new(), Vec::new());
        let outcome = match self.kind {
            Kind::Sessions(breakage) => sessions::go_over(lab, &observation, pop, breakage, &mut moment)
                .map(|results| followed = results)
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
        result.events.extend(followed.iter().map(|session| session_event(pop, session, moment)));
        result.events.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        (result.sessions, result.group_changes) = (followed, group_changes);
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
            Kind::Deploy => steps::deploy(lab, seen),
            Kind::WrongZone => steps::wrong_zone(lab, seen),
            Kind::HubLost => steps::hub_lost(lab, seen),
            Kind::Upgrade => steps::upgrade(lab, seen),
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
        let what = self.what(lab.topology.stack);
        let events = events(what, pop, &clients, &routes, notes);
        let moves = matches!(self.kind, Kind::Crash(_) | Kind::OneServer | Kind::Drain | Kind::Sessions(_));
        let (scenario, what, runtime) = (self.name.to_owned(), what.to_owned(), lab.runtime());
        ScenarioResult {
            scenario,
            what,
            pop: pop.to_owned(),
            runtime,
            stack: lab.topology.stack.name(),
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
