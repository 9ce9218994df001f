//! `[tls]`, and which load balancers are believed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use toml::Spanned;

use crate::serve::{TcpSettings, TlsSettings};

use super::super::fault::Faults;
use super::super::spec::{Spec, TlsSpec, span_of};
use super::connections::fold_connections;
use super::{Pop, or_default, path_in};

/// Load balancers are a few; each accept looks at every prefix.
const MAX_PROXIES: usize = 64;

/// The encrypted transports: each on its port of every address that UDP and TCP have.
pub(super) fn fold_tls(
    spec: &Spec,
    listen: &[SocketAddr],
    tcp: &TcpSettings,
    faults: &mut Faults<'_>,
) -> Option<TlsSettings> {
    let tls = spec.tls.as_ref()?;
    check_ports(tls, listen, faults);
    let mut addresses: Vec<IpAddr> = listen.iter().map(SocketAddr::ip).collect();
    addresses.sort();
    addresses.dedup();
    let at = |port: &Option<Spanned<u16>>| {
        let port = port.as_ref().map(|port| *port.as_ref());
        let on = |port| addresses.iter().map(move |address| SocketAddr::new(*address, port)).collect();
        port.map(on).unwrap_or_default()
    };
    let doh_path = or_default(&tls.doh_path, TlsSettings::DEFAULT_DOH_PATH.to_owned());
    let plain = |octet: u8| octet.is_ascii_graphic() && !matches!(octet, b'?' | b'#');
    if !doh_path.starts_with('/') || !doh_path.bytes().all(plain) {
        let message = format!("{doh_path:?} is not a path such as \"{}\"", TlsSettings::DEFAULT_DOH_PATH);
        faults.error(span_of(&tls.doh_path), "tls.doh-path", message);
    }
    let given = (&tls.connections, &tls.connections_per_source, &tls.idle);
    let connections = fold_connections("tls.", given, tcp.exempt.clone(), faults);
    Some(TlsSettings {
        certificate: path_in(faults.folder(), &tls.certificate),
        key: path_in(faults.folder(), &tls.key),
        ticket_keys: ticket_keys(tls, faults),
        quic_reset_key: tls.quic_reset_key.as_ref().map(|file| path_in(faults.folder(), file)),
        dot: at(&tls.dot),
        doh: at(&tls.doh),
        doh3: at(&tls.doh3),
        doh_path,
        doq: at(&tls.doq),
        connections: TcpSettings { proxies: tcp.proxies.clone(), ..connections },
    })
}

/// The files of ticket keys: a few, none of them twice.
fn ticket_keys(tls: &TlsSpec, faults: &mut Faults<'_>) -> Vec<PathBuf> {
    let Some(given) = &tls.ticket_keys else { return Vec::new() };
    let key = "tls.ticket-keys";
    let most = TlsSettings::MOST_TICKET_KEYS;
    let files: Vec<PathBuf> = given.as_ref().iter().map(|file| path_in(faults.folder(), file)).collect();
    if files.is_empty() || files.len() > most {
        let message = format!(
            "{} files; allowed are 1 to {most}, the first of which issues tickets; without the key, tickets are this \
             process's own",
            files.len()
        );
        faults.error(Some(given.span()), key, message);
    }
    let twice =
        files.iter().enumerate().find(|(index, file)| files.iter().take(*index).any(|it| it == *file));
    if let Some((_, file)) = twice {
        let message = format!("{} stands here a second time; once is enough", file.display());
        faults.error(Some(given.span()), key, message);
    }
    files
}

/// Each transport has a port of its own among those over TCP, or over UDP.
fn check_ports(tls: &TlsSpec, listen: &[SocketAddr], faults: &mut Faults<'_>) {
    let over_tcp = [(&tls.dot, "tls.dot"), (&tls.doh, "tls.doh")];
    let over_udp = [(&tls.doq, "tls.doq"), (&tls.doh3, "tls.doh3")];
    for transports in [over_tcp, over_udp] {
        let mut taken: Vec<(u16, &str)> = listen.iter().map(|address| (address.port(), "serve")).collect();
        for (port, key) in transports {
            let Some(port) = port else { continue };
            let number = *port.as_ref();
            if number == 0 {
                faults.error(Some(port.span()), key, "port 0; allowed is 1 to 65535");
            }
            if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == number) {
                let message = format!("port {number} is that of {other} already; each needs its own");
                faults.error(Some(port.span()), key, message);
            }
            taken.push((number, key));
        }
    }
    if [&tls.dot, &tls.doh, &tls.doh3, &tls.doq].iter().all(|port| port.is_none()) {
        let message = format!(
            "no transport is on; add dot = {dns}, doq = {dns}, doh = {https} or doh3 = {https}",
            dns = TlsSettings::DNS_PORT,
            https = TlsSettings::HTTPS_PORT
        );
        faults.error(None, "tls", message);
    }
}

