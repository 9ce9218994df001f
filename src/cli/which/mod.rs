//! `anyns which`: who answers at an address. Asks every address over every transport at the same time, each within one limit, and
//! prints what each said: an instance, the version of a zone, software, and how long it took. Speaks to no socket of anyns's own;
//! judges no certificate, and says so.

mod message;
mod report;
mod tls;
mod transport;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use crate::wire::Name;

use super::exit::Exit;
use super::limits::answer_limit;
use super::outcome::{CommandError, Outcome};
use super::output::{print_document, print_line};
use super::questions::block_on;
use report::{AddressReport, Report};
use transport::{Peer, Transport};

/// The most addresses that are asked: more is a scan.
const MOST_ADDRESSES: usize = 16;

/// Whom to ask and how.
#[derive(Debug, clap::Args)]
pub(super) struct WhichOptions {
    /// An IPv4 or IPv6 address, or a name, whose addresses are all asked; may be given more than once
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// Ask for this zone: its serial, and its version as ZONEVERSION tells it
    #[arg(long, value_name = "NAME")]
    zone: Option<Name>,
    /// How long to wait for each transport
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = answer_limit)]
    timeout: Duration,
    /// The port of UDP and TCP
    #[arg(long, default_value_t = 53)]
    port: u16,
    /// The port of DNS over TLS, and of DNS over QUIC
    #[arg(long, default_value_t = 853)]
    tls_port: u16,
    /// The port of DNS over HTTPS
    #[arg(long, default_value_t = 443)]
    https_port: u16,
    /// The path of DNS over HTTPS
    #[arg(long, default_value = "/dns-query", value_parser = path)]
    doh_path: String,
    /// The server's name in TLS and HTTPS; by default its address
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Ask from this address, such as the management address of a POP; may be given once for IPv4 and once for IPv6, and then each address
    /// that is asked needs one of its family
    #[arg(long = "source", value_name = "ADDRESS")]
    sources: Vec<IpAddr>,
}

fn path(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("a path begins with /".to_owned()),
    }
}

/// Prints who answers; fails if an address answers over no transport, or not for the zone.
pub(super) fn which(options: &WhichOptions, json: bool) -> Outcome {
    let report = block_on(ask(options))??;
    match json {
        true => print_document(&report)?,
        false => print_line(&report.render()),
    }
    Ok(Exit::of(report.is_good()))
}

async fn ask(options: &WhichOptions) -> Result<Report, CommandError> {
    let addresses = addresses(options).await?;
    check_sources(&options.sources, &addresses)?;
    let of_address = |address: IpAddr| async move {
        let transports = Transport::ALL.map(|transport| {
            let port = match transport {
                Transport::Udp | Transport::Tcp => options.port,
                Transport::Dot | Transport::Doq => options.tls_port,
                Transport::Doh => options.https_port,
            };
            let peer = Peer {
                address: SocketAddr::new(address, port),
                source: source_for(&options.sources, address),
                name: options.tls_name.clone(),
                path: options.doh_path.clone(),
            };
            report::ask(transport, peer, options.zone.as_ref(), options.timeout)
        });
        AddressReport { address, transports: join_all(transports).await }
    };
    let zone = options.zone.as_ref().map(ToString::to_string);
    Ok(Report { zone, addresses: join_all(addresses.into_iter().map(of_address)).await })
}

/// The source of the family of this address.
fn source_for(sources: &[IpAddr], address: IpAddr) -> Option<IpAddr> {
    sources.iter().copied().find(|source| source.is_ipv4() == address.is_ipv4())
}

/// Where a source is named, nothing leaves from another one: on a POP that may be a service address, so that the answer goes to another POP.
fn check_sources(sources: &[IpAddr], addresses: &[IpAddr]) -> Result<(), CommandError> {
    let family = |address: &IpAddr| if address.is_ipv4() { "IPv4" } else { "IPv6" };
    for (index, source) in sources.iter().enumerate() {
        if let Some(other) = sources.iter().take(index).find(|other| other.is_ipv4() == source.is_ipv4()) {
            return Err(format!("--source {other} and {source}: one of each family is enough").into());
        }
    }
    let without =
        addresses.iter().find(|address| !sources.is_empty() && source_for(sources, **address).is_none());
    match without {
        Some(address) => {
            let family = family(address);
            Err(format!("{address}: no --source is an {family} address; add one, or ask IPv4 and IPv6 addresses in commands of their own").into())
        }
        None => Ok(()),
    }
}

/// All addresses that were named, each once.
async fn addresses(options: &WhichOptions) -> Result<Vec<IpAddr>, CommandError> {
    let mut all: Vec<IpAddr> = Vec::new();
    for text in &options.addresses {
        let found = match text.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => look_up(text, options.timeout).await?,
        };
        for address in found {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    match all.len() > MOST_ADDRESSES {
        true => {
            Err(format!("{} addresses are too many: at most {MOST_ADDRESSES} are asked", all.len()).into())
        }
        false => Ok(all),
    }
}

async fn look_up(name: &str, limit: Duration) -> Result<Vec<IpAddr>, CommandError> {
    if let Ok(address) = name.parse::<SocketAddr>() {
        let message = format!(
            "{name}: an address without a port, as {}; the ports are --port, --tls-port and --https-port",
            address.ip()
        );
        return Err(message.into());
    }
    let found = tokio::time::timeout(limit, tokio::net::lookup_host((name, 0))).await;
    let found = found.map_err(|_| format!("{name}: the resolver gave no address within {limit:?}"))?;
    let found = found.map_err(|error| format!("{name}: no address, and no name that has one: {error}"))?;
    Ok(found.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_needed_for_each_family_where_one_is_named() {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        for (sources, addresses, fault) in [
            (&[][..], &["192.0.2.53", "2001:db8::53"][..], ""),
            (&["192.0.2.1"], &["192.0.2.53"], ""),
            (&["192.0.2.1", "2001:db8::1"], &["192.0.2.53", "2001:db8::53"], ""),
            (&["192.0.2.1"], &["192.0.2.53", "2001:db8::53"], "2001:db8::53: no --source is an IPv6 address"),
            (&["fe80::1"], &["192.0.2.53"], "192.0.2.53: no --source is an IPv4 address"),
            (&["192.0.2.1", "192.0.2.2"], &["192.0.2.53"], "192.0.2.1 and 192.0.2.2"),
        ] {
            let checked = check_sources(&parse(sources), &parse(addresses));
            let said = checked.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                said.contains(fault) && said.is_empty() == fault.is_empty(),
                "{sources:?} {addresses:?}: {said}"
            );
        }
    }
}
