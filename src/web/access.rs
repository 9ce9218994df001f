//! Whether a request may be answered at all. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::header;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Version};

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

/// Looks at host, method, target and body; the credentials are looked at elsewhere.
pub(super) fn check<B>(request: &Request<B>, is_open: bool) -> Result<(), Refusal> {
    let refuse = |status, reason| Err(Refusal { status, reason });
    let (method, fields) = (request.method(), request.headers());
    let target = request.uri().path_and_query().map_or("", PathAndQuery::as_str);
    let host = host(request)?;
    if method != Method::GET && method != Method::HEAD {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD: nothing is changed here");
    }
    if target.len() > MOST_TARGET {
        return refuse(StatusCode::URI_TOO_LONG, "the target has more than 2048 octets");
    }
    let mut lengths = fields.get_all(header::CONTENT_LENGTH).iter();
    if fields.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0") {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here");
    }
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

/// The host that is asked, without its port. That of an absolute target stands in place of the field (RFC 9112 section 3.2.2), which a
/// request of HTTP/1.1 has all the same, and none has twice (section 3.2).
fn host<B>(request: &Request<B>) -> Result<Option<&str>, Refusal> {
    let refuse = |reason| Err(Refusal { status: StatusCode::BAD_REQUEST, reason });
    let mut all = request.headers().get_all(header::HOST).iter();
    let field = all.next();
    if all.next().is_some() {
        return refuse("the request has two fields Host (RFC 9112 section 3.2)");
    }
    if field.is_none() && request.version() == Version::HTTP_11 {
        return refuse("a request of HTTP/1.1 has a field Host (RFC 9112 section 3.2)");
    }
    let field = field.map(|field| field.to_str().ok().and_then(name));
    let authority = request.uri().authority().map(|authority| name(authority.as_str()));
    if field == Some(None) || authority == Some(None) {
        return refuse(
            "the host is a name or an address, and a port where it is meant (RFC 9110 section 7.2)",
        );
    }
    Ok(authority.or(field).flatten())
}

/// The name or address in `uri-host [ ":" port ]` (RFC 3986 section 3.2.2); `None` if it is something else.
fn name(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(end);
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&octet))
        }
    };
    let is_port = |digits: &str| digits.bytes().all(|octet| octet.is_ascii_digit());
    (is_name && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))).then_some(name)
}

/// Whether a host is an address or `localhost`: what no other site's name can be.
fn is_of_this_host(name: &str) -> bool {
    name.starts_with('[') || name.eq_ignore_ascii_case("localhost") || name.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_request_here_has_is_refused() {
        let with = |method: Method, target: &str, fields: &[(&'static str, &'static str)], is_open| {
            let mut request = Request::builder().method(method).uri(target);
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            check(&request.body(()).unwrap(), is_open).map_err(|refusal| refusal.status.as_u16())
        };
        let host = ("host", "127.0.0.1:9533");
        assert_eq!(with(Method::GET, "/", &[host], true), Ok(()));
        assert_eq!(with(Method::HEAD, "/", &[host, ("content-length", "0")], true), Ok(()));
        assert_eq!(with(Method::POST, "/", &[host], true), Err(405));
        assert_eq!(with(Method::GET, &"/".repeat(2049), &[host], true), Err(414));
        assert_eq!(with(Method::GET, "/", &[host, ("content-length", "1")], true), Err(413));
        assert_eq!(with(Method::GET, "/", &[host, ("transfer-encoding", "chunked")], true), Err(413));
        let twice = [host, ("content-length", "0"), ("content-length", "1")];
        assert_eq!(with(Method::GET, "/", &twice, true), Err(413), "the second length counts, too");
        for (host, is_own, is_host) in [
            ("localhost", true, true),
            ("LOCALHOST:9533", true, true),
            ("127.0.0.1", true, true),
            ("127.0.0.1:", true, true),
            ("[::1]:9533", true, true),
            ("[::1]", true, true),
            ("evil.example", false, true),
            ("localhost.evil.example", false, true),
            ("127.0.0.1.evil.example:80", false, true),
            ("", false, true),
            ("[::1].evil.example", false, false),
            ("[evil.example]", false, false),
            ("[::1", false, false),
            ("localhost:80.evil", false, false),
            ("localhost@evil.example", false, false),
            ("localhost/", false, false),
            ("localhost evil.example", false, false),
            ("localhost, evil.example", false, false),
        ] {
            let open = if is_own { Ok(()) } else { Err(if is_host { 421 } else { 400 }) };
            assert_eq!(with(Method::GET, "/", &[("host", host)], true), open, "{host}");
            let known = if is_host { Ok(()) } else { Err(400) };
            assert_eq!(with(Method::GET, "/", &[("host", host)], false), known, "credentials decide: {host}");
        }
        for (target, answer) in [
            ("http://127.0.0.1:9533/", Ok(())),
            ("http://evil.example/", Err(421)),
            ("http://127.0.0.1@evil.example/", Err(400)),
            ("http://user@127.0.0.1/", Err(400)),
        ] {
            assert_eq!(with(Method::GET, target, &[host], true), answer, "{target}");
            assert_eq!(with(Method::GET, target, &[], true), Err(400), "without a field Host: {target}");
        }
        let evil = ("host", "evil.example");
        assert_eq!(with(Method::GET, "http://127.0.0.1/", &[evil], true), Ok(()), "the target counts");
        for path in ["/", "/healthz"] {
            assert_eq!(with(Method::GET, path, &[], false), Err(400), "no field Host: {path}");
            assert_eq!(with(Method::POST, path, &[], false), Err(400), "no field Host: {path}");
        }
        for path in ["/healthz", "/readyz", "/readyz?from=haproxy"] {
            assert_eq!(with(Method::GET, path, &[("host", "pop1.example")], true), Ok(()), "{path}");
            let old = Request::builder().version(Version::HTTP_10).uri(path).body(()).unwrap();
            assert_eq!(check(&old, true), Ok(()), "HTTP/1.0 has no such field: {path}");
        }
        let old = Request::builder().version(Version::HTTP_10).uri("/metrics").body(()).unwrap();
        assert_eq!(check(&old, true).map_err(|refusal| refusal.status.as_u16()), Err(421));
        assert_eq!(with(Method::GET, "/readyz/../metrics", &[evil], true), Err(421));
        for path in ["/", "/healthz"] {
            assert_eq!(with(Method::GET, path, &[host, host], false), Err(400), "two fields Host: {path}");
        }
    }
}
