//! From the form of the file to checked settings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::transfer::delay::DelayRules;
use crate::transfer::notify::{Allowed, AllowedSource, Target};
use crate::transfer::primary::PrimarySettings;
use crate::transfer::secondary::{OnExpiry, PrimaryServer, SecondarySettings, SecondaryZone};
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

/// Why the settings are invalid. Each variant names the key of the file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFault {
    /// Not an IP address, or an address and a port.
    #[error(
        "{key}: {text:?} is not an address, or an address and a port: 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53"
    )]
    Address {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// Not a prefix.
    #[error("{key}: {text:?} is not a prefix or an address: 192.0.2.0/24, 2001:db8::1")]
    Prefix {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// The name of a key that is not a domain name.
    #[error("{key}: {text:?} is not the name of a key: {source}")]
    Name {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
        /// Why.
        source: NameError,
    },
    /// A key that is not defined.
    #[error("{key} names the key {name}, which no [[key]] defines")]
    NoKey {
        /// The key of the file.
        key: &'static str,
        /// The name.
        name: Name,
    },
    /// An address that the POP does not have for management.
    #[error(
        "transfer.listen: {address} is not among pop.management-addresses; transfers never use service addresses"
    )]
    NotManagement {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// No management address of a family that a primary or a secondary has.
    #[error("{key}: {address} cannot be reached: pop.management-addresses has no address of its family")]
    NoFamily {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// Not one way to know a primary over TLS.
    #[error(
        "{key}: tls needs one of ca-file with name, pins, or opportunistic = true; and certificate with key, or neither"
    )]
    TlsWay {
        /// The key of the file.
        key: &'static str,
    },
    /// A file of TLS that cannot be used.
    #[error("{key}: TLS is not possible")]
    Tls {
        /// The key of the file.
        key: &'static str,
        /// Why.
        #[source]
        source: TlsError,
    },
    /// This POP itself.
    #[error("{key}: {address} is an address of this POP: name the management addresses of the other POPs")]
    OwnAddress {
        /// The key of the file.
        key: &'static str,
        /// The address.
        address: SocketAddr,
    },
    /// A key that says nothing where versions do not wait.
    #[error("{key} is of a last-resort POP alone: set transfer.delay, too, or leave it out")]
    NoDelay {
        /// The key of the file.
        key: &'static str,
    },
    /// A number or a duration out of its range.
    #[error("{key}: {value}; allowed is {range}")]
    Range {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        range: &'static str,
    },
}

/// Makes the settings of both sides. `zones` are the zones of the file with what they say of transfers.
///
/// # Errors
/// The first setting that is invalid.
pub fn settings(
    spec: &TransferSpec,
    zones: &[(Name, ZoneTransferSpec)],
    keys: Arc<Keys>,
    management: &[IpAddr],
) -> Result<(SecondarySettings, PrimarySettings), SettingsFault> {
    let fold = Fold { keys: &keys, management };
    let (mut inward, mut outward) = (secondary_of(spec)?, primary_of(spec)?);
    for (name, zone) in zones {
        if !zone.primaries.is_empty() {
            inward.zones.push(fold.zone(name, zone, spec.expired)?);
        }
        if let Some(allow) = &zone.allow_transfer {
            outward.zones.insert(name.clone(), fold.allowed("zone.allow-transfer", allow)?);
        }
        if let Some(notify) = &zone.notify {
            outward.notify_zones.insert(name.clone(), fold.targets("zone.notify", notify)?);
        }
    }
    outward.allowed = fold.allowed("transfer.allow", &spec.allow)?;
    outward.notify = fold.targets("transfer.notify", &spec.notify)?;
    inward.forward_notify = fold.forward_targets(&spec.forward_notify)?;
    outward.listen = fold.listen("transfer.listen", &spec.listen, PORT)?;
    if let Some(tls) = &spec.tls {
        let key = "transfer.tls";
        let server = TlsServer::new(&tls.certificate, &tls.key, tls.client_ca_file.as_deref());
        let server = server.map_err(|source| SettingsFault::Tls { key, source })?;
        outward.tls = Some((fold.listen("transfer.tls.listen", &tls.listen, TLS_PORT)?, server));
    }
    inward.management = management.to_vec();
    outward.management = management.to_vec();
    (inward.keys, outward.keys) = (keys.clone(), keys);
    Ok((inward, outward))
}

