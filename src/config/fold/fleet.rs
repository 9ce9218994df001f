//! `[fleet]`: every POP, and how it is asked.

use std::collections::BTreeSet;
use std::net::IpAddr;

use toml::Spanned;

use crate::fleet::{FleetPop, FleetTls, FleetUrl, Settings};

use super::super::fault::Faults;
use super::super::spec::{FleetPopSpec, FleetSpec};
use super::path_in;

/// `sources`: the management addresses of this POP.
pub(in super::super) fn fold_fleet(
    spec: &FleetSpec,
    sources: &[IpAddr],
    faults: &mut Faults<'_>,
) -> Settings {
    let listed = &spec.pop;
    if listed.len() > Settings::MAX_POPS {
        let message = format!("{} POPs; at most {} are allowed", listed.len(), Settings::MAX_POPS);
        faults.error(listed.first().map(Spanned::span), "fleet.pop", message);
    }
    let mut names = BTreeSet::new();
    for one in listed {
        let name = &one.as_ref().name;
        super::check::label(name, "fleet.pop.name", faults);
        if !names.insert(name.as_ref().as_str()) {
            faults.error(
                Some(name.span()),
                "fleet.pop.name",
                format!("{:?} is another POP already", name.as_ref()),
            );
        }
    }
    let pops: Vec<FleetPop> = listed.iter().filter_map(|one| fold_pop(one.as_ref(), faults)).collect();
    for one in listed.iter().map(Spanned::as_ref) {
        warn_of_family(one, sources, faults);
    }
    Settings { pops, sources: sources.to_vec() }
}

/// A list is the same at every POP, so that a POP that cannot be asked from here is none of its faults.
fn warn_of_family(spec: &FleetPopSpec, sources: &[IpAddr], faults: &mut Faults<'_>) {
    let Ok(FleetUrl { host, .. }) = spec.url.as_ref().parse::<FleetUrl>() else { return };
    let Ok(address) = host.parse::<IpAddr>() else { return };
    let has_family = sources.iter().any(|own| own.is_ipv4() == address.is_ipv4());
    if !sources.is_empty() && !has_family && !address.is_loopback() {
        let message = format!(
            "{address} cannot be asked from here: no management address has this family, and nothing leaves from a service address"
        );
        faults.warning(Some(spec.url.span()), "fleet.pop.url", message);
    }
}

fn fold_pop(spec: &FleetPopSpec, faults: &mut Faults<'_>) -> Option<FleetPop> {
    let url = match spec.url.as_ref().parse::<FleetUrl>() {
        Ok(url) => url,
        Err(error) => {
            faults.error(
                Some(spec.url.span()),
                "fleet.pop.url",
                format!("{:?} is {error}", spec.url.as_ref()),
            );
            return None;
        }
    };
    let pins = spec.pins.clone().unwrap_or_default();
    if url.is_encrypted && spec.ca_file.is_none() && pins.is_empty() {
        let message = "https needs ca-file (the authority of the POP's certificate) or pins";
        faults.error(Some(spec.url.span()), "fleet.pop.url", message);
    }
    if spec.certificate.is_some() != spec.key.is_some() {
        let message = "certificate and key belong together: name both or neither";
        faults.error(spec.certificate.as_ref().map(Spanned::span), "fleet.pop.certificate", message);
    }
    let has_tls = spec.ca_file.is_some() || !pins.is_empty() || spec.certificate.is_some();
    if !url.is_encrypted && has_tls {
        let message = format!("{url} is not encrypted, but certificates or pins are named; is https meant?");
        faults.error(Some(spec.url.span()), "fleet.pop.url", message);
    }
    let path = |file| path_in(faults.folder(), file);
    let certificate = spec.certificate.as_ref().map(|file| path(file.as_ref()));
    let tls = url.is_encrypted.then(|| FleetTls {
        ca: spec.ca_file.as_ref().map(|file| path(file.as_ref())),
        server_name: spec.server_name.clone(),
        pins,
        client: certificate.zip(spec.key.as_ref().map(|file| path(file))),
    });
    let token = spec.token_file.as_ref().map(|file| path(file));
    Some(FleetPop { name: spec.name.as_ref().clone(), url, token, tls })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::{Loaded, parse};

    fn read(text: &str) -> Result<Loaded, String> {
        let base = "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
                    [serve]\nlisten = [\"127.0.0.1:53\"]\n";
        parse(Path::new("etc/anyns.toml"), &format!("{base}{text}")).map_err(|error| error.to_string())
    }

    #[test]
    fn pops_are_a_list_or_sections() {
        let inline =
            "[fleet]\npop = [{name = \"ams1\", url = \"http://198.51.100.10:9533\", token-file = \"t\"}]\n";
        let fleet = read(inline).unwrap().config.fleet;
        assert_eq!(fleet.sources, ["198.51.100.10".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(fleet.pops[0].token.as_deref(), Some(Path::new("etc/t")));
        let sections = "[[fleet.pop]]\nname = \"ams1\"\nurl = \"https://ams1.example:9533\"\nca-file = \"/ca\"\n\
                        certificate = \"c\"\nkey = \"k\"\n[[fleet.pop]]\nname = \"fra1\"\nurl = \"http://[2001:db8::1]:1\"\n";
        let fleet = read(sections).unwrap().config.fleet;
        let tls = fleet.pops[0].tls.as_ref().unwrap();
        assert_eq!(tls.client, Some(("etc/c".into(), "etc/k".into())));
        assert_eq!((tls.ca.as_deref(), fleet.pops[1].url.port), (Some(Path::new("/ca")), 1));
        // The second one is asked over IPv6, from which there is no management address.
        let warnings = read(sections).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].message.contains("2001:db8::1 cannot be asked from here"), "{warnings:?}");
    }

    #[test]
    fn faults_are_named() {
        let one = |rest: &str| format!("[[fleet.pop]]\nname = \"ams1\"\n{rest}\n");
        for (text, words) in [
            (one(""), "fleet.pop.url: the key is missing"),
            (one("url = \"ams1\""), "\"ams1\" is no URL such as"),
            (one("url = \"https://a:1\""), "https needs ca-file"),
            (one("url = \"http://a:1\"\npins = [\"x\"]"), "is https meant?"),
            (one("url = \"https://a:1\"\npins = [\"x\"]\nkey = \"k\""), "name both or neither"),
            (one("url = \"http://a:1\"").repeat(2), "\"ams1\" is another POP already"),
            (one("url = \"http://a:1\"\ntokenfile = \"t\""), "\"token-file\" may be meant"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(words), "{words} in {error}");
        }
    }
}
