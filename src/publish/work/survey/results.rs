//! What threads are given, and what becomes of what they found.

use std::time::{Duration, Instant};

use crate::publish::fault::SourceFault;
use crate::publish::source::scan::Found;
use crate::publish::source::survey::Survey;
use crate::publish::source::{SourceKey, ZoneSource};
use crate::publish::state::tables::anew::Successor;
use crate::publish::work::core::Core;
use crate::publish::work::jobs::job::{JobResult, JobStep, Task};
use crate::publish::work::jobs::pool::Running;
use crate::publish::work::queue::{Lane, Work};
use crate::publish::work::survey::sources::MountedChanges;
use crate::publish::work::zone::check::ZoneCheck;
use crate::publish::work::zone::check_context::{Answer, Effects, GivenBack};
use crate::publish::work::zone::entry::{Awaited, Entry, WorkState};
use crate::wire::Name;

/// How long a thread may do nothing before its source counts as one that does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The same during the first load: what is found late then was not served before either.
const FIRST_PATIENCE: Duration = Duration::from_secs(10);
/// When a source that does not answer is looked at again: its thread may hang, not the source.
const FIRST_PROBE: Duration = Duration::from_secs(5);
/// The longest pause between two such looks; it doubles up to here.
const LONGEST_PROBE: Duration = Duration::from_secs(320);

impl Core {
    /// Gives work to the threads that have room for it.
    pub(in crate::publish) fn dispatch(&mut self) {
        for lane in [Lane::Small, Lane::Survey, Lane::General] {
            while let Some(work) = self.board.next(lane) {
                self.hand_out(lane, work);
            }
        }
    }

    fn hand_out(&mut self, lane: Lane, work: Work) {
        let context = self.context();
        match work {
            Work::Survey(key) => match self.sources.get(&key).cloned() {
                Some(source) => self.board.give((lane, key), context, Task::Survey(Some(source))),
                None => self.board.queue.done(&key, lane),
            },
            Work::Zones(key, names) => {
                let waiting = names.into_iter().filter_map(|name| self.zone_check(name, &key)).collect();
                self.board.give((lane, key), context, Task::Zones { waiting, current: None });
            }
        }
    }

    fn zone_check(&mut self, name: Name, group: &SourceKey) -> Option<ZoneCheck> {
        let rule = self.configured.rule_of(&name);
        let entry = self.zones.get_mut(&name)?;
        if matches!(entry.work, WorkState::Running | WorkState::RunningAgain) {
            // A version of it that was offered is being judged; that is not the check that was asked for.
            entry.work = WorkState::RunningAgain;
            if entry.awaited == Awaited::ThisCheck {
                entry.awaited = Awaited::NextCheck;
            }
            return None;
        }
        entry.work = WorkState::Running;
        let (size, finds_again) = (entry.size(), std::mem::take(&mut entry.finds_again));
        Some(ZoneCheck::new((name, entry.clone()), rule, (group.clone(), size), finds_again))
    }

    /// Takes what has come of jobs.
    pub(in crate::publish) fn take_results(&mut self) {
        let mut answers = Vec::new();
        for JobResult { ticket, key, lane, step } in self.board.results() {
            if !self.board.is_awaited(ticket) {
                self.recover(&key);
                continue;
            }
            match step {
                JobStep::Surveyed(survey) => self.take_survey(ticket, *survey),
                JobStep::SurveyPanicked(reason) => self.survey_panicked(ticket, &key, &reason),
                JobStep::Checked(checked) => {
                    if self.board.zone_done(ticket, &checked.name) {
                        answers.extend(self.take_checked(*checked));
                    }
                }
                JobStep::LookAtAll => self.watching.heard.look_at_all(),
                JobStep::End => {
                    let names = self.board.ended(ticket, &key, lane);
                    self.set_idle(names.unwrap_or_default());
                }
            }
        }
        self.answer(answers);
    }

    /// Answers who offered versions or differences: they find what they offered served, and told of. Many at one time cost one
    /// snapshot and one report.
    fn answer(&mut self, answers: Vec<Answer>) {
        if answers.is_empty() {
            return;
        }
        self.publication.flush();
        self.report_changed();
        answers.into_iter().for_each(Answer::tell);
    }

    /// Nothing will come of these zones.
    pub(in crate::publish) fn set_idle(&mut self, names: impl IntoIterator<Item = Name>) {
        for name in names {
            self.release(&name);
            if let Some(entry) = self.zones.get_mut(&name) {
                entry.work = WorkState::Idle;
            }
            self.carry_out_orders(&name);
        }
    }

