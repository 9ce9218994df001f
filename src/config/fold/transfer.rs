//! `[transfer]`, `[[key]]`, and what `[[zone]]` says of transfers.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::fleet;
use crate::telemetry::with_causes;
use crate::transfer::delay::DelaySettings;
use crate::transfer::settings::{KeySpec, TransferSpec, ZoneTransferSpec, delay_rules, read_keys, settings};
use crate::transfer::{primary, secondary};
use crate::update::UpdateSettings;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{DnssecSpec, RouteDriverSpec, ServiceSpec, Spec, ZoneSpec};
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
    /// Versions wait here: this is a last-resort POP.
    pub delay: Option<DelaySettings>,
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
        delay: None,
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
            check_forwarding(spec, &secondary, faults);
            let updates = fold_updates(spec, &keys, faults);
            let catalogs = fold_catalogs(spec, &keys, &pop.management_addresses, faults);
            secondary.catalogs = catalogs.followed.iter().map(|catalog| catalog.name.clone()).collect();
            let canaries = fold_canaries(spec, &keys, fleet, faults);
            let delay = fold_delay(spec, &transfer, faults);
            Transfers { secondary, primary, updates, catalogs, canaries, delay, form, restart_form }
        }
        Err(error) => {
            faults.error(None, "transfer", with_causes(&error));
            nothing()
        }
    }
}

/// A NOTIFY that is forwarded to a service address would come to this POP again, or be forwarded by another one.
fn check_forwarding(spec: &Spec, secondary: &secondary::SecondarySettings, faults: &mut Faults<'_>) {
    let is_service = |address: IpAddr| {
        let mut addresses = spec.service.iter().flat_map(|service| service.addresses.as_ref());
        addresses.any(|one| *one.as_ref() == address)
            || spec.service.iter().any(|service| service.prefix.as_ref().contains(&address))
    };
    for target in secondary.forward_notify.iter().filter(|target| is_service(target.address.ip())) {
        let address = target.address;
        let message = format!(
            "{address} is in the prefix of a [[service]]: name the management addresses of the other POPs, where a NOTIFY is not forwarded again"
        );
        faults.error(None, "transfer.forward-notify", message);
    }
}

/// The key that makes a last-resort POP.
const DELAY_KEY: &str = "transfer.delay";

/// The delay of a last-resort POP. Without a state directory a restart would serve the newest version, and without a look at signatures
/// nobody would know when those that are served expire.
fn fold_delay(spec: &Spec, transfer: &TransferSpec, faults: &mut Faults<'_>) -> Option<DelaySettings> {
    let rules = match delay_rules(transfer) {
        Ok(rules) => rules?,
        Err(error) => {
            faults.error(None, "transfer", with_causes(&error));
            return None;
        }
    };
    let is_off = |dnssec| dnssec == DnssecSpec::Off;
    if is_off(spec.zones.dnssec) || spec.zone.iter().any(|zone| zone.dnssec.is_some_and(is_off)) {
        let message = "zones.dnssec and zone.dnssec must not be \"off\": the delay ends before signatures expire, so they are looked at";
        faults.error(None, DELAY_KEY, message);
    }
    let is_less_preferred = |service: &ServiceSpec| {
        let has_communities = !service.communities.is_empty() || !service.large_communities.is_empty();
        has_communities || service.med.is_some() || service.prepend.is_some()
    };
    if spec.route.driver == RouteDriverSpec::Bgp && !spec.service.iter().all(is_less_preferred) {
        let message = "this is a last-resort POP, and a [[service]] has neither prepend nor med nor communities: its route is preferred like all others";
        faults.warning(None, DELAY_KEY, message);
    }
    let Some(directory) = &spec.zones.state_directory else {
        let message = "zones.state-directory is needed: there it is kept since when versions wait, and what is served until then";
        faults.error(None, DELAY_KEY, message);
        return None;
    };
    Some(DelaySettings { rules, directory: path_in(faults.folder(), directory) })
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
    let TransferSpec {
        listen,
        tls,
        transfers,
        transfers_out,
        transfers_out_per_client,
        connections_per_client,
        ..
    } = transfer;
    let delay = (transfer.delay, transfer.key_delay, transfer.signature_margin);
    let outward = (transfers_out, transfers_out_per_client, connections_per_client);
    let text = format!("{listen:?}{tls:?}{transfers:?}{outward:?}{delay:?}");
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
