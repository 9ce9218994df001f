//! Who asks, and what becomes of the query.

use std::net::IpAddr;

/// What may differ between transports; everything else of an answer is the same on all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportKind {
    /// UDP: limited by the requestor's payload size and our ceiling, truncated with TC.
    Udp,
    /// TCP: limited by 65,535 octets, as is every transport below.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Dot,
    /// DNS over HTTPS, HTTP/2 and HTTP/3 (RFC 8484).
    Doh,
    /// DNS over QUIC (RFC 9250): the ID is 0 both ways.
    Doq,
}

impl TransportKind {
    /// Whether others on the path see only the length of messages, so that padding is worth its octets (RFC 8467).
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Dot | Self::Doh | Self::Doq)
    }
}

/// Who asks, by which way, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// How the query came.
    pub transport: TransportKind,
    /// The client's address; cookies are bound to it.
    pub address: IpAddr,
    /// Seconds since 1970, the lower 32 bits, as cookies have them (RFC 9018 section 4.3).
    pub time: u32,
}

/// What became of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first `length` octets of the output are the response.
    Reply {
        /// Octets of the response.
        length: usize,
        /// The RCODE, extended bits included (RFC 6891 section 6.1.3).
        rcode: u16,
        /// Whether TC is set.
        truncated: bool,
    },
    /// No response: shorter than a header, or itself a response (QR = 1).
    Ignore,
}
