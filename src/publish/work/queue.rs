//! Which zone is worked on next: a queue of the zones that have work, in groups by source, with lanes.
//!
//! Zones and surveys that are due flow in; what a free thread is to do next flows out. Pure: no thread, no clock, no I/O.
//!
//! - Each source is a group. The groups take turns, so a source with many zones delays another one by a chunk.
//! - Large zones are work for the general lane only. It takes surveys and small zones, too, while none of them would wait there for a
//!   large zone or for a source that does not answer. The lane for small zones always has a thread that is at neither: a
//!   source that does not answer does not answer a survey, so that its zones seldom get there. A survey always has a thread, too: that of
//!   its lane.
//! - A group occupies one thread of the lane for small zones at most, so a source that does not answer leaves the others to
//!   the other sources.
//! - A group that is stalled, because its source does not answer, gets no thread.

use std::collections::{BTreeMap, VecDeque};

use crate::publish::source::SourceKey;
use crate::wire::Name;

/// Small zones that a thread takes at once: the cost of handing over is shared, and a chunk is done within milliseconds.
pub(in crate::publish) const CHUNK: usize = 64;

/// What a thread may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::publish) enum Lane {
    /// Everything.
    General,
    /// Small zones.
    Small,
    /// Surveys.
    Survey,
    /// Differences, and small versions of primaries: each costs what it changes, and a write to the state directory. They are
    /// handed out without the queue.
    Change,
}

/// How much work a zone is, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::publish) enum Size {
    /// Small, or not known: a thread that finds it large gives it back.
    Small,
    /// So large that it delays others.
    Large,
}

/// What a thread is to do.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::publish) enum Work {
    /// Find the zones of a source.
    Survey(SourceKey),
    /// Check these zones of one source.
    Zones(SourceKey, Vec<Name>),
}

/// The queue.
#[derive(Debug, Default)]
pub(in crate::publish) struct WorkQueue {
    groups: BTreeMap<SourceKey, Group>,
    /// The groups that may have something to do, in turn.
    turn: VecDeque<SourceKey>,
}

#[derive(Debug, Default)]
struct Group {
    survey: bool,
    /// Whether a thread is at a survey of it: the next one begins after that, so that the newest comes last.
    is_surveyed: bool,
    small: VecDeque<Name>,
    large: VecDeque<Name>,
    /// Threads of the lane for small zones that are at this group.
    in_small_lane: usize,
    is_stalled: bool,
    /// Whether the group is in the list of turns.
    has_turn: bool,
}

impl Group {
    fn is_empty(&self) -> bool {
        !self.survey && self.small.is_empty() && self.large.is_empty()
    }
}

impl WorkQueue {
    /// Asks for a survey of a source; one that waits already is enough.
    pub(in crate::publish) fn push_survey(&mut self, key: &SourceKey) {
        self.group(key).survey = true;
        self.give_turn(key);
    }

    /// Queues a zone, which must not be queued already.
    pub(in crate::publish) fn push(&mut self, key: &SourceKey, name: Name, size: Size) {
        let group = self.group(key);
        match size {
            Size::Small => group.small.push_back(name),
            Size::Large => group.large.push_back(name),
        }
        self.give_turn(key);
    }

    /// What a thread of this lane is to do next, surveys and small zones only if it `takes_all`; `None` if there is nothing for it.
    pub(in crate::publish) fn next(&mut self, lane: Lane, takes_all: bool) -> Option<Work> {
        for _ in 0..self.turn.len() {
            let key = self.turn.pop_front()?;
            let work = self.groups.get_mut(&key).and_then(|group| group.next(lane, takes_all, &key));
            if self.groups.get(&key).is_none_or(Group::is_empty) {
                self.forget_turn(&key);
            } else {
                self.turn.push_back(key);
            }
            if work.is_some() {
                return work;
            }
        }
        None
    }

    /// A thread has done what it was given.
    pub(in crate::publish) fn done(&mut self, key: &SourceKey, lane: Lane) {
        let Some(group) = self.groups.get_mut(key) else { return };
        if lane == Lane::Small {
            group.in_small_lane = group.in_small_lane.saturating_sub(1);
        }
        if group.is_empty() && group.in_small_lane == 0 && !group.is_stalled && !group.is_surveyed {
            self.groups.remove(key);
        }
    }

