//! Differences applied to a version that is served: the seam where incremental transfers (RFC 1995) enter.
//!
//! ```text
//! differences --> check_values ------> Zone::with_changes --> judge_difference --> a step, synced --> zone::Published
//!                 what can be right   what no zone may hold   may it replace?      or, at its bound, the whole zone
//! ```
//!
//! Differences flow in, a new version goes into service and into the state directory, or nothing happens and the error says why.
//! Durable first, then served: a difference is in no file. Costs time in proportion to the difference, not to the zone,
//! but for one that changes how the zone denies (RFC 4035, RFC 5155), or breaks that.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use crate::wire::{Name, Serial};
use crate::zone::{Owners, Place, Zone, ZoneWarning, repeated_origin};

use crate::publish::accept::{Digest, Provenance, Refused, is_signed, judge_difference};
use crate::publish::difference::{Applied, Difference};
use crate::publish::error::ApplyError;
use crate::publish::fault::{Fault, one_line};
use crate::publish::settings::Dnssec;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::version::header::Header;
use crate::publish::state::version::record::Seen;
use crate::publish::state::version::step::{Step, StepOrigin, of_batches};
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::ready::Version;
use crate::publish::state::writer::{Fill, StateWriter};
use crate::publish::verify::before;
use crate::publish::work::zone::entry::Entry;
use crate::publish::work::zone::steps::CheckRun;
use crate::publish::work::zone::zones_below::ZonesBelow;
use crate::zonefile::check_rdata;

impl CheckRun<'_> {
    /// Applies differences in a row and has what they lead to served, as one version, made durable by one write. On any error
    /// the served version stays, and nothing is kept. A way back is what an operator wants, so that it is not judged.
    pub(in crate::publish) fn apply(
        &mut self,
        entry: &mut Entry,
        (differences, source): (Vec<Difference>, Option<StepSource>),
    ) -> Result<Applied, ApplyError> {
        let name = self.name;
        let is_ordered = matches!(source, Some(StepSource::Rollback { .. }));
        let not_served = || ApplyError::NotServed { zone: name.clone() };
        let before = entry.header.clone().filter(|_| entry.serving).ok_or_else(not_served)?;
        let served = self.served.zone(name).cloned().ok_or_else(not_served)?;
        let (from, to) = check_serials(name, served.serial(), &differences)?;
        let is_received = self.is_transferred(entry);
        if let (Some(odd), more) = check_values(&differences, is_received)? {
            tracing::warn!(zone = %name, more, "{odd}; a zone file would be refused for that");
        }
        let below = ZonesBelow::of_differences(&differences);
        let mut owners = Owners::default();
        differences.iter().flat_map(|it| [&it.deleted, &it.added]).for_each(|batch| owners.add(batch));
        let (repeated, more) = repeated_origins(name, &differences);
        let zone = Arc::new(advance(&served, differences, is_received)?);
        let (records, signed) = (zone.record_count(), is_signed(&zone));
        let (accepted_at, origin) = (SystemTime::now(), StepOrigin::Difference);
        let step = Step { from, to, accepted_at, records, signed, origin };
        let (seen, serials) = (self.seen(entry), &self.context.serials);
        let change = Change { name, step, source, before, served, zone: zone.clone(), owners, seen, serials };
        if !is_ordered {
            self.judge_change(&change).inspect_err(|error| {
                // A client of a zone that takes updates could have it written again and again.
                if self.context.settings.databases.contains(name) {
                    return;
                }
                let primary = match change.before.provenance {
                    Provenance::Transfer { primary } => Some(primary),
                    Provenance::File { .. } => None,
                };
                let kept = self.keep_refused(entry, &zone, primary);
                let kept = kept.map_or_else(|| "not kept".to_owned(), |kept| kept.display().to_string());
                tracing::warn!(zone = %name, kept, %error, "what differences led to is refused");
            })?;
        }
        if let Some(StepSource::Rollback { to: back_to }) = change.source {
            let rejected = self.reject_after(back_to, &change.served, &zone);
            let name = name.clone();
            rejected.map_err(|source| ApplyError::NotDurable { zone: name, from, to, source })?;
        }
        let is_kept = matches!(*self.context.state, StateDirectory::Kept(_));
        let ends_run = self.note_serial(Some(&change.before), to);
        let kept = match &*self.context.state {
            StateDirectory::None => Ok(change.whole()),
            // A serial that is far ahead is kept together with those before it.
            StateDirectory::Kept(writer) => change.keep(writer, entry.durable && !ends_run),
            StateDirectory::Unwritable { error, .. } => Err(error.to_io()),
        };
        let header = kept.map_err(|source| {
            self.effects.is_unkept = true;
            // It may still be written: then what is served is kept anew behind it.
            self.effects.is_unsure = source.kind() == io::ErrorKind::TimedOut;
            let fault = Fault::ChangeNotDurable { error: one_line(&source.to_string()) };
            (entry.durability, self.effects.has_failed) = (Some(Box::new(fault)), true);
            ApplyError::NotDurable { zone: name.clone(), from, to, source }
        })?;
        self.serve(entry, header, zone);
        if let Some(repeated) = repeated {
            tracing::warn!(zone = %name, more, "{repeated}");
        }
        self.effects.below = below;
        entry.durable = is_kept;
        entry.notice = (!is_kept).then(|| Box::new(Fault::DifferenceWithoutState));
        if self.is_transferred(entry) {
            // It was about a version that a primary gave before.
            (entry.verdict, entry.refused_offer) = (None, None);
        }
        if entry.denied.is_some() {
            // Judged against what is served now it may come out otherwise.
            entry.read = false;
        }
        Ok(Applied { serial: to, records, durable: is_kept })
    }
}

