//! `[web]`: where the page and the API are, and what clients must show.

use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use ipnet::IpNet;

use crate::telemetry::with_causes;
use crate::web::{Credentials, Settings, WebError, WebTls};

use super::super::fault::Faults;
use super::super::spec::{Spec, WebSpec, span_of};
use super::path_in;

/// Off without the section.
pub(super) fn fold_web(
    spec: &Spec,
    services: &[(IpNet, Vec<IpAddr>)],
    faults: &mut Faults<'_>,
) -> Option<Settings> {
    let web = spec.web.as_ref()?;
    let before = faults.errors();
    let listen =
        web.listen.as_ref().map_or_else(|| vec![Settings::DEFAULT_LISTEN], |listen| listen.as_ref().clone());
    let path = |path| path_in(faults.folder(), path);
    let tokens = web.token_files.as_ref().map(|files| files.as_ref().iter().map(|file| path(file)).collect());
    let client_ca = web.client_ca_file.as_ref().map(|file| path(file.as_ref()));
    let tls = web.certificate.as_ref().zip(web.key.as_ref());
    let tls = tls.map(|(certificate, key)| WebTls {
        certificate: path(certificate.as_ref()),
        key: path(key),
        client_ca,
    });
    let settings = Settings { listen, tokens: tokens.unwrap_or_default(), tls };
    check_files(web, &settings, faults);
    for address in &settings.listen {
        check_address(web, &settings, *address, services, faults);
    }
    check_reach(web, &settings, faults);
    if faults.is_here() && faults.errors() == before {
        match Credentials::load(&settings) {
            Err(error) => {
                let (span, key) = match &error {
                    WebError::TokenFile(_) | WebError::Token { .. } => {
                        (span_of(&web.token_files), "web.token-files")
                    }
                    WebError::AuthorityFile(_) => (span_of(&web.client_ca_file), "web.client-ca-file"),
                    WebError::Tls(_) => (span_of(&web.certificate), "web.certificate"),
                };
                faults.error(span, key, with_causes(&error));
            }
            Ok(credentials) => {
                if let Some(warning) = credentials.certificate_warning(SystemTime::now()) {
                    faults.warning(span_of(&web.certificate), "web.certificate", warning);
                }
            }
        }
    }
    Some(settings)
}

/// Which files belong together.
fn check_files(web: &WebSpec, settings: &Settings, faults: &mut Faults<'_>) {
    if web.certificate.is_some() != web.key.is_some() {
        let message = "certificate and key belong together: name both or neither";
        faults.error(span_of(&web.certificate), "web.certificate", message);
    }
    if web.client_ca_file.is_some() && web.certificate.is_none() {
        let message = "clients show certificates over TLS alone: name certificate and key, too";
        faults.error(span_of(&web.client_ca_file), "web.client-ca-file", message);
    }
    if settings.tokens.len() > Settings::MAX_TOKENS {
        let message =
            format!("{} files; at most {} are allowed", settings.tokens.len(), Settings::MAX_TOKENS);
        faults.error(span_of(&web.token_files), "web.token-files", message);
    }
    if settings.listen.is_empty() || settings.listen.len() > Settings::MAX_LISTEN {
        let message =
            format!("{} addresses; allowed are 1 to {}", settings.listen.len(), Settings::MAX_LISTEN);
        faults.error(span_of(&web.listen), "web.listen", message);
    }
}

fn check_address(
    web: &WebSpec,
    settings: &Settings,
    address: SocketAddr,
    services: &[(IpNet, Vec<IpAddr>)],
    faults: &mut Faults<'_>,
) {
    let (key, span) = ("web.listen", span_of(&web.listen));
    if address.port() == 0 {
        faults.error(span.clone(), key, "port 0; allowed is 1 to 65535");
    }
    if settings.listen.iter().filter(|other| **other == address).count() > 1 {
        faults.error(span.clone(), key, format!("{address} stands there twice"));
    }
    let is_service = |prefix: &IpNet| prefix.contains(&address.ip()) && !address.ip().is_loopback();
    if services.iter().any(|(prefix, _)| is_service(prefix)) {
        let message = format!(
            "{address} is in a service prefix: clients of other POPs reach it; listen on a management address"
        );
        faults.error(span, key, message);
    } else if address.ip().is_unspecified() {
        let message = format!(
            "{address} takes the service addresses in, too, where the whole world can try tokens; name a management address"
        );
        faults.warning(span, key, message);
    }
}

/// Beyond loopback, clients must show who they are.
fn check_reach(web: &WebSpec, settings: &Settings, faults: &mut Faults<'_>) {
    let Some(address) = settings.listen.iter().find(|address| !address.ip().is_loopback()) else { return };
    let span = span_of(&web.listen);
    if !settings.authenticates() {
        let message = format!(
            "{address} can be reached by other hosts, so clients must show who they are: name token-files, or certificate, key and \
             client-ca-file (mutual TLS); or listen on {}",
            Settings::DEFAULT_LISTEN
        );
        faults.error(span, "web.listen", message);
    } else if settings.tls.is_none() {
        let message = format!(
            "tokens go to {address} in clear text: name certificate and key, unless the network is private"
        );
        faults.warning(span, "web.listen", message);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::{Loaded, parse};

    const BASE: &str = "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
                        [[service]]\nprefix = \"192.0.2.0/24\"\naddresses = [\"192.0.2.53\"]\n";

    fn read(text: &str) -> Result<Loaded, String> {
        parse(Path::new("/nowhere/anyns.toml"), &format!("{BASE}{text}")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_page_is_off_unless_asked_for_and_then_on_loopback() {
        assert_eq!(read("").unwrap().config.web, None);
        let web = read("[web]\n").unwrap().config.web.unwrap();
        assert_eq!((web.authenticates(), web.listen), (false, vec!["127.0.0.1:9533".parse().unwrap()]));
    }

    #[test]
    fn beyond_loopback_nobody_may_ask_without_credentials() {
        for (text, words) in [
            ("listen = [\"198.51.100.10:9533\"]", &["web.listen", "token-files", "mutual TLS"][..]),
            (
                "listen = [\"[::]:9533\"]\ncertificate = \"c\"\nkey = \"k\"",
                &["can be reached by other hosts"],
            ),
            ("listen = [\"192.0.2.53:9533\"]\ntoken-files = [\"t\"]", &["is in a service prefix"]),
            ("listen = [\"127.0.0.1:0\"]", &["port 0"]),
            ("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", &["twice"]),
            ("listen = []", &["allowed are 1 to 8"]),
            ("certificate = \"c\"", &["name both or neither"]),
            ("client-ca-file = \"c\"", &["over TLS alone"]),
            (
                "token-files = [\"t\"]",
                &["web.token-files: the token file cannot be used: /nowhere/t cannot be read", "toml:10:15:"],
            ),
            ("lisen = []", &["\"listen\" may be meant"]),
        ] {
            let text = read(&format!("[web]\n{text}\n")).unwrap_err();
            assert!(words.iter().all(|word| text.contains(word)), "{words:?} in {text}");
        }
    }
}
