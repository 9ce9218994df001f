//! What each primary told last.

use crate::transfer::message::TimeLeft;
use crate::wire::Serial;

use super::Now;

/// A primary that has the serial that is served may have another version under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Another {
    /// This one has it, and it is transferred whole.
    Wanted(usize),
    /// It was refused.
    Refused,
}

/// The serials, by primary.
#[derive(Clone, Debug)]
pub(super) struct ToldSerials {
    last: Vec<Option<Serial>>,
    /// Which of them told a newer one before.
    fallen: Vec<bool>,
    /// In whose history what is served is not: it was proven that they had an older version after it.
    forked: Vec<bool>,
    /// Since when each has not answered.
    silent: Vec<Option<Now>>,
    /// How long each has said in this round that its version may be served.
    left: Vec<Option<TimeLeft>>,
}

impl ToldSerials {
    pub(super) fn new(primaries: usize) -> Self {
        Self {
            last: vec![None; primaries],
            fallen: vec![false; primaries],
            forked: vec![false; primaries],
            silent: vec![None; primaries],
            left: vec![None; primaries],
        }
    }

    /// A primary tells this serial.
    pub(super) fn note(&mut self, primary: usize, serial: Serial) {
        let (Some(last), Some(fallen)) = (self.last.get_mut(primary), self.fallen.get_mut(primary)) else {
            return;
        };
        *fallen = match *last {
            Some(before) if before == serial => *fallen,
            Some(before) => !serial.is_after(before),
            None => false,
        };
        *last = Some(serial);
    }

    /// How many primaries there are.
    pub(super) fn count(&self) -> usize {
        self.last.len()
    }

    /// This one, if it is one of them: it may come from a list that had more.
    pub(super) fn known(&self, primary: Option<usize>) -> Option<usize> {
        primary.filter(|primary| *primary < self.count())
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Option<Serial>] {
        &self.last
    }

    /// What this one told last.
    pub(super) fn of(&self, primary: usize) -> Option<Serial> {
        self.last.get(primary).copied().flatten()
    }

    /// Whether this one told a newer serial before.
    pub(super) fn has_fallen(&self, primary: usize) -> bool {
        self.fallen.get(primary).copied().unwrap_or(false)
    }

    /// This one has answered, or has not.
    pub(super) fn note_answer(&mut self, primary: usize, is_answered: bool, now: Now) {
        if let Some(silent) = self.silent.get_mut(primary) {
            *silent = if is_answered { None } else { Some(silent.unwrap_or(now)) };
        }
    }

    /// This one says how long its version may be served.
    pub(super) fn note_left(&mut self, primary: usize, left: Option<TimeLeft>) {
        if let Some(it) = self.left.get_mut(primary) {
            *it = left;
        }
    }

    /// What this one has said of that in this round.
    pub(super) fn left(&self, primary: usize) -> Option<TimeLeft> {
        self.left.get(primary).copied().flatten()
    }

    /// Another round begins.
    pub(super) fn forget_left(&mut self) {
        self.left.fill(None);
    }

    /// Whether this one has not answered when it was asked last.
    pub(super) fn is_silent(&self, primary: usize) -> bool {
        self.silent.get(primary).is_some_and(Option::is_some)
    }

    /// The first that has not answered since this time or longer.
    pub(super) fn silent_since(&self, before: std::time::Instant) -> Option<(usize, std::time::SystemTime)> {
        let silent = self.silent.iter().enumerate().filter_map(|(primary, since)| Some((primary, (*since)?)));
        silent
            .filter(|(_, since)| since.instant <= before)
            .map(|(primary, since)| (primary, since.wall))
            .next()
    }

    /// What is served is not in the history of this one.
    pub(super) fn set_forked(&mut self, primary: usize) {
        if let Some(forked) = self.forked.get_mut(primary) {
            *forked = true;
        }
    }

    /// Whether what is served is not in the history of this one.
    pub(super) fn is_forked(&self, primary: usize) -> bool {
        self.forked.get(primary).copied().unwrap_or(false)
    }

    /// Whether that is so of any of them.
    pub(super) fn is_any_forked(&self) -> bool {
        self.forked.contains(&true)
    }

    /// That is so of all of them, or of none.
    pub(super) fn set_all_forked(&mut self, are_forked: bool) {
        self.forked.fill(are_forked);
    }
}