impl CheckRun<'_> {
    /// Whether the version may replace the one before, by the rules for all and by the operator's.
    fn judge_change(&self, change: &Change<'_>) -> Result<(), ApplyError> {
        change.judge(self.context.settings.shrink_limit_of(self.name))?;
        if let Some(hold) = self.context.holds.get(self.name) {
            let (zone, reason) = (self.name.clone(), hold.reason.to_string());
            return Err(change.refused(Refused::Held { zone, reason }));
        }
        if self.context.modes.of(self.name) == Dnssec::Refuse {
            change.judge_signatures()?;
        }
        self.validate(&change.zone).map_err(|refused| change.refused(refused))
    }
}

/// Where the differences begin and end, if they begin at what is served and each where the one before it ends.
fn check_serials(
    zone: &Name,
    served: Serial,
    differences: &[Difference],
) -> Result<(Serial, Serial), ApplyError> {
    let (Some(first), Some(last)) = (differences.first(), differences.last()) else {
        return Err(ApplyError::Nothing { zone: zone.clone() });
    };
    if first.from != served {
        return Err(ApplyError::OtherVersion { zone: zone.clone(), served, from: first.from });
    }
    let mut at = served;
    for Difference { from, to, deleted, added } in differences {
        let (from, to) = (*from, *to);
        if from != at {
            return Err(ApplyError::Gap { zone: zone.clone(), before: at, from });
        }
        if !to.is_after(from) {
            return Err(ApplyError::NotForward { zone: zone.clone(), from, to });
        }
        if let Some(batch) = [deleted, added].into_iter().find(|batch| batch.origin() != zone) {
            let origin = batch.origin().clone();
            return Err(ApplyError::OtherZone { zone: zone.clone(), from, to, origin });
        }
        at = to;
    }
    Ok((served, last.to))
}

/// Whether what is added can be right, as it is asked of zone files. What a version holds, together with what is added, is looked
/// at when they are made one ([`Zone::with_changes`]). What a primary has and other servers serve is no fault: the first record of that kind, in
/// words, and how many more there are.
fn check_values(
    differences: &[Difference],
    is_received: bool,
) -> Result<(Option<String>, usize), ApplyError> {
    let (mut odd, mut odd_count) = (None, 0_usize);
    for difference in differences {
        let mut found = None;
        let mut more = 0;
        difference.added.for_each_record(|owner, record_type, _, rdata| {
            let Err(fault) = check_rdata(record_type, rdata) else { return };
            if is_received && fault.is_of_value() {
                odd_count += 1;
                odd.get_or_insert_with(|| format!("{}: {fault}", owner_of(owner, difference)));
                return;
            }
            more += usize::from(found.is_some());
            found.get_or_insert_with(|| (owner.to_vec(), fault));
        });
        if let Some((owner, fault)) = found {
            let (zone, from, to) = (difference.added.origin().clone(), difference.from, difference.to);
            let owner = owner_of(&owner, difference);
            return Err(ApplyError::Value { zone, from, to, owner, fault: Box::new(fault), more });
        }
    }
    Ok((odd, odd_count.saturating_sub(1)))
}

/// Owners of a batch are names.
fn owner_of(owner: &[u8], difference: &Difference) -> Name {
    Name::from_wire(owner).unwrap_or_else(|_| difference.added.origin().clone())
}

/// The first added record with a name that ends with the zone's name twice, and how many more there are: the same warning as of a file.
fn repeated_origins(zone: &Name, differences: &[Difference]) -> (Option<ZoneWarning>, usize) {
    let (mut first, mut count) = (None, 0_usize);
    for difference in differences {
        difference.added.for_each_record(|owner, record_type, _, rdata| {
            if let Some(repeated) = repeated_origin(zone, (owner, record_type), rdata) {
                count += 1;
                let owner = || Name::from_wire(owner).unwrap_or_else(|_| zone.clone());
                first.get_or_insert_with(|| ZoneWarning::RepeatedOrigin {
                    owner: owner(),
                    repeated,
                    place: Place::default(),
                });
            }
        });
    }
    (first, count.saturating_sub(1))
}

