//! `[serve]` and `[health]`.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::wire::Name;
use crate::{answer, health, serve};

use super::super::fault::Faults;
use super::super::spec::{EngineSpec, Spec, span_of};
use super::connections::fold_connections;
use super::tls::{fold_proxies, fold_tls};
use super::{Pop, or_default, period_or};

/// The port of DNS (RFC 1035 section 4.2).
pub(super) const DNS_PORT: u16 = 53;

/// Addresses that no two sockets, or no socket at all, can be bound to.
fn listen_faults(listen: &[SocketAddr], span: Option<std::ops::Range<usize>>, faults: &mut Faults<'_>) {
    for (index, address) in listen.iter().enumerate() {
        let before = listen.get(..index).unwrap_or_default();
        let all_of = |other: &&SocketAddr| {
            other.ip().is_unspecified()
                && other.is_ipv4() == address.is_ipv4()
                && other.port() == address.port()
        };
        let message = if before.contains(address) {
            format!("{address} stands here a second time; once is enough")
        } else if let Some(wildcard) = listen.iter().find(all_of).filter(|wildcard| *wildcard != address) {
            format!("{wildcard} takes {address}, too; name one of them")
        } else if address.ip().is_multicast() || matches!(address.ip(), IpAddr::V4(ip) if ip.is_broadcast()) {
            format!("{address} is no address of one host; allowed is a unicast address with a port")
        } else if address.port() == 0 {
            format!("{address} has port 0; allowed is 1 to 65535, usually 53")
        } else {
            continue;
        };
        faults.error(span.clone(), "serve.listen", message);
    }
}

pub(super) fn fold_serve(
    spec: &Spec,
    pop: &Pop,
    services: &[(IpNet, Vec<IpAddr>)],
    faults: &mut Faults<'_>,
) -> serve::Settings {
    let section = &spec.serve;
    let port = or_default(&section.port, DNS_PORT);
    let service_addresses = services.iter().flat_map(|(_, addresses)| addresses);
    let listen: Vec<SocketAddr> = match &section.listen {
        Some(listen) => listen.as_ref().clone(),
        None => service_addresses.map(|address| SocketAddr::new(*address, port)).collect(),
    };
    for address in services.iter().flat_map(|(_, addresses)| addresses) {
        if !listen.iter().any(|listener| listener.port() == port && covers(listener.ip(), *address)) {
            let message = format!(
                "the service address {address} is not listened on; add \"{}\"",
                SocketAddr::new(*address, port)
            );
            faults.error(span_of(&section.listen), "serve.listen", message);
        }
    }
    if section.listen.is_some() {
        listen_faults(&listen, span_of(&section.listen), faults);
    }
    if listen.is_empty() {
        let message =
            "nothing to listen on; add a [[service]] with addresses, or serve.listen = [\"address:port\"]";
        faults.error(span_of(&section.listen), "serve.listen", message);
    }
    if listen.len() > serve::Settings::MAX_LISTEN {
        let message =
            format!("{} addresses; at most {} are allowed", listen.len(), serve::Settings::MAX_LISTEN);
        faults.error(span_of(&section.listen), "serve.listen", message);
    }
    let workers = or_default(&section.workers, 0);
    if workers > serve::Settings::MAX_WORKERS {
        let message = format!(
            "{workers} workers; allowed is 0 (one for each core) to {}",
            serve::Settings::MAX_WORKERS
        );
        faults.error(span_of(&section.workers), "serve.workers", message);
    }
    let engine = match section.engine {
        EngineSpec::Auto => serve::Engine::Auto,
        EngineSpec::Native => serve::Engine::Native,
        EngineSpec::Hickory => serve::Engine::Hickory,
    };
    let tcp = fold_tcp(spec, pop, faults);
    let tls = fold_tls(spec, &listen, &tcp, faults);
    serve::Settings { engine, listen, workers, socket_affinity: section.socket_affinity, tcp, tls }
}

/// Whether a socket bound to `bound` receives what is sent to `address`; `[::]` takes IPv4 as well.
fn covers(bound: IpAddr, address: IpAddr) -> bool {
    bound == address || bound.is_unspecified() && (bound.is_ipv6() || address.is_ipv4())
}

