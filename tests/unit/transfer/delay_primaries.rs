//! Versions that wait at a last-resort POP and were given by servers that are no primaries of the zone any more.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, mpsc};

use super::*;
use crate::transfer::notify::{Allowed, AllowedSource};
use crate::transfer::primary::{Primary, PrimarySettings};
use crate::transfer::refresh::Order;
use crate::transfer::secondary::{
    MemberZones, OnExpiry, PrimaryServer, Secondary, SecondaryHandle, SecondarySettings, SecondaryZone,
    ZoneReport,
};
use crate::zone::Owners;

const BOUND: Duration = Duration::from_secs(60);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STAYS: SocketAddr = SocketAddr::new(LOOPBACK, 53);
const GOES: SocketAddr = SocketAddr::new(LOOPBACK, 54);

fn from(primary: SocketAddr) -> Origin {
    Origin { primary, ..ORIGIN }
}

/// A version of a primary that differs from the one before at these names.
fn version(zone: Zone, (primary, owners): (SocketAddr, &[&str]), has_other_keys: bool) -> Version {
    let mut changed = Owners::default();
    let records: Vec<_> = owners.iter().map(|owner| a(owner, 1)).collect();
    changed.add(&hub::batch(&records));
    let (owners, force, remembered) = (Some(changed), Force::No, None);
    Version { zone: Arc::new(zone), owners, primary, force, has_other_keys, remembered }
}

/// 2, 3 and 4 wait, each for itself; 3, with other keys, is of the one that goes, and so is 5, if it is there.
fn queue(start: Now, with_last: bool) -> Queue {
    let at = |second| Now { instant: start.instant + seconds(second), wall: start.wall };
    let mut queue = Queue::new(rules(), Serial(1), Arc::default());
    let (two, three) = (zone(2, &["b.example."], &[1]), zone(3, &["b.example.", "c.example."], &[9]));
    let four = zone(4, &["b.example.", "d.example."], &[1]);
    queue.push(version(two, (STAYS, &["b.example."]), false), at(0));
    queue.push(version(three, (GOES, &["c.example.", "example."]), true), at(1000));
    queue.push(version(four, (STAYS, &["c.example.", "d.example.", "example."]), true), at(1001));
    if with_last {
        queue.push(version(zone(5, &[], &[1]), (GOES, &["b.example.", "d.example."]), false), at(2000));
    }
    queue
}

#[test]
fn what_other_servers_gave_goes_and_what_follows_stays_whole_and_waits_as_it_would_without_them() {
    let (hub, served) = Hub::new();
    hub.put(zone(1, &["a.example."], &[1]));
    let before = zone(1, &[], &[1]);
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    for with_last in [false, true] {
        let mut queue = queue(now, with_last);
        assert!(!queue.keep_of(&[STAYS, GOES], Some(&before)));
        assert!(queue.keep_of(&[STAYS], Some(&before)));
        assert!(!queue.keep_of(&[STAYS], Some(&before)));
        let tip = queue.tip().map(|tip| tip.serial());
        assert_eq!((queue.machine.count(), tip, queue.machine.newest()), (2, Some(Serial(4)), tip));
        // The keys are those of the version before it.
        let first = now.instant + seconds(DELAY);
        assert_eq!(queue.machine.next(now), NextRelease::Wait(first, Why::Delay));
    }
    // Without the first one, other keys than are served are other keys.
    let other = zone(1, &[], &[7]);
    let mut of_keys = queue(now, false);
    assert!(of_keys.keep_of(&[GOES], Some(&other)));
    let due = now.instant + seconds(1000 + KEY_DELAY);
    assert_eq!(of_keys.machine.next(now), NextRelease::Wait(due, Why::Keys));
    // An order is for those that it was for, as far as they are there.
    let mut queue = queue(now, true);
    queue.machine.catch_up();
    assert!(queue.keep_of(&[STAYS], Some(&before)));
    assert_eq!(queue.machine.next(now), NextRelease::Release(2, Why::Ordered));
    // Served as one difference, in which the one that went has no part.
    let step = queue.begin(&name("example."), 2, Why::Ordered).unwrap();
    hub.put(zone(1, &[], &[1]));
    step.serve(&*hub).unwrap();
    assert_eq!(served.recv().unwrap(), (Serial(4), By::Differences));
    let wanted = zone(4, &["b.example.", "d.example."], &[1]);
    assert!(hub.served(&name("example.")).unwrap().exact_difference(&wanted, usize::MAX).unwrap().is_empty());
}

