//! Which client reaches which POP: each asks every service address and reads the NSID of the answer (RFC 5001).

use std::net::{IpAddr, SocketAddr};

use super::nodes::RunningLab;
use super::topology::Role;
use crate::support::dns;
use crate::support::stream::ask_udp;

/// The zone of the lab.
pub const ZONE: &str = "example.org";

/// The service addresses: the primary service over IPv4 and IPv6, then the secondary one.
pub const SERVICES: [&str; 4] = ["203.0.113.53", "2001:db8:53::53", "198.51.100.53", "2001:db8:54::53"];

/// The prefixes of the primary service, IPv4 and IPv6.
pub const PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:53::/48"];

/// What one client is answered at one address.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Catchment {
    /// The client's node.
    pub client: String,
    /// The service address.
    pub address: &'static str,
    /// The instance that answered.
    pub instance: Option<String>,
    /// The serial of the zone that it serves.
    pub serial: Option<u32>,
}

/// Asks from every client; once more where nothing comes back, as a resolver would.
pub fn map(lab: &RunningLab) -> Vec<Catchment> {
    let clients = lab.topology.with_role(Role::Client, None);
    let asks: Vec<(&str, &'static str)> =
        clients.flat_map(|client| SERVICES.map(|address| (client, address))).collect();
    std::thread::scope(|scope| {
        let ask = |(client, address): (&str, &'static str)| {
            let (space, client) = (lab.space(client), client.to_owned());
            scope.spawn(move || {
                let server: Option<IpAddr> = address.parse().ok();
                let server = server.map(|server| SocketAddr::new(server, 53));
                let answer = server.and_then(|server| {
                    let ask = || space.inside(|| ask_udp(server, ZONE, dns::SOA));
                    ask().or_else(ask)
                });
                let answer = answer.filter(|answer| answer.rcode == 0);
                let serial = answer.as_ref().and_then(|answer| answer.serials.first().copied());
                Catchment { client, address, instance: answer.map(|answer| answer.instance), serial }
            })
        };
        let threads: Vec<_> = asks.into_iter().map(ask).collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.map(|seen| seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Whether every client is answered by its own POP at every address.
pub fn is_whole(lab: &RunningLab, map: &[Catchment]) -> bool {
    let own = |seen: &Catchment| {
        let pop = lab.topology.nodes.get(&seen.client).and_then(|client| client.pop.as_deref());
        let instance = seen.instance.as_deref().and_then(|name| lab.topology.nodes.get(name));
        instance.is_some_and(|server| server.pop.as_deref() == pop)
    };
    !map.is_empty() && map.iter().all(own)
}

/// The map as a table: a line for each client, a column for each address.
pub fn table(map: &[Catchment]) -> String {
    let cell = |text: &str| format!("{text:<18}");
    let mut lines = vec![cell("") + &SERVICES.map(cell).concat()];
    let mut clients: Vec<&str> = map.iter().map(|seen| seen.client.as_str()).collect();
    clients.dedup();
    for client in clients {
        let of = |address: &&str| {
            let seen = map.iter().find(|seen| seen.client == client && seen.address == *address);
            cell(seen.and_then(|seen| seen.instance.as_deref()).unwrap_or("(no answer)"))
        };
        lines.push(cell(client) + &SERVICES.iter().map(of).collect::<String>());
    }
    lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}
