//! What an operator asks of new versions: the zone's own digest, records that must be there, a program; holds and the way back.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyns::publish::{
    AcceptError, ApplyError, Difference, HoldError, NeededRecord, ProgramFault, Refused, RollbackError,
    SerialRule, Settings, StepSource, ZoneChecks, ZoneState, Zonemd, check, reverse,
};
use anyns::wire::{RecordType, Serial};
use anyns::zone::{DigestCheck, Place, RecordBatch, Zone};

use crate::difference::{apply, step};
use crate::skip;
use crate::support::{Pop, name, one, replace, versioned, zone_text};

const ZONE: &str = "zones/a.example.zone";

/// A zone with a ZONEMD record, as ldns makes it; with `sign` signed, with NSEC3 records.
fn with_digest(serial: u32, more: &str, hash: &str, sign: bool) -> String {
    let directory = tempfile::tempdir().unwrap();
    let run = |command: &mut Command| {
        let output = command.current_dir(directory.path()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let text = format!(
        "$ORIGIN a.example.\n$TTL 60\n@ SOA ns host {serial} 1 1 1 1\n@ NS NS.a.example.\nns A 192.0.2.1\nWWW A 192.0.2.2\nwww A 192.0.2.10\n\
         sub NS ns.sub\nns.sub A 192.0.2.3\nbelow.sub TXT x\n*.w TXT w\nx.ent TXT e\nb.c MX 5 Mail\n{more}"
    );
    fs::write(directory.path().join("plain"), text).unwrap();
    let mut command = Command::new("ldns-signzone");
    command.args(["-o", "a.example", "-z", &format!("1:{hash}"), "-f", "out"]);
    match sign {
        true => {
            let key = run(Command::new("ldns-keygen").args(["-a", "ECDSAP256SHA256", "-k", "a.example"]));
            run(command.args(["-n", "-t", "0", "plain", &key]));
        }
        false => drop(run(command.args(["-Z", "plain"]))),
    }
    fs::read_to_string(directory.path().join("out")).unwrap()
}

/// The zone without the dot at the end of its records below `sub`, which nobody serves and the digest covers.
fn changed(text: &str) -> String {
    let changed = text.replacen("192.0.2.10", "192.0.2.11", 1);
    assert_ne!(changed, text);
    changed
}

#[tokio::test]
async fn a_version_must_fit_its_zonemd_record() {
    if !skip::has_programs("ZONEMD of ldns", &["ldns-signzone", "ldns-keygen"]) {
        return;
    }
    for (hash, sign) in [("1", false), ("2", false), ("1", true), ("2", true)] {
        let mut pop = Pop::new();
        pop.write(ZONE, &with_digest(5, "", hash, sign));
        pop.start().await;
        pop.wait_serial("a.example.", 5).await;
        let zone = pop.published.load().zone(&name("a.example.")).unwrap().clone();
        assert_eq!(zone.check_digest(), DigestCheck::Fits, "{hash} {sign}");
        let next = with_digest(6, "new A 192.0.2.7\n", hash, sign);
        replace(&pop.path(ZONE), &changed(&next));
        let report = pop.wait_fault("a.example.", "the ZONEMD record says digest").await;
        assert_eq!((report.state, report.refused_serial), (ZoneState::Kept, Some(Serial(6))));
        // The serial raised by hand, and the digest not made again.
        replace(&pop.path(ZONE), &with_digest(5, "", hash, false).replacen(" 5 1 1 1 1", " 7 1 1 1 1", 1));
        pop.wait_fault("a.example.", if sign { "not" } else { "of serial 5, the zone has 7" }).await;
        replace(&pop.path(ZONE), &next);
        pop.wait_serial("a.example.", 6).await;
        let found = check(pop.settings()).unwrap();
        assert!(found.is_clean(), "{found:?}");
        replace(&pop.path(ZONE), &changed(&with_digest(8, "", hash, sign)));
        assert!(!check(pop.settings()).unwrap().is_clean());
        pop.wait_fault("a.example.", "the ZONEMD record says digest").await;
        // An operator may want it all the same, once or always.
        pop.handle().accept(&name("a.example."), Serial(8)).await.unwrap();
        let off = ZoneChecks { zonemd: Some(Zonemd::Off), ..ZoneChecks::default() };
        let settings = Settings { checks: [(name("a.example."), off)].into(), ..pop.settings() };
        pop.handle().reconfigure(settings).await.unwrap();
        replace(&pop.path(ZONE), &changed(&with_digest(9, "", hash, sign)));
        pop.wait_serial("a.example.", 9).await;
    }
}

fn digest(zone: &Zone) -> String {
    let digest = zone.make_digest(|| true).unwrap();
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// RFC 8976 appendix A.1, and what does not count.
#[tokio::test]
async fn the_digest_is_that_of_rfc8976() {
    let mut pop = Pop::new();
    let text = "example. 86400 IN SOA ns1 admin 2018031900 1800 900 604800 86400\n 86400 IN NS ns1\n 86400 IN NS ns2\n\
                ns1 3600 IN A 203.0.113.63\nns2 3600 IN AAAA 2001:db8::63\n";
    pop.write("zones/example.zone", text);
    pop.start().await;
    let zone = pop.published.load().zone(&name("example.")).unwrap().clone();
    let expected =
        "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
    assert_eq!(digest(&zone), expected);
    assert_eq!(zone.content_digest().map(|digest| digest.len()), Some(48));
    assert_eq!(Zone::clone(&zone).content_digest(), None, "a copy may become another version");
    assert!(Zone::clone(&zone).make_digest(|| false).is_none(), "it can be given up");
    assert_eq!(zone.check_digest(), DigestCheck::Absent);
    // It is made behind the serving, too.
    replace(&pop.path("zones/example.zone"), &text.replace("2018031900", "2018031901"));
    pop.wait_serial("example.", 2018031901).await;
    let zone = pop.published.load().zone(&name("example.")).unwrap().clone();
    while zone.content_digest().is_none() {
        tokio::task::yield_now().await;
    }
    assert_ne!(digest(&zone), expected);
    let zonemd = |rest: &str, serial: u32| {
        let text = text.replace("2018031900", &serial.to_string());
        format!("{text}example. 86400 IN ZONEMD {rest}\n")
    };
    // Of kinds that nobody knows: it says nothing.
    replace(
        &pop.path("zones/example.zone"),
        &zonemd("2018031902 1 240 616263646566676869707172", 2018031902),
    );
    pop.wait_serial("example.", 2018031902).await;
    let two =
        format!("2018031903 1 1 {expected}\nexample. 86400 IN ZONEMD 2018031903 1 1 {}", "ab".repeat(48));
    replace(&pop.path("zones/example.zone"), &zonemd(&two, 2018031903));
    pop.wait_fault("example.", "several ZONEMD records of scheme 1 and hash algorithm 1").await;
}

fn checks(must_have: &[&str], program: Option<&[&str]>) -> ZoneChecks {
    let zone = name("a.example.");
    ZoneChecks {
        must_have: must_have.iter().map(|text| NeededRecord::parse(text, &zone).unwrap()).collect(),
        zonemd: None,
        program: program.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
    }
}

#[tokio::test]
async fn records_that_must_be_there_and_a_program_that_must_agree() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    let script = "grep -q 'h2.*10.0.0.13' && { echo 'thirteen is unlucky' >&2; exit 1; }; exit 0";
    let own = checks(&["h1 A", "@ NS"], Some(&["/bin/sh", "-c", script]));
    let settings = Settings {
        checks: [(zone.clone(), own)].into(),
        validate_limit: Duration::from_secs(20),
        ..pop.settings()
    };
    pop.write(ZONE, &zone_text(5, 3));
    pop.start_with(settings.clone()).await;
    pop.wait_serial("a.example.", 5).await;
    replace(&pop.path(ZONE), &zone_text(6, 1));
    let report = pop.wait_fault("a.example.", "no A record at h1.a.example.").await;
    assert_eq!((report.state, report.refused_serial), (ZoneState::Kept, Some(Serial(6))));
    replace(&pop.path(ZONE), &zone_text(13, 3));
    pop.wait_fault("a.example.", "says no (exit status: 1): thirteen is unlucky").await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    // What an operator accepts is not asked about.
    pop.handle().accept(&zone, Serial(13)).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((13, 13)));
    // Differences are judged, too, and what they lead to is kept for inspection.
    apply(&pop, 13, 14, 3).await;
    let mut lost = step(14, 15, 3);
    lost.added = step(14, 15, 1).added;
    let refused = pop.handle().apply(&zone, vec![lost]).await.unwrap_err();
    assert!(matches!(refused, ApplyError::Refused { refused: Refused::LacksRecord { .. }, .. }), "{refused}");
    assert_eq!(pop.served("a.example."), Some((14, 14)));
    let kept = anyns::publish::refused_path(&pop.path("state"), &zone);
    let text = fs::read_to_string(kept).unwrap();
    assert!(text.contains(" 15 1 1 1 1") && text.contains("10.0.0.15"), "{text}");
    // A program that is not there refuses; nothing is taken unjudged.
    let missing = checks(&[], Some(&["/no/such/program"]));
    let settings = Settings { checks: [(zone.clone(), missing)].into(), ..settings };
    pop.handle().reconfigure(settings).await.unwrap();
    let refused = pop.handle().apply(&zone, vec![step(14, 16, 3)]).await.unwrap_err();
    let ApplyError::Refused { refused: Refused::Program(ProgramFault::Failed { .. }), .. } = refused else {
        panic!("{refused}")
    };
}

#[tokio::test]
async fn a_held_zone_takes_nothing_new_until_the_end_of_the_hold() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    assert!(matches!(
        pop.handle().hold(one(&name("no.")), Some("x".into())).await,
        Err(HoldError::NoSuchZone)
    ));
    assert!(matches!(pop.handle().hold(one(&zone), None).await, Err(HoldError::NotHeld)));
    assert!(
        pop.handle().hold(one(&zone), Some("the registry\nfreezes".into())).await.unwrap().is_kept,
        "it is kept"
    );
    pop.wait_fault("a.example.", "is held at the version that is served since").await;
    replace(&pop.path(ZONE), &zone_text(6, 3));
    pop.wait_fault("a.example.", "held at the version that is served (the registry freezes)").await;
    let refused = pop.handle().apply(&zone, vec![step(5, 7, 3)]).await.unwrap_err();
    assert!(matches!(refused, ApplyError::Refused { refused: Refused::Held { .. }, .. }), "{refused}");
    // Also over a restart, in which the file is another one.
    pop.restart().await;
    pop.wait_fault("a.example.", "the registry freezes").await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    // One version may pass by force; the hold stays.
    pop.wait_fault("a.example.", "unhold").await;
    pop.handle().accept(&zone, Serial(6)).await.unwrap();
    replace(&pop.path(ZONE), &zone_text(8, 3));
    pop.wait(|report| report.zones[&zone].refused_serial == Some(Serial(8))).await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.handle().hold(one(&zone), None).await.unwrap();
    pop.wait_serial("a.example.", 8).await;
    pop.restart().await;
    assert!(pop.report().zones[&zone].faults.is_empty());
}

