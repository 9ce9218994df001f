//! `[transfer]`, `[[key]]`, and what `[[zone]]` says of transfers.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::transfer::settings::{KeySpec, PeerSpec, TransferSpec, ZoneTransferSpec, read_keys, settings};
use crate::transfer::{primary, secondary};
use crate::update::UpdateSettings;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{Spec, ZoneSpec};
use super::update::fold_updates;
use super::{Pop, chain, path_in};

/// Zones that come from primaries, and to whom zones are sent.
#[derive(Clone, Debug)]
pub struct Transfers {
    /// Zones that come from primaries.
    pub secondary: secondary::SecondarySettings,
    /// Who may have zones, and who is told of changes.
    pub primary: primary::PrimarySettings,
    /// Who may change what of zones by dynamic update.
    pub updates: UpdateSettings,
    /// SHA-256 of what the file says of it: whether two are the same.
    pub form: [u8; 32],
    /// The same of what only a restart takes over.
    pub restart_form: [u8; 32],
}

impl Transfers {
    /// Whether zones are sent.
    pub fn sends(&self) -> bool {
        !self.primary.listen.is_empty() || self.primary.tls.is_some()
    }
}

/// The settings of both sides; without any, nothing is transferred.
pub(super) fn fold_transfers(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> Transfers {
    let folder = faults.folder();
    let keys: Vec<KeySpec> = spec.key.iter().map(|key| key_below(folder, key)).collect();
    let transfer = transfer_below(folder, &spec.transfer);
    let zones: Vec<(Name, ZoneTransferSpec)> = spec
        .zone
        .iter()
        .filter_map(|zone| Some((zone.name.as_ref().parse().ok()?, zone_below(folder, zone))))
        .collect();
    let (form, restart_form) = (form(&keys, &transfer, &zones), restart_form(&transfer));
    let nothing = || Transfers {
        secondary: Default::default(),
        primary: Default::default(),
        updates: Default::default(),
        form,
        restart_form,
    };
    let keys = match read_keys(&keys) {
        Ok(keys) => Arc::new(keys),
        Err(error) => {
            faults.error(None, "key", chain(&error));
            return nothing();
        }
    };
    match settings(&transfer, &zones, keys.clone(), &pop.management_addresses) {
        Ok((secondary, primary)) => {
            let updates = fold_updates(spec, &keys, &secondary, faults);
            Transfers { secondary, primary, updates, form, restart_form }
        }
        Err(error) => {
            faults.error(None, "transfer", chain(&error));
            nothing()
        }
    }
}

/// A hash of what the file says, secrets included.
fn form(keys: &[KeySpec], transfer: &TransferSpec, zones: &[(Name, ZoneTransferSpec)]) -> [u8; 32] {
    let says_something = |(_, zone): &&(Name, ZoneTransferSpec)| {
        let ZoneTransferSpec { primaries, notify_from, allow_transfer, notify, expired } = zone;
        let is_silent = primaries.is_empty() && notify_from.is_empty() && allow_transfer.is_none();
        !is_silent || notify.is_some() || expired.is_some()
    };
    let zones: Vec<_> = zones.iter().filter(says_something).collect();
    let mut text = format!("{transfer:?}{zones:?}");
    for key in keys {
        let file = key.secret_file.as_ref().map(std::fs::read_to_string).and_then(Result::ok);
        let _ = write!(text, "{}{}{:?}{file:?}{:?}", key.name, key.algorithm, key.secret, key.mac_octets);
    }
    Sha256::digest(text).into()
}

/// The same of sockets, their certificate, and how much is done at one time.
fn restart_form(transfer: &TransferSpec) -> [u8; 32] {
    let TransferSpec { listen, tls, transfers, transfers_out, connections_per_client, .. } = transfer;
    let text = format!("{listen:?}{tls:?}{transfers:?}{transfers_out:?}{connections_per_client:?}");
    Sha256::digest(text).into()
}

fn below(folder: &Path, path: &mut Option<PathBuf>) {
    if let Some(path) = path {
        *path = path_in(folder, path);
    }
}

fn key_below(folder: &Path, key: &KeySpec) -> KeySpec {
    let mut key = key.clone();
    below(folder, &mut key.secret_file);
    key
}

fn transfer_below(folder: &Path, transfer: &TransferSpec) -> TransferSpec {
    let mut transfer = transfer.clone();
    if let Some(tls) = &mut transfer.tls {
        tls.certificate = path_in(folder, &tls.certificate);
        tls.key = path_in(folder, &tls.key);
        below(folder, &mut tls.client_ca_file);
    }
    transfer
}

fn zone_below(folder: &Path, zone: &ZoneSpec) -> ZoneTransferSpec {
    let ZoneSpec { primaries, notify_from, allow_transfer, notify, expired, .. } = zone;
    let primary = |peer: &PeerSpec| {
        let mut peer = peer.clone();
        if let Some(tls) = &mut peer.tls {
            below(folder, &mut tls.ca_file);
            below(folder, &mut tls.certificate);
            below(folder, &mut tls.key);
        }
        peer
    };
    ZoneTransferSpec {
        primaries: primaries.iter().map(primary).collect(),
        notify_from: notify_from.clone(),
        allow_transfer: allow_transfer.clone(),
        notify: notify.clone(),
        expired: *expired,
    }
}
