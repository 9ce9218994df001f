//! A stand-in for the publisher: zones and their history in memory. What is put in can be waited for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, mpsc};

use crate::publish::Difference;
use crate::transfer::primary::Source;
use crate::transfer::refresh::Saved;
use crate::transfer::secondary::{Origin, Sink, SinkError};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Expiry, Place, Record, RecordBatch, Zone, ZoneBuilder};

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn record(owner: &str, record_type: RecordType, rdata: &[u8]) -> Record {
    Record { owner: name(owner), record_type, ttl: 300, rdata: rdata.into() }
}

/// The SOA record of `example.`: refresh 1000 s, retry 100 s, expire 10,000 s.
pub(crate) fn soa(serial: u32) -> Record {
    let numbers = [serial, 1000, 100, 10_000, 300].map(u32::to_be_bytes).concat();
    record(
        "example.",
        RecordType::SOA,
        &[&b"\x02ns\x07example\0\x04host\x07example\0"[..], &numbers].concat(),
    )
}

pub(crate) fn a(owner: &str, last: u8) -> Record {
    record(owner, RecordType::A, &[192, 0, 2, last])
}

pub(crate) fn zone(serial: u32, more: impl IntoIterator<Item = Record>) -> Zone {
    let mut builder = ZoneBuilder::new(name("example."));
    builder.push(soa(serial), Place::default());
    builder.push(record("example.", RecordType::NS, name("ns.example.").as_wire()), Place::default());
    more.into_iter().for_each(|it| builder.push(it, Place::default()));
    builder.finish().unwrap()
}

pub(crate) fn batch(records: &[Record]) -> RecordBatch {
    let mut batch = RecordBatch::new(&name("example."));
    for it in records {
        batch.push(it.owner.as_wire(), it.record_type, it.ttl, &it.rdata, Place::default());
    }
    batch
}

pub(crate) fn difference(from: u32, to: u32, deleted: &[Record], added: &[Record]) -> Difference {
    let with_soa = |serial, records: &[Record]| batch(&[&[soa(serial)], records].concat());
    Difference {
        from: Serial(from),
        to: Serial(to),
        deleted: with_soa(from, deleted),
        added: with_soa(to, added),
    }
}

fn copy(batch: &RecordBatch) -> RecordBatch {
    let mut copy = RecordBatch::new(batch.origin());
    batch
        .records()
        .for_each(|(owner, kind, ttl, rdata)| copy.push(owner, kind, ttl, rdata, Place::default()));
    copy
}

/// What a version came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Whole,
    Differences,
}

pub(crate) struct Hub {
    zones: Mutex<HashMap<Name, Arc<Zone>>>,
    history: Mutex<Vec<Arc<Difference>>>,
    served: mpsc::Sender<(Serial, By)>,
    refuse: Mutex<Option<Serial>>,
    /// What was told of zones that expire, in order.
    pub(crate) expiry: Mutex<Vec<(Name, Expiry)>>,
    /// Zones of which it was told that no primary has the refused version any more, in order.
    pub(crate) withdrawn: Mutex<Vec<Name>>,
    /// The timers that were kept, in order.
    pub(crate) kept: Mutex<Vec<(Name, Option<Saved>)>>,
}

impl Hub {
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<(Serial, By)>) {
        let (served, receiver) = mpsc::channel();
        let hub = Self {
            zones: Mutex::default(),
            history: Mutex::default(),
            served,
            refuse: Mutex::default(),
            expiry: Mutex::default(),
            withdrawn: Mutex::default(),
            kept: Mutex::default(),
        };
        (Arc::new(hub), receiver)
    }

    /// Serves a version, as if a file had brought it.
    pub(crate) fn put(&self, zone: Zone) {
        self.zones.lock().unwrap().insert(zone.origin().clone(), Arc::new(zone));
    }

    /// Serves this zone no more.
    pub(crate) fn take_out(&self, zone: &Name) {
        self.zones.lock().unwrap().remove(zone);
    }

    /// Refuses the version with this serial.
    pub(crate) fn refuse(&self, serial: Serial) {
        *self.refuse.lock().unwrap() = Some(serial);
    }

    /// Applies a difference, and keeps it.
    pub(crate) fn apply(&self, difference: Difference) -> Result<(), SinkError> {
        let zone =
            self.zone(&name("example.")).ok_or_else(|| SinkError::NotFitting("nothing is served".into()))?;
        let kept =
            Difference { deleted: copy(&difference.deleted), added: copy(&difference.added), ..difference };
        let next = zone.with_changes(difference.deleted, difference.added);
        let next = next.map_err(|faults| SinkError::Diverged(kept.from, faults[0].to_string().into()))?;
        self.put(next);
        self.history.lock().unwrap().push(Arc::new(kept));
        Ok(())
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.zone(&name("example.")).unwrap().records().collect()
    }
}

impl Source for Hub {
    fn zone(&self, name: &Name) -> Option<Arc<Zone>> {
        self.zones.lock().unwrap().get(name).cloned()
    }

    fn differences(&self, _: &Name, from: Serial, to: Serial) -> Option<Vec<Arc<Difference>>> {
        let history = self.history.lock().unwrap();
        let start = history.iter().position(|it| it.from == from)?;
        let end = history.iter().position(|it| it.to == to)?;
        history.get(start..=end).map(<[_]>::to_vec)
    }
}

impl Sink for Hub {
    fn expiry(&self, zones: Vec<(Name, Expiry)>) -> Result<(), SinkError> {
        self.expiry.lock().unwrap().extend(zones);
        Ok(())
    }

    fn withdrawn(&self, zones: Vec<Name>) -> Result<(), SinkError> {
        self.withdrawn.lock().unwrap().extend(zones);
        Ok(())
    }

    fn keep(&self, timers: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError> {
        self.kept.lock().unwrap().extend(timers);
        Ok(())
    }

    fn served(&self, zone: &Name) -> Option<Arc<Zone>> {
        self.zone(zone)
    }

    fn whole(&self, zone: Zone, _: Origin) -> Result<(), SinkError> {
        let serial = zone.serial();
        if *self.refuse.lock().unwrap() == Some(serial) {
            return Err(SinkError::Refused("the test refuses it".into()));
        }
        self.put(zone);
        let _ = self.served.send((serial, By::Whole));
        Ok(())
    }

    fn differences(&self, _: &Name, differences: Vec<Difference>, _: Origin) -> Result<(), SinkError> {
        let serial = differences.last().unwrap().to;
        differences.into_iter().try_for_each(|difference| self.apply(difference))?;
        let _ = self.served.send((serial, By::Differences));
        Ok(())
    }
}
