//! Reports of many zones, as the publisher makes them.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyns::publish::{FilePresence, Report, ZoneReport, ZoneState};
use anyns::wire::{Name, Serial};

/// The name of a zone; their order is that of the numbers.
pub(crate) fn name(number: usize) -> Name {
    format!("z{number:06}.example.").parse().expect("a name")
}

/// A zone that is served, or refused.
pub(crate) fn zone(serial: u32, source: &Arc<Path>, is_served: bool) -> ZoneReport {
    ZoneReport {
        state: if is_served { ZoneState::Serving } else { ZoneState::Refused },
        since: SystemTime::UNIX_EPOCH,
        serial: is_served.then_some(Serial(serial)),
        source_serial: None,
        records: 10,
        source: source.clone(),
        file: FilePresence::There,
        accepted_at: Some(SystemTime::UNIX_EPOCH),
        durable: true,
        refused_serial: None,
        signatures: None,
        expiry: anyns::zone::Expiry::Current,
        faults: Vec::new(),
        kept_version: None,
        is_another: false,
        number: 0,
        is_catalog: false,
        is_from_primaries: false,
    }
}

/// So many zones, all of them served.
pub(crate) fn report(zones: usize) -> Report {
    let source: Arc<Path> = Path::new("a.zone").into();
    (0..zones).map(|number| (name(number), zone(1, &source, true))).collect()
}
