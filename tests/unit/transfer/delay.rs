//! A zone at a last-resort POP: the state machine as tables, what is kept over a restart, and the versions themselves.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::kept::{self, Kept};
use super::machine::MAX_ZONE_ENTRIES;
use super::queue::{Queue, Version};
use super::*;
use crate::publish::{Difference, Force};
use crate::transfer::hub::{self, By, Hub, a, difference, name, record};
use crate::transfer::refresh::Now;
use crate::transfer::secondary::{Origin, Sink, SinkError};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::Zone;
use Event::{Arrives, Begins, CatchesUp, Expires, Fails, Held, Keys, Passes, Remembers, Serves};
use Expect::{Again, Busy, Due, ForGood, Gone, Until};

#[path = "delay_orders.rs"]
mod orders;
#[path = "delay_primaries.rs"]
mod primaries;

const DELAY: u64 = 3200;
const KEY_DELAY: u64 = 120;
const MARGIN: u64 = 1000;
/// The pause after what was not taken.
const PAUSE: u64 = 60;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn rules() -> DelayRules {
    DelayRules { delay: seconds(DELAY), key_delay: seconds(KEY_DELAY), signature_margin: seconds(MARGIN) }
}

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A version comes.
    Arrives(u32),
    /// A version with other keys than the one before.
    Keys(u32),
    /// A version that had waited for so long before a restart.
    Remembers(u32, u64),
    /// An operator holds the zone, or no longer.
    Held(bool),
    /// The first signature of what is served expires at this second.
    Expires(u64),
    CatchesUp,
    /// What is due is being served.
    Begins,
    /// It is served.
    Serves,
    /// It was not taken.
    Fails,
    Passes,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Gone,
    /// Nothing before this second.
    Until(u64, Why),
    /// So many versions are due.
    Due(usize, Why),
    /// Held.
    ForGood,
    Busy,
    /// Not taken, again at this second.
    Again(u64),
}

fn run(title: &str, rows: &[(u64, Event, Expect)]) -> DelayedZone {
    let start = Now { instant: Instant::now(), wall: UNIX_EPOCH + seconds(1_000_000) };
    let at = |second| Now { instant: start.instant + seconds(second), wall: start.wall + seconds(second) };
    let mut zone = DelayedZone::new(rules());
    let mut facts = Facts::default();
    for (index, (second, event, expected)) in rows.iter().enumerate() {
        let now = at(*second);
        match *event {
            Arrives(serial) => drop(zone.arrived(Serial(serial), false, None, now)),
            Keys(serial) => drop(zone.arrived(Serial(serial), true, None, now)),
            Remembers(serial, waited) => {
                let seen = now.wall - seconds(waited);
                let it = Remembered { seen, waited: seconds(waited), is_ordered: false, primary: None };
                zone.arrived(Serial(serial), false, Some(it), now);
            }
            Held(is_held) => {
                facts.is_held = is_held;
                zone.tell(facts);
            }
            Expires(second) => {
                facts.expires = Some(at(second).wall);
                zone.tell(facts);
            }
            CatchesUp => drop(zone.catch_up()),
            Begins => match zone.next(now) {
                NextRelease::Release(count, _) => zone.begin(count),
                other => panic!("{title}, row {index}: nothing is due, but {other:?}"),
            },
            Serves => {
                facts.expires = None;
                zone.released();
            }
            Fails => zone.not_taken("shrank".into(), seconds(PAUSE), now),
            Passes => {}
        }
        let expected = match *expected {
            Gone => NextRelease::Nothing,
            Until(second, why) => NextRelease::Wait(at(second).instant, why),
            Due(count, why) => NextRelease::Release(count, why),
            ForGood => NextRelease::Held,
            Busy => NextRelease::Releasing,
            Again(second) => NextRelease::NotTaken(at(second).instant),
        };
        assert_eq!(zone.next(now), expected, "{title}, row {index}: {second} s {event:?}");
    }
    zone
}

