//! A file that differences have led on from, at the next start: known by its octets and then not parsed; whatever changed
//! in it is seen.

use std::fs::{self, File};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::difference::apply;
use crate::support::{Pop, name, zone_text};

const ZONE: &str = "zones/a.example.zone";
const STATE: &str = "state/a.example.state";
const JOURNAL: &str = "state/a.example.journal";

/// A publisher that was stopped at serial 3; the file has 1.
async fn led_on(text: &str) -> Pop {
    let mut pop = Pop::new();
    pop.write(ZONE, text);
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 3).await;
    apply(&pop, 2, 3, 3).await;
    pop.stop().await;
    pop
}

async fn start(pop: &mut Pop) {
    pop.published = Default::default();
    pop.start().await;
}

/// The value of a line in the head of the state file.
fn line(pop: &Pop, key: &str) -> Option<String> {
    let text = String::from_utf8(fs::read(pop.path(STATE)).unwrap()).unwrap();
    text.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
}

fn hash(octets: impl AsRef<[u8]>) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Changes the head of the state file, with a hash that fits.
fn rewrite_head(pop: &Pop, rewrite: impl Fn(&str) -> String) {
    let text = fs::read_to_string(pop.path(STATE)).unwrap();
    let (head, rest) = text.split_at(text.find(";header ").unwrap());
    let (head, body) = (rewrite(head), rest.split_once('\n').unwrap().1);
    fs::write(pop.path(STATE), format!("{head};header {}\n{body}", hash(&head))).unwrap();
}

#[tokio::test]
async fn a_file_with_the_octets_of_the_last_reading_is_not_parsed_again() {
    let mut pop = led_on(&zone_text(1, 3)).await;
    assert_eq!(line(&pop, ";octets "), Some(hash(zone_text(1, 3))));
    // Nothing but parsing tells that this is no zone, and its octets are those that the state names.
    let broken = "broken\n";
    let octets = hash(zone_text(1, 3));
    rewrite_head(&pop, |head| head.replace(&octets, &hash(broken)));
    pop.write(ZONE, broken);
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    assert!(pop.report().zones[&name("a.example.")].faults.is_empty());
    // And it goes on from there: another file is read, differences come.
    apply(&pop, 3, 4, 3).await;
    pop.write(ZONE, &zone_text(5, 3));
    pop.wait_serial("a.example.", 5).await;
    pop.stop().await;
}

#[tokio::test]
async fn a_file_that_changed_meanwhile_is_seen_though_size_and_time_are_the_same() {
    let mut pop = led_on(&zone_text(1, 3)).await;
    let before = fs::metadata(pop.path(ZONE)).unwrap();
    for (serial, content, served) in [(9, 9, (9, 9)), (8, 8, (9, 9))] {
        let text = crate::support::versioned(serial, content, 3);
        pop.write(ZONE, &text);
        let file = File::options().write(true).open(pop.path(ZONE)).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let after = file.metadata().unwrap();
        assert_eq!((after.len(), after.modified().unwrap()), (before.len(), before.modified().unwrap()));
        drop(file);
        start(&mut pop).await;
        assert_eq!(pop.served("a.example."), Some(served));
        if serial == 8 {
            pop.wait_fault("a.example.", "serial 8 does not come after").await;
        }
        pop.stop().await;
    }
}

#[tokio::test]
async fn a_file_that_is_included_is_read_again_and_its_change_is_seen() {
    let (head, hosts) = {
        let text = zone_text(1, 3);
        let at = text.find("h0").unwrap();
        (text[..at].to_owned(), text[at..].to_owned())
    };
    let mut pop = Pop::new();
    pop.write("zones/hosts.inc", &hosts);
    pop.write(ZONE, &format!("{head}$INCLUDE hosts.inc\n"));
    pop.start().await;
    pop.wait_kept().await;
    apply(&pop, 1, 2, 3).await;
    pop.stop().await;
    assert_eq!(line(&pop, ";octets ").as_deref(), Some("unknown"));
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((2, 2)));
    pop.stop().await;
    pop.write("zones/hosts.inc", "h0 60 IN A 10.0.0.7\n");
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((2, 2)));
    pop.wait_fault("a.example.", "serial 1 does not come after").await;
    pop.stop().await;
}

#[tokio::test]
async fn a_file_that_only_looks_otherwise_is_read_once_and_then_known() {
    let mut pop = led_on(&zone_text(1, 3)).await;
    let text = format!("; the same zone\n{}", zone_text(1, 3));
    pop.write(ZONE, &text);
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    pop.wait_kept().await;
    pop.stop().await;
    assert_eq!((line(&pop, ";octets "), line(&pop, ";serial ")), (Some(hash(&text)), Some("3".to_owned())));
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    assert!(pop.report().zones[&name("a.example.")].faults.is_empty());
    pop.stop().await;
}

#[tokio::test]
async fn a_state_file_of_version_3_is_continued() {
    let mut pop = led_on(&zone_text(1, 3)).await;
    rewrite_head(&pop, |head| {
        let head = head.replace(";anyns-state 4", ";anyns-state 3");
        head.lines().filter(|line| !line.starts_with(";octets")).map(|line| format!("{line}\n")).collect()
    });
    assert!(pop.path(JOURNAL).exists());
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    assert!(pop.report().faults.is_empty());
    pop.stop().await;
    assert_eq!(line(&pop, ";octets "), Some(hash(zone_text(1, 3))), "known from now on");
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    pop.stop().await;
}

#[tokio::test]
async fn with_a_damaged_state_the_file_is_served() {
    for from_version_3 in [false, true] {
        let mut pop = led_on(&zone_text(1, 3)).await;
        if from_version_3 {
            // Its file is parsed to know it; then what it led to turns out to be damaged.
            let octets = hash(zone_text(1, 3));
            rewrite_head(&pop, |head| head.replace(&octets, "unknown"));
        }
        flip_in_body(&pop.path(STATE));
        start(&mut pop).await;
        assert_eq!(pop.served("a.example."), Some((1, 1)), "octets unknown: {from_version_3}");
        let report = pop.report();
        assert!(report.faults.iter().any(|it| it.to_string().contains("set aside")), "{:?}", report.faults);
        pop.stop().await;
    }
}

fn flip_in_body(path: &Path) {
    let mut octets = fs::read(path).unwrap();
    let at = octets.len() - 80;
    octets[at] ^= 1;
    fs::write(path, octets).unwrap();
}