    /// A survey has come to its end, or its thread is given up.
    pub(in crate::publish) fn survey_done(&mut self, key: &SourceKey) {
        if let Some(group) = self.groups.get_mut(key) {
            group.is_surveyed = false;
        }
    }

    /// The source does not answer: its zones get no thread until [`recover`](Self::recover).
    pub(in crate::publish) fn stall(&mut self, key: &SourceKey) {
        self.group(key).is_stalled = true;
    }

    /// The source answers again. True if it was stalled.
    pub(in crate::publish) fn recover(&mut self, key: &SourceKey) -> bool {
        self.groups.get_mut(key).is_some_and(|group| std::mem::take(&mut group.is_stalled))
    }

    /// Whether the source does not answer.
    pub(in crate::publish) fn is_stalled(&self, key: &SourceKey) -> bool {
        self.groups.get(key).is_some_and(|group| group.is_stalled)
    }

    /// Takes out everything that waits for a source: its zones, and whether a survey waited.
    pub(in crate::publish) fn drain(&mut self, key: &SourceKey) -> (Vec<Name>, bool) {
        let Some(group) = self.groups.get_mut(key) else { return (Vec::new(), false) };
        let names = group.small.drain(..).chain(group.large.drain(..)).collect();
        (names, std::mem::take(&mut group.survey))
    }

    fn group(&mut self, key: &SourceKey) -> &mut Group {
        self.groups.entry(key.clone()).or_default()
    }

    fn give_turn(&mut self, key: &SourceKey) {
        let Some(group) = self.groups.get_mut(key).filter(|group| !group.has_turn) else { return };
        group.has_turn = true;
        self.turn.push_back(key.clone());
    }

    /// The group has nothing left to do.
    fn forget_turn(&mut self, key: &SourceKey) {
        let Some(group) = self.groups.get_mut(key) else { return };
        group.has_turn = false;
    }
}

impl Group {
    fn next(&mut self, lane: Lane, takes_all: bool, key: &SourceKey) -> Option<Work> {
        if self.is_stalled || (lane == Lane::Small && self.in_small_lane > 0) {
            return None;
        }
        let work = self.take(lane, takes_all, key)?;
        self.in_small_lane += usize::from(lane == Lane::Small);
        Some(work)
    }