    /// Takes what came of a check; who waits for it is to be answered.
    fn take_checked(&mut self, checked: ZoneCheck) -> Option<Answer> {
        let ZoneCheck { name, mut entry, was_stored, mut effects, given_back, .. } = checked;
        let current = self.zones.get_mut(&name)?;
        if let Some(given_back) = given_back {
            current.work = WorkState::Idle;
            let mut left = None;
            match given_back {
                GivenBack::TooLarge => current.is_large = true,
                GivenBack::Elsewhere(group) => left = current.includes_in.replace(Box::new(group)),
            }
            // What awaits it goes on to do so: it was not read yet.
            if current.awaited == Awaited::NextCheck {
                current.awaited = Awaited::ThisCheck;
            }
            if !self.push(&name, false) {
                self.release(&name);
            }
            self.has_left(left);
            return None;
        }
        let again = current.work == WorkState::RunningAgain;
        let finds_again = current.finds_again;
        entry.take_over(current, (was_stored, effects.has_failed));
        // The hold may have ended while it was checked: then it is checked again.
        entry.read &= !entry.is_refused_as_held() || self.keeping.holds.get(&name).is_some();
        self.watching.has_new_includes |= !entry.files.includes_the_same(&current.files);
        let (postponed, is_new) = (
            entry.is_postponed() || entry.waits_for_state(),
            !current.is_checked || !entry.says_the_same(current),
        );
        // An absence that is told of and has passed does no harm: a zone that is served counts as served.
        let absence = entry.absence();
        self.publication.has_new_absences |=
            absence.is_some() && (absence != current.absence() || !current.is_checked);
        let left =
            std::mem::take(&mut current.includes_in).filter(|it| entry.includes_in.as_ref() != Some(it));
        let answer = effects.answer.take();
        // What is wrong with the file of a member, of which nothing is served, is not forgotten with a version of its primaries.
        let judges_file =
            entry.is_member && entry.found.is_some() && answer.as_ref().is_some_and(Answer::is_taken);
        entry.read &= !judges_file;
        *current = entry;
        self.publication.delegations.checked(&name);
        current.check_ended(self.looks.round.as_mut());
        self.has_left(left);
        self.take_effects(&name, effects);
        self.keep_after_check(&name);
        if answer.is_some() {
            self.reporting.news.insert(name.clone());
        } else if is_new {
            self.reporting.note(&name);
        }
        if postponed {
            self.watching.postpone(&name);
        }
        self.carry_out_orders(&name);
        if again && !self.push(&name, finds_again) {
            self.release(&name);
        }
        if judges_file && !again {
            self.push(&name, false);
        }
        answer
    }

    fn take_effects(&mut self, name: &Name, effects: Effects) {
        if let Some(version) = effects.kept
            && let Some(writer) = self.keeping.state.writer()
        {
            writer.keep(version);
        }
        if let Some(zone) = effects.added {
            self.publication.add(zone, effects.below);
        }
        if effects.is_unkept {
            self.keeping.unkept.insert(name.clone());
        }
        if effects.is_unsure
            && let Some(entry) = self.zones.get_mut(name)
        {
            entry.durable = false;
        }
        effects.alarms.into_iter().for_each(|alarm| self.reporting.alarm(alarm));
        if effects.forgotten {
            self.publication.remove(name.clone());
        }
        if effects.unknown {
            self.release(name);
            let gone = self.zones.remove(name);
            // What could not be read may be there all the same, and what is lost is not new when it comes back.
            let is_kept = gone.as_ref().is_some_and(|gone| gone.stored || gone.lost || gone.unread > 0);
            // Its primaries have it, and how old it is by then nobody would know.
            let is_transferred = gone.as_ref().is_some_and(Entry::is_transferred);
            match self.keeping.state.writer() {
                Some(writer) if is_transferred => {
                    // If it comes back, it is the same zone, which its primaries have.
                    let header = gone.as_ref().and_then(|gone| gone.header.as_ref());
                    let served = header.map(|header| header.standing.serial);
                    writer.forget_soon(name, served, Successor::Same);
                    // Which version all secondaries have is known for as long as of any other zone.
                    self.keeping.keep_aside(name);
                }
                _ if effects.forgotten || is_kept => self.keeping.keep_aside(name),
                _ => {}
            }
            self.reporting.news.insert(name.clone());
            self.has_left(gone.and_then(|gone| gone.includes_in));
        }
    }

