//! One transaction of the database: versions, steps and the end of zones.
//!
//! Changes that were made ready flow in. Every function leaves the tables of a zone in step with each other: what a crash finds is
//! what was there before the transaction or after it.

use std::sync::Arc;

use redb::{ReadableTable, Table, WriteTransaction};

use crate::publish::accept::Digest;
use crate::publish::settings::HistoryBounds;
use crate::publish::state::database::fields::{key_of, zone_of};
use crate::publish::state::database::{BODIES, DatabaseError, STEPS, TAILS, ZONES};
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::tables::anew::{self, ANEW, Successor};
use crate::publish::state::tables::lost::{LOST, VALUE};
use crate::publish::state::tables::rejected::REJECTED;
use crate::publish::state::tables::serial_runs::SerialRuns;
use crate::publish::state::tables::serials::{self, FORMER, SERIALS, SerialTable};
use crate::publish::state::version::record::RecordWriter;
use crate::publish::state::version::step::{self, Written};
use crate::publish::state::version::step_source::{self, SOURCES, SourcesTable};
use crate::publish::state::version::tail::{BeganReason, Tail};
use crate::wire::{Name, Serial};

/// What leads from the version before to the next.
#[derive(Debug)]
pub(in crate::publish) enum StepChange {
    /// A step of the history.
    Step(Written),
    /// No difference: another link alone.
    Link(Digest),
    /// Nothing that the history can hold: it begins anew.
    Begin { chain: Digest, serial: Serial, reason: BeganReason },
}

/// Versions of one zone, made ready.
#[derive(Debug)]
pub(in crate::publish) struct Ready {
    pub(in crate::publish) key: Vec<u8>,
    pub(in crate::publish) changes: Vec<StepChange>,
    /// The last of them.
    pub(in crate::publish) record: RecordWriter,
    /// Its link: one of an older version, if steps were appended since.
    pub(in crate::publish) chain: Digest,
    /// The serials that the zone had before, if that is known of it.
    pub(in crate::publish) serials: Option<Arc<SerialRuns>>,
}

/// The tables of a transaction.
pub(in crate::publish) struct Writing<'t> {
    transaction: &'t WriteTransaction,
    zones: Table<'t, &'static [u8], &'static [u8]>,
    bodies: Table<'t, (&'static [u8], u32), &'static [u8]>,
    steps: Table<'t, (&'static [u8], u64), &'static [u8]>,
    tails: Table<'t, &'static [u8], &'static [u8]>,
    lost: Table<'t, &'static [u8], &'static [u8]>,
    sources: SourcesTable<'t>,
    rejected: Table<'t, &'static [u8], &'static [u8]>,
    serials: SerialTable<'t>,
    former_serials: SerialTable<'t>,
    bounds: HistoryBounds,
    /// Whether zones that are forgotten are noted for the catalogs that are made here.
    notes_anew: bool,
    /// Learns which serials zones had before.
    told: ZoneSerials,
}

type DatabaseResult<T> = Result<T, DatabaseError>;

impl<'t> Writing<'t> {
    pub(in crate::publish) fn open(
        transaction: &'t WriteTransaction,
        bounds: HistoryBounds,
    ) -> DatabaseResult<Self> {
        Ok(Self {
            transaction,
            zones: transaction.open_table(ZONES).map_err(DatabaseError::of)?,
            bodies: transaction.open_table(BODIES).map_err(DatabaseError::of)?,
            steps: transaction.open_table(STEPS).map_err(DatabaseError::of)?,
            tails: transaction.open_table(TAILS).map_err(DatabaseError::of)?,
            lost: transaction.open_table(LOST).map_err(DatabaseError::of)?,
            sources: transaction.open_table(SOURCES).map_err(DatabaseError::of)?,
            rejected: transaction.open_table(REJECTED).map_err(DatabaseError::of)?,
            serials: transaction.open_table(SERIALS).map_err(DatabaseError::of)?,
            former_serials: transaction.open_table(FORMER).map_err(DatabaseError::of)?,
            bounds,
            notes_anew: false,
            told: ZoneSerials::default(),
        })
    }

    /// Whether something is kept of a zone.
    pub(in crate::publish) fn has(&self, key: &[u8]) -> DatabaseResult<bool> {
        self.zones.get(key).map(|found| found.is_some()).map_err(DatabaseError::of)
    }