#[test]
fn what_has_begun_or_is_on_its_way_when_its_server_goes_is_not_served() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    let versions = delayed(directory.path(), &hub);
    hub.put(zone(1, &[], &[]));
    assert!(!versions.only_from(&name("example."), &[STAYS, GOES]));
    let bad = || vec![step(1, 2, &[], &["bad.example."])];
    versions.differences(&name("example."), bad(), from(GOES)).unwrap();
    let begun = {
        let mut state = versions.lock();
        state.zones.get_mut(&name("example.")).unwrap().begin(&name("example."), 1, Why::Delay).unwrap()
    };
    assert!(versions.only_from(&name("example."), &[STAYS]), "another version is the newest");
    assert_eq!((serials(&versions, &hub), versions.count()), ((Some(1), Some(1)), 0));
    assert!(matches!(begun.serve(&*versions.inner), Err(SinkError::Failed(_))));
    // Its transfer had passed all that could have ended it.
    let late = versions.differences(&name("example."), bad(), from(GOES));
    assert!(matches!(late, Err(SinkError::Failed(_))), "{late:?}");
    let late = versions.whole(zone(2, &["bad.example."], &[]), from(GOES));
    assert!(matches!(late, Err(SinkError::Failed(_))), "{late:?}");
    assert_eq!((serials(&versions, &hub), versions.count()), ((Some(1), Some(1)), 0));
    versions.whole(zone(2, &["good.example."], &[]), from(STAYS)).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(2), Some(1)));
    // The zone goes, and one of the name comes before what passes the gate of the one before has passed.
    assert!(versions.only_from(&name("example."), &[]));
    assert_eq!(serials(&versions, &hub), (Some(1), Some(1)));
    versions.only_from(&name("example."), &[GOES]);
    versions.whole(zone(2, &[], &[]), from(GOES)).unwrap();
    versions.forget(&name("example."));
    assert_eq!(serials(&versions, &hub), (Some(2), Some(1)), "it is of now");
    versions.keep(vec![(name("example."), None)]).unwrap();
    assert_eq!(serials(&versions, &hub), (Some(2), Some(1)), "its timers were of before");
}

/// A publisher that takes long.
struct SlowSink {
    hub: Arc<Hub>,
    entered: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Sink for SlowSink {
    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        Sink::served(&*self.hub, zone)
    }

    fn whole(&self, zone: Zone, origin: Origin) -> Result<(), SinkError> {
        self.entered.send(()).unwrap();
        self.go.lock().unwrap().recv().unwrap();
        self.hub.whole(zone, origin)
    }

    fn differences(&self, zone: &Name, it: Vec<Difference>, origin: Origin) -> Result<(), SinkError> {
        Sink::differences(&*self.hub, zone, it, origin)
    }

    fn expiry(&self, zones: Vec<(Name, crate::zone::Expiry)>) -> Result<(), SinkError> {
        self.hub.expiry(zones)
    }

    fn keep(&self, timers: Vec<(Name, Option<crate::transfer::refresh::Saved>)>) -> Result<(), SinkError> {
        self.hub.keep(timers)
    }
}

#[test]
fn what_is_being_served_when_its_zone_goes_is_waited_for() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    hub.put(zone(1, &[], &[]));
    let (entered, has_entered) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let (forgotten, is_forgotten) = mpsc::channel();
    let inner = Arc::new(SlowSink { hub: hub.clone(), entered, go: Mutex::new(may_go) });
    let settings = DelaySettings { rules: rules(), directory: directory.path().to_owned() };
    let versions = DelayedVersions::new(settings, inner);
    versions.whole(zone(2, &[], &[]), ORIGIN).unwrap();
    let step = {
        let mut state = versions.lock();
        state.zones.get_mut(&name("example.")).unwrap().begin(&name("example."), 1, Why::Delay).unwrap()
    };
    std::thread::scope(|threads| {
        let serving = threads.spawn(|| step.serve(&*versions.inner));
        has_entered.recv().unwrap();
        // Never blocks, also while the step is being served.
        assert!(versions.only_from(&name("example."), &[]));
        threads.spawn(|| {
            versions.forget(&name("example."));
            forgotten.send(()).unwrap();
        });
        let soon = is_forgotten.recv_timeout(Duration::from_millis(50));
        go.send(()).unwrap();
        serving.join().unwrap().unwrap();
        assert_eq!(soon, Err(mpsc::RecvTimeoutError::Timeout));
        is_forgotten.recv().unwrap();
    });
    assert_eq!(hub.served(&name("example.")).map(|zone| zone.serial()), Some(Serial(2)));
}

