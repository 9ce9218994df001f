//! Which POPs there are, and how they are asked.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `[fleet]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Every POP, this one too.
    pub pops: Vec<FleetPop>,
    /// The management addresses of this POP: what is asked leaves from there. Empty where this host is no POP.
    pub sources: Vec<IpAddr>,
}

impl Settings {
    /// The most POPs: the page is one page, and each is asked every second while somebody looks.
    pub const MAX_POPS: usize = 64;
}

/// One POP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetPop {
    /// Its `pop.name`, or its `pop.instance` where a POP has several servers: each of them is listed.
    pub name: String,
    /// Where its listener `web` is.
    pub url: FleetUrl,
    /// The file with the bearer token that it wants.
    pub token: Option<PathBuf>,
    /// How it proves who it is, for `https`.
    pub tls: Option<FleetTls>,
}

/// How a POP proves who it is, and what it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetTls {
    /// Its certificate comes from an authority in this file, and has `server_name`.
    pub ca: Option<PathBuf>,
    /// The name in the certificate; the host of the URL without it.
    pub server_name: Option<String>,
    /// Its public key is one of these, by SHA-256 in base 64.
    pub pins: Vec<String>,
    /// Certificate and key that it is shown (mutual TLS).
    pub client: Option<(PathBuf, PathBuf)>,
}

/// `http://HOST:PORT` or `https://HOST:PORT`, nothing behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetUrl {
    /// Whether it is `https`.
    pub is_encrypted: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no URL such as \"http://198.51.100.10:9533\" or \"https://[2001:db8::10]:9533\"")]
pub struct UrlError;

impl FromStr for FleetUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError)?;
        let is_encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(UrlError),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or(UrlError)?;
        let port: u16 = port.parse().map_err(|_| UrlError)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_host = match bare {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let allowed =
                    |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
                !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed)
            }
        };
        match is_host && port != 0 {
            true => Ok(Self { is_encrypted, host: bare.unwrap_or(host).to_owned(), port }),
            false => Err(UrlError),
        }
    }
}

impl FleetUrl {
    /// Host and port as the field Host has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for FleetUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_scheme_host_and_port() {
        for text in ["http://198.51.100.10:9533", "https://[2001:db8::10]:443", "http://ams1.example:80"] {
            assert_eq!(text.parse::<FleetUrl>().unwrap().to_string(), text);
        }
        assert_eq!("http://a.example:1/".parse::<FleetUrl>().unwrap().to_string(), "http://a.example:1");
        for text in [
            "",
            "198.51.100.10:9533",
            "ftp://a:1",
            "http://a",
            "http://a:0",
            "http://a:70000",
            "http://:1",
            "http://a:1/path",
            "http://u@a:1",
            "http://2001:db8::1:80",
            "http://[a]:1",
            "http://a\r\nb:1",
        ] {
            assert_eq!(text.parse::<FleetUrl>(), Err(UrlError), "{text:?}");
        }
    }
}