#[test]
fn each_version_is_served_when_its_own_delay_is_over() {
    let zone = run(
        "in order",
        &[
            (0, Passes, Gone),
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            // Too late to wait together with the first.
            (1000, Arrives(3), Until(DELAY, Why::Delay)),
            (3199, Passes, Until(DELAY, Why::Delay)),
            (3200, Passes, Due(1, Why::Delay)),
            (3200, Begins, Busy),
            // Others come meanwhile.
            (3201, Arrives(4), Busy),
            (3202, Serves, Until(1000 + DELAY, Why::Delay)),
            (7000, Passes, Due(2, Why::Delay)),
            (7000, Begins, Busy),
            (7000, Serves, Gone),
        ],
    );
    assert_eq!((zone.count(), zone.newest(), zone.since()), (0, None, None));
}

#[test]
fn versions_that_come_close_together_wait_together_until_the_last_is_due() {
    let zone = run(
        "together",
        &[
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (50, Arrives(3), Until(DELAY + 50, Why::Delay)),
            (99, Arrives(4), Until(DELAY + 99, Why::Delay)),
            // A hundred seconds are a thirty-second of the delay.
            (100, Arrives(5), Until(DELAY + 99, Why::Delay)),
            (3299, Passes, Due(1, Why::Delay)),
        ],
    );
    assert_eq!((zone.count(), zone.newest()), (2, Some(Serial(5))));
    // A version each second for long: bounded, and what is due is not put off by what comes.
    let mut zone = DelayedZone::new(rules());
    let start = Now { instant: Instant::now(), wall: SystemTime::now() };
    for second in 0..DELAY as u32 {
        let now = Now { instant: start.instant + seconds(second.into()), wall: start.wall };
        zone.arrived(Serial(second), false, None, now);
    }
    assert_eq!(zone.count(), 32);
    let now = Now { instant: start.instant + seconds(DELAY + 99), wall: start.wall };
    assert_eq!(zone.next(now), NextRelease::Release(1, Why::Delay));
    // Versions with other keys wait for themselves, and are bounded, too.
    for serial in 0..1000 {
        zone.arrived(Serial(DELAY as u32 + serial), true, None, now);
    }
    assert_eq!(zone.count(), MAX_ZONE_ENTRIES);
}

#[test]
fn other_keys_do_not_wait_for_long_and_bring_along_what_came_before() {
    run(
        "keys",
        &[
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (10, Keys(3), Until(10 + KEY_DELAY, Why::Keys)),
            (20, Arrives(4), Until(10 + KEY_DELAY, Why::Keys)),
            (129, Passes, Until(10 + KEY_DELAY, Why::Keys)),
            (130, Passes, Due(2, Why::Keys)),
            (130, Begins, Busy),
            (131, Serves, Until(20 + DELAY, Why::Delay)),
        ],
    );
}

#[test]
fn signatures_end_a_wait_one_version_after_the_other() {
    run(
        "signatures",
        &[
            (0, Expires(3000), Gone),
            (0, Arrives(2), Until(2000, Why::Signatures)),
            (500, Arrives(3), Until(2000, Why::Signatures)),
            (2000, Passes, Due(1, Why::Signatures)),
            (2000, Begins, Busy),
            // Nothing is known of the signatures of the next one yet.
            (2001, Serves, Until(500 + DELAY, Why::Delay)),
            (2002, Expires(2900), Due(1, Why::Signatures)),
            (2002, Begins, Busy),
            (2003, Serves, Gone),
        ],
    );
    run("signatures that last", &[(0, Expires(100_000), Gone), (0, Arrives(2), Until(DELAY, Why::Delay))]);
    run("signatures that have expired", &[(5, Expires(1), Gone), (5, Arrives(2), Due(1, Why::Signatures))]);
}