/// The way back to the version with this serial.
async fn roll_back(pop: &Pop, to: u32) -> Result<u32, String> {
    let zone = name("a.example.");
    let served = pop.published.load().zone(&zone).unwrap().clone();
    let steps = pop.handle().history().between(&zone, Serial(to), Some(served.serial())).unwrap();
    let difference = reverse(&served, &steps.ok_or("no steps")?).map_err(|error| error.to_string())?;
    let source = Some(StepSource::Rollback { to: Serial(to) });
    let applied = pop.handle().apply_from(&zone, vec![difference], source).await;
    let applied = applied.map_err(|error| error.to_string())?;
    Ok(applied.serial.0)
}

#[tokio::test]
async fn a_way_back_has_the_old_content_under_a_raised_serial_and_the_rejected_file_stays_out() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    for serial in [6, 7] {
        pop.wait_kept().await;
        replace(&pop.path(ZONE), &zone_text(serial, if serial == 7 { 500 } else { 3 }));
        pop.wait_serial("a.example.", serial).await;
    }
    pop.wait_kept().await;
    // More than half of its records go: an operator's word counts.
    assert_eq!(roll_back(&pop, 5).await, Ok(8));
    assert_eq!(pop.served("a.example."), Some((8, 5)));
    let source =
        |pop: &Pop| pop.handle().history().steps(&zone).unwrap().unwrap().steps.pop().unwrap().source;
    assert_eq!(source(&pop), Some(StepSource::Rollback { to: Serial(5) }));
    let before = pop.published.load().zone(&zone).unwrap().clone();
    assert_eq!(before.record_count(), 5);
    // The file that was rejected does not come back: by a look, by a restart, written again.
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((8, 5)));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((8, 5)));
    assert_eq!(source(&pop), Some(StepSource::Rollback { to: Serial(5) }));
    replace(&pop.path(ZONE), &(zone_text(7, 500) + "; written again\n"));
    pop.handle().reload().await;
    assert_eq!(pop.served("a.example."), Some((8, 5)));
    // A new version must have a serial after that.
    replace(&pop.path(ZONE), &versioned(8, 9, 3));
    pop.wait_fault("a.example.", "still 8").await;
    replace(&pop.path(ZONE), &zone_text(9, 3));
    pop.wait_serial("a.example.", 9).await;
    pop.wait_kept().await;
    assert_eq!(roll_back(&pop, 8).await, Ok(10), "back to where it was rolled back");
    assert_eq!(pop.served("a.example."), Some((10, 5)));
    assert_eq!(roll_back(&pop, 8).await, Err(RollbackError::Same.to_string()));
    let nothing = pop.handle().accept(&zone, Serial(7)).await;
    assert!(matches!(nothing, Err(AcceptError::NothingRefused { .. })), "{nothing:?}");
}

