//! The certificate: a new one is shown without a restart, a bad one never.

use anyns::serve::{Engine, Transport};
use anyns::wire::RecordType;

use crate::client::{ask, dot, over_stream};
use crate::server::{Server, eventually, query, write_pair};

#[tokio::test(flavor = "multi_thread")]
async fn files_that_change_are_taken_over_and_a_bad_pair_keeps_the_old_one() {
    let server = Server::start(Engine::Native);
    let small = query("www.example.", RecordType::A);
    let old = tempfile::tempdir().unwrap();
    let old_trust = old.path().join("old.pem");
    std::fs::copy(server.certificate(), &old_trust).unwrap();
    let mut kept = dot(server.at(Transport::Dot), &old_trust).await.unwrap();
    let certificates = server.serving.tls_files().unwrap().certificates;

    // The key of one pair with the certificate of another; seen by itself, nobody tells.
    let other = tempfile::tempdir().unwrap();
    let (other_certificate, other_key) = write_pair(other.path());
    std::fs::copy(&other_certificate, server.certificate()).unwrap();
    eventually("the fault is told", || certificates.fault().is_some()).await;
    assert!(certificates.fault().unwrap().contains("not a certificate and its key"));
    for transport in [Transport::Dot, Transport::Doh, Transport::Doh3, Transport::Doq] {
        ask(transport, server.at(transport), &old_trust, &small).await;
    }

    std::fs::copy(&other_key, server.directory.path().join("key.pem")).unwrap();
    eventually("the fault is gone", || certificates.fault().is_none()).await;
    for transport in [Transport::Dot, Transport::Doh, Transport::Doh3, Transport::Doq] {
        ask(transport, server.at(transport), &other_certificate, &small).await;
    }
    assert!(dot(server.at(Transport::Dot), &old_trust).await.is_err(), "the old one is shown no more");
    over_stream(&mut kept, &small).await.unwrap();
}
