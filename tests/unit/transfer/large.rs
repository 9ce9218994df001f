//! Zones that come in several batches: compiled, or compared with what is served, while they come.

use std::time::Duration;

use super::refused::{answer, error_of, primary, settings};
use super::*;
use crate::transfer::hub::{By, Hub, a, name, zone};
use crate::transfer::primary::Source as _;
use crate::wire::{RecordType, Serial};
use crate::zone::Zone;

const BOUND: Duration = Duration::from_secs(60);
/// So many records of 44 octets are three batches.
const HOSTS: u32 = 60_000;

/// Of its hosts one in `share` says which version it is.
fn large(serial: u32, share: u32) -> Zone {
    let last = |host| if host % share == 0 { serial as u8 } else { 0 };
    let host = |host: u32| a(&format!("the-name-of-the-host-{host:07}.example."), last(host));
    zone(serial, (0..HOSTS).map(host))
}

/// The messages in order, or those between the first and the last the other way round.
fn arranged(mut messages: Vec<Vec<u8>>, is_in_order: bool) -> Vec<Vec<u8>> {
    let last = messages.len() - 1;
    if !is_in_order && last > 1 {
        messages[1..last].reverse();
    }
    messages
}

#[test]
fn a_large_zone_comes_in_any_order_alone_and_behind_another_version() {
    for is_in_order in [true, false] {
        for share in [None, Some(1000), Some(2)] {
            let what = format!("in order: {is_in_order}, one of so many changed: {share:?}");
            let (pop, served) = Hub::new();
            if let Some(share) = share {
                pop.put(large(1, share));
            }
            let next = large(2, share.unwrap_or(1));
            let records: Vec<_> = next.records().collect();
            let (address, _) = primary(move |query, kind| arranged(answer(&next, query, kind), is_in_order));
            let _running = Secondary::start(settings(address), pop.clone(), Default::default()).unwrap();
            assert_eq!(served.recv_timeout(BOUND).unwrap(), (Serial(2), By::Whole), "{what}");
            assert!(pop.records() == records, "{what}");
        }
    }
}

#[test]
fn a_large_zone_that_breaks_off_or_is_faulty_brings_nothing() {
    let cut = |kind: RecordType, mut messages: Vec<Vec<u8>>| {
        if kind != RecordType::SOA {
            messages.pop();
        }
        messages
    };
    let other_id = |kind: RecordType, mut messages: Vec<Vec<u8>>| {
        if kind != RecordType::SOA {
            messages.last_mut().unwrap()[0] ^= 1;
        }
        messages
    };
    let changes: [(fn(_, _) -> _, &str); 2] = [(cut, "without the SOA record at the end"), (other_id, "ID")];
    for (change, text) in changes {
        let (pop, served) = Hub::new();
        let next = large(2, 1);
        let (address, _) = primary(move |query, kind| change(kind, answer(&next, query, kind)));
        let secondary = Secondary::start(settings(address), pop.clone(), Default::default()).unwrap();
        let error = error_of(&secondary);
        assert!(error.contains(text), "{error}");
        drop(secondary);
        assert!(served.try_recv().is_err() && pop.zone(&name("example.")).is_none());
    }
}
