//! Real clients: kdig, dig and curl.

use std::process::Command;

use anyns::serve::{Engine, TcpSettings, Transport};
use anyns::wire::RecordType;

use crate::client::ask;
use crate::server::{HOST, Server, query};
use crate::skip::has_programs;

/// Runs a program; its standard output and whether it succeeded. What it complains of is shown if the test fails.
fn run(program: &str, arguments: &[String]) -> (Vec<u8>, bool) {
    let output = Command::new(program).args(arguments).output().unwrap();
    println!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    (output.stdout, output.status.success())
}

/// What a client of the dig family prints for the address of `www.example.` and the size of `large.example.`.
fn dig(program: &str, server: &Server, transport: Transport, options: &[&str]) {
    let at = server.at(transport);
    let common = [format!("@{}", at.ip()), "-p".into(), at.port().to_string()];
    let ask = |name: &str, record_type: &str| {
        let mut arguments = common.to_vec();
        arguments.extend(options.iter().map(|option| (*option).to_owned()));
        arguments.extend(["+short".into(), name.into(), record_type.into()]);
        let text = String::from_utf8(run(program, &arguments).0).unwrap();
        let failed = server.sum(|it| &it.handshake_failures);
        let broken = server.sum(|it| &it.protocol_errors);
        println!("handshakes that failed: {failed}, protocol errors: {broken}");
        text
    };
    assert_eq!(ask("www.example.", "A").trim(), "192.0.2.1", "{program} {options:?}");
    assert_eq!(ask("large.example.", "TXT").lines().count(), 250, "{program} {options:?}");
}

#[test]
fn kdig_is_answered_over_tls_https_and_quic() {
    if !has_programs("encrypted transports with kdig", &["kdig"]) {
        return;
    }
    let server = Server::start(Engine::Native);
    let ca = format!("+tls-ca={}", server.certificate().display());
    let host = format!("+tls-hostname={HOST}");
    // The transport comes last, because each option of TLS turns TLS over TCP on.
    dig("kdig", &server, Transport::Dot, &[&ca, &host, "+tls"]);
    dig("kdig", &server, Transport::Doh, &[&ca, &host, "+https"]);
    dig("kdig", &server, Transport::Doh, &[&ca, &host, "+https-get"]);
    dig("kdig", &server, Transport::Doq, &[&ca, &host, "+quic"]);
    assert_eq!((server.sum(|it| &it.dot_queries), server.sum(|it| &it.doq_queries)), (2, 2));
    assert_eq!((server.sum(|it| &it.doh_queries), server.sum(|it| &it.protocol_errors)), (4, 0));
}

#[test]
fn kdig_behind_a_load_balancer_is_counted_as_the_client_that_it_names() {
    if !has_programs("the PROXY protocol with kdig", &["kdig"]) {
        return;
    }
    let proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = Server::with(Engine::Native, TcpSettings { proxies, ..TcpSettings::default() });
    dig("kdig", &server, Transport::Tcp, &["+tcp", "+proxy=192.0.2.1-198.51.100.1"]);
    assert_eq!((server.sum(|it| &it.tcp_queries), server.sum(|it| &it.handshake_failures)), (2, 0));
}

#[test]
fn dig_is_answered_over_tls_and_https() {
    if !has_programs("encrypted transports with dig", &["dig"]) {
        return;
    }
    let server = Server::start(Engine::Native);
    let ca = format!("+tls-ca={}", server.certificate().display());
    let host = format!("+tls-hostname={HOST}");
    dig("dig", &server, Transport::Dot, &["+tls", &ca, &host]);
    dig("dig", &server, Transport::Doh, &["+https", &ca, &host]);
    dig("dig", &server, Transport::Doh, &["+https-get", &ca, &host]);
    assert_eq!((server.sum(|it| &it.dot_queries), server.sum(|it| &it.doh_queries)), (2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_posts_a_query_over_http_2() {
    if !has_programs("encrypted transports with curl", &["curl"]) {
        return;
    }
    let server = Server::start(Engine::Native);
    let at = server.at(Transport::Doh);
    let small = query("www.example.", RecordType::A);
    let file = server.directory.path().join("query");
    std::fs::write(&file, &small).unwrap();
    let arguments = [
        "--silent".into(),
        "--http2".into(),
        "--cacert".into(),
        server.certificate().display().to_string(),
        "--resolve".into(),
        format!("{HOST}:{}:{}", at.port(), at.ip()),
        "--header".into(),
        "content-type: application/dns-message".into(),
        "--data-binary".into(),
        format!("@{}", file.display()),
        format!("https://{HOST}:{}/dns-query", at.port()),
    ];
    let (answer, succeeded) = tokio::task::block_in_place(|| run("curl", &arguments));
    assert!(succeeded);
    assert_eq!(answer, ask(Transport::Doh, at, &server.certificate(), &small).await);
}
