//! What the operator chose about samples.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

/// What the operator chose about samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// One message in so many is a sample.
    pub one_in: u32,
    /// Where dnstap messages go, if anywhere.
    pub target: Option<Target>,
    /// Whether samples are log records, too.
    pub query_log: bool,
    /// Whether the query log tells whole addresses, and not the /24 or /48 alone.
    pub full_addresses: bool,
    /// Whether the prefixes of clients are counted ([`catchment`](crate::catchment)).
    pub catchments: bool,
    /// Who tells: the instance's name.
    pub identity: String,
    /// The addresses that a connection over TCP may come from: the POP's management addresses.
    pub sources: Vec<IpAddr>,
    /// The service addresses: what comes from there or from `sources` is this POP's own question, and no client's.
    pub service_addresses: Vec<IpAddr>,
}

impl Settings {
    /// Whether a client is this POP itself, as it is for its own probes.
    pub(super) fn is_own(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        client.is_loopback() || self.sources.iter().chain(&self.service_addresses).any(|own| *own == client)
    }

    /// The default of `one_in`.
    pub const DEFAULT_ONE_IN: u32 = 100;
}

/// Where dnstap messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket that a collector listens on.
    Unix(PathBuf),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// Why a text is not a valid target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "allowed is unix:/path/of/a/socket, or tcp:ADDRESS:PORT such as tcp:192.0.2.1:6000 or tcp:[2001:db8::1]:6000"
)]
pub struct TargetError;

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| path.starts_with('/')) {
            return Ok(Self::Unix(path.into()));
        }
        let address = text.strip_prefix("tcp:").ok_or(TargetError)?;
        let address: SocketAddr = address.parse().map_err(|_| TargetError)?;
        if address.port() == 0 { Err(TargetError) } else { Ok(Self::Tcp(address)) }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_socket_or_a_port() {
        for good in ["unix:/run/dnstap.sock", "tcp:192.0.2.1:6000", "tcp:[2001:db8::1]:6000"] {
            assert_eq!(good.parse::<Target>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "/run/dnstap.sock",
            "unix:dnstap.sock",
            "tcp:collector:6000",
            "tcp:192.0.2.1:0",
            "udp:192.0.2.1:1",
        ] {
            assert_eq!(bad.parse::<Target>(), Err(TargetError), "{bad}");
        }
    }
}
