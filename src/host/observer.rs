//! Once a second: can answers leave this host, and does another process take part of our queries? Counts and questions to the
//! kernel in, [`Facts`] out. Changes nothing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::handoff::{Latest, Reader};
use crate::telemetry::{Beat, Sends};

#[cfg(native)]
use super::linux as kernel;
#[cfg(not(native))]
use super::portable as kernel;
use super::route_back::RouteBack;
use super::sharing::{OwnSocket, SharingSocket, sharing};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// References that are asked about at one look, of both families: those of the config or eight clients of each.
const MOST_REFERENCES: usize = 16;

/// What is observed, and for whom.
pub struct Observed {
    /// The listening sockets of this process.
    pub sockets: Vec<OwnSocket>,
    /// The service addresses, from which answers leave.
    pub service_addresses: Vec<IpAddr>,
    /// The reference addresses of the config; if there are none, `clients` are asked about.
    pub references: Box<dyn Fn() -> Vec<IpAddr> + Send>,
    /// Tells the answers that were sent; `None` once serving has ended.
    pub sends: Box<dyn Fn() -> Option<Sends> + Send + Sync>,
    /// Tells the questions that this process asked itself, over IPv4 and over IPv6: their answers do not leave this host.
    pub asked: Box<dyn Fn() -> [u64; 2] + Send + Sync>,
    /// Tells the clients that lately completed a TCP handshake.
    pub clients: Box<dyn Fn() -> Vec<IpAddr> + Send + Sync>,
}

/// What was found at the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// For IPv4 and for IPv6: the reference addresses that no route leads to while nearly all answers cannot be sent; empty when
    /// all is well.
    pub no_route_back: [Vec<IpAddr>; 2],
    /// Sockets of other processes that take part of the queries.
    pub sharing: Vec<SharingSocket>,
    /// What the operator should know although it changes no route.
    pub alarms: Vec<String>,
}

/// What the observer tells others.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// The facts; they change when one does.
    pub facts: Reader<Facts>,
    checks: Arc<AtomicU64>,
}

impl HostFacts {
    /// How many looks have ended: while it grows, the facts are checked.
    #[must_use]
    pub fn checks(&self) -> u64 {
        self.checks.load(Ordering::Relaxed)
    }
}

/// Looks once a second.
pub struct Observer {
    observed: Observed,
    families: [RouteBack; 2],
    facts: Latest<Facts>,
    checks: Arc<AtomicU64>,
    beat: Beat,
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("families", &self.families).finish_non_exhaustive()
    }
}

impl Observer {
    /// An observer that is still to be run, and what it tells.
    #[must_use]
    pub fn new(observed: Observed) -> (Self, HostFacts) {
        let facts = Latest::new(Facts::default());
        let checks = Arc::new(AtomicU64::new(0));
        let told = HostFacts { facts: facts.reader(), checks: checks.clone() };
        (Self { observed, families: Default::default(), facts, checks, beat: Beat::new("host") }, told)
    }

    /// The heartbeat of [`Observer::run`].
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// Looks until it is dropped; may be run again after a panic. Needs a tokio runtime with time and I/O.
    pub async fn run(&mut self) {
        let beat = self.beat.clone();
        tokio::select! {
            () = self.observe_always() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn observe_always(&mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let facts = self.observe().await;
            self.facts.publish_if_new(facts);
            self.checks.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn observe(&mut self) -> Facts {
        let mut facts = Facts::default();
        for (is_tcp, sockets) in [(false, kernel::udp_sockets()), (true, kernel::tcp_listeners())] {
            match sockets {
                Ok(sockets) => facts.sharing.extend(sharing(&self.observed.sockets, is_tcp, &sockets)),
                Err(error) => {
                    facts.alarms.push(format!("the sockets of this host cannot be listed: {error}"))
                }
            }
        }
        facts.sharing.sort();
        facts.sharing.dedup();
        let shared = facts.sharing.iter();
        facts.alarms.extend(
            shared.map(|one| format!("a socket of another process takes part of the queries: {one}")),
        );
        if let Some(sends) = (self.observed.sends)() {
            self.observe_routes(&sends, &mut facts).await;
        }
        facts
    }

    async fn observe_routes(&mut self, sends: &Sends, facts: &mut Facts) {
        let totals = sends.left.into_iter().zip((self.observed.asked)()).zip(sends.without_route);
        for (index, ((left, own), without_route)) in totals.enumerate() {
            let left = left.saturating_sub(own);
            let is_ipv6 = index == 1;
            let Some(family) = self.families.get_mut(index) else { continue };
            if family.observe(left, without_route) {
                let current = references(&self.observed, is_ipv6);
                let source = self.observed.service_addresses.iter().find(|one| one.is_ipv6() == is_ipv6);
                let ways = kernel::ask_all(&family.references(&current), source.copied()).await;
                family.conclude(&ways);
            }
            if let Some(lost) = facts.no_route_back.get_mut(index) {
                *lost = family.lost().to_vec();
            }
            if let Some((failed, all)) = family.unproven() {
                let name = if is_ipv6 { "IPv6" } else { "IPv4" };
                facts.alarms.push(format!(
                    "{failed} of {all} {name} answers failed for want of a route; health.reference-addresses names none, and \
                     no client has connected over TCP, so it may be spoofed sources alone"
                ));
            }
        }
    }
}

/// The reference addresses of a family: those of the config, or the clients.
fn references(observed: &Observed, is_ipv6: bool) -> Vec<IpAddr> {
    let configured = (observed.references)();
    let all = if configured.is_empty() { (observed.clients)() } else { configured }.into_iter();
    all.filter(|address| address.is_ipv6() == is_ipv6).take(MOST_REFERENCES).collect()
}
