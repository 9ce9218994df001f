//! What an operator or a source orders: other settings, the end of a zone whose file is gone, a version that was refused, a
//! difference.
//!
//! An order that needs the files to be looked at first is finished after that look; one about a zone that is being checked waits
//! for the end of the check. Who gave an order may be gone: it is carried out all the same.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use crate::publish::accept::Digest;
use crate::publish::error::{AcceptError, ApplyError, OfferError, ReconfigureError, RemoveError};
use crate::publish::settings::{SerialRule, Settings};
use crate::publish::source::SourceKey;
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::urgent::MOST_RECORDS;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::publish::work::orders::order::Then;
use crate::publish::work::queue::Lane;
use crate::publish::work::zone::check::ZoneCheck;
use crate::publish::work::zone::check_context::{Offer, Offered, OfferedDifferences, Reply};
use crate::publish::work::zone::entry::{Entry, WorkState};
use crate::wire::{Name, Serial};
use crate::zone::Expiry;

impl Core {
    /// Takes new settings; zones that are no longer configured go.
    pub(in crate::publish) fn reconfigure(&mut self, settings: Settings, reply: Reply<(), ReconfigureError>) {
        let settings = settings.absolute().map_err(|source| ReconfigureError::CurrentDirectory { source });
        let settings = settings.and_then(|settings| {
            let is_same = settings.state_directory == self.configured.settings.state_directory;
            if is_same { Ok(settings) } else { Err(ReconfigureError::StateDirectory) }
        });
        let settings = match settings {
            Ok(settings) => settings,
            Err(error) => return drop(reply.send(Err(error))),
        };
        self.keeping.opener.set_bounds(settings.history);
        self.configured.replace(settings);
        self.context = None;
        self.publication.verify.set_modes(&self.configured.settings);
        self.ask(None, Some(Then::Reconfigured(reply)));
    }

    /// Takes a zone out of service whose file is gone; looks first whether it is.
    pub(in crate::publish) fn remove(&mut self, zone: Name, reply: Reply<(), RemoveError>) {
        self.ask(Some(&zone.clone()), Some(Then::Remove(zone, reply)));
    }

