//! The prefix that a source belongs to. Pure.

use std::net::{IpAddr, Ipv4Addr};

/// How long the prefixes of sources are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefixes {
    ipv4_mask: u32,
    ipv6_mask: u128,
}

impl Prefixes {
    /// Prefixes of these lengths, at most 32 and 128 bits.
    pub const fn new(ipv4_length: u8, ipv6_length: u8) -> Self {
        let (ipv4_host, ipv6_host) =
            (32_u8.saturating_sub(ipv4_length) as u32, 128_u8.saturating_sub(ipv6_length) as u32);
        Self {
            ipv4_mask: if ipv4_host < 32 { u32::MAX << ipv4_host } else { 0 },
            ipv6_mask: if ipv6_host < 128 { u128::MAX << ipv6_host } else { 0 },
        }
    }

    /// The prefix of a source as a number. An IPv4 prefix is that of its v4-mapped address, which no IPv6 source has.
    pub fn of(&self, source: IpAddr) -> u128 {
        match source {
            IpAddr::V4(source) => {
                Ipv4Addr::from(u32::from(source) & self.ipv4_mask).to_ipv6_mapped().to_bits()
            }
            IpAddr::V6(source) => source.to_bits() & self.ipv6_mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_keeps_its_bits_and_clears_the_others() {
        for (lengths, source, prefix) in [
            ((24, 56), "192.0.2.77", "::ffff:192.0.2.0"),
            ((32, 56), "192.0.2.77", "::ffff:192.0.2.77"),
            ((0, 56), "192.0.2.77", "::ffff:0.0.0.0"),
            ((24, 56), "2001:db8:1:2ff::1", "2001:db8:1:200::"),
            ((24, 128), "2001:db8::1", "2001:db8::1"),
            ((24, 0), "2001:db8::1", "::"),
        ] {
            let prefix: std::net::Ipv6Addr = prefix.parse().unwrap();
            let found = Prefixes::new(lengths.0, lengths.1).of(source.parse().unwrap());
            assert_eq!(found, prefix.to_bits(), "{source} {lengths:?}");
        }
    }
}