    /// Writes versions: their steps, and the record of the last one.
    pub(in crate::publish) fn keep(&mut self, ready: &Ready) -> DatabaseResult<()> {
        let key = &ready.key;
        let mut tail = self.tail(key)?;
        self.keep_serials(ready, tail)?;
        for change in &ready.changes {
            tail = Some(match (change, tail) {
                (StepChange::Step(step), Some(tail)) => self.add(key, tail, step)?,
                (StepChange::Link(chain), Some(tail)) => Tail { chain: *chain, ..tail },
                (StepChange::Begin { chain, serial, reason }, tail) => {
                    self.drop_steps(key, tail, u64::MAX)?;
                    Tail::begin(*chain, *serial, tail.map_or(0, |tail| tail.next), *reason)
                }
                // There is no version before: a start found damage.
                (StepChange::Step(step), None) => Tail::begin(step.after, step.step.to, 0, BeganReason::Lost),
                (StepChange::Link(_), None) => {
                    return Err(DatabaseError::Damaged("a zone without an end".into()));
                }
            });
        }
        let Some(mut tail) = tail else { return Err(DatabaseError::Damaged("a zone without an end".into())) };
        tail.record = self.put_record(key, &ready.record)?;
        self.include(key, &mut tail, &ready.chain)?;
        self.lost.remove(key.as_slice()).map_err(DatabaseError::of)?;
        self.put_tail(key, tail)
    }

    /// Appends a step to the version with the link that it continues; false if that is not the last one.
    pub(in crate::publish) fn append(&mut self, key: &[u8], step: &Written) -> DatabaseResult<bool> {
        let Some(tail) = self.tail(key)?.filter(|tail| tail.chain == step.before) else { return Ok(false) };
        self.end_older(key, &tail)?;
        let tail = self.add(key, tail, step)?;
        self.put_tail(key, tail)?;
        Ok(true)
    }

    /// Takes out the step that was appended last, if it is this one.
    pub(in crate::publish) fn undo(&mut self, key: &[u8], step: &Written) -> DatabaseResult<()> {
        let is_last = |tail: &Tail| tail.chain == step.after && tail.included < tail.next;
        let Some(tail) = self.tail(key)?.filter(is_last) else { return Ok(()) };
        self.cut(key, tail.next - 1, step.before, step.step.from)
    }

    /// The same, and zones that are forgotten are noted for the catalogs that are made here, or not; what is found of the serials that zones
    /// had before is told.
    pub(in crate::publish) fn telling(self, (notes_anew, told): (bool, &ZoneSerials)) -> Self {
        Self { notes_anew, told: told.clone(), ..self }
    }

