//! From the form of the file to checked settings.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::transfer::delay::DelayRules;
use crate::transfer::notify::{Allowed, AllowedSource, Target};
use crate::transfer::primary::PrimarySettings;
use crate::transfer::secondary::{PrimaryServer, SecondarySettings, SecondaryZone};
use crate::transfer::tls::{Authentication, TlsClient, TlsError, TlsServer};
use crate::transfer::tsig::Keys;
use crate::wire::{Name, NameError};

use super::spec::{AllowedSpec, OnExpirySpec, PeerSpec, TlsPeerSpec, TransferSpec, ZoneTransferSpec};

/// The port of DNS.
const PORT: u16 = 53;
/// The port of DNS over TLS (RFC 9103 section 7.2).
const TLS_PORT: u16 = 853;
/// A silence longer than this hides a dead primary for longer than a person waits.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

/// Each NOTIFY goes to all of them: more POPs have a hub that tells them.
const MOST_FORWARD_TARGETS: usize = 256;

/// Faults after which no further zone is looked at: a key that is missing may be named by a hundred thousand zones.
const MOST_FAULTS: usize = 100;

/// Why the settings are invalid. Each variant names the key of the file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// Not an IP address, or an address and a port.
    #[error(
        "{text:?} is not an address, or an address and a port: 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53, [fe80::1%2]:53 (2: the number of the interface)"
    )]
    Address {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// Not a prefix.
    #[error("{text:?} is not a prefix or an address: 192.0.2.0/24, 2001:db8::1")]
    Prefix {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// The name of a key that is not a domain name.
    #[error("{text:?} is not the name of a key: {source}")]
    Name {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
        /// Why.
        source: NameError,
    },
    /// A key that is not defined.
    #[error("no [[key]] defines the key {name}")]
    NoKey {
        /// The key of the file.
        key: &'static str,
        /// The name.
        name: Name,
    },
    /// An address that the POP does not have for management.
    #[error("{address} is not among pop.management-addresses; transfers never use service addresses")]
    NotManagement {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// No management address of a family that a primary or a secondary has.
    #[error("{address} cannot be reached: pop.management-addresses has no address of its family")]
    NoFamily {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// No address to which a query can be sent.
    #[error("{address} {problem}")]
    NoPeer {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        problem: &'static str,
    },
    /// Not one way to know a primary over TLS.
    #[error(
        "tls needs one of ca-file with name, pins, or opportunistic = true; and certificate with key, or neither"
    )]
    TlsWay {
        /// The key of the file.
        key: &'static str,
    },
    /// A file of TLS that cannot be used.
    #[error("TLS is not possible")]
    Tls {
        /// The key of the file.
        key: &'static str,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// This POP itself.
    #[error("{address} is an address of this POP: name the management addresses of the other POPs")]
    OwnAddress {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// A key that says nothing where versions do not wait.
    #[error("the key is of a last-resort POP alone: set transfer.delay, too, or leave it out")]
    NoDelay {
        /// The key of the file.
        key: &'static str,
    },
    /// A number or a duration out of its range.
    #[error("{value}; allowed is {range}")]
    Range {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        range: &'static str,
    },
}

impl SettingsFault {
    /// The key of the file.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Address { key, .. }
            | Self::Prefix { key, .. }
            | Self::Name { key, .. }
            | Self::NoKey { key, .. }
            | Self::NotManagement { key, .. }
            | Self::NoFamily { key, .. }
            | Self::NoPeer { key, .. }
            | Self::TlsWay { key }
            | Self::Tls { key, .. }
            | Self::OwnAddress { key, .. }
            | Self::NoDelay { key }
            | Self::Range { key, .. } => key,
        }
    }
}

/// A fault, and of which zone it is.
#[derive(Debug)]
pub struct PlacedFault {
    /// The index among the zones that were given; `None` for what is in `[transfer]`.
    pub zone: Option<usize>,
    /// What is wrong.
    pub fault: SettingsFault,
}

/// The faults that were found.
type FoundFaults = Vec<SettingsFault>;

/// Those that are right; the faults of the others are noted.
fn right<T>(results: impl IntoIterator<Item = Result<T, SettingsFault>>, found: &mut FoundFaults) -> Vec<T> {
    results.into_iter().filter_map(|result| result.map_err(|fault| found.push(fault)).ok()).collect()
}

/// The value, unless there are faults.
fn unless<T>(found: FoundFaults, value: T) -> Result<T, FoundFaults> {
    if found.is_empty() { Ok(value) } else { Err(found) }
}

/// Makes the settings of both sides. `zones` are the zones of the file with what they say of transfers.
///
/// # Errors
/// Every fault that is found, up to some hundred; of one entry of a list the first.
pub fn settings(
    spec: &TransferSpec,
    zones: &[(Name, ZoneTransferSpec)],
    keys: Arc<Keys>,
    management: &[IpAddr],
) -> Result<(SecondarySettings, PrimarySettings), Vec<PlacedFault>> {
    let fold = Fold { keys: &keys, management };
    let mut found = FoundFaults::new();
    let (mut inward, mut outward) = (secondary_of(spec, &mut found), primary_of(spec, &mut found));
    outward.allowed = fold.allowed("transfer.allow", &spec.allow, &mut found);
    outward.notify = fold.targets("transfer.notify", &spec.notify, &mut found);
    inward.forward_notify = fold.forward_targets(&spec.forward_notify, &mut found);
    outward.listen = fold.listen("transfer.listen", &spec.listen, PORT, &mut found);
    if let Some(tls) = &spec.tls {
        let key = "transfer.tls";
        let listen = fold.listen("transfer.tls.listen", &tls.listen, TLS_PORT, &mut found);
        let server = TlsServer::new(&tls.certificate, &tls.key, tls.client_ca_file.as_deref());
        let server = right([server.map_err(|source| SettingsFault::Tls { key, source })], &mut found).pop();
        outward.tls = server.map(|server| (listen, server));
    }
    let mut faults: Vec<PlacedFault> =
        found.into_iter().map(|fault| PlacedFault { zone: None, fault }).collect();
    for (index, (name, zone)) in zones.iter().enumerate() {
        let mut found = FoundFaults::new();
        if !zone.primaries.is_empty() {
            inward.zones.push(fold.zone(name, zone, spec.expired, &mut found));
        }
        if let Some(allow) = &zone.allow_transfer {
            let allowed = fold.allowed("zone.allow-transfer", allow, &mut found);
            outward.zones.insert(name.clone(), allowed);
        }
        if let Some(notify) = &zone.notify {
            let targets = fold.targets("zone.notify", notify, &mut found);
            outward.notify_zones.insert(name.clone(), targets);
        }
        faults.extend(found.into_iter().map(|fault| PlacedFault { zone: Some(index), fault }));
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    inward.management = management.to_vec();
    outward.management = management.to_vec();
    (inward.keys, outward.keys) = (keys.clone(), keys);
    if faults.is_empty() { Ok((inward, outward)) } else { Err(faults) }
}

/// One zone that comes from primaries, with these settings; `expired` counts where they do not say what becomes of it.
///
/// # Errors
/// Every fault that is found.
pub fn secondary_zone(
    name: &Name,
    zone: &ZoneTransferSpec,
    expired: OnExpirySpec,
    keys: &Keys,
    management: &[IpAddr],
) -> Result<SecondaryZone, Vec<SettingsFault>> {
    let mut found = FoundFaults::new();
    let zone = Fold { keys, management }.zone(name, zone, expired, &mut found);
    unless(found, zone)
}

/// Servers that are asked for what they have; `key` is that of the file.
///
/// # Errors
/// Every fault that is found.
pub fn servers(
    key: &'static str,
    specs: &[PeerSpec],
    keys: &Keys,
    management: &[IpAddr],
) -> Result<Vec<PrimaryServer>, Vec<SettingsFault>> {
    let mut found = FoundFaults::new();
    let servers = Fold { keys, management }.primaries(key, specs, &mut found);
    unless(found, servers)
}

fn out_of_range(key: &'static str, value: Duration, range: &'static str) -> SettingsFault {
    SettingsFault::Range { key, value: humantime::format_duration(value).to_string(), range }
}

fn secondary_of(spec: &TransferSpec, found: &mut FoundFaults) -> SecondarySettings {
    let mut it = SecondarySettings::default();
    it.transfers = at_least_one("transfer.transfers", spec.transfers, it.transfers, found);
    let per_primary = "transfer.transfers-per-primary";
    it.transfers_per_primary =
        at_least_one(per_primary, spec.transfers_per_primary, it.transfers_per_primary, found);
    it.soa_queries = spec.soa_queries_per_second.unwrap_or(it.soa_queries);
    let soa_queries = spec.soa_queries_per_second_per_primary;
    it.soa_queries_per_primary = soa_queries.unwrap_or(it.soa_queries_per_primary);
    it.least_rate = spec.least_octets_per_second.unwrap_or(it.least_rate);
    it.longest = spec.longest.unwrap_or(it.longest);
    it.limits.octets = spec.most_octets.unwrap_or(it.limits.octets);
    it.limits.records = spec.most_records;
    it.memory = spec.most_memory;
    it.bounds.least_refresh = spec.least_refresh.unwrap_or(it.bounds.least_refresh);
    it.bounds.most_refresh = spec.most_refresh.unwrap_or(it.bounds.most_refresh);
    it.silence = spec.silence.unwrap_or(it.silence);
    if !(Duration::from_secs(1)..=LONGEST_SILENCE).contains(&it.silence) {
        found.push(out_of_range("transfer.silence", it.silence, "1s to 1h"));
    }
    if it.bounds.least_refresh.is_zero() || it.bounds.least_refresh > it.bounds.most_refresh {
        let range = "more than 0s, and at most transfer.most-refresh";
        found.push(out_of_range("transfer.least-refresh", it.bounds.least_refresh, range));
    }
    it
}

/// How long versions wait here, if this is a last-resort POP.
///
/// # Errors
/// Every fault that is found.
pub fn delay_rules(spec: &TransferSpec) -> Result<Option<DelayRules>, Vec<SettingsFault>> {
    let Some(delay) = spec.delay else {
        let needless = [
            ("transfer.key-delay", spec.key_delay.is_some()),
            ("transfer.signature-margin", spec.signature_margin.is_some()),
        ];
        let needless = needless.into_iter().filter(|(_, is_set)| *is_set);
        return unless(needless.map(|(key, _)| SettingsFault::NoDelay { key }).collect(), None);
    };
    let key_delay = spec.key_delay.unwrap_or(DelayRules::DEFAULT_KEY_DELAY.min(delay));
    let signature_margin = spec.signature_margin.unwrap_or(DelayRules::DEFAULT_SIGNATURE_MARGIN);
    let checks = [
        ("transfer.delay", delay, DelayRules::SHORTEST..=DelayRules::LONGEST, "1s to 7days"),
        ("transfer.key-delay", key_delay, Duration::ZERO..=delay, "0s to transfer.delay"),
        (
            "transfer.signature-margin",
            signature_margin,
            Duration::ZERO..=DelayRules::LONGEST_SIGNATURE_MARGIN,
            "0s to 30days",
        ),
    ];
    let wrong = checks.into_iter().filter(|(_, value, allowed, _)| !allowed.contains(value));
    let found = wrong.map(|(key, value, _, range)| out_of_range(key, value, range)).collect();
    unless(found, Some(DelayRules { delay, key_delay, signature_margin }))
}

fn primary_of(spec: &TransferSpec, found: &mut FoundFaults) -> PrimarySettings {
    let mut it = PrimarySettings::default();
    it.transfers = at_least_one("transfer.transfers-out", spec.transfers_out, it.transfers, found);
    let transfers = "transfer.transfers-out-per-client";
    it.transfers_per_client =
        at_least_one(transfers, spec.transfers_out_per_client, it.transfers_per_client, found);
    it.least_rate = spec.least_octets_per_second.unwrap_or(it.least_rate);
    it.longest = spec.longest.unwrap_or(it.longest);
    it.updates_per_second = spec.updates_per_second.unwrap_or(it.updates_per_second);
    let per_client = "transfer.connections-per-client";
    it.connections_per_client =
        at_least_one(per_client, spec.connections_per_client, it.connections_per_client, found);
    it
}

fn at_least_one(key: &'static str, value: Option<usize>, default: usize, found: &mut FoundFaults) -> usize {
    if value == Some(0) {
        found.push(SettingsFault::Range { key, value: "0".into(), range: "1 and more" });
    }
    value.unwrap_or(default)
}

/// An address with its port.
fn address(key: &'static str, text: &str, port: u16) -> Result<SocketAddr, SettingsFault> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, port));
    let address = bare.or_else(|_| text.parse());
    address.map_err(|_| SettingsFault::Address { key, text: text.into() })
}

/// Why nothing can be sent to an address.
fn no_peer(address: SocketAddr) -> Option<&'static str> {
    let ip = address.ip();
    if ip.is_unspecified() || ip.is_multicast() || matches!(ip, IpAddr::V4(ip) if ip.is_broadcast()) {
        return Some("is no address of one host");
    }
    let is_link_local = |address: &SocketAddrV6| address.ip().is_unicast_link_local();
    match address {
        SocketAddr::V6(address) if is_link_local(&address) && address.scope_id() == 0 => Some(
            "is reached over one interface: add its number, as `ip link` shows it, and the port: [fe80::1%2]:53",
        ),
        _ => (address.port() == 0).then_some("has port 0; allowed is 1 to 65535, usually 53"),
    }
}

struct Fold<'a> {
    keys: &'a Keys,
    management: &'a [IpAddr],
}

