//! Whether a POP answers SERVFAIL more often than before, by the counts that it tells. Pure.
//!
//! The share in the last seconds is compared with the one in the minutes before them: a zone that is always broken is no news, and a
//! version that breaks something is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The last seconds: enough for a quiet POP to answer some queries, and well within the usual time of a trial.
const RECENT: Duration = Duration::from_secs(10);
/// What is compared with: the same time of the day, and more than one mood of the clients.
const BEFORE: Duration = Duration::from_secs(300);
/// Between two samples that are kept, so that 300 are enough.
const PERIOD: Duration = Duration::from_secs(1);
/// By how much the share may rise: one answer in a hundred.
const MOST_RISE: f64 = 0.01;
/// Fewer SERVFAIL answers in the last seconds are chance: one resolver with one broken name.
const LEAST_ERRORS: u64 = 10;

/// What a POP counted until one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerCounts {
    pub(super) answers: u64,
    pub(super) servfail: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ErrorShare {
    /// When the process began whose counts these are.
    started: u64,
    samples: VecDeque<(Instant, AnswerCounts)>,
}

impl ErrorShare {
    /// Takes the counts of a process that began then; in words, if the share has risen too far.
    pub(super) fn observe(&mut self, started: u64, counts: AnswerCounts, now: Instant) -> Option<String> {
        if self.started != started {
            self.samples.clear();
            self.started = started;
        }
        let age = |at: Instant| now.saturating_duration_since(at);
        while self.samples.front().is_some_and(|(at, _)| age(*at) > BEFORE + RECENT) {
            self.samples.pop_front();
        }
        if self.samples.back().is_none_or(|(at, _)| age(*at) >= PERIOD) {
            self.samples.push_back((now, counts));
        }
        let (begun, first) = self.samples.front().copied()?;
        let (until, between) = self.samples.iter().rev().find(|(at, _)| age(*at) >= RECENT).copied()?;
        if until.saturating_duration_since(begun) < RECENT {
            return None;
        }
        let (before, recent) = (share(first, between), share(between, counts));
        let errors = counts.servfail.saturating_sub(between.servfail);
        (errors >= LEAST_ERRORS && recent > before + MOST_RISE).then(|| {
            let percent = |share: f64| share * 100.0;
            format!(
                "{:.1} percent of its answers are SERVFAIL, {:.1} percent before",
                percent(recent),
                percent(before)
            )
        })
    }
}

/// Which part of the answers in between is SERVFAIL; none without answers.
fn share(from: AnswerCounts, to: AnswerCounts) -> f64 {
    let answers = to.answers.saturating_sub(from.answers);
    let servfail = to.servfail.saturating_sub(from.servfail);
    if answers == 0 { 0.0 } else { servfail as f64 / answers as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers and SERVFAIL answers of each second, from a start on; the seconds in which the share is told to have risen.
    fn told(seconds: &[(u64, u64)]) -> Vec<u64> {
        let (start, mut share) = (Instant::now(), ErrorShare::default());
        let mut counts = AnswerCounts { answers: 0, servfail: 0 };
        let mut told = Vec::new();
        for (second, (answers, servfail)) in (0..).zip(seconds) {
            counts.answers += answers;
            counts.servfail += servfail;
            let at = start + Duration::from_secs(second);
            told.extend(share.observe(1, counts, at).map(|_| second));
        }
        told
    }

    #[test]
    fn a_share_that_rises_is_told_and_one_that_stays_is_not() {
        let none: Vec<u64> = Vec::new();
        let before = vec![(100, 2); 30];
        let after = |second: (u64, u64)| [before.clone(), vec![second; 10]].concat();
        assert_eq!(told(&after((100, 2))), none);
        assert_eq!(told(&after((1000, 20))), none, "more queries, the same share");
        // A rise by one percent within ten seconds takes all of them to be seen, and a tenfold one the first.
        assert_eq!(told(&after((100, 3))), none);
        assert_eq!(told(&after((100, 30))).first(), Some(&30));
        assert_eq!(told(&after((100, 5))).first(), Some(&33));
        // The first twenty seconds say nothing: there is too little before them.
        assert_eq!(told(&[vec![(100, 0); 10], vec![(100, 50); 10]].concat()), none);
        // A quiet POP: fewer than ten errors are chance.
        assert_eq!(told(&[vec![(1, 0); 30], vec![(1, 1); 9]].concat()), none);
        assert_eq!(told(&[vec![(1, 0); 30], vec![(1, 1); 10]].concat()), [39]);
    }

    #[test]
    fn a_process_that_began_anew_is_compared_with_itself_and_the_samples_have_a_bound() {
        let (start, mut share) = (Instant::now(), ErrorShare::default());
        let observe = |share: &mut ErrorShare, started: u64, second: u64, servfail: u64| {
            let counts = AnswerCounts { answers: 1000 * second, servfail };
            share.observe(started, counts, start + Duration::from_secs(second))
        };
        for second in 0..2000 {
            assert_eq!(observe(&mut share, 1, second, 0), None);
        }
        assert!((300..=320).contains(&share.samples.len()), "{}", share.samples.len());
        let words = observe(&mut share, 1, 2000, 5000).unwrap();
        assert_eq!(words, "50.0 percent of its answers are SERVFAIL, 0.0 percent before");
        assert_eq!(observe(&mut share, 2, 2001, 500_000), None);
        assert_eq!(share.samples.len(), 1);
    }
}
