//! A look at all zones: every source is looked at, then every zone of it is checked, then those whose file was not found.
//!
//! One look goes on at a time; what is asked for meanwhile is one look after it. A source that does not answer is left out.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::publish::fault::{SourceFault, one_line};
use crate::publish::source::SourceKey;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::Task;
use crate::publish::work::orders::order::Then;
use crate::publish::work::queue::{Lane, WorkQueue};
use crate::publish::work::survey::round::{Asked, Round};
use crate::publish::work::zone::entry::{Awaited, Entry, WorkState};
use crate::wire::Name;

impl Core {
    /// Asks for a look at all sources; begins it unless one goes on.
    pub(in crate::publish) fn check_all(&mut self) {
        self.ask(None, None);
    }

    /// Asks for a look and says what to do after it. `zone`: where only an order deploys, no other zone's file is read.
    pub(in crate::publish) fn ask(&mut self, zone: Option<&Name>, then: Option<Then>) {
        self.looks.ask(zone.filter(|_| !self.configured.watches()), then);
        if self.looks.round.is_none() {
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        let Some(Asked { only, then }) = self.looks.asked.take() else { return };
        self.reporting.reloads += 1;
        self.watching.heard.everything = false;
        if std::mem::take(&mut self.watching.heard.overflowed) {
            self.reporting.rescans += 1;
            tracing::warn!("the watcher's queue overflowed; looking at all zones");
        }
        self.open_state_again();
        self.keeping.look();
        self.keeping.keep_members_again();
        self.keep_again();
        self.configure_sources();
        let now = Instant::now();
        let keys = self.sources.list().iter().map(|source| &source.key);
        let sources: BTreeSet<SourceKey> =
            keys.filter(|key| !self.board.queue.is_stalled(key)).cloned().collect();
        sources.iter().for_each(|key| self.board.queue.push_survey(key));
        let round = Round {
            start: now,
            said: now,
            sources,
            begun_after: self.board.last_ticket(),
            left: 0,
            of: 0,
            has_checked_missing: false,
            only,
            then,
        };
        self.looks.round = Some(round);
        for key in self.sources.silent() {
            let news = self.name_zones(&key);
            self.check_without_source(&news);
        }
        if !self.reporting.settled {
            self.publish_absences();
        }
    }

    /// Zones of sources that are configured no longer lose their files.
    fn configure_sources(&mut self) {
        let gone = self.sources.configure(&self.configured.settings);
        gone.iter().for_each(|key| self.forget_source(key));
        self.leave_to_configuration();
        for name in self.configured.settings.transferred.iter().chain(&self.configured.settings.databases) {
            if !self.zones.contains_key(name) {
                let is_catalog = self.configured.settings.catalogs.contains(name);
                let entry = self.keeping.new_entry(name);
                self.zones.insert(name.clone(), Entry { is_catalog, ..entry });
            }
        }
        self.context = None;
    }

    /// A source is no longer.
    pub(in crate::publish) fn forget_source(&mut self, key: &SourceKey) {
        let names = self.sources.zones_of(key);
        self.note_zones(key, Vec::new());
        if matches!(key, SourceKey::Mounted(..)) {
            for name in &names {
                if let Some(away) = self.zones.get_mut(name).and_then(|entry| entry.away.as_mut()) {
                    away.is_unmounted = true;
                }
            }
        }
        let (names, _) = self.board.queue.drain(key);
        self.set_idle(names);
        // Once it is there again, it is a new one.
        self.board.queue.recover(key);
        self.looks.source_done(key);
        let context = self.context();
        let unwatch = Task::Unwatch(key.clone());
        self.board.give((Lane::General, SourceKey::None), context, unwatch);
    }

    /// Queues a zone for the look that goes on, which ends when it was checked; not if that look reads other zones only.
    pub(in crate::publish) fn push_awaited(&mut self, name: &Name) {
        let Self { zones, looks, board, .. } = self;
        let Some(entry) = zones.get_mut(name) else { return };
        let only = looks.round.as_ref().and_then(|round| round.only.as_ref());
        let may_check = only.is_none_or(|only| only.contains(name) || !entry.is_checked);
        if may_check && entry.push(&mut board.queue, name, false) {
            entry.begin_awaiting(looks.round.as_mut());
        }
    }

    /// The look that goes on ends when this zone, which is queued, was checked.
    pub(in crate::publish) fn await_zone(&mut self, name: &Name) {
        if let Some(entry) = self.zones.get_mut(name) {
            entry.begin_awaiting(self.looks.round.as_mut());
        }
    }

    /// The look that goes on waits for this zone no longer.
    pub(in crate::publish) fn release(&mut self, name: &Name) {
        if let Some(entry) = self.zones.get_mut(name) {
            entry.end_awaiting(self.looks.round.as_mut());
        }
    }

    /// Goes on to the zones without a file when every source was looked at; ends the look when nothing is left of it.
    pub(in crate::publish) fn end_round_if_done(&mut self) {
        loop {
            let Some(round) = &mut self.looks.round else { return };
            if !round.sources.is_empty() {
                return self.report_progress();
            }
            if !std::mem::replace(&mut round.has_checked_missing, true) {
                self.context = None;
                if self.reporting.settled {
                    // What is wrong with sources goes before what that means for their zones.
                    self.report_all();
                }
                let missing = self.zones.iter().filter(|(_, entry)| entry.found.is_none());
                let missing: Vec<Name> = missing.map(|(name, _)| name.clone()).collect();
                missing.iter().for_each(|name| self.push_awaited(name));
                self.dispatch();
            }
            if self.looks.round.as_ref().is_some_and(|round| round.left > 0) {
                return self.report_progress();
            }
            self.end_round();
        }
    }

    fn end_round(&mut self) {
        let Some(round) = self.looks.round.take() else { return };
        self.publication.flush();
        self.publish_absences();
        self.watch_includes();
        self.note_files_away();
        if !self.reporting.settled {
            self.settle(round.start);
        }
        self.complete();
        self.keep_removed();
        self.forget_old_members();
        self.looks.ended_at = Instant::now();
        (self.looks.panicked, self.looks.retry_at) = (None, None);
        self.report_all();
        for then in round.then {
            self.finish_order(then);
        }
        self.begin_round();
    }

    /// A name that is in no zone is in none of ours, once it is known of every directory which zones are in it.
    fn complete(&mut self) {
        if self.reporting.settled && !self.sources.has_unknown() {
            self.publication.complete();
        }
    }

    /// The first load is over.
    fn settle(&mut self, start: Instant) {
        (self.reporting.settled, self.reporting.all_are_news) = (true, true);
        self.context = None;
        self.board.lower_priority();
        if let Some(writer) = self.keeping.state.writer() {
            writer.begin();
        }
        self.keep_losses();
        let (zones, took_ms) = (self.zones.len(), start.elapsed().as_millis() as u64);
        let served = self.zones.values().filter(|entry| entry.serving).count();
        let refused = zones - served;
        tracing::info!(zones, served, refused, took_ms, "all zones are loaded, restored or refused");
    }

    /// Looking at a source panicked: what was known of it stays.
    pub(in crate::publish) fn survey_panicked(&mut self, ticket: u64, key: &SourceKey, reason: &str) {
        let fault = SourceFault::Panicked { reason: one_line(reason) };
        tracing::error!("{fault}");
        if self.looks.is_of_round(ticket) {
            self.looks.source_done(key);
        }
    }

    /// Says how far the look is, once a second.
    fn report_progress(&mut self) {
        let Some(progress) = self.looks.progress() else { return };
        tracing::info!("{progress}");
        self.reporting.tell_progress(progress);
    }

    /// Queues a zone for a check; says whether it will be checked: not while its source does not answer.
    pub(in crate::publish) fn push(&mut self, name: &Name, finds_again: bool) -> bool {
        let entry = self.zones.get_mut(name);
        entry.is_some_and(|entry| entry.push(&mut self.board.queue, name, finds_again))
    }

    /// Queues a zone with those of this source.
    pub(in crate::publish) fn push_to(&mut self, key: &SourceKey, name: &Name, finds_again: bool) {
        if let Some(entry) = self.zones.get_mut(name) {
            entry.push_to(&mut self.board.queue, key, name, finds_again);
        }
    }
}

impl Entry {
    /// See [`Core::push`].
    fn push(&mut self, queue: &mut WorkQueue, name: &Name, finds_again: bool) -> bool {
        let key = self.found.as_ref().map_or(SourceKey::None, |found| found.key.clone());
        if queue.is_stalled(&key) {
            return false;
        }
        // Where what it includes does not answer, its own file is looked at all the same.
        let group =
            self.includes_in.as_deref().filter(|group| self.found.is_some() && !queue.is_stalled(group));
        let group = group.cloned().unwrap_or(key);
        self.push_to(queue, &group, name, finds_again);
        true
    }