/// RFC 4035 section 5.2: a DS record that matches no key breaks the zone for those who validate.
#[tokio::test]
async fn a_zone_whose_ds_matches_no_key_is_told_while_both_are_served() {
    let mut pop = Pop::new();
    let parent = |serial: u32, more: &str| {
        format!(
            "@ 60 IN SOA ns.example. host.example. {serial} 1 1 1 1\n@ 60 IN NS ns.example.\nsub 60 IN NS ns.sub\n{more}"
        )
    };
    let ds = format!("sub 60 IN DS 1 13 2 {}\n", "00".repeat(32));
    pop.write("zones/example.zone", &parent(1, &ds));
    pop.write("zones/sub.example.zone", &zone_text(5, 1));
    pop.start().await;
    // Nothing looks at the zone again by itself: each new version of the one above does.
    let told = "the DS records in example., which is served here too";
    let report = pop.wait_fault("sub.example.", told).await;
    assert_eq!(report.state, ZoneState::Serving, "it is served all the same");
    let zone = name("sub.example.");
    let above = pop.path("zones/example.zone");
    replace(&above, &parent(2, ""));
    pop.wait(|report| report.zones[&zone].faults.is_empty()).await;
    replace(&above, &parent(3, &ds));
    pop.wait_fault("sub.example.", told).await;
    pop.wait_kept().await;
    pop.restart().await;
    pop.wait_fault("sub.example.", told).await;
    pop.handle().apply(&name("example."), vec![ds_changes(3, 4, true)]).await.unwrap();
    pop.wait(|report| report.zones[&zone].faults.is_empty()).await;
    pop.handle().apply(&name("example."), vec![ds_changes(4, 5, false)]).await.unwrap();
    pop.wait_fault("sub.example.", told).await;
    // Without the zone above there is nothing that could be wrong.
    fs::remove_file(&above).unwrap();
    pop.handle().reload().await;
    pop.handle().remove(&name("example.")).await.unwrap();
    pop.wait(|report| report.zones[&zone].faults.is_empty()).await;
}

