//! The transports.

use std::fmt;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Dot,
    /// DNS over HTTPS over HTTP/2 (RFC 8484).
    Doh,
    /// DNS over HTTPS over HTTP/3.
    Doh3,
    /// DNS over QUIC (RFC 9250).
    Doq,
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Dot => "dot",
            Self::Doh => "doh",
            Self::Doh3 => "doh3",
            Self::Doq => "doq",
        })
    }
}
