//! DNSSEC signatures: deploys with each setting of `dnssec`, and `anyns zone check`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyns::publish::{
    AcceptError, ApplyError, Difference, Dnssec, Fault, Refused, Settings, Signatures, SingleZone, ZoneState,
    check,
};
use anyns::wire::Serial;
use anyns::zone::{Place, RecordBatch};

use crate::signed::{Signer, can_sign, change};
use crate::support::{Pop, name, replace};

const ZONE: &str = "zones/example.org.zone";

#[test]
fn zone_check_tells_what_is_wrong_and_until_when_the_rest_is_valid() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ED25519"]);
    let file = signer.directory.path().join("example.org.zone");
    let check = |text: &str, arguments: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_anyns"));
        let output = command.args(["zone", "check"]).arg(&file).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let good = signer.sign(1, "", &["-s", "20200101000000", "-e", "20600201000000"]);
    let (code, said) = check(&good, &[]);
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("signatures of example.org.: ") && last.contains(" verified, no fault, "),
        "{said}"
    );
    assert!(last.ends_with("valid until 2060-02-01T00:00:00Z") && code == Some(0), "{said}");
    let (code, said) = check(&damaged(&good), &[]);
    let told = format!("error: www.example.org. A: the signature by key {} (ED25519)", signer.tag());
    assert!(said.contains(&told) && said.contains(" verified, 1 fault, ") && code == Some(1), "{said}");
    let (code, said) = check(&damaged(&good), &["--no-signatures"]);
    assert!(!said.contains("signature") && code == Some(0), "{said}");
}

/// Waits until the signatures of the version with this serial are looked at to the end.
async fn verified(pop: &Pop, serial: u32) -> Signatures {
    let zone = name("example.org.");
    let done = |it: &Signatures| {
        it.serial == Serial(serial) && it.verdict.verified.is_none_or(|percent| percent == 100)
    };
    let report = pop
        .wait(|report| report.zones.get(&zone).is_some_and(|it| it.signatures.as_ref().is_some_and(done)))
        .await;
    report.zones[&zone].signatures.clone().unwrap()
}

fn with(pop: &Pop, dnssec: Dnssec) -> Settings {
    Settings { dnssec, ..pop.settings() }
}

fn serial(pop: &Pop) -> Option<u32> {
    pop.published.load().zone(&name("example.org.")).map(|zone| zone.serial().0)
}

/// A zone with one signature that does not match.
fn damaged(good: &str) -> String {
    change(good, "www.example.org.", "A", |line| Some(line.replace("192.0.2.10", "192.0.2.11")))
}

#[tokio::test]
async fn warn_serves_what_is_wrong_and_tells_it_once_with_a_count() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ECDSAP256SHA256"]);
    let mut pop = Pop::new();
    pop.write(ZONE, &signer.sign(1, "", &[]));
    pop.start().await;
    let first = verified(&pop, 1).await;
    assert_eq!((first.verdict.wrong, first.failed), (0, None));
    let left = first.verdict.validity.unwrap().expires
        - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((29 * 86_400..=30 * 86_400).contains(&left), "dnssec-signzone signs for 30 days: {left} s");
    replace(&pop.path(ZONE), &damaged(&signer.sign(2, "", &[])));
    assert_eq!(verified(&pop, 2).await.verdict.wrong, 1);
    let report = pop.report().zones[&name("example.org.")].clone();
    assert_eq!((report.state, report.faults.len()), (ZoneState::Serving, 1));
    let told =
        format!("www.example.org. A: the signature by key {} (ECDSAP256SHA256) does not match", signer.tag());
    assert!(report.faults[0].to_string().contains(&told), "{}", report.faults[0]);
    // A restart finds the same, from the state directory or the file.
    pop.wait_kept().await;
    pop.restart().await;
    assert_eq!(verified(&pop, 2).await.verdict.wrong, 1);
    // Mended, with a new key and other signatures: all is verified again.
    let other = Signer::new(&["ED25519"]);
    replace(&pop.path(ZONE), &other.sign(3, "", &["-e", "+864000"]));
    let third = verified(&pop, 3).await;
    assert_eq!(third.verdict.wrong, 0);
    assert!(third.verdict.validity.unwrap().expires < first.verdict.validity.unwrap().expires);
    assert!(pop.report().zones[&name("example.org.")].faults.is_empty());
    // Without signatures nothing is said of them.
    let plain = "@ 3600 SOA ns hostmaster 4 7200 3600 1209600 3600\n@ 3600 NS ns.example.\n";
    replace(&pop.path(ZONE), plain);
    pop.wait_fault("example.org.", "this one is not").await;
    pop.handle().accept(&name("example.org."), Serial(4)).await.unwrap();
    pop.wait(|report| report.zones[&name("example.org.")].signatures.is_none()).await;
}

