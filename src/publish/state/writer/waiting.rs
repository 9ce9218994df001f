//! What waits for the state writer.
//!
//! Part of [`crate::publish::state::writer`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::publish::state::tables::anew::Successor;
use crate::publish::state::tables::timers::ZoneTimers;
use crate::publish::state::writer::ready::Version;
use crate::publish::state::writer::urgent::{Urgent, WriterReply};
use crate::wire::Name;

/// The most zones of one group: some megabytes, written in some 20 ms; larger groups save little (`tests/bench/NOTES.md`).
const GROUP: usize = 1024;
/// A group is closed once it has this many records (some 10 MB), so that a stop does not wait long for it.
const GROUP_RECORDS: usize = 200_000;
/// The most versions of one zone that wait: beyond that, which takes a disk that is full or far too slow, the last two become one
/// step of its history.
const MOST_WAITING: usize = 8;
/// What became of a version.
#[derive(Debug)]
pub(in crate::publish) struct KeptOutcome {
    pub(in crate::publish) version: Version,
    /// Whether it is in the state directory, or what the system said.
    pub(in crate::publish) result: Result<(), String>,
}

/// What is to be written, and what became of it.
#[derive(Debug, Default)]
pub(in crate::publish) struct Waiting {
    /// By zone, the oldest version first.
    pub(in crate::publish) waiting: BTreeMap<Name, Vec<Version>>,
    pub(in crate::publish) urgent: Vec<(Urgent, WriterReply)>,
    /// Zones to be forgotten, before anything else is written.
    pub(in crate::publish) forgotten: BTreeMap<Name, Successor>,
    /// Those that could not be.
    pub(in crate::publish) remaining: Vec<(Name, String)>,
    /// The zones of the group that is being written.
    pub(in crate::publish) writing: BTreeSet<Name>,
    /// Since when.
    pub(in crate::publish) since: Option<Instant>,
    /// Zones that get a new record because their steps are too many.
    pub(in crate::publish) rewriting: BTreeSet<Name>,
    pub(in crate::publish) outcomes: Vec<KeptOutcome>,
    /// Whether to find out if the directory is in its place.
    pub(in crate::publish) looks: bool,
    /// Timers of secondary zones that are to be kept.
    pub(in crate::publish) timers: BTreeMap<Name, Option<ZoneTimers>>,
    /// Whether what waits may be written: not during the first load, which has the machine to itself.
    pub(in crate::publish) begun: bool,
    /// Ends the thread when nothing waits, or at this moment.
    pub(in crate::publish) end: Option<Instant>,
}

impl Waiting {
    /// Puts a version behind those of its zone. One that waits already is the same, or gets another header.
    pub(in crate::publish) fn add(&mut self, version: Version) {
        let waiting = self.waiting.entry(version.zone.origin().clone()).or_default();
        let is_full = waiting.len() >= MOST_WAITING;
        match waiting.last_mut() {
            Some(last) if last.header.chain == version.header.chain => {
                let (before, origin, source) = (last.before.take(), last.origin, last.source.take());
                *last = Version { before, origin, source, ..version };
            }
            _ if is_full => {
                waiting.pop();
                waiting.push(version);
            }
            _ => waiting.push(version),
        }
    }

    /// Puts a version before those of its zone: it was served before them.
    pub(in crate::publish) fn add_before(&mut self, version: Version) {
        let waiting = self.waiting.entry(version.zone.origin().clone()).or_default();
        let is_known = waiting.iter().any(|it| it.header.chain == version.header.chain);
        if !is_known && waiting.len() < MOST_WAITING {
            waiting.insert(0, version);
        }
    }

    /// The versions of some zones, to be written together.
    pub(in crate::publish) fn take_group(&mut self) -> Vec<Vec<Version>> {
        let (mut group, mut records) = (Vec::new(), 0);
        while group.len() < GROUP && records < GROUP_RECORDS {
            let Some((zone, versions)) = self.waiting.pop_first() else { break };
            records += versions.iter().map(|version| version.zone.record_count()).sum::<usize>();
            self.writing.insert(zone);
            group.push(versions);
        }
        group
    }
}
