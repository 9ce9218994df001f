//! What one check does to one zone: read it if it changed, judge it, say what is to be served and kept.
//!
//! A zone as it is known flows in, the same zone as it is then and what is to be done for it flow out. Runs on a thread of the
//! pool, which it may block for as long as the zone's disk does; touches nothing but that zone and the state directory.

use crate::publish::fault::Fault;
use crate::publish::settings::SerialRule;
use crate::publish::source::SourceKey;
use crate::publish::work::queue::Size;
use crate::publish::work::zone::check_context::{
    Answer, CheckContext, Effects, GivenBack, Offered, OfferedDifferences,
};
use crate::publish::work::zone::entry::Entry;
use crate::publish::work::zone::steps::CheckRun;
use crate::wire::Name;

/// A zone that is to be checked, and then what came of it.
#[derive(Debug)]
pub(in crate::publish) struct ZoneCheck {
    pub(in crate::publish) name: Name,
    pub(in crate::publish) rule: SerialRule,
    /// The group of zones that it is checked with: its threads may wait for the file systems of these.
    pub(in crate::publish) group: SourceKey,
    /// Whether it may be large; a zone that turns out to be is given back otherwise.
    pub(in crate::publish) size: Size,
    /// The zone, as it was when the check was ordered.
    pub(in crate::publish) entry: Entry,
    /// Whether it begins with a look at what the state directory has.
    pub(in crate::publish) was_stored: bool,
    /// Whether to look where its file is: a notification says that it is there.
    pub(in crate::publish) finds_again: bool,
    /// What is judged instead of the file.
    offered: Option<Offered>,
    /// What it asks for.
    pub(in crate::publish) effects: Effects,
    /// Why nothing was done.
    pub(in crate::publish) given_back: Option<GivenBack>,
}

impl ZoneCheck {
    /// A check of a zone under the rule for its serial.
    pub(in crate::publish) fn new(
        (name, entry): (Name, Entry),
        rule: SerialRule,
        (group, size): (SourceKey, Size),
        finds_again: bool,
    ) -> Self {
        Self {
            name,
            rule,
            group,
            size,
            was_stored: entry.stored,
            entry,
            finds_again,
            offered: None,
            effects: Effects::default(),
            given_back: None,
        }
    }

    /// A check of what is offered.
    pub(in crate::publish) fn of_offered(
        name: Name,
        entry: Entry,
        rule: SerialRule,
        offered: Offered,
    ) -> Self {
        let check = Self::new((name, entry), rule, (SourceKey::None, Size::Large), false);
        Self { offered: Some(offered), ..check }
    }

    /// Notes that the check panicked. What it asked for before is as the entry has it.
    pub(in crate::publish) fn panicked(&mut self, reason: &str) {
        self.entry.panicked(&self.name, reason);
    }
}

impl CheckContext {
    /// Checks one zone. What it asks for is in its effects as soon as the entry says it, also if it panics.
    pub(in crate::publish) fn check(&self, check: &mut ZoneCheck) {
        #[cfg(test)]
        assert!(
            !PANICS.lock().is_ok_and(|name_of| name_of.as_ref() == Some(&check.name)),
            "a test made it\nso"
        );
        let ZoneCheck { name, rule, group, size, entry, offered, effects, given_back, .. } = check;
        let served = self.published.load();
        let (rule, size) = (*rule, *size);
        let (context, files_are_known) = (self, false);
        let mut run = CheckRun {
            context,
            served: &served,
            name,
            rule,
            group,
            effects,
            size,
            given_back,
            files_are_known,
            looked: None,
        };
        let before = entry.faults().map(ToString::to_string).collect::<Vec<_>>();
        run.look_into_state(entry);
        let stays = match (offered.take(), entry.found.clone()) {
            (Some(Offered::Whole(offer)), _) => {
                run.offered(entry, *offer);
                true
            }
            (Some(Offered::Differences(offered)), _) => {
                let OfferedDifferences { differences, source, reply } = offered;
                let outcome = run.apply(entry, (differences, source));
                run.effects.answer = Some(Answer::Differences(reply, outcome));
                true
            }
            (Some(Offered::Refused(refused, reply)), _) => {
                let outcome = run.accept_refused(entry, &refused);
                run.effects.answer = Some(Answer::Accepted(reply, outcome));
                true
            }
            (Some(Offered::Withdrawn), _) => {
                entry.withdraw_refusal();
                true
            }
            (None, None) => run.missing(entry),
            (None, Some(found)) => {
                run.found(entry, &found);
                true
            }
        };
        run.note_delegation(entry);
        if given_back.is_some() {
            return;
        }
        if !stays {
            effects.unknown = true;
            return;
        }
        entry.is_checked = true;
        // That a member was not transferred yet is said by its catalog: there may be many.
        let is_told = |fault: &&Fault| !(entry.is_member && matches!(fault, Fault::NotTransferred));
        let faults = entry.faults().filter(is_told).map(ToString::to_string);
        for fault in faults.filter(|fault| !before.contains(fault)) {
            tracing::warn!(zone = %name, serving = entry.serving, "{fault}");
        }
        entry.note_state();
    }
}

/// The zone at which a check panics.
#[cfg(test)]
pub(in crate::publish) static PANICS: std::sync::Mutex<Option<Name>> = std::sync::Mutex::new(None);