/// One zone that comes from primaries, with these settings; `expired` counts where they do not say what becomes of it.
///
/// # Errors
/// The first setting that is invalid.
pub fn secondary_zone(
    name: &Name,
    zone: &ZoneTransferSpec,
    expired: OnExpirySpec,
    keys: &Keys,
    management: &[IpAddr],
) -> Result<SecondaryZone, SettingsFault> {
    Fold { keys, management }.zone(name, zone, expired)
}

/// Servers that are asked for what they have; `key` is that of the file.
///
/// # Errors
/// The first setting that is invalid.
pub fn servers(
    key: &'static str,
    specs: &[PeerSpec],
    keys: &Keys,
    management: &[IpAddr],
) -> Result<Vec<PrimaryServer>, SettingsFault> {
    Fold { keys, management }.primaries(key, specs)
}

fn secondary_of(spec: &TransferSpec) -> Result<SecondarySettings, SettingsFault> {
    let mut it = SecondarySettings::default();
    it.transfers = at_least_one("transfer.transfers", spec.transfers, it.transfers)?;
    let per_primary = "transfer.transfers-per-primary";
    it.transfers_per_primary =
        at_least_one(per_primary, spec.transfers_per_primary, it.transfers_per_primary)?;
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
    let out_of_range = |key, value: Duration, range| {
        let value = humantime::format_duration(value).to_string();
        Err(SettingsFault::Range { key, value, range })
    };
    if !(Duration::from_secs(1)..=LONGEST_SILENCE).contains(&it.silence) {
        return out_of_range("transfer.silence", it.silence, "1s to 1h");
    }
    if it.bounds.least_refresh.is_zero() || it.bounds.least_refresh > it.bounds.most_refresh {
        let range = "more than 0s, and at most transfer.most-refresh";
        return out_of_range("transfer.least-refresh", it.bounds.least_refresh, range);
    }
    Ok(it)
}

