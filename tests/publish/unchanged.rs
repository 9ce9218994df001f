//! A file that differences have led on from, at the next start: known by its octets and then not parsed; whatever changed
//! in it is seen.

use std::fs::{self, File};

use crate::difference::apply;
use crate::support::{Pop, name, zone_text};

const ZONE: &str = "zones/a.example.zone";

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
    start(&mut pop).await;
    assert_eq!(pop.served("a.example."), Some((3, 3)));
    assert!(pop.report().zones[&name("a.example.")].faults.is_empty());
    pop.stop().await;
}