    fn push_to(&mut self, queue: &mut WorkQueue, key: &SourceKey, name: &Name, finds_again: bool) {
        match self.work {
            WorkState::Idle => {
                (self.work, self.finds_again) = (WorkState::Queued, finds_again);
                queue.push(key, name.clone(), self.size());
            }
            WorkState::Queued => self.finds_again &= finds_again,
            WorkState::Running | WorkState::RunningAgain => {
                self.work = WorkState::RunningAgain;
                self.finds_again = finds_again;
            }
        }
    }

    fn begin_awaiting(&mut self, round: Option<&mut Round>) {
        let Some(round) = round.filter(|_| self.awaited == Awaited::No) else { return };
        self.awaited = match self.work {
            WorkState::RunningAgain => Awaited::NextCheck,
            WorkState::Idle | WorkState::Queued | WorkState::Running => Awaited::ThisCheck,
        };
        (round.left, round.of) = (round.left + 1, round.of + 1);
    }

    /// A check of it has ended: the look that goes on waits for the next one, or no longer.
    pub(in crate::publish) fn check_ended(&mut self, round: Option<&mut Round>) {
        match self.awaited {
            Awaited::NextCheck => self.awaited = Awaited::ThisCheck,
            Awaited::ThisCheck | Awaited::No => self.end_awaiting(round),
        }
    }

    fn end_awaiting(&mut self, round: Option<&mut Round>) {
        let was_awaited = std::mem::take(&mut self.awaited) != Awaited::No;
        if let Some(round) = round.filter(|_| was_awaited) {
            round.left -= 1;
        }
    }
}