    fn take_survey(&mut self, ticket: u64, mut survey: Survey) {
        let key = survey.source.key.clone();
        if matches!(key, SourceKey::Included(..)) {
            return self.recover(&key);
        }
        if self.sources.get(&key).is_none() {
            return;
        }
        if self.board.queue.is_stalled(&key) {
            return self.recover(&key);
        }
        if !self.sources.is_newest(&key, ticket) {
            return;
        }
        if self.sources.get(&key).is_some_and(|source| *source != survey.source) {
            // It has other files and folders by now: the survey of these waits.
            return;
        }
        self.sources.take(&mut survey);
        self.context = None;
        // A look at all zones ends, whatever is found beside it.
        let is_of_round = self.looks.is_of_round(ticket) && self.looks.awaits(&key);
        self.take_mounted(&key, survey.mounted, is_of_round);
        let due = self.note_zones(&key, survey.zones);
        for name in &due {
            match is_of_round {
                true => self.push_awaited(name),
                false => _ = self.push(name, false),
            }
        }
        if is_of_round {
            self.looks.source_done(&key);
        }
    }

    /// Takes what of a source is on other file systems: it is looked at as a source of its own.
    fn take_mounted(&mut self, key: &SourceKey, mounted: Vec<ZoneSource>, is_of_round: bool) {
        let MountedChanges { gone, changed, lost } = self.sources.set_mounted(key, mounted);
        gone.iter().for_each(|key| self.forget_source(key));
        for (key, name) in lost {
            self.lose_zone(&key, &name);
        }
        for source in changed {
            self.note_named(&source);
            if self.board.queue.is_stalled(&source.key) {
                continue;
            }
            self.board.queue.push_survey(&source.key);
            if let Some(round) = self.looks.round.as_mut().filter(|_| is_of_round) {
                round.sources.insert(source.key);
            }
        }
    }

    /// The zones of a source whose names are known before it is looked at, which it may never be.
    fn note_named(&mut self, source: &ZoneSource) {
        for (name, path) in source.files.iter() {
            self.sources.add_zone(&source.key, name);
            let root = if let SourceKey::Mounted(root, _) = &source.key { root } else { path };
            let (key, root, path) = (source.key.clone(), root.clone(), path.clone());
            self.find_zone(name.clone(), Found { key, root, path, fault: None });
        }
    }

    /// Notes where the files of a source's zones are, in canonical order. Returns the zones that are to be checked: these, and those that
    /// only another source has now. Only zones of this source are looked at: there may be thousands of sources.
    pub(in crate::publish) fn note_zones(&mut self, key: &SourceKey, zones: Vec<(Name, Found)>) -> Vec<Name> {
        let mut names: Vec<Name> = zones.iter().map(|(name, _)| name.clone()).collect();
        for name in self.sources.replace_zones(key, &names) {
            self.lose_zone(key, &name);
            names.extend(self.zones.get(&name).is_some_and(|entry| entry.found.is_some()).then_some(name));
        }
        if self.zones.is_empty() {
            let entry = |(name, found): (Name, Found)| {
                let entry = Entry { found: Some(found), ..self.keeping.new_entry(&name) };
                (name, entry)
            };
            self.zones = zones.into_iter().map(entry).collect();
            return names;
        }
        for (name, found) in zones {
            self.find_zone(name, found);
        }
        names
    }

    /// A source has no file of a zone any more.
    fn lose_zone(&mut self, key: &SourceKey, name: &Name) {
        let Some(entry) = self.zones.get_mut(name) else { return };
        let before = entry.file();
        entry.lose(key);
        if entry.file() != before {
            // As below: whoever asks after the look must not be told of a file that has gone.
            self.reporting.note(name);
        }
    }

    /// A source has the file of a zone.
    fn find_zone(&mut self, name: Name, found: Found) {
        if let Some(entry) = self.zones.get_mut(&name) {
            let before = entry.file();
            entry.find(found, |key| self.sources.rank(key));
            if entry.file() != before {
                // A check of one that has not changed says nothing new.
                self.reporting.note(&name);
            }
            return;
        }
        let entry = self.keeping.new_entry(&name);
        self.zones.insert(name, Entry { found: Some(found), ..entry });
    }

