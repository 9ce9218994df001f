//! Whether a request may be answered at all. Pure.

use hyper::header::{self, HeaderMap};
use hyper::{Method, StatusCode};

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

impl Refusal {
    /// No token, or none that is good.
    pub(super) const NEEDS_TOKEN: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        reason: "a bearer token is needed (or Basic, with the token as the password)",
    };
}

/// Octets of a request's target at most: the longest name of a zone, each octet escaped, and what stands around it.
const MOST_TARGET: usize = 2048;

/// What everybody may ask: one word each, without credentials and under any name of this host, as load balancers and orchestrators do.
pub(super) const FOR_ALL: [&str; 2] = ["/healthz", "/readyz"];

/// Looks at method, target, body and host; the credentials are looked at elsewhere.
pub(super) fn check(method: &Method, target: &str, fields: &HeaderMap, is_open: bool) -> Result<(), Refusal> {
    let refuse = |status, reason| Err(Refusal { status, reason });
    if method != Method::GET && method != Method::HEAD {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD: nothing is changed here");
    }
    if target.len() > MOST_TARGET {
        return refuse(StatusCode::URI_TOO_LONG, "the target has more than 2048 octets");
    }
    let length = fields.get(header::CONTENT_LENGTH);
    if fields.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0") {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here");
    }
    if fields.get_all(header::HOST).iter().count() > 1 {
        return refuse(StatusCode::BAD_REQUEST, "the request has two fields Host (RFC 9112 section 3.2)");
    }
    let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if is_open && !FOR_ALL.contains(&path) && !host.is_some_and(is_of_this_host) {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "without credentials this listener answers to an address or to localhost alone, not to other names: another site's page \
             could read it otherwise (DNS rebinding). Ask by address, or set token-files",
        );
    }
    Ok(())
}

/// Whether the field Host is an address or `localhost`: what no other site's name can be.
fn is_of_this_host(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse::<std::net::Ipv6Addr>().is_ok() && is_port(port);
    }
    let end = host.find(':').unwrap_or(host.len());
    let (name, port) = host.split_at(end);
    let is_name = name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::Ipv4Addr>().is_ok();
    is_name && is_port(port)
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|octet| octet.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_request_here_has_is_refused() {
        let with = |method: Method, target: &str, fields: &[(&'static str, &'static str)], is_open| {
            let mut map = HeaderMap::new();
            for (name, value) in fields {
                map.append(*name, value.parse().unwrap());
            }
            check(&method, target, &map, is_open).map_err(|refusal| refusal.status.as_u16())
        };
        let host = ("host", "127.0.0.1:9533");
        assert_eq!(with(Method::GET, "/", &[host], true), Ok(()));
        assert_eq!(with(Method::HEAD, "/", &[host, ("content-length", "0")], true), Ok(()));
        assert_eq!(with(Method::POST, "/", &[host], true), Err(405));
        assert_eq!(with(Method::GET, &"/".repeat(2049), &[host], true), Err(414));
        assert_eq!(with(Method::GET, "/", &[host, ("content-length", "1")], true), Err(413));
        assert_eq!(with(Method::GET, "/", &[host, ("transfer-encoding", "chunked")], true), Err(413));
        for (host, good) in [
            ("localhost", true),
            ("LOCALHOST:9533", true),
            ("127.0.0.1", true),
            ("[::1]:9533", true),
            ("[::1]", true),
            ("evil.example", false),
            ("localhost.evil.example", false),
            ("127.0.0.1.evil.example:80", false),
            ("[::1].evil.example", false),
            ("localhost:80.evil", false),
            ("", false),
        ] {
            assert_eq!(with(Method::GET, "/", &[("host", host)], true).is_ok(), good, "{host}");
            assert_eq!(
                with(Method::GET, "/", &[("host", host)], false),
                Ok(()),
                "credentials decide: {host}"
            );
        }
        assert_eq!(with(Method::GET, "/", &[], true), Err(421));
        for path in ["/healthz", "/readyz", "/readyz?from=haproxy"] {
            assert_eq!(with(Method::GET, path, &[], true), Ok(()), "a check without Host: {path}");
            assert_eq!(with(Method::GET, path, &[("host", "pop1.example")], true), Ok(()), "{path}");
        }
        assert_eq!(with(Method::GET, "/readyz/../metrics", &[], true), Err(421));
        for path in ["/", "/healthz"] {
            assert_eq!(with(Method::GET, path, &[host, host], false), Err(400), "two fields Host: {path}");
        }
    }
}
