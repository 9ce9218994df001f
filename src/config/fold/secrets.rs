//! The files of secrets that a configuration names.

use std::path::{Path, PathBuf};

use crate::transfer::settings::PeerSpec;

use super::super::spec::Spec;
use super::path_in;

/// Each file of a secret, with the key that names it.
pub(super) fn secret_files(spec: &Spec, folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let mut files = Vec::new();
    let mut add = |key, path: Option<&Path>| files.extend(path.map(|path| (key, path_in(folder, path))));
    for key in &spec.key {
        add("key.secret-file", key.as_ref().secret_file.as_deref());
    }
    if let Some(tls) = &spec.tls {
        add("tls.key", Some(&tls.key));
        for file in tls.ticket_keys.iter().flat_map(|files| files.as_ref()) {
            add("tls.ticket-keys", Some(file));
        }
        add("tls.quic-reset-key", tls.quic_reset_key.as_deref());
    }
    add("transfer.tls.key", spec.transfer.tls.as_ref().map(|tls| tls.key.as_path()));
    if let Some(web) = &spec.web {
        add("web.key", web.key.as_deref());
        for file in web.token_files.iter().flat_map(|files| files.as_ref()) {
            add("web.token-files", Some(file));
        }
    }
    for pop in spec.fleet.pop.iter().map(|pop| pop.as_ref()) {
        add("fleet.pop.token-file", pop.token_file.as_deref());
        add("fleet.pop.key", pop.key.as_deref());
    }
    let mut add_peers = |key, peers: &[PeerSpec]| {
        for tls in peers.iter().filter_map(|peer| peer.tls.as_ref()) {
            add(key, tls.key.as_deref());
        }
    };
    for zone in &spec.zone {
        add_peers("zone.primaries", &zone.primaries);
    }
    for catalog in &spec.catalog {
        add_peers("catalog.primaries", &catalog.primaries);
        for group in &catalog.group {
            add_peers("catalog.group.primaries", &group.primaries);
        }
    }
    for canary in &spec.canary {
        for secondary in canary.secondaries.as_ref() {
            add_peers("canary.secondaries", &[secondary.peer()]);
        }
    }
    files
}