/// How long versions wait here, if this is a last-resort POP.
///
/// # Errors
/// The first setting that is invalid.
pub fn delay_rules(spec: &TransferSpec) -> Result<Option<DelayRules>, SettingsFault> {
    let Some(delay) = spec.delay else {
        return match (spec.key_delay, spec.signature_margin) {
            (None, None) => Ok(None),
            (Some(_), _) => Err(SettingsFault::NoDelay { key: "transfer.key-delay" }),
            (None, Some(_)) => Err(SettingsFault::NoDelay { key: "transfer.signature-margin" }),
        };
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
    for (key, value, allowed, range) in checks {
        if !allowed.contains(&value) {
            let value = humantime::format_duration(value).to_string();
            return Err(SettingsFault::Range { key, value, range });
        }
    }
    Ok(Some(DelayRules { delay, key_delay, signature_margin }))
}

fn primary_of(spec: &TransferSpec) -> Result<PrimarySettings, SettingsFault> {
    let mut it = PrimarySettings::default();
    it.transfers = at_least_one("transfer.transfers-out", spec.transfers_out, it.transfers)?;
    let transfers = "transfer.transfers-out-per-client";
    it.transfers_per_client =
        at_least_one(transfers, spec.transfers_out_per_client, it.transfers_per_client)?;
    it.least_rate = spec.least_octets_per_second.unwrap_or(it.least_rate);
    it.longest = spec.longest.unwrap_or(it.longest);
    it.updates_per_second = spec.updates_per_second.unwrap_or(it.updates_per_second);
    let per_client = "transfer.connections-per-client";
    it.connections_per_client =
        at_least_one(per_client, spec.connections_per_client, it.connections_per_client)?;
    Ok(it)
}

fn at_least_one(key: &'static str, value: Option<usize>, default: usize) -> Result<usize, SettingsFault> {
    match value {
        Some(0) => Err(SettingsFault::Range { key, value: "0".into(), range: "1 and more" }),
        other => Ok(other.unwrap_or(default)),
    }
}

/// An address with its port.
fn address(key: &'static str, text: &str, port: u16) -> Result<SocketAddr, SettingsFault> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, port));
    let address = bare.or_else(|_| text.parse());
    address.map_err(|_| SettingsFault::Address { key, text: text.into() })
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
    ) -> Result<SecondaryZone, SettingsFault> {
        let primaries = self.primaries("zone.primaries", &zone.primaries)?;
        let notify = self.allowed("zone.notify-from", &zone.notify_from)?;
        let expired = match zone.expired.unwrap_or(expired) {
            OnExpirySpec::ServFail => OnExpiry::ServFail,
            OnExpirySpec::Stale => OnExpiry::Stale,
        };
        Ok(SecondaryZone { name: name.clone(), primaries, notify, expired })
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
        match self.management.iter().any(|own| own.is_ipv4() == address.is_ipv4()) {
            true => Ok(address),
            false => Err(SettingsFault::NoFamily { key, address }),
        }
    }

    fn signer(&self, key: &'static str, spec: &PeerSpec) -> Result<Option<Name>, SettingsFault> {
        spec.key.as_ref().map(|text| self.key(key, text)).transpose()
    }

    fn primaries(&self, key: &'static str, specs: &[PeerSpec]) -> Result<Vec<PrimaryServer>, SettingsFault> {
        let primary = |spec: &PeerSpec| {
            let port = if spec.tls.is_some() { TLS_PORT } else { PORT };
            let tls = spec.tls.as_ref().map(|tls| tls_client(key, tls)).transpose()?;
            let address = self.peer(key, &spec.address, port)?;
            Ok(PrimaryServer { address, key: self.signer(key, spec)?, tls })
        };
        specs.iter().map(primary).collect()
    }

    fn targets(&self, key: &'static str, specs: &[PeerSpec]) -> Result<Vec<Target>, SettingsFault> {
        let target = |spec: &PeerSpec| match spec.tls {
            Some(_) => Err(SettingsFault::TlsWay { key }),
            None => {
                let address = self.peer(key, &spec.address, PORT)?;
                Ok(Target { address, key: self.signer(key, spec)? })
            }
        };
        specs.iter().map(target).collect()
    }

    /// Other POPs, by their management addresses.
    fn forward_targets(&self, specs: &[PeerSpec]) -> Result<Vec<Target>, SettingsFault> {
        let key = "transfer.forward-notify";
        if specs.len() > MOST_FORWARD_TARGETS {
            let value = format!("{} servers", specs.len());
            return Err(SettingsFault::Range { key, value, range: "at most 256" });
        }
        let targets = self.targets(key, specs)?;
        match targets.iter().find(|target| self.management.contains(&target.address.ip())) {
            Some(target) => Err(SettingsFault::OwnAddress { key, address: target.address }),
            None => Ok(targets),
        }
    }

    fn listen(
        &self,
        key: &'static str,
        texts: &[String],
        port: u16,
    ) -> Result<Vec<SocketAddr>, SettingsFault> {
        let own = |text: &String| {
            let address = address(key, text, port)?;
            match self.management.contains(&address.ip()) {
                true => Ok(address),
                false => Err(SettingsFault::NotManagement { key, address }),
            }
        };
        texts.iter().map(own).collect()
    }

    fn allowed(&self, key: &'static str, specs: &[AllowedSpec]) -> Result<Allowed, SettingsFault> {
        let entry = |spec: &AllowedSpec| {
            let bare = spec.from.parse::<IpAddr>().map(IpNet::from);
            let prefix = bare.or_else(|_| spec.from.parse());
            let prefix = prefix.map_err(|_| SettingsFault::Prefix { key, text: spec.from.clone() })?;
            let keys = spec.keys.iter().map(|text| self.key(key, text)).collect::<Result<_, _>>()?;
            Ok(AllowedSource { prefix, keys, encrypted: spec.tls })
        };
        Ok(Allowed(specs.iter().map(entry).collect::<Result<_, _>>()?))
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