    fn take(&mut self, lane: Lane, takes_all: bool, key: &SourceKey) -> Option<Work> {
        if lane != Lane::Small && takes_all && !self.is_surveyed && std::mem::take(&mut self.survey) {
            self.is_surveyed = true;
            return Some(Work::Survey(key.clone()));
        }
        if lane == Lane::General
            && let Some(name) = self.large.pop_front()
        {
            return Some(Work::Zones(key.clone(), vec![name]));
        }
        let takes_small = lane != Lane::Survey && takes_all;
        let chunk = if takes_small { self.small.len().min(CHUNK) } else { 0 };
        (chunk > 0).then(|| Work::Zones(key.clone(), self.small.drain(..chunk).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn key(path: &str) -> SourceKey {
        SourceKey::Directory(Path::new(path).into())
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn zones(path: &str, names: &[&str]) -> Option<Work> {
        Some(Work::Zones(key(path), names.iter().map(|text| name(text)).collect()))
    }

    #[test]
    fn sources_take_turns_and_a_chunk_is_bounded() {
        let mut queue = WorkQueue::default();
        for number in 0..=CHUNK {
            queue.push(&key("/many"), name(&format!("z{number}.")), Size::Small);
        }
        queue.push(&key("/one"), name("a."), Size::Small);
        let Some(Work::Zones(_, chunk)) = queue.next(Lane::General, true) else { panic!("no chunk") };
        assert_eq!(chunk.len(), CHUNK);
        assert_eq!(queue.next(Lane::General, true), zones("/one", &["a."]));
        assert_eq!(queue.next(Lane::General, true), zones("/many", &[&format!("z{CHUNK}.")]));
        assert_eq!(queue.next(Lane::General, true), None);
    }

    #[test]
    fn a_survey_comes_first_and_once() {
        let mut queue = WorkQueue::default();
        queue.push(&key("/a"), name("a."), Size::Small);
        queue.push_survey(&key("/a"));
        queue.push_survey(&key("/b"));
        queue.push_survey(&key("/a"));
        assert_eq!(queue.next(Lane::General, true), Some(Work::Survey(key("/a"))));
        assert_eq!(queue.next(Lane::Small, true), zones("/a", &["a."]));
        assert_eq!(queue.next(Lane::Small, true), None, "a survey may wait for its source");
        assert_eq!(queue.next(Lane::General, true), Some(Work::Survey(key("/b"))));
        assert_eq!(queue.next(Lane::General, true), None);
        // One at a time: what is asked for meanwhile comes after it.
        queue.push_survey(&key("/a"));
        assert_eq!((queue.next(Lane::General, true), queue.next(Lane::Survey, true)), (None, None));
        queue.survey_done(&key("/a"));
        assert_eq!(queue.next(Lane::Survey, true), Some(Work::Survey(key("/a"))));
    }

    #[test]
    fn large_zones_are_left_to_the_general_lane() {
        let mut queue = WorkQueue::default();
        queue.push(&key("/a"), name("large."), Size::Large);
        assert_eq!(queue.next(Lane::Small, true), None);
        queue.push(&key("/a"), name("small."), Size::Small);
        assert_eq!(queue.next(Lane::Small, true), zones("/a", &["small."]));
        assert_eq!(queue.next(Lane::General, true), zones("/a", &["large."]));
    }

    #[test]
    fn small_zones_are_left_to_their_lane_where_they_would_wait() {
        let mut queue = WorkQueue::default();
        queue.push(&key("/a"), name("small."), Size::Small);
        queue.push_survey(&key("/a"));
        assert_eq!(queue.next(Lane::General, false), None);
        queue.push(&key("/a"), name("large."), Size::Large);
        assert_eq!(queue.next(Lane::General, false), zones("/a", &["large."]));
        assert_eq!(queue.next(Lane::Small, true), zones("/a", &["small."]));
        queue.push(&key("/a"), name("small."), Size::Small);
        assert_eq!(queue.next(Lane::Survey, true), Some(Work::Survey(key("/a"))));
        assert_eq!(queue.next(Lane::Survey, true), None, "its thread looks at sources only");
    }

    #[test]
    fn a_source_occupies_one_thread_of_the_small_lane() {
        let mut queue = WorkQueue::default();
        queue.push(&key("/a"), name("a."), Size::Small);
        assert_eq!(queue.next(Lane::Small, true), zones("/a", &["a."]));
        queue.push(&key("/a"), name("b."), Size::Small);
        queue.push(&key("/b"), name("c."), Size::Small);
        assert_eq!(queue.next(Lane::Small, true), zones("/b", &["c."]));
        assert_eq!(queue.next(Lane::Small, true), None);
        queue.done(&key("/a"), Lane::Small);
        assert_eq!(queue.next(Lane::Small, true), zones("/a", &["b."]));
    }

    #[test]
    fn a_stalled_source_gets_no_thread_until_it_recovers() {
        let mut queue = WorkQueue::default();
        queue.push(&key("/a"), name("a."), Size::Small);
        queue.stall(&key("/a"));
        assert_eq!((queue.next(Lane::General, true), queue.next(Lane::Small, true)), (None, None));
        assert!(queue.is_stalled(&key("/a")));
        assert!(queue.recover(&key("/a")) && !queue.recover(&key("/a")));
        assert_eq!(queue.next(Lane::General, true), zones("/a", &["a."]));
        queue.push_survey(&key("/a"));
        queue.push(&key("/a"), name("b."), Size::Large);
        assert_eq!(queue.drain(&key("/a")), (vec![name("b.")], true));
        assert_eq!(queue.next(Lane::General, true), None);
        // It can be queued again.
        queue.push(&key("/a"), name("b."), Size::Large);
        assert_eq!(queue.next(Lane::General, true), zones("/a", &["b."]));
    }
}