fn fold_tcp(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> serve::TcpSettings {
    let section = &spec.serve;
    let exempt = pop.management_addresses.iter().map(|address| IpNet::from(*address)).collect();
    let given = (&section.tcp_connections, &section.tcp_connections_per_source, &section.tcp_idle);
    let settings = fold_connections("serve.tcp-", given, exempt, faults);
    serve::TcpSettings { proxies: fold_proxies(spec, pop, faults), ..settings }
}

pub(super) fn fold_answer(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> answer::Settings {
    let section = &spec.serve;
    let ceiling = or_default(&section.udp_payload_ceiling, answer::Settings::DEFAULT_UDP_PAYLOAD_CEILING);
    if !(512..=4096).contains(&ceiling) {
        let message =
            format!("{ceiling} octets; allowed is 512 to 4096, 1232 is what no usual path fragments");
        faults.error(span_of(&section.udp_payload_ceiling), "serve.udp-payload-ceiling", message);
    }
    let version = match section.version.as_deref() {
        None => Some(concat!("anyns ", env!("CARGO_PKG_VERSION")).to_owned()),
        Some("") => None,
        Some(text) => Some(text.chars().take(255).collect()),
    };
    let identity = answer::Identity { instance: pop.instance.clone(), version };
    answer::Settings {
        udp_payload_ceiling: ceiling,
        tcp_idle: period_or(&section.tcp_idle, answer::Settings::DEFAULT_TCP_IDLE),
        report_channel: fold_report_channel(spec, faults),
        cookies: fold_cookies(spec, faults),
        ..answer::Settings::new(identity)
    }
}

fn fold_report_channel(spec: &Spec, faults: &mut Faults<'_>) -> Option<Name> {
    let given = spec.serve.report_channel.as_ref()?;
    let mut refuse = |message: String| faults.error(Some(given.span()), "serve.report-channel", message);
    match given.as_ref().parse::<Name>() {
        // Resolvers send no report to the root (RFC 9567 section 6.1).
        Ok(name) if name.is_root() => {
            refuse("the root cannot take error reports; leave the key out".to_owned())
        }
        Ok(name) => return Some(name),
        Err(error) => refuse(format!("{error}; allowed is the domain name of a reporting agent")),
    }
    None
}

fn fold_cookies(spec: &Spec, faults: &mut Faults<'_>) -> Option<answer::CookieSettings> {
    let section = &spec.serve;
    let required = or_default(&section.cookie_required, false);
    let Some(given) = &section.cookie_secrets else {
        if required {
            let message =
                "needs serve.cookie-secrets: without a secret there are no server cookies".to_owned();
            faults.error(span_of(&section.cookie_required), "serve.cookie-required", message);
        }
        return None;
    };
    let most = answer::CookieSettings::MAX_SECRETS;
    if !(1..=most).contains(&given.as_ref().len()) {
        let message =
            format!("{} secrets; allowed is 1 to {most}, the first makes cookies", given.as_ref().len());
        faults.error(Some(given.span()), "serve.cookie-secrets", message);
    }
    let secrets = given.as_ref().iter().filter_map(|text| {
        let secret = answer::CookieSecret::from_hex(text.as_ref());
        if secret.is_none() {
            // The text itself is a secret, though a broken one.
            let message = "a secret is 32 hexadecimal digits, such as \"openssl rand -hex 16\" prints";
            faults.error(Some(text.span()), "serve.cookie-secrets", message);
        }
        secret
    });
    Some(answer::CookieSettings { secrets: secrets.collect(), required })
}

pub(super) fn fold_health(
    spec: &Spec,
    pop: &Pop,
    services: &[(IpNet, Vec<IpAddr>)],
    required: &[Name],
    faults: &mut Faults<'_>,
) -> health::Settings {
    let section = &spec.health;
    let settings = health::Settings {
        addresses: services.iter().flat_map(|(_, addresses)| addresses.iter().copied()).collect(),
        port: or_default(&spec.serve.port, DNS_PORT),
        management_addresses: pop.management_addresses.clone(),
        instance: pop.instance.clone(),
        required: required.to_vec(),
        interval: period_or(&section.interval, health::Settings::DEFAULT_INTERVAL),
        timeout: period_or(&section.timeout, health::Settings::DEFAULT_TIMEOUT),
        rise: or_default(&section.rise, health::Settings::DEFAULT_RISE),
        fall: or_default(&section.fall, health::Settings::DEFAULT_FALL),
        reference_addresses: or_default(&section.reference_addresses, Vec::new()),
    };
    for fault in settings.faults() {
        use health::SettingsError::{
            DuplicateAddress, NoSource, OutOfRange, SourceIsService, SourceUnspecified,
        };
        let (span, key) = match &fault {
            OutOfRange { knob: "interval", .. } => (span_of(&section.interval), "health.interval"),
            OutOfRange { knob: "timeout", .. } => (span_of(&section.timeout), "health.timeout"),
            OutOfRange { knob: "rise", .. } => (span_of(&section.rise), "health.rise"),
            OutOfRange { knob: "fall", .. } => (span_of(&section.fall), "health.fall"),
            OutOfRange { knob: "reference-addresses", .. } => {
                (span_of(&section.reference_addresses), "health.reference-addresses")
            }
            OutOfRange { knob: "port", .. } => (span_of(&spec.serve.port), "serve.port"),
            // `check::addresses` and `check::label` say it at the value itself.
            SourceIsService { .. }
            | SourceUnspecified { .. }
            | DuplicateAddress { .. }
            | OutOfRange { .. } => continue,
            NoSource { .. } => (Some(spec.pop.management_addresses.span()), "pop.management-addresses"),
            _ => (spec.service.first().map(|service| service.addresses.span()), "service.addresses"),
        };
        faults.error(span, key, fault.to_string());
    }
    settings
}
