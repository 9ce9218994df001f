//! What a difference costs at the seam of incremental transfers: a publisher in this process, with the zone of `referral`
//! and a state directory on the disk; ten records change, twenty times in a row. With `--signed` ten delegations come with
//! DS, signatures and NSEC3 records ([`secure`]).
//!
//! Measured from the call to its return, when the version is in service and in the state directory on the disk; beside it a
//! reader that looks names up all the time. For comparison what one write and one sync of as many octets as this process gave the disk take, and the
//! longest lookup while nothing changes.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyns::publish::{Difference, Publisher, PublisherHandle, Settings, SingleZone};
use anyns::wire::{LookupName, Name, RecordType, Serial};
use anyns::zone::{Place, Published, RecordBatch, Zone};
use tokio::runtime::Runtime;

use crate::change::CHANGED;
use crate::support::wait::holds_for;
use crate::zones::{World, label};
use crate::{secure, usage};

/// Differences in a row.
const DIFFERENCES: u32 = 20;
/// How long the reader looks names up while nothing changes.
const IDLE: Duration = Duration::from_secs(1);
/// Octets of the five numbers that end an SOA record, of which the serial is the first.
const SOA_NUMBERS: usize = 20;

/// What twenty differences cost.
pub(crate) struct Cost {
    /// Milliseconds from the call to its return.
    pub(crate) median: f64,
    /// The same, the longest.
    pub(crate) most: f64,
    /// Milliseconds of a write and a sync of as many octets, the median.
    pub(crate) sync: f64,
    /// The same, the longest.
    pub(crate) sync_most: f64,
    /// Milliseconds of the longest lookup beside them.
    pub(crate) lookup: f64,
    /// Milliseconds of the longest lookup while nothing changed.
    pub(crate) idle_lookup: f64,
    /// By how many percent of what the zone takes the memory grew.
    pub(crate) grown: f64,
}

/// Loads the zone from its file, keeps it, applies the differences.
pub(crate) fn measure(path: &Path, origin: &str, world: &World, home: &Path) -> Cost {
    let origin: Name = origin.parse().expect("the origin is a name");
    let state = tempfile::tempdir_in(home).expect("a state directory can be made");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime starts");
    let empty = usage::memory(std::process::id());
    let published = Arc::<Published>::default();
    let publisher = runtime.block_on(start(path, &origin, state.path(), &published));
    let loaded = usage::memory(std::process::id());
    let idle_lookup = beside(&published, &origin, world, || {
        holds_for("nothing changes", IDLE, || true);
    })
    .1;
    let written = usage::written();
    let (mut times, lookup): (Vec<f64>, f64) = beside(&published, &origin, world, || {
        (0..DIFFERENCES).map(|round| apply(&runtime, &publisher, &published, &origin, world, round)).collect()
    });
    let grown = usage::memory(std::process::id()) as f64 - loaded as f64;
    let mut syncs = sync(state.path(), (usage::written() - written) / u64::from(DIFFERENCES));
    runtime.block_on(publisher.shutdown());
    let grown = grown / (loaded - empty) as f64 * 100.0;
    let ((median, most), (sync, sync_most)) = (spread(&mut times), spread(&mut syncs));
    Cost { median, most, sync, sync_most, lookup, idle_lookup, grown }
}

/// A publisher that serves the zone and has kept it.
async fn start(path: &Path, origin: &Name, state: &Path, published: &Arc<Published>) -> PublisherHandle {
    let zone = SingleZone { name: origin.clone(), file: Some(path.into()), serial: None, dnssec: None };
    let settings = Settings {
        zones: [zone].into(),
        state_directory: Some(state.to_path_buf()),
        rescan: Duration::from_secs(3600),
        ..Settings::default()
    };
    let publisher = Publisher::start(settings, published.clone()).expect("the publisher starts");
    let mut report = publisher.report();
    let kept = report.wait_for(|it| it.settled && it.zones.get(origin).is_some_and(|zone| zone.durable));
    kept.await;
    publisher
}