#[tokio::test]
async fn refuse_keeps_the_old_version_unless_it_is_forced() {
    if !can_sign() {
        return;
    }
    let zone = name("example.org.");
    let signer = Signer::new(&["ECDSAP256SHA256"]);
    let mut pop = Pop::new();
    pop.write(ZONE, &signer.sign(1, "", &[]));
    pop.start_with(with(&pop, Dnssec::Refuse)).await;
    replace(&pop.path(ZONE), &damaged(&signer.sign(2, "", &[])));
    let told =
        format!("www.example.org. A: the signature by key {} (ECDSAP256SHA256) does not match", signer.tag());
    let report = pop.wait_fault("example.org.", &told).await;
    assert_eq!(
        (report.state, report.refused_serial, serial(&pop)),
        (ZoneState::Kept, Some(Serial(2)), Some(1))
    );
    let text = report.faults[0].to_string();
    assert!(text.contains("example.org.zone: a signature is wrong"), "{text}");
    assert!(text.ends_with("anyns zone accept example.org. 2"), "{text}");
    let other = pop.handle().accept(&zone, Serial(3)).await;
    assert!(matches!(other, Err(AcceptError::OtherSerial { .. })), "{other:?}");
    pop.handle().accept(&zone, Serial(2)).await.unwrap();
    assert_eq!(serial(&pop), Some(2));
    assert_eq!(verified(&pop, 2).await.verdict.wrong, 1);
    // What is wrong already does not refuse a version in which it stays; another fault does.
    replace(&pop.path(ZONE), &damaged(&signer.sign(3, "new A 192.0.2.77\n", &[])));
    pop.wait(|report| report.zones[&zone].serial == Some(Serial(3))).await;
    let twice = change(&damaged(&signer.sign(4, "", &[])), "up.example.org.", "RRSIG TXT", |_| None);
    replace(&pop.path(ZONE), &twice);
    pop.wait_fault("example.org.", "a signature is wrong: Up.example.org. TXT: the RRset is not signed")
        .await;
    // Keys that are not those that signed: everything is concerned.
    let (signed, other) = (signer.sign(5, "", &[]), Signer::new(&["ECDSAP256SHA256"]).sign(5, "", &[]));
    let foreign = other.lines().find(|line| line.contains("IN DNSKEY")).unwrap();
    replace(&pop.path(ZONE), &change(&signed, "example.org.", "DNSKEY", |_| Some(foreign.to_owned())));
    let report = pop.wait_fault("example.org.", "signatures are wrong, the first: example.org. ").await;
    assert!(
        report.faults[0].to_string().contains("which is not in the DNSKEY RRset"),
        "{}",
        report.faults[0]
    );
    assert_eq!(serial(&pop), Some(3));
    replace(&pop.path(ZONE), &other);
    pop.wait_serial("example.org.", 5).await;
    assert_eq!(verified(&pop, 5).await.verdict.wrong, 0);
}

#[tokio::test]
async fn neither_time_nor_an_unknown_algorithm_refuses_and_off_verifies_nothing() {
    if !can_sign() {
        return;
    }
    let zone = name("example.org.");
    let expired = ["-s", "20200101000000", "-e", "20200201000000", "-P"];
    let mut pop = Pop::new();
    pop.write(ZONE, &Signer::new(&["ED25519"]).sign(1, "", &expired));
    pop.start_with(with(&pop, Dnssec::Refuse)).await;
    assert_eq!(serial(&pop), Some(1));
    let first = verified(&pop, 1).await;
    assert_eq!((first.verdict.wrong, first.verdict.validity.unwrap().expires), (0, 1_580_515_200));
    replace(&pop.path(ZONE), &Signer::new(&["ED448"]).sign(2, "", &[]));
    pop.wait_serial("example.org.", 2).await;
    assert_eq!(verified(&pop, 2).await.verdict.wrong, 0);
    // A first version that is wrong is refused, too: another zone, with a rule of its own.
    pop.stop().await;
    let mut pop = Pop::new();
    pop.write(ZONE, &damaged(&Signer::new(&["ED25519"]).sign(1, "", &[])));
    let single = |dnssec| SingleZone { name: zone.clone(), file: None, serial: None, dnssec: Some(dnssec) };
    let settings = |dnssec| Settings { zones: [single(dnssec)].into(), ..with(&pop, Dnssec::Warn) };
    let (refuse, off) = (settings(Dnssec::Refuse), settings(Dnssec::Off));
    let checked = check(refuse.clone()).unwrap();
    let said = checked.zones[&zone].result.as_ref().unwrap_err().to_string();
    assert!(said.contains("a signature is wrong: www.example.org. A"), "anyns check says the same: {said}");
    assert!(check(off.clone()).unwrap().is_clean());
    pop.start_with(refuse).await;
    let report = pop.wait_fault("example.org.", "a signature is wrong").await;
    assert_eq!((report.state, serial(&pop)), (ZoneState::Refused, None));
    // Other settings apply at a reload; when signatures expire is known also where they are not verified.
    pop.handle().reconfigure(off).await.unwrap();
    assert_eq!(serial(&pop), Some(1));
    let verdict = verified(&pop, 1).await.verdict;
    assert_eq!((verdict.verified, verdict.wrong, verdict.validity.is_some()), (None, 0, true));
    pop.handle().reconfigure(with(&pop, Dnssec::Warn)).await.unwrap();
    pop.wait_fault("example.org.", "a signature is wrong").await;
}