impl Fold<'_> {
    fn zone(
        &self,
        name: &Name,
        zone: &ZoneTransferSpec,
        expired: OnExpirySpec,
        found: &mut FoundFaults,
    ) -> SecondaryZone {
        let primaries = self.primaries("zone.primaries", &zone.primaries, found);
        let notify = self.allowed("zone.notify-from", &zone.notify_from, found);
        let expired = zone.expired.unwrap_or(expired).into();
        SecondaryZone { name: name.clone(), primaries, notify, expired }
    }

    fn key(&self, key: &'static str, text: &str) -> Result<Name, SettingsFault> {
        let named = |source| SettingsFault::Name { key, text: text.into(), source };
        let name = text.parse::<Name>().map_err(named)?.to_lowercase();
        match self.keys.get(&name) {
            Some(_) => Ok(name),
            None => Err(SettingsFault::NoKey { key, name }),
        }
    }

    /// An address that can be reached.
    fn peer(&self, key: &'static str, text: &str, port: u16) -> Result<SocketAddr, SettingsFault> {
        let address = address(key, text, port)?;
        if let Some(problem) = no_peer(address) {
            return Err(SettingsFault::NoPeer { key, address, problem });
        }
        match self.management.iter().any(|own| own.is_ipv4() == address.is_ipv4()) {
            true => Ok(address),
            false => Err(SettingsFault::NoFamily { key, address }),
        }
    }

    fn signer(&self, key: &'static str, spec: &PeerSpec) -> Result<Option<Name>, SettingsFault> {
        spec.key.as_ref().map(|text| self.key(key, text)).transpose()
    }

    fn primaries(
        &self,
        key: &'static str,
        specs: &[PeerSpec],
        found: &mut FoundFaults,
    ) -> Vec<PrimaryServer> {
        let primary = |spec: &PeerSpec| {
            let port = if spec.tls.is_some() { TLS_PORT } else { PORT };
            let tls = spec.tls.as_ref().map(|tls| tls_client(key, tls)).transpose()?;
            let address = self.peer(key, &spec.address, port)?;
            Ok(PrimaryServer { address, key: self.signer(key, spec)?, tls })
        };
        right(specs.iter().map(primary), found)
    }

    fn targets(&self, key: &'static str, specs: &[PeerSpec], found: &mut FoundFaults) -> Vec<Target> {
        let target = |spec: &PeerSpec| match spec.tls {
            Some(_) => Err(SettingsFault::TlsWay { key }),
            None => {
                let address = self.peer(key, &spec.address, PORT)?;
                Ok(Target { address, key: self.signer(key, spec)? })
            }
        };
        right(specs.iter().map(target), found)
    }

    /// Other POPs, by their management addresses.
    fn forward_targets(&self, specs: &[PeerSpec], found: &mut FoundFaults) -> Vec<Target> {
        let key = "transfer.forward-notify";
        if specs.len() > MOST_FORWARD_TARGETS {
            let value = format!("{} servers", specs.len());
            found.push(SettingsFault::Range { key, value, range: "at most 256" });
        }
        let targets = self.targets(key, specs, found);
        let addresses = targets.iter().map(|target| target.address);
        let own = addresses.filter(|address| self.management.contains(&address.ip()));
        found.extend(own.map(|address| SettingsFault::OwnAddress { key, address }));
        targets
    }

    fn listen(
        &self,
        key: &'static str,
        texts: &[String],
        port: u16,
        found: &mut FoundFaults,
    ) -> Vec<SocketAddr> {
        let own = |text: &String| {
            let address = address(key, text, port)?;
            match self.management.contains(&address.ip()) {
                true => Ok(address),
                false => Err(SettingsFault::NotManagement { key, address }),
            }
        };
        right(texts.iter().map(own), found)
    }

    fn allowed(&self, key: &'static str, specs: &[AllowedSpec], found: &mut FoundFaults) -> Allowed {
        let entry = |spec: &AllowedSpec| {
            let bare = spec.from.parse::<IpAddr>().map(IpNet::from);
            let prefix = bare.or_else(|_| spec.from.parse());
            let prefix = prefix.map_err(|_| SettingsFault::Prefix { key, text: spec.from.clone() })?;
            let keys = spec.keys.iter().map(|text| self.key(key, text)).collect::<Result<_, _>>()?;
            Ok(AllowedSource { prefix, keys, encrypted: spec.tls })
        };
        Allowed(right(specs.iter().map(entry), found))
    }
}

/// How a primary is known over TLS.
fn tls_client(key: &'static str, spec: &TlsPeerSpec) -> Result<TlsClient, SettingsFault> {
    let authentication = match (&spec.ca_file, &spec.name, spec.pins.is_empty(), spec.opportunistic) {
        (Some(file), Some(name), true, false) => {
            Authentication::Authority { file: file.clone(), name: name.clone() }
        }
        (None, None, false, false) => Authentication::Pins(spec.pins.clone()),
        (None, None, true, true) => Authentication::Opportunistic,
        _ => return Err(SettingsFault::TlsWay { key }),
    };
    let certificate = match (&spec.certificate, &spec.key) {
        (Some(certificate), Some(key)) => Some((certificate.as_path(), key.as_path())),
        (None, None) => None,
        _ => return Err(SettingsFault::TlsWay { key }),
    };
    TlsClient::new(&authentication, certificate).map_err(|source| SettingsFault::Tls { key, source })
}