    /// Of a source that does not answer those zones are known that the configuration names one by one, and where their files are: names
    /// in them are not answered as if there were no such zones, and one that has moved to another source goes on there. Returns those of
    /// which that is new.
    pub(in crate::publish) fn name_zones(&mut self, key: &SourceKey) -> Vec<Name> {
        let (SourceKey::Files(_), Some(source)) = (key, self.sources.get(key)) else { return Vec::new() };
        let files = source.files.clone();
        let names: Vec<Name> = files.iter().map(|(name, _)| name.clone()).collect();
        let mut news = self.sources.replace_zones(key, &names);
        for name in &news {
            self.lose_zone(key, name);
        }
        for (name, path) in files.iter() {
            if self.zones.get(name).is_some_and(|entry| entry.is_found_at(key, path)) {
                continue;
            }
            let (root, path) = (path.clone(), path.clone());
            self.find_zone(name.clone(), Found { key: key.clone(), root, path, fault: None });
            news.push(name.clone());
        }
        news
    }

    /// Has zones checked of which the source does not answer: by a thread that asks no source.
    pub(in crate::publish) fn check_without_source(&mut self, names: &[Name]) {
        for name in names {
            self.push_to(&SourceKey::None, name, false);
            self.await_zone(name);
        }
    }

    /// Gives up threads whose source does not answer, so that no other zone waits for it.
    pub(in crate::publish) fn give_up_stalled(&mut self) {
        let patience = if self.reporting.settled { PATIENCE } else { FIRST_PATIENCE };
        for (thread, running) in self.board.stalled(patience) {
            let Running { ticket, key, lane, .. } = running.clone();
            self.board.give_up(thread, running);
            let Some(names) = self.board.ended(ticket, &key, lane) else { continue };
            self.set_idle(names.clone());
            self.stall(&key);
            self.check_without_included(&key, names);
        }
    }

    fn stall(&mut self, key: &SourceKey) {
        // A source that was taken out meanwhile is nobody's.
        let is_news = self.source(key).is_some() && !self.board.queue.is_stalled(key);
        let Some(path) = key.path().filter(|_| is_news) else { return };
        tracing::warn!("{}", SourceFault::Silent { path: path.to_path_buf() });
        self.board.queue.stall(key);
        self.sources.stall(key, FIRST_PROBE);
        self.context = None;
        let (names, _) = self.board.queue.drain(key);
        self.set_idle(names.clone());
        self.check_without_included(key, names);
        self.looks.source_done(key);
        let news = self.name_zones(key);
        self.prefer_others(key);
        if !self.reporting.settled {
            self.restore_zones_of(key);
        } else {
            self.check_without_source(&news);
            self.report_all();
        }
    }

    /// A zone that another source has, too, goes on there.
    fn prefer_others(&mut self, key: &SourceKey) {
        for name in self.sources.zones_of(key) {
            if self.zones.get_mut(&name).is_some_and(|entry| entry.prefer_rival(key)) {
                self.push(&name, false);
            }
        }
    }

    /// Looks whether sources that did not answer do now.
    pub(in crate::publish) fn probe_sources(&mut self, now: Instant) {
        for key in self.sources.due_probes(now) {
            if !self.board.may_probe(&key) {
                self.sources.put_off_probe(&key, now + FIRST_PROBE);
                continue;
            }
            self.sources.probed(&key, now, LONGEST_PROBE);
            let context = self.context();
            let Some(source) = self.source(&key) else {
                self.has_left(Some(Box::new(key)));
                continue;
            };
            self.board.give((Lane::Survey, key), context, Task::Survey(Some(source)));
        }
    }

    /// At the start: what the state directory has of a source that does not answer is served.
    fn restore_zones_of(&mut self, key: &SourceKey) {
        let is_of_it = |entry: &Entry| entry.found.as_ref().is_some_and(|found| found.key == *key);
        let waiting = self.zones.iter().filter(|(_, entry)| is_of_it(entry) && !entry.is_checked);
        let names: Vec<Name> = waiting.map(|(name, _)| name.clone()).collect();
        self.check_without_source(&names);
    }

    /// A thread that was given up came back: its source answers.
    fn recover(&mut self, key: &SourceKey) {
        if !self.board.queue.recover(key) {
            return;
        }
        if let Some(path) = key.path() {
            tracing::info!("the directory {} answers again", path.display());
        }
        self.sources.recover(key);
        self.watch_again(key);
        self.context = None;
        self.check_all();
    }
}