#[tokio::test]
async fn a_difference_is_verified_like_a_file() {
    if !can_sign() {
        return;
    }
    let zone = name("example.org.");
    let signer = Signer::new(&["ECDSAP256SHA256"]);
    let mut pop = Pop::new();
    pop.write(ZONE, &signer.sign(1, "", &["-e", "+2592000"]));
    pop.start_with(with(&pop, Dnssec::Refuse)).await;
    let first = verified(&pop, 1).await.verdict.validity.unwrap();
    // What leads from one signed version to the next: the apex, with its signatures.
    let difference = |text: &str| {
        let file = pop.path("next.zone");
        std::fs::write(&file, text).unwrap();
        let next =
            anyns::zonefile::read_zone(&file, &zone, &anyns::zonefile::Limits::default()).unwrap().zone;
        let served = pop.published.load().zone(&zone).unwrap().clone();
        let records = |zone: &anyns::zone::Zone| -> Vec<_> { zone.records().collect() };
        let (old, new) = (records(&served), records(&next));
        let batch = |one: &[anyns::zone::Record], other: &[anyns::zone::Record]| {
            let mut batch = RecordBatch::new(&zone);
            let same = |a: &anyns::zone::Record, b: &anyns::zone::Record| {
                (&a.owner, a.record_type, &a.rdata) == (&b.owner, b.record_type, &b.rdata)
            };
            for record in one.iter().filter(|record| !other.iter().any(|other| same(record, other))) {
                batch.push(
                    record.owner.as_wire(),
                    record.record_type,
                    record.ttl,
                    &record.rdata,
                    Place::default(),
                );
            }
            batch
        };
        Difference {
            from: served.serial(),
            to: next.serial(),
            deleted: batch(&old, &new),
            added: batch(&new, &old),
        }
    };
    let bad = difference(&damaged(&signer.sign(2, "", &[])));
    assert!(bad.added.record_count() > 2, "{bad:?}");
    let error = pop.handle().apply(&zone, vec![bad]).await.unwrap_err();
    assert!(
        matches!(&error, ApplyError::Refused { refused: Refused::Signatures { wrong: 1, .. }, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("www.example.org. A: the signature by key"), "{error}");
    assert_eq!(serial(&pop), Some(1));
    let good = difference(&signer.sign(3, "", &["-e", "+1728000"]));
    pop.handle().apply(&zone, vec![good]).await.unwrap();
    assert_eq!(serial(&pop), Some(3));
    let third = verified(&pop, 3).await;
    assert_eq!(third.verdict.wrong, 0);
    assert!(third.verdict.validity.unwrap().expires < first.expires, "{third:?}");
    // The journal brings it back.
    pop.stop().await;
    pop.published = Default::default();
    pop.start_with(with(&pop, Dnssec::Refuse)).await;
    assert_eq!(verified(&pop, 3).await.verdict, third.verdict);
}

#[tokio::test]
async fn a_large_broken_zone_says_little_and_a_newer_version_takes_over() {
    if !can_sign() {
        return;
    }
    let signer = Signer::new(&["ED25519"]);
    let hosts: String = (0..300).map(|host| format!("h{host} A 10.0.0.{}\n", host % 256)).collect();
    let good = signer.sign(1, &hosts, &[]);
    let broken: String = good.lines().map(|line| line.replace("10.0.0.", "10.0.1.") + "\n").collect();
    let mut pop = Pop::new();
    pop.write(ZONE, &broken);
    pop.start().await;
    assert_eq!(verified(&pop, 1).await.verdict.wrong, 300);
    let report = pop.report().zones[&name("example.org.")].clone();
    let text = report.faults[0].to_string();
    assert!(
        text.starts_with("300 signatures are wrong, the first: h0.example.org. A: ") && text.len() < 300,
        "{text}"
    );
    assert!(matches!(report.faults[..], [Fault::Signatures { wrong: 300, .. }]));
    for serial in 2..6 {
        replace(&pop.path(ZONE), &signer.sign(serial, &hosts, &[]));
        pop.wait_serial("example.org.", serial).await;
    }
    assert_eq!(verified(&pop, 5).await.verdict.wrong, 0);
    assert!(pop.report().zones[&name("example.org.")].faults.is_empty());
    tokio::time::timeout(Duration::from_secs(20), pop.stop()).await.unwrap();
}