/// The load balancers that are believed. None may be where connections without a header come from.
pub(super) fn fold_proxies(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> Vec<IpNet> {
    let Some(from) = &spec.serve.proxy_from else { return Vec::new() };
    let key = "serve.proxy-from";
    let proxies = from.as_ref();
    if proxies.len() > MAX_PROXIES {
        let message = format!("{} prefixes; at most {MAX_PROXIES} are allowed", proxies.len());
        faults.error(Some(from.span()), key, message);
    }
    if let Some(all) = proxies.iter().find(|prefix| prefix.prefix_len() == 0) {
        let message = format!("{all} would believe everybody; name the load balancers' addresses");
        faults.error(Some(from.span()), key, message);
    }
    let holds = |address: &&IpAddr| proxies.iter().any(|prefix| prefix.contains(*address));
    if let Some(own) = pop.management_addresses.iter().find(holds) {
        let message =
            format!("{own} is a management address: the probes from there have no PROXY protocol header");
        faults.error(Some(from.span()), key, message);
    }
    proxies.clone()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::{Loaded, parse};

    /// A configuration with these lines in `[serve]` and as `[tls]`.
    fn read(serve: &str, tls: &str) -> Result<Loaded, String> {
        let text = format!(
            "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
             [serve]\nlisten = [\"192.0.2.53:53\", \"192.0.2.53:5353\", \"192.0.2.54:53\"]\n{serve}\n{tls}\n"
        );
        parse(Path::new("etc/anyns.toml"), &text).map_err(|error| error.to_string())
    }

    const FILES: &str = "[tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n";

    #[test]
    fn encrypted_transports_are_off_unless_asked_for_and_have_a_port_on_every_address() {
        assert_eq!(read("", "").unwrap().config.serve.tls, None);
        let tls = format!(
            "{FILES}dot = 853\ndoh = 443\ndoh3 = 443\nidle = \"20s\"\nconnections = 9\nticket-keys = ['k', '/n']\n\
             quic-reset-key = 'r'\n"
        );
        let serve = read("tcp-idle = \"3s\"\nproxy-from = [\"203.0.113.0/24\"]", &tls).unwrap().config.serve;
        let tls = serve.tls.unwrap();
        let at =
            |port| ["192.0.2.53", "192.0.2.54"].map(|ip| format!("{ip}:{port}").parse().unwrap()).to_vec();
        assert_eq!((tls.dot, tls.doh, tls.doh3, tls.doq), (at(853), at(443), at(443), vec![]));
        assert_eq!(tls.certificate, Path::new("etc/c.pem"), "relative to the file");
        assert_eq!(tls.quic_reset_key.as_deref(), Some(Path::new("etc/r")));
        assert_eq!(tls.ticket_keys, [Path::new("etc/k"), Path::new("/n")]);
        assert_eq!((tls.key.as_path(), tls.doh_path.as_str()), (Path::new("/k.pem"), "/dns-query"));
        assert_eq!((tls.connections.idle.as_secs(), tls.connections.connections), (20, 9));
        assert_eq!((serve.tcp.idle.as_secs(), serve.tcp.connections), (3, 1024));
        assert_eq!(tls.connections.exempt, serve.tcp.exempt);
        assert_eq!(tls.connections.proxies, serve.tcp.proxies);
        assert_eq!(serve.tcp.proxies[0].to_string(), "203.0.113.0/24");
    }

    #[test]
    fn faults_are_named_with_key_and_place() {
        for (serve, tls, words) in [
            (
                "",
                "[tls]\ndot = 853\n",
                &["tls.certificate: the key is missing", "tls.key: the key is missing"][..],
            ),
            ("", FILES, &["tls: no transport is on", "dot = 853"]),
            ("", &format!("{FILES}dot = 0\n"), &["12:7: tls.dot", "1 to 65535"]),
            ("", &format!("{FILES}dot = 5353\n"), &["tls.dot", "port 5353 is that of serve"]),
            ("", &format!("{FILES}doq = 53\n"), &["tls.doq", "port 53 is that of serve"]),
            ("", &format!("{FILES}dot = 443\ndoh = 443\n"), &["tls.doh", "port 443 is that of tls.dot"]),
            ("", &format!("{FILES}doq = 443\ndoh3 = 443\n"), &["tls.doh3", "port 443 is that of tls.doq"]),
            ("", &format!("{FILES}doh = 443\ndoh-path = \"q\"\n"), &["tls.doh-path", "\"/dns-query\""]),
            (
                "",
                &format!("{FILES}dot = 853\nticket-keys = []\n"),
                &["13:15: tls.ticket-keys: 0 files", "1 to 16"],
            ),
            (
                "",
                &format!(
                    "{FILES}dot = 853\nticket-keys = [{}]\n",
                    (0..17).map(|n| format!("'{n}',")).collect::<String>()
                ),
                &["tls.ticket-keys: 17 files", "1 to 16"],
            ),
            (
                "",
                &format!("{FILES}dot = 853\nticket-keys = ['a', 'b', 'a']\n"),
                &["tls.ticket-keys: etc/a stands here a second time"],
            ),
            ("", &format!("{FILES}doh = 443\nconnections = 0\n"), &["tls.connections", "1 to 100000"]),
            ("", &format!("{FILES}doh = 443\nidle = \"2h\"\n"), &["tls.idle", "100ms to 1h"]),
            ("tcp-idle = \"2h\"", "", &["serve.tcp-idle", "100ms to 1h"]),
            ("proxy-from = [\"0.0.0.0/0\"]", "", &["8:14: serve.proxy-from", "believe everybody"]),
            (
                "proxy-from = [\"198.51.100.0/24\"]",
                "",
                &["serve.proxy-from", "198.51.100.10 is a management"],
            ),
        ] {
            let text = read(serve, tls).unwrap_err();
            assert!(words.iter().all(|word| text.contains(word)), "{words:?} in {text}");
        }
    }
}
