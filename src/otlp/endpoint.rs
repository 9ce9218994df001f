//! Where a receiver listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A receiver of OTLP over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint(SocketAddr);

/// Why a text is not a valid endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "allowed is http://ADDRESS or http://ADDRESS:PORT such as http://192.0.2.1:4318 or http://[2001:db8::1]:4318, without a path"
)]
pub struct EndpointError;

impl Endpoint {
    /// The port of OTLP over HTTP, where none is told.
    pub const PORT: u16 = 4318;

    /// The socket.
    #[must_use]
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let place = text.strip_prefix("http://").ok_or(EndpointError)?;
        let place = place.strip_suffix('/').unwrap_or(place);
        if let Ok(address) = place.parse::<SocketAddr>() {
            return if address.port() == 0 { Err(EndpointError) } else { Ok(Self(address)) };
        }
        let host = place.strip_prefix('[').and_then(|place| place.strip_suffix(']'));
        let address = match host {
            Some(host) => host.parse().map(IpAddr::V6).map_err(|_| EndpointError)?,
            None => place.parse().map(IpAddr::V4).map_err(|_| EndpointError)?,
        };
        Ok(Self(SocketAddr::new(address, Self::PORT)))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_addresses() {
        for (text, told) in [
            ("http://192.0.2.1:4318", Some("http://192.0.2.1:4318")),
            ("http://192.0.2.1/", Some("http://192.0.2.1:4318")),
            ("http://[2001:db8::1]", Some("http://[2001:db8::1]:4318")),
            ("http://[2001:db8::1]:99", Some("http://[2001:db8::1]:99")),
            ("http://192.0.2.1:0", None),
            ("https://192.0.2.1", None),
            ("http://collector:4318", None),
            ("http://192.0.2.1/v1/logs", None),
            ("192.0.2.1:4318", None),
            ("", None),
        ] {
            let endpoint = text.parse::<Endpoint>().map(|endpoint| endpoint.to_string());
            assert_eq!(endpoint.ok().as_deref(), told, "{text}");
        }
    }
}