#[test]
fn a_version_that_is_served_by_order_is_followed_by_none_that_waited() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    let versions = delayed(directory.path(), &hub);
    hub.put(zone(1, &[], &[]));
    let ordered = Origin { force: Force::Order, ..ORIGIN };
    versions.whole(zone(9, &["bad.example."], &[]), ORIGIN).unwrap();
    let begin = || {
        let mut state = versions.lock();
        state.zones.get_mut(&name("example.")).unwrap().begin(&name("example."), 1, Why::Delay)
    };
    let begun = begin().unwrap();
    // One that is refused changes nothing: what waited is tried again.
    hub.refuse(Serial(3));
    versions.whole(zone(3, &[], &[]), ordered).unwrap_err();
    assert!(matches!(begun.serve(&*versions.inner), Err(SinkError::Failed(_))));
    assert_eq!(serials(&versions, &hub), (Some(9), Some(1)));
    let begun = begin().unwrap();
    versions.whole(zone(2, &["good.example."], &[]), ordered).unwrap();
    assert!(matches!(begun.serve(&*versions.inner), Err(SinkError::Failed(_))));
    assert_eq!((serials(&versions, &hub), versions.count()), ((Some(2), Some(2)), 0));
}

/// A version that waited and is passing when an order comes, with a publisher that takes long.
#[test]
fn an_order_waits_for_what_is_being_served_of_a_server_that_is_no_primary_any_more() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    hub.put(zone(1, &[], &[]));
    let (entered, has_entered) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let inner = Arc::new(SlowSink { hub: hub.clone(), entered, go: Mutex::new(may_go) });
    let settings = DelaySettings { rules: rules(), directory: directory.path().to_owned() };
    let versions = DelayedVersions::new(settings, inner);
    let begin = || {
        let mut state = versions.lock();
        state.zones.get_mut(&name("example.")).unwrap().begin(&name("example."), 1, Why::Delay)
    };
    let order =
        |serial| versions.whole(zone(serial, &[], &[]), Origin { force: Force::Order, ..from(STAYS) });
    versions.whole(zone(9, &["bad.example."], &[]), from(GOES)).unwrap();
    let step = begin().unwrap();
    std::thread::scope(|threads| {
        let serving = threads.spawn(|| step.serve(&*versions.inner));
        has_entered.recv().unwrap();
        versions.only_from(&name("example."), &[STAYS]);
        assert_eq!(versions.count(), 0);
        let ordered = threads.spawn(|| order(2));
        let soon = has_entered.recv_timeout(Duration::from_millis(50));
        [(), ()].into_iter().for_each(|()| go.send(()).unwrap());
        serving.join().unwrap().unwrap();
        ordered.join().unwrap().unwrap();
        assert_eq!(soon, Err(mpsc::RecvTimeoutError::Timeout));
    });
    assert_eq!(hub.served(&name("example.")).map(|zone| zone.serial()), Some(Serial(2)));
    // What waits goes on where an order ends by a panic.
    versions.whole(zone(3, &[], &[]), from(STAYS)).unwrap();
    drop(go);
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| order(4))).unwrap_err();
    assert!(begin().is_some());
}

#[test]
fn the_time_that_a_version_has_waited_before_a_restart_is_of_the_primary_that_gave_it() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    hub.put(zone(1, &[], &[]));
    let now = Now { instant: Instant::now(), wall: SystemTime::now() };
    for (before, primary, is_same) in
        [(Some(GOES), GOES, true), (Some(GOES), STAYS, false), (None, STAYS, true)]
    {
        let it = Remembered { seen: now.wall, waited: seconds(DELAY), is_ordered: true, primary: before };
        let kept: Kept = [(name("example."), vec![(Serial(2), it)])].into();
        kept::write(directory.path(), &kept, now.wall).unwrap();
        for whole in [false, true] {
            let versions = delayed(directory.path(), &hub);
            versions.only_from(&name("example."), &[STAYS, GOES]);
            match whole {
                true => versions.whole(zone(2, &["b.example."], &[]), from(primary)).unwrap(),
                false => {
                    let differences = vec![step(1, 2, &[], &["b.example."])];
                    versions.differences(&name("example."), differences, from(primary)).unwrap();
                }
            }
            let next = versions.lock().zones[&name("example.")].machine.next(now);
            assert_eq!(matches!(next, NextRelease::Release(..)), is_same, "{before:?} {primary} {next:?}");
        }
    }
}