/// The version that the differences lead to; each of them to a version that is sound.
fn advance(served: &Zone, differences: Vec<Difference>, is_received: bool) -> Result<Zone, ApplyError> {
    let mut zone: Option<Zone> = None;
    for Difference { from, to, deleted, added } in differences {
        let before = zone.as_ref().unwrap_or(served);
        let origin = || served.origin().clone();
        let next = match is_received {
            true => before.with_received_changes(deleted, added),
            false => before.with_changes(deleted, added),
        };
        let next = next.map_err(|faults| ApplyError::Unfit { zone: origin(), from, to, faults })?;
        if next.serial() != to {
            return Err(ApplyError::OtherSerial { zone: origin(), to, found: next.serial() });
        }
        zone = Some(next);
    }
    zone.ok_or_else(|| ApplyError::Nothing { zone: served.origin().clone() })
}

/// A version on its way into the state directory.
struct Change<'a> {
    name: &'a Name,
    step: Step,
    /// Who gave it, if that is known.
    source: Option<StepSource>,
    /// Of the version before.
    before: Arc<Header>,
    served: Arc<Zone>,
    zone: Arc<Zone>,
    owners: Owners,
    /// The files that it goes on from.
    seen: Option<Arc<Seen>>,
    serials: &'a ZoneSerials,
}

impl Change<'_> {
    /// Whether the version may replace the one before.
    fn judge(&self, shrink_limit_percent: u8) -> Result<(), ApplyError> {
        let (zone, Step { from, to, .. }) = (self.name.clone(), self.step);
        let offered = self.before.after_difference(&self.step, Digest::default());
        judge_difference(&offered.standing, &self.before.standing, shrink_limit_percent)
            .map_err(|refused| ApplyError::Refused { zone, from, to, refused })
    }

    /// Whether the signatures of what it changes verify.
    fn judge_signatures(&self) -> Result<(), ApplyError> {
        match before::refused(Some(&self.served), &self.zone) {
            Some(refused) => Err(self.refused(refused)),
            None => Ok(()),
        }
    }

    fn refused(&self, refused: Refused) -> ApplyError {
        let Step { from, to, .. } = self.step;
        ApplyError::Refused { zone: self.name.clone(), from, to, refused }
    }

    /// Makes the version durable: as a step behind what is durable if it may be, otherwise whole.
    fn keep(&self, writer: &StateWriter, is_appended: bool) -> io::Result<Arc<Header>> {
        let (deleted, added) = self.zone.difference_from(&self.served, &self.owners);
        let step = of_batches(self.before.chain, self.step, &deleted, &added);
        let Some(mut step) = step.filter(|_| is_appended) else { return self.keep_whole(writer) };
        step.source.clone_from(&self.source);
        let fill = writer.fill(self.name, step.octets.len());
        if fill == Fill::Full {
            return self.keep_whole(writer);
        }
        let header = Arc::new(self.before.after_difference(&self.step, step.after));
        match writer.append(self.name, step) {
            Ok(()) => {
                if fill == Fill::High {
                    writer.keep(self.version(header.clone()));
                }
                Ok(header)
            }
            // What is kept is another version: the zone must be written again.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => self.keep_whole(writer),
            Err(error) => {
                writer.not_rewritten(self.name);
                Err(error)
            }
        }
    }

    fn keep_whole(&self, writer: &StateWriter) -> io::Result<Arc<Header>> {
        let header = self.whole();
        writer.keep_first(self.version(header.clone()))?;
        Ok(header)
    }

    fn version(&self, header: Arc<Header>) -> Version {
        let before = Some((self.before.chain, self.served.clone()));
        Version {
            header,
            zone: self.zone.clone(),
            origin: StepOrigin::Difference,
            source: self.source.clone(),
            before,
            seen: self.seen.clone(),
            serials: self.serials.of(self.name),
        }
    }

    /// Of the version that is written whole: its link is a new one.
    fn whole(&self) -> Arc<Header> {
        let Header { standing, provenance, .. } = self.before.after_difference(&self.step, Digest::default());
        Arc::new(Header::whole(self.name, standing, provenance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RecordType;
    use crate::zone::RecordBatch;

    #[test]
    fn odd_values_of_all_differences_of_a_primary_are_told_once() {
        let zone: Name = "example.".parse().unwrap();
        let difference = |from: u32, count: u8| {
            let mut added = RecordBatch::new(&zone);
            for _ in 0..count {
                // A digest of the wrong length.
                added.push(zone.as_wire(), RecordType::DS, 60, &[0, 1, 13, 2, 1, 2, 3], Place::default());
            }
            let deleted = RecordBatch::new(&zone);
            Difference { from: Serial(from), to: Serial(from + 1), deleted, added }
        };
        let differences = [difference(1, 0), difference(2, 2), difference(3, 3)];
        let (odd, more) = check_values(&differences, true).unwrap();
        assert!(odd.is_some_and(|odd| odd.starts_with("example.: ")) && more == 4);
        assert!(matches!(check_values(&differences[..1], true), Ok((None, 0))));
        assert!(matches!(check_values(&differences, false), Err(ApplyError::Value { more: 1, .. })));
    }
}