    /// Lets the refused version with this serial pass.
    pub(in crate::publish) fn accept(
        &mut self,
        zone: Name,
        serial: Serial,
        reply: Reply<Serial, AcceptError>,
    ) {
        let refused = self.zones.get(&zone).filter(|entry| entry.denied.is_none());
        if let Some(refused) = refused.and_then(|entry| entry.refused_offer.clone()) {
            let other = AcceptError::OtherSerial { refused: refused.serial, asked: serial };
            return match refused.serial == serial {
                true => self.judge(zone, Offered::Refused(refused, reply)),
                false => drop(reply.send(Err(other))),
            };
        }
        match self.force(&zone, serial) {
            Ok(digest) => self.ask(Some(&zone.clone()), Some(Then::Accepted(zone, digest, reply))),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn force(&mut self, zone: &Name, serial: Serial) -> Result<Digest, AcceptError> {
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        let denied = match &entry.denied {
            None => return Err(AcceptError::NothingRefused { zone: zone.clone() }),
            Some(denied) if denied.serial != serial => {
                return Err(AcceptError::OtherSerial { refused: denied.serial, asked: serial });
            }
            Some(denied) => denied.clone(),
        };
        let digest = denied.digest;
        entry.forced = Some(denied);
        entry.read = false;
        Ok(digest)
    }

    /// No primary of these zones has the version any more that was refused.
    pub(in crate::publish) fn withdraw_refusals(&mut self, zones: Vec<Name>) {
        self.take_results();
        for zone in zones {
            if self.is_from_primaries(&zone) {
                // In its turn: what is offered before this is judged before it.
                self.judge(zone, Offered::Withdrawn);
            }
        }
    }

    /// Has differences applied, now or when the zone is not being checked any more.
    pub(in crate::publish) fn order_differences(&mut self, zone: Name, offered: OfferedDifferences) {
        self.take_results();
        if !self.zones.contains_key(&zone) {
            return drop(offered.reply.send(Err(ApplyError::NotServed { zone })));
        }
        if matches!(offered.source, Some(StepSource::Rollback { .. })) && self.is_from_primaries(&zone) {
            return drop(offered.reply.send(Err(ApplyError::FromPrimaries { zone })));
        }
        if self.keeping.state.unwritable().is_some() {
            self.open_state_again();
            self.keep_again();
            self.report_all();
        }
        self.judge(zone, Offered::Differences(offered));
    }

    /// Whether a zone that is known comes from primaries, by the configuration or a catalog.
    fn is_from_primaries(&self, zone: &Name) -> bool {
        self.zones.get(zone).is_some_and(|entry| self.configured.comes_from_primaries(zone, entry))
    }

    /// Has a version judged that a primary gave, now or when the zone is not being checked any more.
    pub(in crate::publish) fn offer(&mut self, offer: Offer) {
        self.take_results();
        let name = offer.zone.origin().clone();
        if !self.is_from_primaries(&name) {
            return drop(offer.reply.send(Err(OfferError::NotConfigured { zone: name })));
        }
        self.judge(name, Offered::Whole(Box::new(offer)));
    }

    /// Has what is offered judged, kept and served by a thread of its own lane, or lets it wait for the check that goes on.
    fn judge(&mut self, name: Name, offered: Offered) {
        let rule = match offered {
            Offered::Whole(_) | Offered::Refused(..) | Offered::Withdrawn => SerialRule::Strict,
            Offered::Differences(..) => self.configured.rule_of(&name),
        };
        let Some(entry) = self.zones.get_mut(&name) else { return };
        if matches!(entry.work, WorkState::Running | WorkState::RunningAgain) {
            return self.board.let_wait(name, offered);
        }
        entry.work = WorkState::Running;
        let lane = match &offered {
            // A large one takes a thread for long, and is written alone.
            Offered::Whole(offer) if offer.zone.record_count() > MOST_RECORDS => Lane::General,
            Offered::Refused(..) => Lane::General,
            Offered::Whole(_) | Offered::Differences(..) | Offered::Withdrawn => Lane::Change,
        };
        let check = ZoneCheck::of_offered(name, entry.clone(), rule, offered);
        // It goes on from what is served.
        self.publication.flush();
        let context = self.context();
        let task = Task::Zones { waiting: VecDeque::from([check]), current: None };
        self.board.give((lane, SourceKey::None), context, task);
    }

    /// Notes which zones have expired, and tells the query path. What is served of them stays: a transfer goes on from it.
    pub(in crate::publish) fn take_expiry(&mut self, zones: Vec<(Name, Expiry)>, reply: oneshot::Sender<()>) {
        self.take_results();
        self.publication.flush();
        self.set_expiry(&zones);
        let _ = reply.send(());
    }

    /// Says of zones whether they may still be believed; what is to be served of them must be.
    pub(in crate::publish) fn set_expiry(&mut self, zones: &[(Name, Expiry)]) {
        for (zone, expiry) in zones {
            if let Some(entry) = self.zones.get_mut(zone) {
                entry.expiry = *expiry;
                self.reporting.news.insert(zone.clone());
            }
        }
        self.publication.set_expiry(zones.iter().map(|(zone, expiry)| (zone, *expiry)));
    }

    /// Carries out the orders that waited for the end of a check: the first begins another one, the others wait for that.
    pub(in crate::publish) fn carry_out_orders(&mut self, zone: &Name) {
        for offered in self.board.take_waiting(zone) {
            self.judge(zone.clone(), offered);
        }
    }

    /// Does what was to be done after a look.
    pub(in crate::publish) fn finish_order(&mut self, then: Then) {
        match then {
            Then::Reloaded(reply) => drop(reply.send(())),
            Then::Reconfigured(reply) => drop(reply.send(Ok(()))),
            Then::Remove(zone, reply) => drop(reply.send(self.remove_now(&zone))),
            Then::Accepted(zone, digest, reply) => drop(reply.send(self.accepted(&zone, digest))),
        }
    }

    fn remove_now(&mut self, zone: &Name) -> Result<(), RemoveError> {
        let Some(entry) = self.zones.get(zone) else {
            return Err(RemoveError::NoSuchZone { zone: zone.clone() });
        };
        // What is served of these is in no file, whether a seed is there or not.
        if self.configured.settings.databases.contains(zone) {
            return Err(RemoveError::TakesUpdates { zone: zone.clone() });
        }
        if self.is_from_primaries(zone) {
            return Err(RemoveError::FromPrimaries { zone: zone.clone() });
        }
        if let Some(found) = entry.found.as_ref().filter(|found| !found.is_missing()) {
            return Err(RemoveError::FilePresent { zone: zone.clone(), path: found.path.to_path_buf() });
        }
        self.keeping.forget(zone).map_err(|source| RemoveError::State { zone: zone.clone(), source })?;
        self.board.forget(zone);
        self.refuse_waiting(zone);
        self.release(zone);
        let gone = self.zones.remove(zone).unwrap_or_default();
        let included_in = gone.includes_in;
        if let Some(named) = gone.found {
            // The config names it, so it is still reported as missing.
            let misplaced = named.fault.clone();
            let entry = self.keeping.new_entry(zone);
            let entry = Entry { found: Some(named), misplaced, is_checked: true, ..entry };
            self.zones.insert(zone.clone(), entry);
        }
        self.reporting.news.insert(zone.clone());
        self.publication.remove(zone.clone());
        self.publication.flush();
        self.publish_absences();
        self.reporting.news.insert(zone.clone());
        self.report_all();
        self.has_left(included_in);
        tracing::info!(%zone, "removed by command");
        Ok(())
    }

    /// What was offered of a zone that goes and waited for the end of a check is nothing to another zone of the name.
    fn refuse_waiting(&mut self, name: &Name) {
        for offered in self.board.take_waiting(name) {
            let zone = name.clone();
            // Who offered it may be gone.
            match offered {
                Offered::Differences(it) => drop(it.reply.send(Err(ApplyError::NotServed { zone }))),
                Offered::Whole(it) => drop(it.reply.send(Err(OfferError::NotConfigured { zone }))),
                Offered::Refused(_, reply) => drop(reply.send(Err(AcceptError::NoSuchZone { zone }))),
                Offered::Withdrawn => {}
            }
        }
    }

    /// The serial with which the version that was forced is served: under `bump` it may be another one than its own.
    fn accepted(&mut self, zone: &Name, digest: Digest) -> Result<Serial, AcceptError> {
        let Some(entry) = self.zones.get_mut(zone) else {
            return Err(AcceptError::NoSuchZone { zone: zone.clone() });
        };
        entry.forced = None;
        let stands = entry.header.as_ref().filter(|header| header.standing.digest == Some(digest));
        let served = stands.map(|header| header.standing.serial);
        match (entry.faults().next(), served) {
            (None, Some(served)) => Ok(served),
            (Some(fault), Some(served)) if fault.is_of_served() => Ok(served),
            (Some(fault), _) => Err(AcceptError::StillRefused { fault: Box::new(fault.clone()) }),
            (None, None) => Err(AcceptError::Changed { zone: zone.clone() }),
        }
    }
}
