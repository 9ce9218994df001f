//! A version that an earlier build accepted, and that the rules of this one refuse: it is served, because a new rule must not take away
//! what was served, and the status says what is wrong. The next version must be right.

use std::fs;

use anyns::publish::{ApplyError, Difference, ZoneState, check};
use anyns::wire::{RecordType, Serial};
use anyns::zone::{Place, RecordBatch, ZoneFault};

use crate::difference::{apply, step};
use crate::format4::{JOURNAL, STATE, StateFile, hash, journal};
use crate::support::{Pop, name, replace, zone_text};

const ZONE: &str = "zones/a.example.zone";

/// Lines that earlier builds took, each of another kind of rule: what stands where, a length, a value in its text form, a value in
/// the generic form.
const REFUSED_TODAY: [(&str, &str); 6] = [
    (
        "@ 60 IN DS 1 13 2 0101010101010101010101010101010101010101010101010101010101010101\n",
        "at the apex of its own zone",
    ),
    ("w 60 IN DS 1 13 2 00\n", "a digest of 1 octets"),
    ("w 60 IN HTTPS 1 . ech=AQID\n", "no RDATA of type HTTPS"),
    ("w 60 IN HTTPS 1 . no-default-alpn\n", "no RDATA of type HTTPS"),
    ("w 60 IN CAA \\# 3 00012d\n", "no RDATA of type CAA"),
    ("w 60 IN CNAME a.\nw 60 IN TXT x\n", "a CNAME stands alone"),
];

/// The records of `zone_text` as a state file has them.
fn records(serial: u32, hosts: usize) -> String {
    let mut text = format!(
        "a.example. 60 IN SOA ns.example. host.example. {serial} 1 1 1 1\na.example. 60 IN NS ns.example.\n"
    );
    (0..hosts).for_each(|host| text += &format!("h{host}.a.example. 60 IN A 10.0.0.{serial}\n"));
    text
}

/// What an earlier build with this format kept of a zone with these lines.
fn state_file(format: u32, serial: u32, lines: &str) -> StateFile {
    let absolute = lines.replace("@ ", "a.example. ").replace("w 60", "w.a.example. 60");
    let records = records(serial, 3) + &absolute;
    let record_count = records.lines().count();
    StateFile {
        format,
        serial,
        digest: "07".repeat(32),
        octets: hash(zone_text(serial, 3)),
        records,
        record_count,
    }
}

/// A zone that was kept by an earlier build with these lines.
fn kept_with(lines: &str) -> Pop {
    let pop = Pop::new();
    state_file(4, 5, lines).write(&pop);
    pop
}

