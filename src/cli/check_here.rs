//! What only the host itself can tell a check: its addresses and routes, ports that other processes have, places that cannot be written,
//! an ordered drain.

use std::net::SocketAddr;

use crate::config::{Config, RouteDriver};
use crate::control::ControlError;
use crate::sys::{files, user};
use crate::telemetry::with_causes;
use crate::{control, daemon, host, serve};

use super::outcome::CommandError;
use super::output::print_line;

/// Tells what it finds; whether `run` would start and answer.
pub(super) fn check_here(config: &Config) -> Result<bool, CommandError> {
    let has_addresses = print_host(config)?;
    let has_places = print_places(config);
    let has_ports = print_taken_ports(config);
    print_unwritable(config);
    print_unreadable(config);
    print_drain(config);
    Ok(has_addresses && has_places && has_ports)
}

/// Places without which `run` does not start.
fn print_places(config: &Config) -> bool {
    let mut faults = Vec::new();
    match control::check_place(&config.control) {
        Ok(()) => {}
        // The service may run as another user.
        Err(error) if !user::is_root() && is_forbidden(&error) => {
            print_line(&format!("warning: control.socket, for this user: {}", with_causes(&error)));
        }
        Err(error) => faults.push(format!("control.socket: {}", with_causes(&error))),
    }
    let state = config.publish.state_directory.as_ref();
    if let Some(state) = state.filter(|state| state.exists() && !state.is_dir()) {
        faults.push(format!(
            "zones.state-directory: {} is no directory: remove it, or name another",
            state.display()
        ));
    }
    for fault in &faults {
        print_line(&format!("error: {fault}"));
    }
    faults.is_empty()
}

/// Whether it is what another user may do.
fn is_forbidden(error: &ControlError) -> bool {
    match error {
        ControlError::Group { .. } => true,
        ControlError::Io { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// Directories that cannot be written: `run` starts, and has an alarm.
fn print_unwritable(config: &Config) {
    let state = config.publish.state_directory.as_ref().filter(|state| state.is_dir() || !state.exists());
    let state =
        state.map(|directory| ("zones.state-directory", directory, "nothing of what is served can be kept"));
    let statistics = config.rssac002.as_ref().map(|settings| &settings.directory);
    let statistics = statistics.map(|directory| ("rssac002.directory", directory, "nothing can be written"));
    for (key, directory, effect) in state.into_iter().chain(statistics) {
        if let Err(error) = files::check_directory(directory) {
            print_line(&format!("warning: {key}: {effect} in {}: {error}", directory.display()));
        }
    }
}

/// Secrets that `run` can read as root alone, where this is root: it may run as another user.
fn print_unreadable(config: &Config) {
    if !user::is_root() {
        return;
    }
    for (key, file) in &config.secret_files {
        if files::is_for_root_alone(file) {
            let file = file.display();
            print_line(&format!(
                "warning: {key}: only root can read {file}, and anyns need not run as root; where its user is anyns: chgrp anyns {file} && \
                 chmod 640 {file}"
            ));
        }
    }
}

/// Ports that other processes have. While an anyns runs here, they are its own.
fn print_taken_ports(config: &Config) -> bool {
    use serve::Transport::{Dot, Tcp, Udp};
    if control::may_be_taken(&config.control) {
        return true;
    }
    let transfers = &config.transfers.primary;
    let of_tls = transfers.tls.as_ref().map(|(listen, _)| listen.as_slice()).unwrap_or_default();
    let plain = [Udp, Tcp].into_iter().flat_map(|transport| {
        let served = serve::taken(transport, &config.serve.listen);
        served.into_iter().chain(serve::taken(transport, &transfers.listen))
    });
    let encrypted = config.serve.tls.iter().flat_map(|tls| tls.listen());
    let encrypted = encrypted.flat_map(|(transport, address)| serve::taken(transport, &[address]));
    let faults: Vec<_> = plain.chain(encrypted).chain(serve::taken(Dot, of_tls)).collect();
    for fault in &faults {
        print_line(&format!("error: {}", with_causes(fault)));
    }
    faults.is_empty()
}

/// A drain that was ordered holds over a start.
fn print_drain(config: &Config) {
    if let Some(reason) = daemon::ordered_drain(&config.publish) {
        print_line(&format!(
            "warning: this POP is drained, and nothing is announced until `anyns undrain`: {reason}"
        ));
    }
}

/// What this host must have: the addresses, and discard routes. Whether it has the addresses, without which `run` does not start.
fn print_host(config: &Config) -> Result<bool, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        print_host_routes(config).await;
        print_host_addresses(config).await
    })
}

async fn print_host_addresses(config: &Config) -> Result<bool, CommandError> {
    let services = config.service_addresses.iter().flat_map(|(_, addresses)| addresses.iter().copied());
    let services: Vec<_> = if config.install_addresses { Vec::new() } else { services.collect() };
    let missing = host::missing_addresses(&services).await?;
    let of_services: Vec<_> = config.service_addresses.iter().flat_map(|(_, addresses)| addresses).collect();
    let listen = config.serve.listen.iter().map(SocketAddr::ip);
    let listen: Vec<_> = listen.filter(|ip| !ip.is_unspecified() && !of_services.contains(&ip)).collect();
    let not_here = host::missing_addresses(&listen).await?;
    for address in &not_here {
        print_line(&format!(
            "error: serve.listen: the address {address} is not on this host; add it, or name the host's own"
        ));
    }
    let no_source = host::missing_addresses(&config.pop.management_addresses).await?;
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(host::AddressError::Missing(missing));
    }
    if !no_source.is_empty() {
        faults.push(host::AddressError::NoSource(no_source));
    }
    for fault in &faults {
        print_line(&format!("error: {fault}"));
    }
    print_session_ends(config).await?;
    Ok(faults.is_empty() && not_here.is_empty())
}

/// A session whose local end is missing does not come up, and `run` goes on without it.
async fn print_session_ends(config: &Config) -> Result<(), CommandError> {
    let RouteDriver::Bgp(bgp) = &config.route else { return Ok(()) };
    for neighbor in &bgp.neighbors {
        let own = config.pop.management_addresses.contains(&neighbor.local_address);
        if !own && !host::missing_addresses(&[neighbor.local_address]).await?.is_empty() {
            print_line(&format!(
                "warning: bgp neighbor {}: the local address {} is not on this host: the session cannot come up",
                neighbor.socket_address(),
                neighbor.local_address
            ));
        }
    }
    Ok(())
}

/// Without a blackhole route the rest of an announced prefix follows the default route back out, and loops.
async fn print_host_routes(config: &Config) {
    let prefixes = config.services.iter().map(|service| service.prefix);
    let prefixes: Vec<_> = prefixes.filter(|prefix| !prefix.addr().is_loopback()).collect();
    let more_than_services = |prefix: &ipnet::IpNet| prefix.prefix_len() < prefix.max_prefix_len();
    let prefixes: Vec<_> = prefixes.into_iter().filter(more_than_services).collect();
    if prefixes.is_empty() {
        return;
    }
    match host::without_discard_route(&prefixes).await {
        Ok(without) => {
            for prefix in without {
                print_line(&format!(
                    "warning: no blackhole route for {prefix}: packets to its unused addresses follow the default \
                     route back to the network; add `ip route add blackhole {prefix}`"
                ));
            }
        }
        Err(error) => print_line(&format!("warning: cannot look at the host's routes: {error}")),
    }
}
