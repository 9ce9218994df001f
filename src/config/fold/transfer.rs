//! `[transfer]`, `[[key]]`, and what `[[zone]]` says of transfers.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::fleet;
use crate::telemetry::with_causes;
use crate::transfer::settings::{KeySpec, TransferSpec, ZoneTransferSpec, read_keys, settings};
use crate::transfer::{primary, secondary};
use crate::update::UpdateSettings;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{Spec, ZoneSpec};
use super::canary::{CanaryGroup, fold_canaries};
use super::catalog::{Catalogs, fold_catalogs, transfer_of};
use super::update::fold_updates;
use super::{Pop, below, path_in, peer_below};

/// Zones that come from primaries, and to whom zones are sent.
#[derive(Clone, Debug)]
pub struct Transfers {
    /// Zones that come from primaries.
    pub secondary: secondary::SecondarySettings,
    /// Who may have zones, and who is told of changes.
    pub primary: primary::PrimarySettings,
    /// Who may change what of zones by dynamic update.
    pub updates: UpdateSettings,
    /// Catalogs that are followed, and that are made here.
    pub catalogs: Catalogs,
    /// Secondaries that have each version of some zones before all others.
    pub canaries: Vec<CanaryGroup>,
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
pub(super) fn fold_transfers(
    spec: &Spec,
    pop: &Pop,
    fleet: &fleet::Settings,
    faults: &mut Faults<'_>,
) -> Transfers {
    let folder = faults.folder();
    let keys: Vec<KeySpec> = spec.key.iter().map(|key| key_below(folder, key)).collect();
    let transfer = transfer_below(folder, &spec.transfer);
    let zones: Vec<(Name, ZoneTransferSpec)> =
        spec.zone
            .iter()
            .filter_map(|zone| Some((zone.name.as_ref().parse().ok()?, zone_below(folder, zone))))
            .chain(spec.catalog.iter().filter_map(|catalog| {
                Some((catalog.name.as_ref().parse().ok()?, transfer_of(folder, catalog)))
            }))
            .collect();
    let (form, restart_form) = (form(&keys, &transfer, &zones), restart_form(&transfer));
    let nothing = || Transfers {
        secondary: Default::default(),
        primary: Default::default(),
        updates: Default::default(),
        catalogs: Default::default(),
        canaries: Vec::new(),
        form,
        restart_form,
    };
    let keys = match read_keys(&keys) {
        Ok(keys) => Arc::new(keys),
        Err(error) => {
            faults.error(None, "key", with_causes(&error));
            return nothing();
        }
    };
    match settings(&transfer, &zones, keys.clone(), &pop.management_addresses) {
        Ok((mut secondary, primary)) => {
            let updates = fold_updates(spec, &keys, &secondary, faults);
            let catalogs = fold_catalogs(spec, &keys, &pop.management_addresses, faults);
            secondary.catalogs = catalogs.followed.iter().map(|catalog| catalog.name.clone()).collect();
            let canaries = fold_canaries(spec, &keys, fleet, faults);
            Transfers { secondary, primary, updates, catalogs, canaries, form, restart_form }
        }
        Err(error) => {
            faults.error(None, "transfer", with_causes(&error));
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
    ZoneTransferSpec {
        primaries: primaries.iter().map(|peer| peer_below(folder, peer)).collect(),
        notify_from: notify_from.clone(),
        allow_transfer: allow_transfer.clone(),
        notify: notify.clone(),
        expired: *expired,
    }
}
