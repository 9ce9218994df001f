//! Scripted scenarios, one folder per RFC, each expectation with its section; `README.md` beside this file specifies
//! their form. One runner asks every case in every way there is and expects the same of each.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
#[path = "../support/encrypted.rs"]
#[allow(dead_code, unreachable_pub, reason = "this test uses its own part of it")]
mod clients;
mod expect;
mod query;
mod response;
mod scenario;
mod transfers;
mod transfers_sent;
mod ways;
mod world;

use std::path::{Path, PathBuf};
use std::time::Instant;

use client::Reply;
use scenario::{Case, Scenario};
use ways::{Way, ways};
use world::{Ground, World};

/// The RFCs that must have a folder.
const COVERED: &[&str] = &[
    "rfc1034", "rfc1035", "rfc2181", "rfc2308", "rfc3597", "rfc4343", "rfc4592", "rfc4892", "rfc5001",
    "rfc6672", "rfc6891", "rfc7828", "rfc7830", "rfc7873", "rfc8482", "rfc8484", "rfc8906", "rfc8914",
    "rfc9250", "rfc9460", "rfc9471", "rfc9567", "rfc9619", "rfc9660",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

fn scenarios() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    // Streams of transfers have a form of their own: `transfers.rs`.
    let folders = folders.filter(|it| it.is_dir() && !it.ends_with("transfers"));
    let files =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|it| it.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}

#[test]
fn every_scenario_in_every_way() {
    let begin = Instant::now();
    let ground = Ground::new();
    let (mut cases, mut exchanges, mut failures) = (0, 0, Vec::new());
    for path in scenarios() {
        let scenario = Scenario::read(&path);
        let mut world = World::of(&scenario, &path, &ground);
        for case in &scenario.case {
            cases += 1;
            for way in ways().filter(|way| case.is_for(*way)) {
                exchanges += 1;
                let faults = run(&mut world, case, way);
                let place = path.strip_prefix(root()).unwrap().display();
                failures.extend(faults.into_iter().map(|fault| {
                    format!("{place}: section {}: {}: {way:?}: {fault}", case.section, case.says)
                }));
            }
        }
    }
    println!("{cases} cases, {exchanges} exchanges, {} faults, {:?}", failures.len(), begin.elapsed());
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Asks one case in one way; what is wrong with what comes of it.
fn run(world: &mut World<'_>, case: &Case, way: Way) -> Vec<String> {
    let expected = case.expected(way);
    let query = query::octets(case, way.transport, world.cookie(way));
    let reply = world.ask(way, &query, expected.silence && expected.refusal.is_none());
    match (reply, &expected.refusal) {
        (Err(error), _) => vec![error],
        (Ok(Reply::Refused(found)), Some(wanted)) if found == *wanted => Vec::new(),
        (Ok(Reply::Refused(found)), _) => vec![format!("refused by the transport: {found}")],
        (Ok(_), Some(wanted)) => vec![format!("not refused with {wanted}")],
        (Ok(Reply::Silence), None) if expected.silence => Vec::new(),
        (Ok(Reply::Silence), None) => vec!["no response".to_owned()],
        (Ok(Reply::Response(octets)), None) if expected.silence => vec![format!("a response: {octets:02x?}")],
        (Ok(Reply::Response(octets)), None) => {
            let response = match response::Response::read(&octets) {
                Ok(response) => response,
                Err(error) => return vec![format!("{error}: {octets:02x?}")],
            };
            world.keep_cookie(way, &response);
            expect::faults(&query, &response, &expected, world.limit(way, &query))
        }
    }
}

#[test]
fn every_rfc_on_the_list_has_a_folder_with_scenarios() {
    let found = scenarios();
    let missing =
        COVERED.iter().filter(|rfc| !found.iter().any(|path| path.parent().unwrap().ends_with(rfc)));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn a_wrong_expectation_fails() {
    let path = root().join("rfc1034/lookup.toml");
    let scenario = Scenario::read(&path);
    let ground = Ground::new();
    let mut world = World::of(&scenario, &path, &ground);
    // Each spoils what a right case expects in another place.
    type Spoil = (&'static str, fn(&mut scenario::Expect));
    let spoil: &[Spoil] = &[
        ("RCODE", |expect| expect.rcode = Some("NXDOMAIN".into())),
        ("flags", |expect| expect.flags = Some("aa tc".into())),
        ("answer", |expect| expect.answer = Some(Vec::new())),
        ("authority", |expect| expect.authority = Some(vec!["a. 1 A 192.0.2.1".into()])),
        ("additional", |expect| expect.additional = Some(vec!["a. 1 A 192.0.2.1".into()])),
        ("OPT", |expect| expect.opt = Some(true)),
        ("question", |expect| expect.question = Some(false)),
        ("octets", |expect| expect.multiple_of = Some(468)),
    ];
    for (what, spoil) in spoil {
        let mut case = scenario.case[0].clone();
        spoil(&mut case.expect);
        for way in ways() {
            let faults = run(&mut world, &case, way);
            assert!(faults.iter().any(|fault| fault.contains(what)), "{what} {way:?}: {faults:?}");
        }
    }
}
