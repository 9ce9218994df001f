//! What a check tells of transfers: which zones come from where, who may have zones, who is told of changes.

use crate::config::Transfers;
use crate::telemetry::counted;
use crate::transfer::notify::Target;
use crate::transfer::secondary::PrimaryServer;

use super::output::print_line;

/// The most zones of primaries that are listed one by one.
const MOST_LISTED: usize = 100;

/// One line for each zone that comes from primaries, for where zones are sent from, for whom is told, and for each canary.
pub(super) fn print_transfers(transfers: &Transfers) {
    let zones = &transfers.secondary.zones;
    let zones = zones.iter().filter(|zone| !transfers.secondary.catalogs.contains(&zone.name));
    for zone in zones.take(MOST_LISTED) {
        print_line(&format!("zone {} comes from {}", zone.name, servers(&zone.primaries)));
    }
    let primary = &transfers.primary;
    let of_tls = primary.tls.iter().flat_map(|(listen, _)| listen).map(|address| format!("{address} (TLS)"));
    let listen: Vec<String> = primary.listen.iter().map(ToString::to_string).chain(of_tls).collect();
    if !listen.is_empty() {
        let keys = counted(primary.keys.len(), "key");
        print_line(&format!("transfer: {}; {keys}", listen.join(", ")));
    }
    if !primary.notify.is_empty() {
        print_line(&format!("transfer: NOTIFY goes to {}", targets(&primary.notify)));
    }
    for canary in &transfers.canaries {
        print_line(&format!("canary {}: {}", canary.name, servers(&canary.secondaries)));
    }
}

fn servers(servers: &[PrimaryServer]) -> String {
    let text = |server: &PrimaryServer| {
        let key = server.key.as_ref().map(|key| format!(", key {key}")).unwrap_or_default();
        let tls = if server.tls.is_some() { ", TLS" } else { "" };
        format!("{}{key}{tls}", server.address)
    };
    servers.iter().map(text).collect::<Vec<_>>().join("; ")
}

fn targets(targets: &[Target]) -> String {
    targets.iter().map(|target| target.address.to_string()).collect::<Vec<_>>().join(", ")
}
