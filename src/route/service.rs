//! What is announced for one prefix, whatever the driver.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A prefix and the attributes that its announcements carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The prefix.
    pub prefix: IpNet,
    /// The next hop; `None` takes the neighbor's for the family, then the session's own local address.
    pub next_hop: Option<IpAddr>,
    /// Communities (RFC 1997), at most [`Service::MOST_COMMUNITIES`].
    pub communities: Vec<Community>,
    /// Large communities (RFC 8092), at most [`Service::MOST_COMMUNITIES`].
    pub large_communities: Vec<LargeCommunity>,
    /// MULTI_EXIT_DISC (RFC 4271 section 5.1.4).
    pub med: Option<u32>,
    /// How many times our AS is put in front once more, towards external neighbors; at most
    /// [`Service::MOST_PREPENDS`].
    pub prepend: u8,
}

impl Service {
    /// The most communities of either kind: with them an UPDATE stays far below the 4096 octets of RFC 4271.
    pub const MOST_COMMUNITIES: usize = 64;
    /// The most prepends: more never changes a choice of path, and long paths are filtered.
    pub const MOST_PREPENDS: u8 = 32;

    /// A service of `prefix` without any attribute of its own.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        Self {
            prefix,
            next_hop: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            med: None,
            prepend: 0,
        }
    }
}

/// A community (RFC 1997): an AS number and a value, 16 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// GRACEFUL_SHUTDOWN, 65535:0 (RFC 8326).
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xFFFF_0000);
}

/// A large community (RFC 8092): a global administrator and two values, 32 bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity(pub u32, pub u32, pub u32);

/// A text that is no community.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommunityError {
    /// Not of the form of RFC 1997.
    #[error("{0:?} is no community; it must be AS:VALUE, each from 0 to 65535")]
    Community(String),
    /// Not of the form of RFC 8092.
    #[error("{0:?} is no large community; it must be AS:VALUE:VALUE, each from 0 to 4294967295")]
    LargeCommunity(String),
}

impl FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, CommunityError> {
        let parts = numbers::<u16, 2>(text);
        let [high, low] = parts.ok_or_else(|| CommunityError::Community(text.to_owned()))?;
        Ok(Self(u32::from(high) << 16 | u32::from(low)))
    }
}

impl FromStr for LargeCommunity {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, CommunityError> {
        let parts = numbers::<u32, 3>(text);
        let [admin, first, second] = parts.ok_or_else(|| CommunityError::LargeCommunity(text.to_owned()))?;
        Ok(Self(admin, first, second))
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0 >> 16, self.0 & 0xFFFF)
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0, self.1, self.2)
    }
}

/// Exactly `N` decimal numbers between colons; neither sign nor space.
fn numbers<T: FromStr, const N: usize>(text: &str) -> Option<[T; N]> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
    let parse = |part: &str| if digits(part) { part.parse().ok() } else { None };
    let numbers: Option<Vec<T>> = text.split(':').map(parse).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_read_back_as_written() {
        for text in ["65000:1", "0:0", "65535:0"] {
            assert_eq!(text.parse::<Community>().unwrap().to_string(), text);
        }
        for text in ["65000:1:2", "4294967295:0:4294967295"] {
            assert_eq!(text.parse::<LargeCommunity>().unwrap().to_string(), text);
        }
        assert_eq!("65535:0".parse(), Ok(Community::GRACEFUL_SHUTDOWN));
    }

    #[test]
    fn what_is_no_community_is_refused() {
        for text in ["", ":", "1", "65536:0", "1:65536", "+1:2", "1:2:3", " 1:2", "-1:2"] {
            assert!(text.parse::<Community>().is_err(), "{text:?}");
        }
        for text in ["", "1:2", "1:2:4294967296", "1:2:3:4", "1::3"] {
            assert!(text.parse::<LargeCommunity>().is_err(), "{text:?}");
        }
    }
}
