//! What the operator chose about probes, and whether it can work.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::wire::Name;

/// The most service addresses that are probed. Each takes four sockets during a round; 64 addresses keep a round far
/// below the usual limit of 1,024 open files.
pub const MAX_ADDRESSES: usize = 64;

/// The most rounds that `rise` or `fall` may ask for: an hour at the default interval.
pub const MAX_ROUNDS: u32 = 3600;

/// The most reference addresses: some upstream resolvers of each family; each is asked about every second at most.
pub const MAX_REFERENCES: usize = 16;

/// What the operator chose about probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The service addresses that are asked; at most [`MAX_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// The port they are asked on.
    pub port: u16,
    /// The POP's management addresses; the first of the service address's family is the source of its probes.
    pub management_addresses: Vec<IpAddr>,
    /// What NSID must say (RFC 5001): this instance.
    pub instance: String,
    /// The zones that must always answer well. One of them is asked in every round, and an answer that is wrong
    /// counts at once; those that are not served now are left to policy.
    pub required: Vec<Name>,
    /// From the start of one round to the start of the next while all is well; 100 ms to 1 h.
    pub interval: Duration,
    /// How long a probe may take; 10 ms to 60 s. Longer than the interval stretches the interval.
    pub timeout: Duration,
    /// How many good rounds in a row make an address good; 1 to [`MAX_ROUNDS`].
    pub rise: u32,
    /// How many lost rounds in a row make an address silent; 1 to [`MAX_ROUNDS`].
    pub fall: u32,
    /// Addresses that this host must have a route to if answers can leave it at all; at most [`MAX_REFERENCES`]. Empty: recent
    /// clients whose TCP handshake completed.
    pub reference_addresses: Vec<IpAddr>,
}

/// Why probes with these settings cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// More service addresses than [`MAX_ADDRESSES`].
    #[error("{count} service addresses: at most {MAX_ADDRESSES} can be probed")]
    TooManyAddresses {
        /// How many there are.
        count: usize,
    },
    /// One service address twice.
    #[error("the service address {address} is listed twice")]
    DuplicateAddress {
        /// The address.
        address: IpAddr,
    },
    /// A service address of a family without a management address.
    #[error(
        "the service address {address} needs a management address of the same family (IPv4 or IPv6) to be probed from"
    )]
    NoSource {
        /// The service address.
        address: IpAddr,
    },
    /// A management address that is a service address: an answer to it could reach another POP.
    #[error(
        "the management address {address} is a service address: probes must come from an address of this POP alone"
    )]
    SourceIsService {
        /// The address.
        address: IpAddr,
    },
    /// The unspecified address as a management address: the system would choose, perhaps a service address.
    #[error("the management address {address} must be one address of this host")]
    SourceUnspecified {
        /// The address.
        address: IpAddr,
    },
    /// A value outside its range.
    #[error("{knob} is out of range: allowed is {allowed}")]
    OutOfRange {
        /// The key.
        knob: &'static str,
        /// The range, for the operator.
        allowed: &'static str,
    },
}

/// One service address and the source its probes come from. Only [`Settings::targets`] makes one, so the source is
/// never a service address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    service: SocketAddr,
    source: IpAddr,
}

impl Settings {
    /// Default of `interval`.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
    /// Default of `timeout`: well above an answer's usual time, and three of them in a row end within two seconds.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(500);
    /// Default of `rise`.
    pub const DEFAULT_RISE: u32 = 3;
    /// Default of `fall`.
    pub const DEFAULT_FALL: u32 = 3;

    /// These settings with what may change while probes run taken from others: whom to ask, from where, and as which instance
    /// stays.
    #[must_use]
    pub fn changed_to(&self, others: &Self) -> Self {
        Self {
            interval: others.interval,
            timeout: others.timeout,
            rise: others.rise,
            fall: others.fall,
            required: others.required.clone(),
            reference_addresses: others.reference_addresses.clone(),
            ..self.clone()
        }
    }

    /// Whether probes with these settings can work.
    ///
    /// # Errors
    /// The first of [`faults`](Self::faults).
    pub fn check(&self) -> Result<(), SettingsError> {
        self.faults().into_iter().next().map_or(Ok(()), Err)
    }

    /// Every reason why probes with these settings cannot work.
    pub fn faults(&self) -> Vec<SettingsError> {
        let mut faults = self.out_of_range();
        if self.addresses.len() > MAX_ADDRESSES {
            faults.push(SettingsError::TooManyAddresses { count: self.addresses.len() });
        }
        let mut seen = HashSet::new();
        let twice = self.addresses.iter().filter(|&&address| !seen.insert(address));
        faults.extend(twice.map(|&address| SettingsError::DuplicateAddress { address }));
        faults.extend(self.bad_sources());
        faults.extend(self.addresses.iter().filter_map(|&address| self.target(address).err()));
        faults
    }

    /// Whom to ask from where.
    pub(super) fn targets(&self) -> Result<Vec<Target>, SettingsError> {
        self.check()?;
        self.addresses.iter().map(|&address| self.target(address)).collect()
    }

