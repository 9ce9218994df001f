//! `[transfer]`, `[[key]]`, and what `[[zone]]` says of transfers.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

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
    /// What only a restart takes over.
    pub at_start: TransfersAtStart,
}

/// What of transfers only a restart takes over: sockets, how much is done at one time, and the delay of a last-resort POP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransfersAtStart {
    listen: Vec<SocketAddr>,
    listen_tls: Option<Vec<SocketAddr>>,
    inward: usize,
    outward: usize,
    outward_per_client: usize,
    connections_per_client: usize,
    delay: Option<DelaySettings>,
}

impl TransfersAtStart {
    fn new(
        secondary: &secondary::SecondarySettings,
        primary: &primary::PrimarySettings,
        delay: Option<&DelaySettings>,
    ) -> Self {
        Self {
            listen: primary.listen.clone(),
            listen_tls: primary.tls.as_ref().map(|(listen, _)| listen.clone()),
            inward: secondary.transfers,
            outward: primary.transfers,
            outward_per_client: primary.transfers_per_client,
            connections_per_client: primary.connections_per_client,
            delay: delay.cloned(),
        }
    }
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
    let nothing = || Transfers {
        secondary: Default::default(),
        primary: Default::default(),
        updates: Default::default(),
        catalogs: Default::default(),
        canaries: Vec::new(),
        delay: None,
        at_start: Default::default(),
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
            let at_start = TransfersAtStart::new(&secondary, &primary, delay.as_ref());
            Transfers { secondary, primary, updates, catalogs, canaries, delay, at_start }
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
