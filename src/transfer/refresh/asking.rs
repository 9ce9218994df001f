//! The answers to one round of SOA queries.

use std::time::Instant;

use crate::wire::Serial;

/// One round.
#[derive(Clone, Debug)]
pub(super) struct Asking {
    /// Who was asked.
    asked: Vec<usize>,
    /// Who has not answered.
    pending: Vec<usize>,
    /// Who has what.
    answers: Vec<(usize, Serial)>,
    /// Until when the others may answer, once one has a newer version.
    pub(super) grace: Option<Instant>,
}

/// What a round says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RoundResult {
    /// Primaries with a newer version, the freshest first.
    Newer(Vec<usize>),
    /// A primary has the served version, and none a newer one that is worth a transfer.
    Fresh,
    /// No primary that answered has the served version, and this one has an older one.
    Behind(usize, Serial),
    /// Nobody answered, or only with versions that were refused.
    Nothing,
}

impl Asking {
    pub(super) fn new(asked: Vec<usize>) -> Self {
        Self { pending: asked.clone(), asked, answers: Vec::new(), grace: None }
    }

    /// Who of so many primaries was not asked.
    pub(super) fn others(&self, primaries: usize) -> Vec<usize> {
        (0..primaries).filter(|primary| !self.asked.contains(primary)).collect()
    }

    /// These are asked, too; what the others answered still counts.
    pub(super) fn ask_more(&mut self, primaries: &[usize]) {
        self.asked.extend(primaries);
        self.pending.extend(primaries);
    }

    /// Who has answered with a version that is not worth a transfer and not older than the served one: that one, or a newer one that was
    /// refused.
    pub(super) fn confirming(&self, served: Option<Serial>, is_newer: impl Fn(Serial) -> bool) -> Vec<usize> {
        let is_older = |serial: Serial| served.is_some_and(|served| served.is_after(serial));
        let confirming = self.answers.iter().filter(|(_, serial)| !is_newer(*serial) && !is_older(*serial));
        confirming.map(|(primary, _)| *primary).collect()
    }

    /// Who has answered with this serial.
    pub(super) fn with(&self, serial: Option<Serial>) -> Vec<usize> {
        let with = self.answers.iter().filter(|(_, told)| Some(*told) == serial);
        with.map(|(primary, _)| *primary).collect()
    }

    /// Who has answered with a serial before this one.
    pub(super) fn older_than(&self, serial: Option<Serial>) -> Vec<usize> {
        let is_older = |(_, told): &&(usize, Serial)| serial.is_some_and(|serial| serial.is_after(*told));
        self.answers.iter().filter(is_older).map(|(primary, _)| *primary).collect()
    }

    /// Takes an answer, or that there was none; false if this primary was not asked, or has answered already.
    pub(super) fn take(&mut self, primary: usize, serial: Option<Serial>) -> bool {
        let before = self.pending.len();
        self.pending.retain(|other| *other != primary);
        let is_due = self.pending.len() < before;
        if let (true, Some(serial)) = (is_due, serial) {
            self.answers.push((primary, serial));
        }
        is_due
    }

    /// Whether one of these has answered with the served serial, or a later one.
    pub(super) fn has_answer_of(&self, served: Option<Serial>, is_one: impl Fn(usize) -> bool) -> bool {
        let is_older = |serial: Serial| served.is_some_and(|served| served.is_after(serial));
        self.answers.iter().any(|(primary, serial)| is_one(*primary) && !is_older(*serial))
    }

    /// Whether each that was asked has told a serial.
    pub(super) fn have_all_answered(&self) -> bool {
        self.answers.len() == self.asked.len()
    }

    /// Whether nobody is waited for any more.
    pub(super) fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// What it says; `is_newer` tells whether a serial is worth a transfer, `has_served` who gives differences to what is served.
    pub(super) fn verdict(
        &self,
        served: Option<Serial>,
        is_newer: impl Fn(Serial) -> bool,
        has_served: impl Fn(usize) -> bool,
    ) -> RoundResult {
        let mut newer: Vec<(usize, Serial)> =
            self.answers.iter().filter(|(_, serial)| is_newer(*serial)).copied().collect();
        // Of equal serials, and of those that cannot be compared (RFC 1982), first the ones that cost differences alone, then in the order of
        // the primaries.
        newer.sort_by_key(|(primary, _)| (!has_served(*primary), *primary));
        newer.sort_by(|a, b| b.1.compare(a.1).unwrap_or(std::cmp::Ordering::Equal));
        if !newer.is_empty() {
            return RoundResult::Newer(newer.into_iter().map(|(primary, _)| primary).collect());
        }
        // A newer version that is not worth a transfer was refused: what is served is not the newest.
        let is_fresh = |(_, serial): &&(usize, Serial)| Some(*serial) == served;
        let is_behind =
            |(_, serial): &&(usize, Serial)| served.is_some_and(|served| !serial.is_after(served));
        if self.answers.iter().any(|answer| is_fresh(&answer)) {
            return RoundResult::Fresh;
        }
        match self.answers.iter().find(is_behind) {
            Some((primary, serial)) => RoundResult::Behind(*primary, *serial),
            None => RoundResult::Nothing,
        }
    }
}