    fn out_of_range(&self) -> Vec<SettingsError> {
        let rounds = 1..=MAX_ROUNDS;
        let interval = Duration::from_millis(100)..=Duration::from_secs(3600);
        let timeout = Duration::from_millis(10)..=Duration::from_secs(60);
        let knobs = [
            (interval.contains(&self.interval), "interval", "100 ms to 1 h"),
            (timeout.contains(&self.timeout), "timeout", "10 ms to 60 s"),
            (rounds.contains(&self.rise), "rise", "1 to 3600"),
            (rounds.contains(&self.fall), "fall", "1 to 3600"),
            (self.port != 0, "port", "1 to 65535"),
            (self.references_can_be(), "reference-addresses", "at most 16 unicast addresses of other hosts"),
            ((1..=255).contains(&self.instance.len()), "instance", "1 to 255 octets"),
        ];
        let wrong = knobs.into_iter().filter(|(fine, ..)| !fine);
        wrong.map(|(_, knob, allowed)| SettingsError::OutOfRange { knob, allowed }).collect()
    }

    fn references_can_be(&self) -> bool {
        let fits = |address: &IpAddr| {
            let own = self.addresses.contains(address) || self.management_addresses.contains(address);
            !(own || address.is_unspecified() || address.is_loopback() || address.is_multicast())
        };
        self.reference_addresses.len() <= MAX_REFERENCES && self.reference_addresses.iter().all(fits)
    }

    fn bad_sources(&self) -> impl Iterator<Item = SettingsError> {
        self.management_addresses.iter().filter_map(|&address| {
            if address.is_unspecified() {
                return Some(SettingsError::SourceUnspecified { address });
            }
            // A loopback address never leaves the host: there the answer cannot reach another POP.
            let is_service = self.addresses.contains(&address) && !address.is_loopback();
            is_service.then_some(SettingsError::SourceIsService { address })
        })
    }

    fn target(&self, address: IpAddr) -> Result<Target, SettingsError> {
        let same_family = |source: &&IpAddr| source.is_ipv4() == address.is_ipv4();
        let source = self.management_addresses.iter().find(same_family);
        let &source = source.ok_or(SettingsError::NoSource { address })?;
        Ok(Target { service: SocketAddr::new(address, self.port), source })
    }
}

impl Target {
    /// Where a probe goes.
    pub(super) fn service(&self) -> SocketAddr {
        self.service
    }

    /// The address a probe comes from; the port is the system's choice, a new one for every probe.
    pub(super) fn source(&self) -> SocketAddr {
        SocketAddr::new(self.source, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(service: &str, management: &[&str]) -> Settings {
        Settings {
            addresses: vec![service.parse().unwrap()],
            port: 53,
            management_addresses: management.iter().map(|text| text.parse().unwrap()).collect(),
            instance: "pop1".into(),
            required: Vec::new(),
            interval: Settings::DEFAULT_INTERVAL,
            timeout: Settings::DEFAULT_TIMEOUT,
            rise: Settings::DEFAULT_RISE,
            fall: Settings::DEFAULT_FALL,
            reference_addresses: Vec::new(),
        }
    }

    #[test]
    fn the_source_is_the_management_address_of_the_family() {
        let targets = settings("2001:db8::53", &["192.0.2.1", "2001:db8:1::1"]).targets().unwrap();
        assert_eq!(targets[0].source(), "[2001:db8:1::1]:0".parse().unwrap());
        assert_eq!(targets[0].service(), "[2001:db8::53]:53".parse().unwrap());
    }

    #[test]
    fn faults_have_their_names() {
        let address: IpAddr = "192.0.2.53".parse().unwrap();
        let fault = |settings: Settings| settings.check().unwrap_err();
        assert_eq!(fault(settings("192.0.2.53", &["2001:db8::1"])), SettingsError::NoSource { address });
        assert_eq!(
            fault(settings("192.0.2.53", &["192.0.2.53"])),
            SettingsError::SourceIsService { address }
        );
        let unspecified = SettingsError::SourceUnspecified { address: "0.0.0.0".parse().unwrap() };
        assert_eq!(fault(settings("192.0.2.53", &["0.0.0.0"])), unspecified);
        let twice = Settings { addresses: vec![address; 2], ..settings("192.0.2.53", &["192.0.2.1"]) };
        assert_eq!(fault(twice), SettingsError::DuplicateAddress { address });
        let many = Settings { addresses: vec![address; 65], ..settings("192.0.2.53", &["192.0.2.1"]) };
        assert_eq!(fault(many), SettingsError::TooManyAddresses { count: 65 });
        let never = Settings { rise: 0, ..settings("192.0.2.53", &["192.0.2.1"]) };
        assert_eq!(fault(never), SettingsError::OutOfRange { knob: "rise", allowed: "1 to 3600" });
        for reference in ["192.0.2.53", "192.0.2.1", "127.0.0.1", "::", "ff02::1"] {
            let reference_addresses = vec![reference.parse().unwrap()];
            let own = Settings { reference_addresses, ..settings("192.0.2.53", &["192.0.2.1"]) };
            let refused = fault(own);
            assert!(
                matches!(refused, SettingsError::OutOfRange { knob: "reference-addresses", .. }),
                "{reference}: {refused}"
            );
        }
    }

    #[test]
    fn loopback_may_ask_itself() {
        assert_eq!(settings("127.0.0.1", &["127.0.0.1"]).check(), Ok(()));
    }
}
