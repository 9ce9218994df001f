//! DNS over HTTPS, as RFC 8484 wants it, over HTTP/2 and HTTP/3.

use anyns::serve::{Engine, Transport};
use anyns::wire::RecordType;
use bytes::Bytes;
use http::Request;

use crate::client::{get, http, post};
use crate::server::{HOST, Server, query};

const BOTH: [Transport; 2] = [Transport::Doh, Transport::Doh3];

#[tokio::test(flavor = "multi_thread")]
async fn get_and_post_give_the_same_and_caches_are_told_how_long() {
    let server = Server::start(Engine::Native);
    let trust = server.certificate();
    for transport in BOTH {
        for (name, age) in
            [("www.example.", 120), ("alias.example.", 60), ("nothing.example.", 300), ("elsewhere.test.", 0)]
        {
            let query = query(name, RecordType::A);
            let by_get = http(transport, server.at(transport), &trust, get(&query)).await;
            let by_post = http(transport, server.at(transport), &trust, post(&query)).await;
            assert_eq!(by_get.1, by_post.1);
            for (response, body) in [by_get, by_post] {
                assert_eq!(response.status(), 200, "whatever the RCODE");
                assert_eq!(response.headers()["content-length"], body.len().to_string());
                assert_eq!(response.headers()["cache-control"], format!("max-age={age}"), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused_with_the_status_that_says_why() {
    let server = Server::start(Engine::Native);
    let small = query("www.example.", RecordType::A);
    let mut response = small.clone();
    response[2] |= 0x80;
    let request = |method: &str, path: &str, media_type: &str, body: &[u8]| {
        let request = Request::builder().method(method).uri(format!("https://{HOST}{path}"));
        request.header("content-type", media_type).body(Bytes::copy_from_slice(body)).unwrap()
    };
    let dns = "application/dns-message";
    let mut refused = 0;
    for transport in BOTH {
        for (request, status) in [
            (request("GET", "/", dns, b""), 404),
            (request("POST", "/dns-query/other", dns, &small), 404),
            (request("PUT", "/dns-query", dns, &small), 405),
            (request("POST", "/dns-query", "text/plain", &small), 415),
            (request("GET", "/dns-query", dns, b""), 400),
            (request("GET", "/dns-query?dns=====", dns, b""), 400),
            (request("GET", "/dns-query?dns=AAAA", dns, b""), 400),
            (request("POST", "/dns-query", dns, b"short"), 400),
            (request("POST", "/dns-query", dns, &response), 400),
            (request("POST", "/dns-query", dns, &[0; 65_536]), 413),
        ] {
            let what = format!("{transport} {} {}", request.method(), request.uri());
            let (response, body) =
                http(transport, server.at(transport), &server.certificate(), request).await;
            assert_eq!(response.status(), status, "{what}");
            assert!(body.is_empty());
            assert_eq!(response.headers().contains_key("allow"), status == 405);
            refused += 1;
        }
    }
    assert_eq!(server.sum(|it| &it.protocol_errors), refused);
    for transport in BOTH {
        let (response, _) = http(transport, server.at(transport), &server.certificate(), post(&small)).await;
        assert_eq!(response.status(), 200, "and the server goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::start(Engine::Native);
    // Over HTTP/3 the client crate itself keeps to the limit that the server tells it, once it has heard of it.
    let mut request = post(&query("www.example.", RecordType::A));
    request.headers_mut().insert("x-long", "x".repeat(20_000).parse().unwrap());
    let at = server.at(Transport::Doh);
    let (response, _) = http(Transport::Doh, at, &server.certificate(), request).await;
    assert_eq!(response.status(), 431);
}
