//! Once a second: can answers leave this host, and does another process take part of our queries? Counts and questions to the
//! kernel in, [`Facts`] out. Changes nothing.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rtnetlink::Handle;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};

use crate::handoff::{Latest, Reader};
use crate::sys::proc_net;
use crate::telemetry::{Beat, Sends};

use super::route_back::{RouteBack, Way};
use super::sharing::{OwnSocket, SharingSocket, sharing};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// How long the kernel may take to answer about one address: it does so at once, or a message was lost.
const KERNEL: Duration = Duration::from_millis(200);

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
            () = self.look_on() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn look_on(&mut self) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let facts = self.look().await;
            self.facts.publish_if_new(facts);
            self.checks.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn look(&mut self) -> Facts {
        let mut facts = Facts::default();
        for (is_tcp, sockets) in [(false, proc_net::udp_sockets()), (true, proc_net::tcp_listeners())] {
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
            self.look_at_routes(&sends, &mut facts).await;
        }
        facts
    }

    async fn look_at_routes(&mut self, sends: &Sends, facts: &mut Facts) {
        let totals = sends.left.into_iter().zip((self.observed.asked)()).zip(sends.without_route);
        for (index, ((left, own), without_route)) in totals.enumerate() {
            let left = left.saturating_sub(own);
            let is_ipv6 = index == 1;
            let Some(family) = self.families.get_mut(index) else { continue };
            if family.observe(left, without_route) {
                let current = references(&self.observed, is_ipv6);
                let source = self.observed.service_addresses.iter().find(|one| one.is_ipv6() == is_ipv6);
                let ways = ask_all(&family.references(&current), source.copied()).await;
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

/// Asks the kernel for the way to each of these, from the source.
async fn ask_all(references: &[IpAddr], source: Option<IpAddr>) -> Vec<(IpAddr, Way)> {
    let Ok((connection, handle, _)) = rtnetlink::new_connection() else {
        return references.iter().map(|address| (*address, Way::Unknown)).collect();
    };
    let ask = async {
        let mut ways = Vec::new();
        for address in references.iter().take(MOST_REFERENCES) {
            let way = tokio::time::timeout(KERNEL, way(&handle, *address, source)).await;
            ways.push((*address, way.unwrap_or(Way::Unknown)));
        }
        ways
    };
    tokio::select! {
        ways = ask => ways,
        () = connection => references.iter().map(|address| (*address, Way::Unknown)).collect(),
    }
}

async fn way(handle: &Handle, to: IpAddr, from: Option<IpAddr>) -> Way {
    use futures_util::TryStreamExt;
    let mut replies = std::pin::pin!(handle.route().get(question(to, from)).execute());
    match replies.try_next().await {
        Ok(Some(route)) => match route.header.kind {
            RouteType::Unicast => Way::Route,
            RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw => {
                Way::None
            }
            _ => Way::Unknown,
        },
        Err(rtnetlink::Error::NetlinkError(message)) => match -message.raw_code() {
            // None, unreachable, blackhole and prohibit.
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL | libc::EACCES => Way::None,
            _ => Way::Unknown,
        },
        Ok(None) | Err(_) => Way::Unknown,
    }
}

/// RTM_GETROUTE for one address (rtnetlink(7)).
fn question(to: IpAddr, from: Option<IpAddr>) -> RouteMessage {
    let route_address = |address: IpAddr| match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    };
    let length = if to.is_ipv4() { 32 } else { 128 };
    let mut message = RouteMessage::default();
    message.header.address_family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = length;
    message.attributes.push(RouteAttribute::Destination(route_address(to)));
    if let Some(from) = from {
        message.header.source_prefix_length = length;
        message.attributes.push(RouteAttribute::Source(route_address(from)));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_this_host_proves_nothing() {
        for (to, from) in [("127.0.0.5", "127.0.0.1"), ("::1", "::1")] {
            let (to, from) = (to.parse().unwrap(), Some(from.parse().unwrap()));
            assert_eq!(ask_all(&[to], from).await, [(to, Way::Unknown)], "the way to {to}");
        }
    }
}
