//! DNS over HTTPS, the part that HTTP/2 and HTTP/3 share (RFC 8484): a request's head in, what to do with it out. Pure.

use data_encoding::BASE64URL_NOPAD;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};

use crate::wire::octets::MAX_MESSAGE;

use super::freshness;

/// The media type of a DNS message (RFC 8484 section 6).
const MEDIA_TYPE: &str = "application/dns-message";

/// Octets of the longest query.
pub(super) const MAX_QUERY: usize = MAX_MESSAGE;

/// Octets of a request's header fields together: a GET with a query of 11,000 octets fits, and a usual one has 200.
pub(super) const MAX_HEADERS: u32 = 16 << 10;

/// What a request wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// An answer to this (GET, RFC 8484 section 4.1).
    Query(Vec<u8>),
    /// An answer to what the body says (POST).
    Body,
    /// Nothing that is done here.
    Refused(StatusCode),
}

/// Reads the head of a request. The host that it names does not matter, because the answer is the same for all; but it names one:
/// with another one in the field Host it is malformed (RFC 9113 section 8.3.1, RFC 9114 section 4.3.1).
pub(super) fn ask(request: &Parts, path: &str) -> Ask {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let (host, authority) = (hosts.next(), request.uri.authority());
    let differs = host.zip(authority).is_some_and(|(host, authority)| {
        !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes())
    });
    if differs || hosts.next().is_some() {
        return Ask::Refused(StatusCode::BAD_REQUEST);
    }
    if request.uri.path() != path {
        return Ask::Refused(StatusCode::NOT_FOUND);
    }
    match request.method {
        Method::GET => query_of(request.uri.query().unwrap_or_default()),
        Method::POST => {
            let field = |name| request.headers.get(name).and_then(|value| value.to_str().ok());
            let media_type = field(header::CONTENT_TYPE).unwrap_or_default();
            let essence = media_type.split(';').next().unwrap_or_default().trim();
            let length = field(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
            if !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
                Ask::Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            } else if length.is_some_and(|length| length > MAX_QUERY as u64) {
                Ask::Refused(StatusCode::PAYLOAD_TOO_LARGE)
            } else {
                Ask::Body
            }
        }
        _ => Ask::Refused(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// The variable `dns` of the URI's query: base64url without padding (RFC 8484 section 6).
fn query_of(variables: &str) -> Ask {
    let value = variables.split('&').find_map(|variable| variable.strip_prefix("dns="));
    match value.and_then(|value| BASE64URL_NOPAD.decode(value.as_bytes()).ok()) {
        Some(query) if query.len() <= MAX_QUERY => Ask::Query(query),
        _ => Ask::Refused(StatusCode::BAD_REQUEST),
    }
}

/// The head of the response that carries this answer. The RCODE does not matter (RFC 8484 section 4.2.1).
pub(super) fn answered(answer: &[u8]) -> Response<()> {
    let mut response = Response::new(());
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(answer.len()));
    let age = format!("max-age={}", freshness::seconds(answer));
    if let Ok(age) = HeaderValue::try_from(age) {
        fields.insert(header::CACHE_CONTROL, age);
    }
    response
}

/// The head of a response without an answer.
pub(super) fn refused(status: StatusCode) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        fields.insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn head(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn requests_are_read_by_path_method_and_media_type() {
        let dns = ("content-type", "application/dns-message");
        let refused = |status: u16| Ask::Refused(StatusCode::from_u16(status).unwrap());
        for (method, uri, fields, ask_for) in [
            ("GET", "https://ns.example/dns-query?dns=AAEC_-8", vec![], Ask::Query(vec![0, 1, 2, 255, 239])),
            ("GET", "/dns-query?a=b&dns=AAEC&c", vec![], Ask::Query(vec![0, 1, 2])),
            ("GET", "/dns-query?dns=", vec![], Ask::Query(vec![])),
            ("GET", "https://ns.example/dns-query?dns=", vec![("host", "NS.example")], Ask::Query(vec![])),
            ("GET", "https://ns.example/dns-query?dns=", vec![("host", "evil.example")], refused(400)),
            ("GET", "https://ns.example/dns-query?dns=", vec![("host", "ns.example:443")], refused(400)),
            ("GET", "/dns-query?dns=", vec![("host", "ns.example")], Ask::Query(vec![])),
            ("GET", "/dns-query?dns=", vec![("host", "ns.example"), ("host", "ns.example")], refused(400)),
            ("GET", "/dns-query", vec![], refused(400)),
            ("GET", "/dns-query?dns=AAE=", vec![], refused(400)),
            ("GET", "/dns-query?dns=AA+C", vec![], refused(400)),
            ("GET", "/dns-query?Dns=AAEC", vec![], refused(400)),
            ("GET", "/", vec![], refused(404)),
            ("GET", "/dns-query/?dns=AAEC", vec![], refused(404)),
            ("POST", "/dns-query", vec![dns], Ask::Body),
            ("POST", "/dns-query", vec![("content-type", "Application/DNS-Message; x=y")], Ask::Body),
            ("POST", "/dns-query", vec![dns, ("content-length", "65535")], Ask::Body),
            ("POST", "/dns-query", vec![dns, ("content-length", "65536")], refused(413)),
            ("POST", "/dns-query", vec![("content-type", "application/json")], refused(415)),
            ("POST", "/dns-query", vec![], refused(415)),
            ("POST", "/other", vec![dns], refused(404)),
            ("HEAD", "/dns-query?dns=AAEC", vec![], refused(405)),
            ("PUT", "/dns-query", vec![dns], refused(405)),
        ] {
            assert_eq!(ask(&head(method, uri, &fields), "/dns-query"), ask_for, "{method} {uri} {fields:?}");
        }
    }
}