#[test]
fn an_operator_catches_up_or_holds() {
    run(
        "catch up",
        &[
            (0, CatchesUp, Gone),
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (1000, Arrives(3), Until(DELAY, Why::Delay)),
            (1001, CatchesUp, Due(2, Why::Ordered)),
            // Not what comes after the order.
            (1002, Arrives(4), Due(2, Why::Ordered)),
            (1002, Begins, Busy),
            (1003, Serves, Until(1002 + DELAY, Why::Delay)),
        ],
    );
    run(
        "hold",
        &[
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (1, Held(true), ForGood),
            (5000, Passes, ForGood),
            // The corrected version waits; the hold ends, and the wrong one is never served.
            (5000, Arrives(3), ForGood),
            (5001, CatchesUp, ForGood),
            (5002, Held(false), Due(2, Why::Ordered)),
        ],
    );
    run(
        "the end of a hold without an order",
        &[
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (1, Held(true), ForGood),
            (5000, Arrives(3), ForGood),
            (5002, Held(false), Due(1, Why::Delay)),
        ],
    );
}

#[test]
fn what_is_not_taken_is_tried_again_and_a_newer_version_in_its_place() {
    let zone = run(
        "not taken",
        &[
            (0, Arrives(2), Until(DELAY, Why::Delay)),
            (3200, Begins, Busy),
            (3200, Fails, Again(3260)),
            (3260, Passes, Due(1, Why::Delay)),
            (3260, Begins, Busy),
            (3260, Fails, Again(3320)),
            // Another version, or the end of a hold, is a reason to try at once.
            (3270, Keys(3), Due(1, Why::Delay)),
            (3271, Begins, Busy),
            (3272, Fails, Again(3332)),
            (3280, Held(true), ForGood),
            (3281, Held(false), Due(1, Why::Delay)),
            (3282, Begins, Busy),
            (3282, Fails, Again(3342)),
        ],
    );
    assert_eq!(zone.fault(), Some("shrank"));
}

#[test]
fn what_waited_before_a_restart_waits_for_the_rest() {
    let zone = run(
        "restart",
        &[
            (0, Remembers(2, 3000), Until(200, Why::Delay)),
            (0, Remembers(3, 100), Until(200, Why::Delay)),
            (0, Arrives(4), Until(200, Why::Delay)),
            (200, Passes, Due(1, Why::Delay)),
            (200, Begins, Busy),
            (200, Serves, Until(3100, Why::Delay)),
        ],
    );
    assert_eq!(zone.count(), 2);
    run("long ago", &[(0, Remembers(2, 10_000), Due(1, Why::Delay))]);
}

/// A version with address records at these names, and these keys.
fn zone(serial: u32, owners: &[&str], keys: &[u8]) -> Zone {
    let key = |it: &u8| record("example.", RecordType::DNSKEY, &[1, 0, 3, 13, *it, *it]);
    hub::zone(serial, owners.iter().map(|owner| a(owner, 1)).chain(keys.iter().map(key)))
}

fn step(from: u32, to: u32, deleted: &[&str], added: &[&str]) -> Difference {
    let records = |owners: &[&str]| owners.iter().map(|owner| a(owner, 1)).collect::<Vec<_>>();
    difference(from, to, &records(deleted), &records(added))
}

const ORIGIN: Origin = Origin {
    primary: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 53),
    force: Force::No,
};

fn delayed(directory: &std::path::Path, hub: &Arc<Hub>) -> DelayedVersions {
    let settings = DelaySettings { rules: rules(), directory: directory.to_owned() };
    DelayedVersions::new(settings, hub.clone())
}

fn serials(versions: &DelayedVersions, hub: &Hub) -> (Option<u32>, Option<u32>) {
    let serial = |zone: Option<Arc<Zone>>| zone.map(|zone| zone.serial().0);
    (serial(versions.served(&name("example."))), serial(hub.served(&name("example."))))
}

/// Serves what is due of the queue, as the task does.
fn release(versions: &DelayedVersions, count: usize) -> Result<(), SinkError> {
    let mut state = versions.lock();
    let queue = state.zones.get_mut(&name("example.")).unwrap();
    let step = queue.begin(&name("example."), count, Why::Ordered).unwrap();
    step.serve(&*versions.inner)?;
    queue.released(step.zone.serial());
    Ok(())
}

