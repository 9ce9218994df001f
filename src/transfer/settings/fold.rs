//! From the form of the file to checked settings.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::transfer::notify::{Allowed, AllowedSource, Target};
use crate::transfer::secondary::SecondaryZone;
use crate::transfer::tsig::Keys;
use crate::transfer::{primary, secondary};
use crate::wire::{Name, NameError};

use super::spec::{AllowedSpec, PeerSpec, TransferSpec, ZoneTransferSpec};

/// The port of DNS.
const PORT: u16 = 53;
/// A silence longer than this hides a dead primary for longer than a person waits.
const LONGEST_SILENCE: Duration = Duration::from_secs(3600);

/// Why the settings are none: the key of the file is named in each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsFault {
    /// An address that is none.
    #[error(
        "{key}: {text:?} is not an address, or an address and a port: 192.0.2.1, 192.0.2.1:53, [2001:db8::1]:53"
    )]
    Address {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// A prefix that is none.
    #[error("{key}: {text:?} is not a prefix or an address: 192.0.2.0/24, 2001:db8::1")]
    Prefix {
        /// The key of the file.
        key: &'static str,
        /// What it says.
        text: String,
    },
    /// The name of a key that is no name.
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
/// The first thing that cannot be meant.
pub fn settings(
    spec: &TransferSpec,
    zones: &[(Name, ZoneTransferSpec)],
    keys: Arc<Keys>,
    management: &[IpAddr],
) -> Result<(secondary::Settings, primary::Settings), SettingsFault> {
    let fold = Fold { keys: &keys, management };
    let (mut inward, mut outward) = (secondary_of(spec)?, primary_of(spec)?);
    for (name, zone) in zones {
        if !zone.primaries.is_empty() {
            let primaries = fold.peers("zone.primaries", &zone.primaries)?;
            let primaries = primaries.map(|(address, key)| secondary::Primary { address, key });
            let notify = fold.allowed("zone.notify-from", &zone.notify_from)?;
            let primaries = primaries.collect();
            inward.zones.push(SecondaryZone { name: name.clone(), primaries, notify });
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
    for text in &spec.listen {
        let address = address("transfer.listen", text)?;
        if !management.contains(&address.ip()) {
            return Err(SettingsFault::NotManagement { address });
        }
        outward.listen.push(address);
    }
    inward.management = management.to_vec();
    outward.management = management.to_vec();
    (inward.keys, outward.keys) = (keys.clone(), keys);
    Ok((inward, outward))
}

fn secondary_of(spec: &TransferSpec) -> Result<secondary::Settings, SettingsFault> {
    let mut it = secondary::Settings::default();
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
    it.limits.records = spec.most_records.unwrap_or(it.limits.records);
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

fn primary_of(spec: &TransferSpec) -> Result<primary::Settings, SettingsFault> {
    let mut it = primary::Settings::default();
    it.transfers = at_least_one("transfer.transfers-out", spec.transfers_out, it.transfers)?;
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

/// An address with its port, 53 unless told.
fn address(key: &'static str, text: &str) -> Result<SocketAddr, SettingsFault> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT));
    let address = bare.or_else(|_| text.parse());
    address.map_err(|_| SettingsFault::Address { key, text: text.into() })
}

struct Fold<'a> {
    keys: &'a Keys,
    management: &'a [IpAddr],
}

impl Fold<'_> {
    fn key(&self, key: &'static str, text: &str) -> Result<Name, SettingsFault> {
        let named = |source| SettingsFault::Name { key, text: text.into(), source };
        let name = text.parse::<Name>().map_err(named)?.to_lowercase();
        match self.keys.get(&name) {
            Some(_) => Ok(name),
            None => Err(SettingsFault::NoKey { key, name }),
        }
    }

    fn peers(
        &self,
        key: &'static str,
        specs: &[PeerSpec],
    ) -> Result<impl Iterator<Item = (SocketAddr, Option<Name>)>, SettingsFault> {
        let peer = |spec: &PeerSpec| {
            let address = address(key, &spec.address)?;
            if !self.management.iter().any(|own| own.is_ipv4() == address.is_ipv4()) {
                return Err(SettingsFault::NoFamily { key, address });
            }
            let signer = spec.key.as_ref().map(|text| self.key(key, text)).transpose()?;
            Ok((address, signer))
        };
        let peers: Vec<_> = specs.iter().map(peer).collect::<Result<_, _>>()?;
        Ok(peers.into_iter())
    }

    fn targets(&self, key: &'static str, specs: &[PeerSpec]) -> Result<Vec<Target>, SettingsFault> {
        let peers = self.peers(key, specs)?;
        Ok(peers.map(|(address, key)| Target { address, key }).collect())
    }

    fn allowed(&self, key: &'static str, specs: &[AllowedSpec]) -> Result<Allowed, SettingsFault> {
        let entry = |spec: &AllowedSpec| {
            let bare = spec.from.parse::<IpAddr>().map(IpNet::from);
            let prefix = bare.or_else(|_| spec.from.parse());
            let prefix = prefix.map_err(|_| SettingsFault::Prefix { key, text: spec.from.clone() })?;
            let keys = spec.keys.iter().map(|text| self.key(key, text)).collect::<Result<_, _>>()?;
            Ok(AllowedSource { prefix, keys })
        };
        Ok(Allowed(specs.iter().map(entry).collect::<Result<_, _>>()?))
    }
}