/// A difference of the zone above that takes the DS record of the test away, or puts it back.
fn ds_changes(from: u32, to: u32, takes: bool) -> Difference {
    let batch = |serial: u32, has_ds: bool| {
        let (apex, owner) = (name("example."), name("sub.example."));
        let mut batch = RecordBatch::new(&apex);
        let numbers = [serial, 1, 1, 1, 1].map(u32::to_be_bytes).concat();
        let soa = [name("ns.example.").as_wire(), name("host.example.").as_wire(), &numbers].concat();
        batch.push(apex.as_wire(), RecordType::SOA, 60, &soa, Place::default());
        if has_ds {
            let ds = [&[0, 1, 13, 2][..], &[0; 32]].concat();
            batch.push(owner.as_wire(), RecordType::DS, 60, &ds, Place::default());
        }
        batch
    };
    let (deleted, added) = (batch(from, takes), batch(to, !takes));
    Difference { from: Serial(from), to: Serial(to), deleted, added }
}

/// Under `bump` the serial does not tell the rejected content from new one.
#[tokio::test]
async fn rejected_content_does_not_come_back_after_good_versions_where_serials_are_made_here() {
    let mut pop = Pop::new();
    let zone = name("a.example.");
    let bump = |pop: &Pop| Settings { serial: SerialRule::Bump, ..pop.settings() };
    // All files have the same serial, and the content of a version each.
    let file = |content: u32| versioned(1, content, 3);
    pop.write(ZONE, &file(1));
    pop.start_with(bump(&pop)).await;
    for content in [2, 3] {
        pop.wait_kept().await;
        replace(&pop.path(ZONE), &file(content));
        pop.wait_serial("a.example.", content).await;
    }
    pop.wait_kept().await;
    assert_eq!(roll_back(&pop, 1).await, Ok(4));
    assert_eq!(pop.served("a.example."), Some((4, 1)));
    replace(&pop.path(ZONE), &file(5));
    pop.wait_serial("a.example.", 5).await;
    pop.wait_kept().await;
    let told = "has the content that a rollback rejected";
    // Both versions that were left are known; also after a restart, and before a deployment.
    for content in [3, 2] {
        replace(&pop.path(ZONE), &file(content));
        let report = pop.wait_fault("a.example.", told).await;
        assert_eq!((report.state, report.refused_serial), (ZoneState::Kept, Some(Serial(1))));
        let checked = check(bump(&pop)).unwrap();
        assert!(checked.zones[&zone].result.as_ref().is_err_and(|fault| fault.to_string().contains(told)));
        pop.stop().await;
        pop.published = Default::default();
        pop.start_with(bump(&pop)).await;
        pop.wait_fault("a.example.", told).await;
        assert_eq!(pop.served("a.example."), Some((5, 5)));
        replace(&pop.path(ZONE), &file(5));
        pop.wait(|report| report.zones[&zone].faults.is_empty()).await;
    }
    // What was gone back to is not rejected, and what an operator accepts is not any more.
    replace(&pop.path(ZONE), &file(1));
    pop.wait_serial("a.example.", 6).await;
    replace(&pop.path(ZONE), &file(3));
    pop.wait_fault("a.example.", told).await;
    assert_eq!(pop.handle().accept(&zone, Serial(1)).await.unwrap(), Serial(7));
    replace(&pop.path(ZONE), &file(8));
    pop.wait_serial("a.example.", 8).await;
    replace(&pop.path(ZONE), &file(3));
    pop.wait_serial("a.example.", 9).await;
    assert_eq!(pop.served("a.example."), Some((9, 3)));
}