#[test]
fn nothing_that_waits_of_a_zone_is_served_once_it_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, _served) = Hub::new();
    let versions = delayed(directory.path(), &hub);
    versions.whole(zone(1, &["a.example."], &[]), ORIGIN).unwrap();
    versions.differences(&name("example."), vec![step(1, 2, &[], &["b.example."])], ORIGIN).unwrap();
    let due = {
        let mut state = versions.lock();
        let queue = state.zones.get_mut(&name("example.")).unwrap();
        queue.begin(&name("example."), 1, Why::Ordered).unwrap()
    };
    versions.forget(&name("example."));
    assert_eq!(serials(&versions, &hub), (Some(1), Some(1)));
    // It had begun, and was about to be served.
    assert!(matches!(due.serve(&*versions.inner), Err(SinkError::Failed(_))));
    assert_eq!(serials(&versions, &hub), (Some(1), Some(1)));
}

#[test]
fn versions_are_asked_for_from_the_newest_on_and_served_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, served) = Hub::new();
    let versions = delayed(directory.path(), &hub);
    // The first version of a zone is served at once.
    versions.whole(zone(1, &["a.example."], &[]), ORIGIN).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(1), Some(1)));
    assert_eq!(served.recv().unwrap(), (Serial(1), By::Whole));
    // What comes next waits; the chain goes on from the newest.
    versions.differences(&name("example."), vec![step(1, 2, &[], &["b.example."])], ORIGIN).unwrap();
    let two = vec![step(2, 3, &["b.example."], &["c.example."]), step(3, 4, &[], &["d.example."])];
    versions.differences(&name("example."), two, ORIGIN).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(4), Some(1)));
    // Differences that do not fit what waits: the whole zone is asked for.
    let unfit = versions.differences(&name("example."), vec![step(1, 5, &[], &[])], ORIGIN);
    assert!(matches!(unfit, Err(SinkError::NotFitting(_))), "{unfit:?}");
    let wrong = versions.differences(&name("example."), vec![step(4, 5, &["x.example."], &[])], ORIGIN);
    assert!(matches!(wrong, Err(SinkError::Diverged(..))), "{wrong:?}");
    // What leads to no zone says nothing of what is served.
    let alias = record("a.example.", RecordType::CNAME, name("b.example.").as_wire());
    let no_zone = versions.differences(&name("example."), vec![difference(4, 5, &[], &[alias])], ORIGIN);
    assert!(matches!(no_zone, Err(SinkError::NotFitting(_))), "{no_zone:?}");
    let waiting = versions.waiting(&name("example.")).unwrap();
    assert_eq!((waiting.newest, waiting.steps, versions.count()), (Serial(4), 1, 1));
    // Served by one difference, with what came and went in between left out.
    release(&versions, 1).unwrap();
    assert_eq!(served.recv().unwrap(), (Serial(4), By::Differences));
    assert_eq!(serials(&versions, &hub), (Some(4), Some(4)));
    let wanted = zone(4, &["a.example.", "c.example.", "d.example."], &[]);
    assert!(hub.served(&name("example.")).unwrap().exact_difference(&wanted, usize::MAX).unwrap().is_empty());
    // A whole version waits, too, and is served whole; one that an operator ordered is served at once, and nothing waits then.
    versions.whole(zone(6, &["a.example."], &[]), ORIGIN).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(6), Some(4)));
    let ordered = Origin { force: Force::Order, ..ORIGIN };
    versions.whole(zone(7, &["e.example."], &[]), ordered).unwrap();
    assert_eq!((serials(&versions, &hub), versions.count()), ((Some(7), Some(7)), 0));
    assert_eq!(served.recv().unwrap(), (Serial(7), By::Whole));
    // A zone that is refused stays in its place.
    versions.whole(zone(8, &[], &[]), ORIGIN).unwrap();
    hub.refuse(Serial(8));
    assert!(matches!(release(&versions, 1), Err(SinkError::Refused(_))));
    assert_eq!(serials(&versions, &hub), (Some(8), Some(7)));
    // A zone that comes from primaries no more.
    versions.keep(vec![(name("example."), None)]).unwrap();
    assert_eq!((versions.count(), versions.waiting(&name("example."))), (0, None));
}