#[tokio::test]
async fn state_files_are_taken_over_with_their_journals_and_an_older_build_is_kept_out() {
    for (format, damaged, expected) in [(4, false, 8), (3, false, 8), (4, true, 6)] {
        let mut pop = Pop::new();
        state_file(format, 5, "").write(&pop);
        let (mut journal, ends) = journal(5, 8, 3);
        if damaged {
            journal[ends[0] + 30] ^= 1;
        }
        fs::write(pop.path(JOURNAL), journal).unwrap();
        fs::write(pop.path("state/other.example.state"), "nonsense").unwrap();
        pop.start().await;
        assert_eq!(pop.served("a.example."), Some((expected, expected)), "{format} {damaged}");
        let report = pop.report();
        assert_eq!(report.faults.len(), 1 + usize::from(damaged), "{:?}", report.faults);
        assert!(!pop.path(STATE).exists() && !pop.path(JOURNAL).exists());
        assert!(pop.path("state/other.example.damaged").exists());
        assert_eq!(pop.path("state/a.example.journal-damaged").exists(), damaged);
        let history = pop.handle().history().steps(&name("a.example.")).unwrap().unwrap();
        assert_eq!(history.steps.len() as u32, expected - 5);
        // What an older build does first.
        let lock = fs::File::options().create(true).truncate(false).write(true).open(pop.path("state/lock"));
        assert!(lock.is_err());
        apply(&pop, expected, 20, 3).await;
        pop.restart().await;
        assert_eq!(pop.served("a.example."), Some((20, 20)));
        assert!(pop.report().faults.is_empty());
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_state_directory_that_an_older_build_uses_is_in_use() {
    let pop = Pop::new();
    state_file(4, 5, "").write(&pop);
    let lock = fs::File::open(pop.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let error = anyns::publish::Publisher::start(pop.settings(), Default::default()).unwrap_err();
    assert!(error.to_string().contains("another process uses"), "{error}");
    assert!(pop.path(STATE).exists());
}

#[tokio::test]
async fn a_state_file_of_version_2_is_continued() {
    let mut pop = Pop::new();
    state_file(2, 5, "").write(&pop);
    pop.start().await;
    assert_eq!(pop.served("a.example."), Some((5, 5)));
    assert!(pop.report().faults.is_empty());
    apply(&pop, 5, 6, 3).await;
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.stop().await;
}

#[tokio::test]
async fn what_was_served_is_served_and_the_next_version_must_be_right() {
    for (lines, expected) in REFUSED_TODAY {
        let mut pop = kept_with(lines);
        pop.write(ZONE, &(zone_text(5, 3) + lines));
        pop.start().await;
        assert_eq!(pop.served("a.example."), Some((5, 5)), "{lines}");
        let report = pop.wait_fault("a.example.", "a.example.zone").await;
        assert_eq!(report.state, ZoneState::Kept, "{lines}");
        // Without its file the state directory is all there is.
        fs::remove_file(pop.path(ZONE)).unwrap();
        pop.restart().await;
        assert_eq!(pop.served("a.example."), Some((5, 5)), "{lines}");
        let report = pop.wait_fault("a.example.", expected).await;
        assert!(
            report.faults.iter().any(|it| it.to_string().contains("as it was accepted before")),
            "{report:?}"
        );
        assert!(!pop.path("state/a.example.damaged").exists(), "{lines}");
        replace(&pop.path(ZONE), &(zone_text(6, 3) + lines));
        let report = pop.wait_fault("a.example.", "a.example.zone:").await;
        assert_eq!((report.state, report.serial), (ZoneState::Kept, Some(Serial(5))), "{lines}");
        replace(&pop.path(ZONE), &zone_text(6, 3));
        pop.wait_serial("a.example.", 6).await;
        assert!(pop.report().zones[&name("a.example.")].faults.is_empty(), "{lines}");
    }
}

/// With a journal: what it says is applied to such a version, too.
#[tokio::test]
async fn differences_lead_on_from_it_once_they_put_it_right() {
    let (lines, expected) = REFUSED_TODAY[0];
    let mut pop = kept_with(lines);
    pop.write(ZONE, &(zone_text(5, 3) + lines));
    let ds = |batch: &mut RecordBatch| {
        let rdata = [&[0, 1, 13, 2][..], &[1; 32]].concat();
        batch.push(name("a.example.").as_wire(), RecordType::DS, 60, &rdata, Place::default());
    };
    pop.start().await;
    pop.wait_fault("a.example.", expected).await;
    let error = pop.handle().apply(&name("a.example."), vec![step(5, 6, 3)]).await.unwrap_err();
    let ApplyError::Unfit { faults, .. } = &error else { panic!("{error}") };
    assert!(matches!(faults[..], [ZoneFault::DsAtApex { .. }]), "{error}");
    let mut difference = step(5, 6, 3);
    ds(&mut difference.deleted);
    pop.handle().apply(&name("a.example."), vec![difference]).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.restart().await;
    assert_eq!(pop.served("a.example."), Some((6, 6)), "the journal leads on from what is refused today");
    assert!(pop.report().faults.is_empty(), "{:?}", pop.report().faults);
}

/// The rules for zone files hold for differences.
#[tokio::test]
async fn a_difference_obeys_the_rules_of_zone_files() {
    let mut pop = Pop::new();
    pop.write(ZONE, &zone_text(5, 3));
    pop.start().await;
    let with = |owner: &str, record_type: RecordType, rdata: &[u8]| -> Difference {
        let mut difference = step(5, 6, 3);
        difference.added.push(name(owner).as_wire(), record_type, 60, rdata, Place::default());
        difference
    };
    let digest = [&[0, 1, 13, 2][..], &[1; 32]].concat();
    let cases: [(&str, RecordType, &[u8], &str); 7] = [
        ("a.example.", RecordType::DS, &digest, "a DS record at the apex"),
        ("w.a.example.", RecordType::DS, &digest[..35], "a digest of 31 octets, expected 32"),
        ("w.a.example.", RecordType::HTTPS, b"\0\x01\0\0\x02\0\0", "no RDATA of type HTTPS"),
        ("w.a.example.", RecordType::NSEC, b"\0\0\x01\0", "no RDATA of type NSEC"),
        ("w.a.example.", RecordType::CAA, b"\0\x01-", "no RDATA of type CAA"),
        ("h1.a.example.", RecordType::CNAME, b"\0", "a CNAME stands alone"),
        ("w.a.example.", RecordType::OPT, b"", "no zone may hold"),
    ];
    for (owner, record_type, rdata, expected) in cases {
        let difference = with(owner, record_type, rdata);
        let error = pop.handle().apply(&name("a.example."), vec![difference]).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(pop.served("a.example."), Some((5, 5)), "{error}");
    }
    let right = with("w.a.example.", RecordType::HTTPS, b"\0\x01\0\0\x01\0\x03\x02h2\0\x02\0\0");
    pop.handle().apply(&name("a.example."), vec![right]).await.unwrap();
    assert_eq!(pop.served("a.example."), Some((6, 6)));
    pop.stop().await;
    assert!(check(pop.settings()).unwrap().is_clean());
}