#[test]
fn who_gave_what_waits_is_kept_and_what_a_former_primary_gave_counts_no_more_after_a_restart() {
    let (directory, (hub, _served)) = (tempfile::tempdir().unwrap(), Hub::new());
    let (directory, then) = (directory.path(), UNIX_EPOCH + seconds(1_000_000));
    let waited = |primary| Remembered { seen: then, waited: seconds(50), is_ordered: true, primary };
    let not_ordered = Remembered { is_ordered: false, ..waited(Some(GOES)) };
    let of_both = vec![(Serial(2), waited(Some(STAYS))), (Serial(3), not_ordered)];
    let kept: Kept = [(name("a."), of_both), (name("b."), vec![(Serial(3), not_ordered)])].into();
    kept::write(directory, &kept, then).unwrap();
    assert_eq!(kept::read(directory, then).unwrap(), kept);
    // The fifth word is the only one of them that an older build looks at, and it writes no sixth.
    let file = directory.join("waiting-versions");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("a. 2 1000000 50 ordered 127.0.0.1:53\na. 3 1000000 50 - 127.0.0.1:54\n"),
        "{text}"
    );
    std::fs::write(&file, format!("{text}c. 4 1000000 50 ordered\nc. 5 1000000 50\n")).unwrap();
    let of_older = kept::read(directory, then).unwrap().remove(&name("c.")).unwrap();
    let expected = [(Serial(4), waited(None)), (Serial(5), Remembered { is_ordered: false, ..waited(None) })];
    assert_eq!(of_older, expected);
    let versions = delayed(directory, &hub);
    let wants = || ["a.", "b.", "c."].map(|zone| versions.wants_again(&name(zone)));
    assert_eq!(wants(), [true, true, true]);
    for zone in ["a.", "b.", "c."] {
        assert!(!versions.only_from(&name(zone), &[STAYS]));
    }
    assert_eq!(wants(), [true, false, true]);
    versions.keep_waiting().unwrap();
    let serials = |zone: &str| -> Vec<u32> {
        let kept = kept::read(directory, SystemTime::now()).unwrap();
        kept.get(&name(zone)).into_iter().flatten().map(|(Serial(serial), _)| *serial).collect()
    };
    assert_eq!([serials("a."), serials("b."), serials("c.")], [vec![2], vec![], vec![4, 5]]);
    versions.only_from(&name("c."), &[]);
    assert_eq!(wants(), [true, false, false]);
}

/// A hub that serves this version.
fn hub_with(zone: Zone) -> (Arc<Hub>, Primary) {
    let (hub, _) = Hub::new();
    hub.put(zone);
    let anyone = AllowedSource { prefix: "127.0.0.0/8".parse().unwrap(), keys: vec![], encrypted: false };
    let listen = PrimarySettings {
        listen: vec![SocketAddr::new(LOOPBACK, 0)],
        allowed: Allowed(vec![anyone]),
        ..PrimarySettings::default()
    };
    (hub.clone(), Primary::start(listen, hub, None).unwrap())
}

fn of(primaries: &[&Primary]) -> SecondaryZone {
    let server = |primary: &&Primary| PrimaryServer { address: primary.addresses()[0], key: None, tls: None };
    SecondaryZone {
        name: name("example."),
        primaries: primaries.iter().map(server).collect(),
        notify: Allowed::default(),
        expired: OnExpiry::default(),
    }
}

/// The report, once it is so.
async fn told(handle: &SecondaryHandle, is_it: impl Fn(&ZoneReport) -> bool) -> ZoneReport {
    let begun = Instant::now();
    loop {
        let report = handle.report().await.unwrap().into_iter().next();
        match report {
            Some(report) if is_it(&report) => return report,
            report => assert!(begun.elapsed() < BOUND, "{report:?}"),
        }
        tokio::task::yield_now().await;
    }
}

