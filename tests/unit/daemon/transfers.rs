use std::net::{Ipv4Addr, SocketAddr};

use super::*;
use crate::transfer::notify::Target;
use crate::transfer::primary::{PrimarySettings, Source};
use crate::transfer::secondary::{PrimaryServer, SecondarySettings, SecondaryZone};
use crate::wire::{RecordType, Serial};
use crate::zone::Place;

fn unfit(faults: Vec<ZoneFault>) -> SinkError {
    of_differences(ApplyError::Unfit { zone: name("example."), from: Serial(1), to: Serial(2), faults })
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn only_a_record_that_is_not_there_tells_of_other_content_under_the_same_serial() {
    let alias = || ZoneFault::BelowDname {
        owner: name("a.b.example."),
        dname: name("b.example."),
        place: Place::default(),
    };
    let not_there = ZoneFault::NotThere {
        owner: name("b.example."),
        record_type: RecordType::A,
        place: Place::default(),
    };
    assert!(matches!(unfit(vec![alias()]), SinkError::NotFitting(_)));
    // The serial is that of the step that does not fit.
    assert!(matches!(unfit(vec![alias(), not_there]), SinkError::Diverged(Serial(1), _)));
}

/// It neither has zones nor takes any.
struct Nothing;

impl Source for Nothing {
    fn zone(&self, _: &Name) -> Option<Arc<Zone>> {
        None
    }

    fn differences(&self, _: &Name, _: Serial, _: Serial) -> Option<Vec<Arc<Difference>>> {
        None
    }
}

impl Sink for Nothing {
    fn served(&self, _: &Name) -> Option<Arc<Zone>> {
        None
    }

    fn whole(&self, _: Zone, _: Origin) -> Result<(), SinkError> {
        Ok(())
    }

    fn differences(&self, _: &Name, _: Vec<Difference>, _: Origin) -> Result<(), SinkError> {
        Ok(())
    }

    fn expiry(&self, _: Vec<(Name, Expiry)>) -> Result<(), SinkError> {
        Ok(())
    }

    fn keep(&self, _: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[test]
fn both_sides_take_other_settings_or_neither() {
    // Nobody answers at the ports.
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let transfers = |port| {
        let primaries = vec![PrimaryServer { address: at(port), key: None, tls: None }];
        let zone = SecondaryZone {
            name: name("example."),
            primaries,
            notify: Default::default(),
            expired: Default::default(),
        };
        let secondary = SecondarySettings {
            zones: vec![zone],
            management: vec![Ipv4Addr::LOCALHOST.into()],
            ..Default::default()
        };
        let notify = vec![Target { address: at(port), key: None }];
        Transfers {
            secondary,
            primary: PrimarySettings { listen: vec![at(0)], notify, ..Default::default() },
            updates: Default::default(),
            catalogs: Default::default(),
            canaries: Vec::new(),
            delay: None,
            certificates: Vec::new(),
            at_start: Default::default(),
        }
    };
    let (before, after) = (transfers(1), transfers(2));
    let zones = publish::Settings::default();
    let secondary =
        Secondary::start(before.secondary.clone(), Arc::new(Nothing), Default::default()).unwrap();
    let receivers = Receivers { secondary: Some(secondary.handle()), updates: None };
    let primary = Arc::new(Primary::start(before.primary.clone(), Arc::new(Nothing), receivers).unwrap());
    let control =
        TransferControl { secondary: secondary.handle(), primary: Some(primary.clone()), delayed: None };
    let asked = || secondary.handle().primaries(&name("example."));
    let held: Vec<_> = std::iter::from_fn(|| primary.reserve_change()).collect();
    assert!(!held.is_empty());
    assert!(matches!(control.change(&before, &after, &zones), Err(SecondaryError::Busy)));
    assert_eq!(asked(), Some(vec![at(1)]), "the other side has not changed");
    // A change of one side needs no place at the other.
    let inward = Transfers { primary: before.primary.clone(), ..transfers(3) };
    control.change(&before, &inward, &zones).unwrap();
    assert_eq!(asked(), Some(vec![at(3)]));
    drop(held);
    control.change(&inward, &after, &zones).unwrap();
    assert_eq!(asked(), Some(vec![at(2)]));
}

#[test]
fn zones_that_go_on_without_primaries_are_those_with_a_file_or_for_updates() {
    let names: Vec<Name> =
        ["file.", "updates.", "gone.", "stays."].map(|it| name(&format!("{it}example."))).into();
    let zone = |name: &Name| SecondaryZone {
        name: name.clone(),
        primaries: Vec::new(),
        notify: Default::default(),
        expired: Default::default(),
    };
    let before = SecondarySettings { zones: names.iter().map(zone).collect(), ..Default::default() };
    let single = |name: &Name, file: Option<&str>| publish::SingleZone {
        name: name.clone(),
        file: file.map(|it| std::path::PathBuf::from(it).into()),
        serial: None,
        dnssec: None,
    };
    let zones = [
        single(&names[0], Some("zone")),
        single(&names[1], None),
        single(&names[3], None),
        single(&name("other.example."), Some("other")),
    ];
    let now = publish::Settings {
        zones: zones.into(),
        databases: [names[1].clone(), name("new.example.")].into(),
        transferred: [names[3].clone()].into(),
        ..Default::default()
    };
    assert_eq!(elsewhere(&before, &now), names[..2].iter().cloned().collect());
}