#[test]
fn differences_to_something_else_than_is_served_become_the_whole_version() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, served) = Hub::new();
    let versions = delayed(directory.path(), &hub);
    hub.put(zone(1, &["a.example."], &[]));
    versions
        .differences(&name("example."), vec![step(1, 5, &["a.example."], &["b.example."])], ORIGIN)
        .unwrap();
    // Another way led to another version.
    hub.put(zone(2, &["x.example."], &[]));
    release(&versions, 1).unwrap();
    assert_eq!(served.recv().unwrap(), (Serial(5), By::Whole));
    let wanted = zone(5, &["b.example."], &[]);
    assert!(hub.served(&name("example.")).unwrap().exact_difference(&wanted, usize::MAX).unwrap().is_empty());
}

#[test]
fn after_a_restart_the_versions_that_come_again_wait_for_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, _served) = Hub::new();
    hub.put(zone(1, &[], &[]));
    let wait = |serial, waited| {
        (
            Serial(serial),
            Remembered { seen: SystemTime::now(), waited: seconds(waited), is_ordered: false, primary: None },
        )
    };
    let before: Kept = [(name("example."), vec![wait(2, DELAY), wait(4, 10)])].into();
    kept::write(directory.path(), &before, SystemTime::now()).unwrap();
    let versions = delayed(directory.path(), &hub);
    assert!(versions.wants_again(&name("example.")) && !versions.wants_again(&name("other.")));
    let chain = vec![
        step(1, 2, &[], &["b.example."]),
        step(2, 3, &[], &["c.example."]),
        step(3, 4, &[], &["d.example."]),
        step(4, 5, &[], &["e.example."]),
    ];
    versions.differences(&name("example."), chain, ORIGIN).unwrap();
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    let state = versions.lock();
    let queue: &Queue = &state.zones[&name("example.")];
    // The first is due, 3 waits with 4, and 5 has come only now.
    assert_eq!(queue.machine.next(now), NextRelease::Release(1, Why::Delay));
    let kept: Vec<u32> = queue.machine.remembered(now).map(|(Serial(serial), _)| serial).collect();
    assert_eq!(kept, [2, 4, 5]);
    drop(state);
    release(&versions, 1).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(5), Some(2)));
}

#[test]
fn versions_with_other_keys_are_known() {
    let directory = tempfile::tempdir().unwrap();
    let (hub, _served) = Hub::new();
    hub.put(zone(1, &[], &[1]));
    let versions = delayed(directory.path(), &hub);
    versions.whole(zone(2, &["a.example."], &[1]), ORIGIN).unwrap();
    let waits = || versions.waiting(&name("example.")).unwrap().why;
    assert_eq!(waits(), Why::Delay.words());
    versions.whole(zone(3, &["a.example."], &[1, 2]), ORIGIN).unwrap();
    assert_eq!(waits(), Why::Keys.words());
}

#[test]
fn another_zone_under_the_name_waits_too_and_is_served_whatever_its_serial() {
    let ((hub, served), directory) = (Hub::new(), tempfile::tempdir().unwrap());
    let versions = delayed(directory.path(), &hub);
    hub.put(zone(7, &["a.example."], &[]));
    let anew = |zone| versions.whole(zone, Origin { force: Force::Anew, ..ORIGIN }).unwrap();
    [zone(7, &["a.example."], &[]), zone(3, &["b.example."], &[])].into_iter().for_each(anew);
    assert_eq!((serials(&versions, &hub), versions.count()), ((Some(3), Some(7)), 1));
    assert_eq!(release(&versions, 1).map(|_| served.recv().unwrap()).ok(), Some((Serial(3), By::Whole)));
}