fn settings(zones: &[&SecondaryZone]) -> SecondarySettings {
    SecondarySettings {
        zones: zones.iter().copied().cloned().collect(),
        management: vec![LOOPBACK],
        ..SecondarySettings::default()
    }
}

/// How a zone leaves a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// By a reload.
    Reload,
    /// By the catalog.
    Catalog,
    /// The zone leaves the configuration, and comes back at once.
    Zone,
}

/// What waits of a hub is forgotten when the configuration or a catalog leaves it, and what is known of the zone is what is served: nobody says
/// that a serial went backwards, and the version of the other hub waits in its place.
#[test]
fn a_zone_that_leaves_a_primary_leaves_what_waits_of_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for way in [Leaving::Reload, Leaving::Catalog, Leaving::Zone] {
        let (stays, stays_at) = hub_with(zone(100, &[], &[]));
        let (goes, goes_at) = hub_with(zone(100, &[], &[]));
        let (pop, _served) = Hub::new();
        let directory = tempfile::tempdir().unwrap();
        let versions = Arc::new(delayed(directory.path(), &pop));
        let both = of(&[&stays_at, &goes_at]);
        let is_member = way == Leaving::Catalog;
        let first = if is_member { settings(&[]) } else { settings(&[&both]) };
        let running = Secondary::start(first, versions.clone(), Default::default()).unwrap();
        let handle = running.handle();
        let set = |zone: &SecondaryZone| MemberZones { set: vec![zone.clone()], ..MemberZones::default() };
        runtime.block_on(async {
            if is_member {
                handle.change_members(set(&both)).await.unwrap();
            }
            told(&handle, |report| report.status.serial == Some(Serial(100))).await;
            goes.put(zone(110, &["bad.example."], &[]));
            handle.order(None, Order::Refresh).await.unwrap();
            told(&handle, |report| report.status.serial == Some(Serial(110))).await;
            assert_eq!(serials(&versions, &pop), (Some(110), Some(100)));
            stays.put(zone(105, &["good.example."], &[]));
            let alone = of(&[&stays_at]);
            match way {
                Leaving::Reload => handle.change(settings(&[&alone])).unwrap(),
                Leaving::Catalog => handle.change_members(set(&alone)).await.unwrap(),
                Leaving::Zone => {
                    handle.change(settings(&[])).unwrap();
                    handle.change(settings(&[&alone])).unwrap();
                }
            }
            // Asked behind that: what waited is gone, and is not what the primary is compared with.
            let is_right = |report: &ZoneReport| {
                let status = &report.status;
                assert!(status.serial != Some(Serial(110)) && status.behind.is_none(), "{way:?}: {status:?}");
                status.serial == Some(Serial(105))
            };
            told(&handle, is_right).await;
        });
        assert_eq!(serials(&versions, &pop), (Some(105), Some(100)), "{way:?}");
        assert_eq!(versions.waiting(&name("example.")).unwrap().steps, 1, "{way:?}");
    }
}

/// A version that waited before a restart, of a hub that is no primary any more: the one of that serial of another hub waits from the beginning.
#[test]
fn what_a_former_primary_gave_before_a_restart_has_not_waited_for_another_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for is_former in [false, true] {
        let (_hub, hub_at) = hub_with(zone(110, &["good.example."], &[]));
        let primary = if is_former { GOES } else { hub_at.addresses()[0] };
        let (seen, waited) = (SystemTime::now(), seconds(DELAY));
        let before = Remembered { seen, waited, is_ordered: true, primary: Some(primary) };
        let directory = tempfile::tempdir().unwrap();
        let kept: Kept = [(name("example."), vec![(Serial(110), before)])].into();
        kept::write(directory.path(), &kept, SystemTime::now()).unwrap();
        let (pop, _served) = Hub::new();
        pop.put(zone(100, &[], &[]));
        let versions = Arc::new(delayed(directory.path(), &pop));
        let settings = settings(&[&of(&[&hub_at])]);
        let running = Secondary::start(settings, versions.clone(), Default::default()).unwrap();
        let handle = running.handle();
        runtime.block_on(told(&handle, |report| report.status.serial == Some(Serial(110))));
        let now = Now { instant: Instant::now(), wall: SystemTime::now() };
        let next = versions.lock().zones[&name("example.")].machine.next(now);
        assert_eq!(matches!(next, NextRelease::Wait(_, Why::Delay)), is_former, "{next:?}");
    }
}