    /// The transaction, for tables that are not among these.
    pub(in crate::publish) fn transaction(&self) -> &'t WriteTransaction {
        self.transaction
    }

    /// Forgets a zone; says whether it was there. What has its name next is another one.
    pub(in crate::publish) fn remove(&mut self, key: &[u8]) -> DatabaseResult<bool> {
        if self.notes_anew {
            let mut table = self.transaction().open_table(ANEW).map_err(DatabaseError::of)?;
            anew::note(&mut table, key)?;
        }
        self.forget(key)
    }

    /// Forgets a zone for the next one of its name.
    pub(in crate::publish) fn forget_for(&mut self, (zone, next): (&Name, &Successor)) -> DatabaseResult<()> {
        match next {
            Successor::Same => self.forget(&key_of(zone)).map(drop),
            Successor::Another => self.remove(&key_of(zone)).map(drop),
        }
    }

    fn forget(&mut self, key: &[u8]) -> DatabaseResult<bool> {
        self.rejected.remove(key).map_err(DatabaseError::of)?;
        self.leave_serials(key)?;
        self.remove_versions(key)
    }

    /// Keeps which serials a zone had before these versions, which follow the one where its steps end: durable with them, and told before that.
    fn keep_serials(&mut self, ready: &Ready, tail: Option<Tail>) -> DatabaseResult<()> {
        let key = ready.key.as_slice();
        if let Some(tail) = &tail {
            self.end_older(key, tail)?;
        }
        let kept = serials::read(&self.serials, key)?;
        let mut all = kept.clone().unwrap_or_default();
        if tail.is_none()
            && let Some(former) = serials::take_former(&mut self.former_serials, key)?
        {
            all.merge(&former);
        }
        let mut last = tail.map(|tail| tail.serial);
        let begins = ready.changes.iter().any(|change| matches!(change, StepChange::Begin { .. }));
        // A process that found nothing of what is kept began with this serial: its versions do not lead on from there.
        let begun = self.told.begun(ready.record.zone.origin());
        let begun = begun.filter(|begun| !ready.changes.is_empty() || last != Some(*begun));
        if let Some(first) = tail.filter(|_| begins || begun.is_some()).and_then(|tail| tail.first_serial()) {
            all.begin_first(first);
        }
        if let Some((begun, left)) = begun.zip(last) {
            all.end_and_begin(left, begun);
            last = None;
        }
        for change in &ready.changes {
            let (serial, reason) = match change {
                StepChange::Begin { serial, reason, .. } => (*serial, Some(*reason)),
                StepChange::Step(step) => (step.step.to, None),
                StepChange::Link(_) => continue,
            };
            match last {
                Some(left) if reason == Some(BeganReason::Back) || !serial.is_after(left) => {
                    all.end_and_begin(left, serial);
                }
                _ if reason.is_some() && !all.is_empty() => all.go_on_or_begin(serial),
                _ => {}
            }
            last = Some(serial);
        }
        if let Some(told) = &ready.serials {
            all.merge(told);
        }
        if all.is_empty() {
            return Ok(());
        }
        self.told.learn(ready.record.zone.origin(), all.clone());
        if kept.as_ref() == Some(&all) { Ok(()) } else { serials::write(&mut self.serials, key, &all) }
    }

    /// The serials of a zone that is forgotten are those of a former one for the next zone of its name.
    fn leave_serials(&mut self, key: &[u8]) -> DatabaseResult<()> {
        let kept = serials::read(&self.serials, key)?;
        self.serials.remove(key).map_err(DatabaseError::of)?;
        let (tail, zone) = (self.tail(key)?, zone_of(key));
        let mut all = kept.unwrap_or_default();
        // What is known of versions that are not kept.
        if let Some(told) = zone.as_ref().and_then(|zone| self.told.of(zone)) {
            all.merge(&told);
        }
        if let Some(first) = tail.and_then(|tail| tail.first_serial()) {
            all.begin_first(first);
        }
        if tail.is_none()
            && let Some(former) = serials::take_former(&mut self.former_serials, key)?
        {
            // It was never kept, and that of the zone before it waits still.
            all.merge(&former);
        }
        let served = zone.and_then(|zone| self.told.last_served(&zone));
        all.end_all(tail.map(|tail| tail.serial).into_iter().chain(served));
        if all.is_empty() { Ok(()) } else { serials::write_former(&mut self.former_serials, key, &all) }
    }

    /// An older build may have gone back to where the history begins, and kept no more than that: the run ends with the version that is kept.
    fn end_older(&mut self, key: &[u8], tail: &Tail) -> DatabaseResult<()> {
        if tail.began.reason != BeganReason::Back {
            return Ok(());
        }
        let mut all = serials::read(&self.serials, key)?.unwrap_or_default();
        if all.knows(tail.began.serial) {
            return Ok(());
        }
        all.end(tail.serial);
        all.begin(tail.serial);
        zone_of(key).into_iter().for_each(|zone| self.told.learn(&zone, all.clone()));
        serials::write(&mut self.serials, key, &all)
    }

    /// Keeps what is known of the serials of a zone and not kept.
    fn keep_told(&mut self, key: &[u8]) -> DatabaseResult<()> {
        let told = zone_of(key).and_then(|zone| self.told.of(&zone));
        told.map_or(Ok(()), |told| serials::add(&mut self.serials, key, &told))
    }

    fn remove_versions(&mut self, key: &[u8]) -> DatabaseResult<bool> {
        let tail = self.tail(key)?;
        self.drop_steps(key, tail, u64::MAX)?;
        self.drop_pieces(key, 0)?;
        let was_there = self.zones.remove(key).map_err(DatabaseError::of)?.is_some();
        self.tails.remove(key).map_err(DatabaseError::of)?;
        self.lost.remove(key).map_err(DatabaseError::of)?;
        Ok(was_there)
    }

    /// Takes out what is kept of a zone, because it is damaged: a restart must know that something was there.
    pub(in crate::publish) fn lose(&mut self, key: &[u8]) -> DatabaseResult<()> {
        self.keep_told(key)?;
        self.remove_versions(key)?;
        self.lost.insert(key, VALUE).map(drop).map_err(DatabaseError::of)
    }

    /// Takes steps from this number on out: they cannot be read, or may not stay. What is left leads to the version with this link and serial.
    pub(in crate::publish) fn cut(
        &mut self,
        key: &[u8],
        from: u64,
        chain: Digest,
        serial: Serial,
    ) -> DatabaseResult<()> {
        let Some(tail) = self.tail(key)? else { return Ok(()) };
        self.keep_told(key)?;
        let mut left = Tail { chain, serial, ..tail };
        for number in from.max(tail.first)..tail.next {
            let Some(octets) = self.drop_step(key, number)? else { continue };
            left.octets = left.octets.saturating_sub(octets);
            left.pending = left.pending.saturating_sub(octets);
        }
        left.next = from.max(tail.included);
        self.put_tail(key, left)
    }

    fn tail(&self, key: &[u8]) -> DatabaseResult<Option<Tail>> {
        let value = self.tails.get(key).map_err(DatabaseError::of)?;
        Ok(value.and_then(|value| Tail::read(value.value())))
    }

    /// Puts the tail, after the steps that are too old or too many are gone.
    fn put_tail(&mut self, key: &[u8], mut tail: Tail) -> DatabaseResult<()> {
        while tail.first < tail.included
            && (tail.octets > self.bounds.octets || tail.next - tail.first > self.bounds.steps)
        {
            let octets = self.drop_step(key, tail.first)?.unwrap_or_default();
            tail.octets = tail.octets.saturating_sub(octets);
            tail.first += 1;
        }
        self.tails.insert(key, tail.to_octets().as_slice()).map_err(DatabaseError::of)?;
        Ok(())
    }

    fn add(&mut self, key: &[u8], tail: Tail, step: &Written) -> DatabaseResult<Tail> {
        let octets = step.octets.as_slice();
        self.steps.insert((key, tail.next), octets).map_err(DatabaseError::of)?;
        step_source::put(&mut self.sources, (key, tail.next), &step.after, step.source.as_ref())?;
        let length = octets.len() as u64;
        let (octets, pending) = (tail.octets + length, tail.pending + length);
        Ok(Tail { chain: step.after, serial: step.step.to, next: tail.next + 1, octets, pending, ..tail })
    }

    /// The record has the version with this link: the steps up to it need not be applied any more.
    fn include(&mut self, key: &[u8], tail: &mut Tail, chain: &Digest) -> DatabaseResult<()> {
        if tail.chain == *chain {
            (tail.included, tail.pending) = (tail.next, 0);
            return Ok(());
        }
        for number in tail.included..tail.next {
            let value = self.steps.get((key, number)).map_err(DatabaseError::of)?;
            let Some(value) = value else { continue };
            let step = step::read(value.value());
            if number == tail.included && step.as_ref().is_some_and(|step| step.before == *chain) {
                // The version that was in the record, with other files: all steps still lead on from it.
                return Ok(());
            }
            tail.pending = tail.pending.saturating_sub(value.value().len() as u64);
            if step.is_some_and(|step| step.chain == *chain) {
                tail.included = number + 1;
                return Ok(());
            }
        }
        // Of another history: nothing leads on from it.
        (tail.included, tail.pending) = (tail.next, 0);
        Ok(())
    }

    /// Puts a record in the place of the one before; its octets.
    fn put_record(&mut self, key: &[u8], record: &RecordWriter) -> DatabaseResult<u64> {
        let value = record.write(|number, piece| {
            self.bodies.insert((key, number), piece).map(drop).map_err(DatabaseError::of)
        })?;
        self.zones.insert(key, value.octets.as_slice()).map_err(DatabaseError::of)?;
        self.drop_pieces(key, value.pieces)?;
        Ok(value.octets.len() as u64 + value.piece_octets)
    }

    fn drop_pieces(&mut self, key: &[u8], from: u32) -> DatabaseResult<()> {
        self.bodies.retain_in((key, from)..=(key, u32::MAX), |_, _| false).map_err(DatabaseError::of)
    }

    /// Drops the steps of a zone before this number.
    fn drop_steps(&mut self, key: &[u8], tail: Option<Tail>, before: u64) -> DatabaseResult<()> {
        let Some(tail) = tail else { return Ok(()) };
        let end = tail.next.min(before);
        self.sources.retain_in((key, 0)..(key, end), |_, _| false).map_err(DatabaseError::of)?;
        self.steps.retain_in((key, tail.first)..(key, end), |_, _| false).map_err(DatabaseError::of)
    }

    /// Drops one step; its octets.
    fn drop_step(&mut self, key: &[u8], number: u64) -> DatabaseResult<Option<u64>> {
        self.sources.remove((key, number)).map_err(DatabaseError::of)?;
        let dropped = self.steps.remove((key, number)).map_err(DatabaseError::of)?;
        Ok(dropped.map(|value| value.value().len() as u64))
    }
}