/// Milliseconds until the next version is served and durable: the addresses of ten name servers changed.
fn apply(
    runtime: &Runtime,
    publisher: &PublisherHandle,
    published: &Published,
    origin: &Name,
    world: &World,
    round: u32,
) -> f64 {
    let zone = published.load().zone(origin).expect("the zone is served").clone();
    let difference = difference(&zone, world, round);
    let to = difference.to;
    let begun = Instant::now();
    let applied = runtime.block_on(publisher.apply(origin, vec![difference])).expect("the difference fits");
    let took = begun.elapsed().as_secs_f64() * 1e3;
    let served = published.load().zone(origin).map(|zone| zone.serial());
    assert!(applied.durable && served == Some(to), "{applied:?}, served {served:?}");
    took
}

fn difference(zone: &Zone, world: &World, round: u32) -> Difference {
    let origin = zone.origin();
    let (mut deleted, mut added) = (RecordBatch::new(origin), RecordBatch::new(origin));
    let (from, to) = (zone.serial(), with_serial(zone, (&mut deleted, &mut added)));
    let first = u64::from(round) * CHANGED;
    if world.signed {
        secure::add(zone, world, first, (&mut deleted, &mut added));
        return Difference { from, to, deleted, added };
    }
    for number in first..first + CHANGED {
        let number = number * 7919 % world.delegations;
        let owner = format!("ns.{}.{origin}", label(b'd', world.seed, number));
        let owner: Name = owner.parse().expect("the owner is a name");
        let node = zone.find(&LookupName::from(&owner)).expect("the delegation is there");
        let set = node.set(RecordType::A).expect("it has an address");
        let old = set.rdata().next().expect("it has an address");
        deleted.push(owner.as_wire(), RecordType::A, set.ttl, old, Place::default());
        let new = old.iter().map(|octet| octet ^ 1).collect::<Vec<_>>();
        added.push(owner.as_wire(), RecordType::A, set.ttl, &new, Place::default());
    }
    Difference { from, to, deleted, added }
}

/// Puts the change of the SOA record to the next serial into a difference; that serial.
pub(crate) fn with_serial(zone: &Zone, (deleted, added): (&mut RecordBatch, &mut RecordBatch)) -> Serial {
    let (origin, to) = (zone.origin(), zone.serial().next());
    let soa = zone.apex().set(RecordType::SOA).expect("the zone has an SOA");
    let old = soa.rdata().next().expect("the zone has an SOA");
    let mut new = old.to_vec();
    let serial = new.len() - SOA_NUMBERS;
    new[serial..serial + 4].copy_from_slice(&to.0.to_be_bytes());
    deleted.push(origin.as_wire(), RecordType::SOA, soa.ttl, old, Place::default());
    added.push(origin.as_wire(), RecordType::SOA, soa.ttl, &new, Place::default());
    to
}

/// Does something while a reader looks names up; with the longest lookup in milliseconds.
fn beside<T>(published: &Arc<Published>, origin: &Name, world: &World, work: impl FnOnce() -> T) -> (T, f64) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(published, origin, world, &done));
        let end = Done(&done);
        let came = work();
        drop(end);
        (came, reader.join().expect("the reader ends"))
    })
}

/// Tells the reader to stop, also if what it is beside panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Looks names up until told to stop; the longest lookup in milliseconds.
fn read(published: &Arc<Published>, origin: &Name, world: &World, done: &AtomicBool) -> f64 {
    let mut reader = published.reader();
    let mut longest = Duration::ZERO;
    let mut number = 0;
    while !done.load(Ordering::Acquire) {
        number = (number + 7919) % world.delegations;
        let name: Name = format!("{}.{origin}", label(b'd', world.seed, number)).parse().expect("a name");
        let name = LookupName::from(&name);
        let begun = Instant::now();
        std::hint::black_box(reader.load().closest_zone(&name, 0).map(|zone| zone.lookup(&name)));
        longest = longest.max(begun.elapsed());
    }
    longest.as_secs_f64() * 1e3
}

/// Milliseconds to append so many octets to a file there and sync it, time by time.
fn sync(directory: &Path, octets: u64) -> Vec<f64> {
    let mut file = File::create(directory.join("sync")).expect("a file can be made");
    let octets = vec![b'x'; octets as usize];
    let append = |_| {
        let begun = Instant::now();
        file.write_all(&octets).and_then(|()| file.sync_data()).expect("the disk takes it");
        begun.elapsed().as_secs_f64() * 1e3
    };
    (0..DIFFERENCES).map(append).collect()
}

/// The median and the most.
pub(crate) fn spread(times: &mut [f64]) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() - 1])
}
