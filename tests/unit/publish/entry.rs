//! What a check and what the writer found of one zone at the same time.

use std::time::UNIX_EPOCH;

use super::*;
use crate::publish::accept::Standing;

fn refused() -> Option<Box<Fault>> {
    Some(Box::new(Fault::ChangeNotDurable { error: "no space".to_owned() }))
}

fn entry(version: u8, durable: bool, durability: Option<Box<Fault>>) -> Entry {
    let (serial, digest) = (Serial(version.into()), [version; 32]);
    let (source_serial, source_digest) = (serial, digest);
    let standing = Standing { serial, source_serial, source_digest, digest: None, records: 3, signed: false };
    let primary = SocketAddr::from(([127, 0, 0, 1], 53));
    let provenance = Provenance::Transfer { primary };
    let header = Header { standing, provenance, accepted_at: UNIX_EPOCH, chain: digest };
    Entry { header: Some(Arc::new(header)), serving: true, durable, durability, ..Entry::default() }
}

#[test]
fn what_became_of_a_write_while_a_zone_was_checked_counts_and_a_fault_of_the_check_itself() {
    // The result of the check, and whether it failed itself; the entry by then; whether it is durable, and has a fault.
    for (checked, has_failed, current, durable, is_told) in [
        // The write succeeded meanwhile.
        (entry(1, true, refused()), false, entry(1, true, None), true, false),
        (entry(1, false, refused()), false, entry(1, true, None), true, false),
        // It failed meanwhile.
        (entry(1, false, None), false, entry(1, false, refused()), false, true),
        // The check has just failed to write, whatever was before.
        (entry(1, true, refused()), true, entry(1, true, None), true, true),
        // Nothing was written.
        (entry(1, true, refused()), false, entry(1, true, refused()), true, true),
        // The check made a newer version durable.
        (entry(2, true, refused()), false, entry(1, true, refused()), true, false),
        // A newer version is served and waits to be written.
        (entry(2, false, refused()), false, entry(1, true, refused()), false, true),
        (entry(2, false, None), false, entry(1, true, None), false, false),
    ] {
        let (mut result, mut current) = (checked, current);
        result.take_over(&mut current, (false, has_failed));
        let told = (result.durable, result.faults().next().is_some());
        assert_eq!(told, (durable, is_told), "{result:?} {current:?}");
    }
}

#[test]
fn a_zone_that_another_source_has_now_has_no_fault_of_a_write() {
    let mut result = Entry::default();
    result.take_over(&mut entry(1, true, refused()), (false, false));
    assert!(result.faults().next().is_none());
}
