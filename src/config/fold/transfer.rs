//! `[transfer]`, `[[key]]`, and what `[[zone]]` says of transfers.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use toml::Spanned;

use crate::fleet;
use crate::telemetry::{CertificateValidity, with_causes};
use crate::transfer::delay::DelaySettings;
use crate::transfer::settings::{
    KeySpec, PlacedFault, SettingsFault, TransferSpec, ZoneTransferSpec, delay_rules, read_keys, settings,
};
use crate::transfer::{primary, secondary};
use crate::update::UpdateSettings;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{DnssecSpec, ServiceSpec, Spec, ZoneSpec};
use super::canary::{CanaryGroup, fold_canaries};
use super::catalog::{Catalogs, fold_catalogs, transfer_of};
use super::own::leave_out_own;
use super::update::fold_updates;
use super::{Pop, below, key_of, path_in, peer_below};

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
    /// The certificates that are shown to others.
    pub certificates: Vec<ShownCertificate>,
}

/// A certificate that is shown to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// What it is used for: `transfer.tls` is shown to secondaries, `transfer.client` to primaries and canaries.
    pub purpose: &'static str,
    /// When it is valid.
    pub validity: CertificateValidity,
}

impl ShownCertificate {
    /// What certificates are used for here.
    pub const PURPOSES: [&'static str; 2] = ["transfer.tls", "transfer.client"];

    /// What is wrong with its dates at this moment, in words.
    #[must_use]
    pub fn warning(&self, now: SystemTime) -> Option<String> {
        let whose = match self.purpose {
            "transfer.client" => "shown to primaries and canaries",
            _ => "of [transfer.tls]",
        };
        Some(format!("the certificate {whose}: {}", self.validity.warning(now)?))
    }
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

    fn shown_certificates(&self) -> Vec<ShownCertificate> {
        let server = self.primary.tls.as_ref().and_then(|(_, server)| server.validity());
        let zones = self.secondary.zones.iter().chain(self.catalogs.followed.iter().map(|it| &it.zones));
        let primaries = zones.flat_map(|zone| &zone.primaries);
        let peers = primaries.chain(self.canaries.iter().flat_map(|group| &group.secondaries));
        // Many peers are shown the same one.
        let client: BTreeSet<CertificateValidity> =
            peers.filter_map(|peer| peer.tls.as_ref()?.validity()).collect();
        let server =
            server.into_iter().map(|validity| ShownCertificate { purpose: "transfer.tls", validity });
        let client =
            client.into_iter().map(|validity| ShownCertificate { purpose: "transfer.client", validity });
        server.chain(client).collect()
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
    let keys: Vec<KeySpec> = spec.key.iter().map(|key| key_below(folder, key.as_ref())).collect();
    let transfer = transfer_below(folder, &spec.transfer);
    let mut zones: Vec<(Name, ZoneTransferSpec)> = Vec::new();
    // Where each of them stands, and the word for it in keys.
    let mut places: Vec<(Range<usize>, &str)> = Vec::new();
    // Of a hundred thousand zones most say nothing of transfers.
    let says_something = |zone: &&ZoneSpec| {
        !zone.primaries.is_empty() || zone.allow_transfer.is_some() || zone.notify.is_some()
    };
    for zone in spec.zone.iter().filter(says_something) {
        if let Ok(name) = zone.name.as_ref().parse() {
            zones.push((name, zone_below(folder, zone)));
            places.push((zone.name.span(), "zone"));
        }
    }
    for catalog in &spec.catalog {
        if let Ok(name) = catalog.name.as_ref().parse() {
            zones.push((name, transfer_of(folder, catalog)));
            places.push((catalog.name.span(), "catalog"));
        }
    }
    let (keys, has_all_keys) = match read_keys(&keys) {
        Ok(keys) => (Arc::new(keys), true),
        Err(found) => {
            for (index, error) in found {
                faults.error(spec.key.get(index).map(Spanned::span), "key", with_causes(&error));
            }
            (Arc::default(), false)
        }
    };
    let both = settings(&transfer, &zones, keys.clone(), &pop.management_addresses);
    let (mut secondary, primary) = both.unwrap_or_else(|found| {
        // A key that could not be read is there all the same.
        let is_told = |fault: &SettingsFault| has_all_keys || !matches!(fault, SettingsFault::NoKey { .. });
        let found: Vec<PlacedFault> = found.into_iter().filter(|one| is_told(&one.fault)).collect();
        note(&found, &places, faults);
        Default::default()
    });
    let delay = fold_delay(spec, &transfer, faults);
    let mut transfers = Transfers {
        updates: Default::default(),
        catalogs: Default::default(),
        canaries: Vec::new(),
        at_start: TransfersAtStart::new(&secondary, &primary, delay.as_ref()),
        delay,
        certificates: Vec::new(),
        secondary: Default::default(),
        primary,
    };
    check_forwarding(spec, &secondary, faults);
    if has_all_keys {
        transfers.updates = fold_updates(spec, &keys, faults);
        transfers.catalogs = fold_catalogs(spec, &keys, &pop.management_addresses, faults);
        transfers.canaries = fold_canaries(spec, &keys, fleet, faults);
    }
    let followed = transfers.catalogs.followed.iter();
    secondary.catalogs = followed.map(|catalog| catalog.name.clone()).collect();
    let both = (&mut transfers.primary, &mut secondary);
    leave_out_own(both, &mut transfers.catalogs.followed, spec, faults);
    let transfers = Transfers { secondary, ..transfers };
    let certificates = transfers.shown_certificates();
    for warning in certificates.iter().filter_map(|certificate| certificate.warning(SystemTime::now())) {
        let span = faults.span_of("transfer");
        faults.warning(span, "transfer", warning);
    }
    Transfers { certificates, ..transfers }
}

/// Notes faults at the name of their zone, or where the value of their key stands.
fn note(found: &[PlacedFault], places: &[(Range<usize>, &str)], faults: &mut Faults<'_>) {
    let mut spans: HashMap<&str, Option<Range<usize>>> = HashMap::new();
    for PlacedFault { zone, fault } in found {
        let (key, message) = (fault.key(), with_causes(fault));
        match zone.and_then(|index| places.get(index)) {
            Some((span, word)) => faults.error_once(Some(span.clone()), &key_of(word, fault), message),
            None => {
                let span = spans.entry(key).or_insert_with(|| faults.span_of(key)).clone();
                faults.error(span, key, message);
            }
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
        faults.error(faults.span_of("transfer.forward-notify"), "transfer.forward-notify", message);
    }
}

/// The key that makes a last-resort POP.
const DELAY_KEY: &str = "transfer.delay";

/// The delay of a last-resort POP. Without a state directory a restart would serve the newest version, and without a look at signatures
/// nobody would know when those that are served expire.
fn fold_delay(spec: &Spec, transfer: &TransferSpec, faults: &mut Faults<'_>) -> Option<DelaySettings> {
    let rules = match delay_rules(transfer) {
        Ok(rules) => rules?,
        Err(found) => {
            let placed = |fault| PlacedFault { zone: None, fault };
            note(&found.into_iter().map(placed).collect::<Vec<_>>(), &[], faults);
            return None;
        }
    };
    let is_off = |dnssec| dnssec == DnssecSpec::Off;
    if is_off(spec.zones.dnssec) || spec.zone.iter().any(|zone| zone.dnssec.is_some_and(is_off)) {
        let message = "zones.dnssec and zone.dnssec must not be \"off\": the delay ends before signatures expire, so they are looked at";
        faults.error(faults.span_of(DELAY_KEY), DELAY_KEY, message);
    }
    let is_less_preferred = |service: &ServiceSpec| {
        let has_communities = !service.communities.is_empty() || !service.large_communities.is_empty();
        has_communities || service.med.is_some() || service.prepend.is_some()
    };
    if !spec.service.iter().all(is_less_preferred) {
        let message = "this is a last-resort POP, and a [[service]] has neither prepend nor med nor communities: its route is preferred like all others";
        faults.warning(faults.span_of(DELAY_KEY), DELAY_KEY, message);
    }
    let Some(directory) = &spec.zones.state_directory else {
        let message = "zones.state-directory is needed: there it is kept since when versions wait, and what is served until then";
        faults.error(faults.span_of(DELAY_KEY), DELAY_KEY, message);
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
