//! The fleet from second to second, for a page: the last answer of each POP, and the last differences, each with its age.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::document::PopDocument;
use super::rounds::{ANSWER_LIMIT, Rounds};
use super::summary::FleetReport;
use super::survey::{
    Answered, Basis, Clients, DOCUMENT_PATH, Differences, MOST_DIFFERING, look, of_its_name, summarize,
};

/// An older answer is marked with its age: the one that should have come after it is missing.
const OLD: Duration = Duration::from_millis(1900);

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Surveyed {
    /// The summary.
    pub report: FleetReport,
    /// Whether every POP has answered or failed to, and what differs was looked for.
    pub settled: bool,
}

/// What is followed.
#[derive(Debug, Default)]
pub struct Follow {
    rounds: Rounds<PopDocument>,
    looking: JoinSet<(Instant, Basis, Differences)>,
    found: Found,
}

/// The last differences.
#[derive(Debug, Default)]
struct Found {
    /// What they were found from; while it stays, they need not be looked for again.
    basis: Option<Basis>,
    differences: Differences,
    /// When it was begun to look for them.
    at: Option<Instant>,
}

impl Follow {
    /// Asks the POPs of which no answer is awaited, and what differs where their sums say so. Done at `until` at the latest: what is not
    /// answered by then is awaited further, and part of a later turn.
    pub async fn turn(&mut self, clients: &Arc<Clients>, until: Instant) -> Surveyed {
        self.rounds.turn(clients, DOCUMENT_PATH, until).await;
        let last: Vec<_> = self.rounds.answers().collect();
        let answers = clients.iter().zip(&last).map(|((name, _), last)| match last {
            None => Err("no answer yet".to_owned()),
            Some((_, Err(error))) => Err((*error).clone()),
            Some((_, Ok(document))) => of_its_name(name, document),
        });
        let answers: Vec<Answered<'_>> = answers.collect();
        let (mut report, basis) = summarize(clients, &answers);
        let ages = last.iter().map(|last| last.as_ref().map(|(age, _)| *age).filter(|age| *age >= OLD));
        for (pop, age) in report.pops.iter_mut().zip(ages) {
            pop.answer_age = age.filter(|_| pop.error.is_none()).map(|age| age.as_secs_f64().round() as u64);
        }
        let all_answered = last.iter().all(Option::is_some);
        drop(answers);
        self.compare(clients, &basis, until).await;
        let Found { differences, at, .. } = &self.found;
        let is_current = self.found.is_current(&basis, Instant::now());
        let age = at.map(|at| at.elapsed()).filter(|age| !is_current && *age >= OLD);
        report.differing.clone_from(&differences.zones);
        report.differing_age =
            age.filter(|_| !differences.zones.is_empty()).map(|age| age.as_secs_f64().round() as u64);
        report.more_differ = differences.more || !is_current;
        report.not_compared.clone_from(&differences.untold);
        report.sort();
        Surveyed { report, settled: all_answered && is_current }
    }

    /// Looks for differences where the sums are others than those of the last look.
    async fn compare(&mut self, clients: &Arc<Clients>, basis: &Basis, until: Instant) {
        let is_known = self.found.basis.as_ref() == Some(basis);
        while let Some(looked) = self.looking.try_join_next().filter(|_| !is_known) {
            self.found.take_looked(looked);
        }
        if self.found.basis.as_ref() == Some(basis) {
            // What a look finds that was begun with other sums is older than what is known.
            self.looking = JoinSet::new();
            return;
        }
        if self.looking.is_empty() {
            let (clients, basis) = (clients.clone(), basis.clone());
            self.looking.spawn(async move {
                let begun = Instant::now();
                let found = look(&clients, &basis, ANSWER_LIMIT).await;
                (begun, basis, found)
            });
        }
        if let Ok(Some(looked)) = timeout_at(until, self.looking.join_next()).await {
            self.found.take_looked(looked);
        }
    }
}

impl Found {
    /// Whether they are those of now: found from these sums, or looked for a moment ago. In a fleet in which zones change each second the
    /// sums of now are never those of the last look.
    fn is_current(&self, basis: &Basis, now: Instant) -> bool {
        let is_new = self.at.is_some_and(|at| now.saturating_duration_since(at) < OLD);
        self.basis.as_ref().is_some_and(|known| known == basis || is_new)
    }

    fn take_looked(&mut self, looked: Result<(Instant, Basis, Differences), JoinError>) {
        // After a panic it is looked again.
        if let Ok((begun, basis, differences)) = looked {
            self.take(begun, basis, differences);
        }
    }

    fn take(&mut self, begun: Instant, basis: Basis, mut differences: Differences) {
        if differences.is_whole {
            *self = Self { basis: Some(basis), differences, at: Some(begun) };
            return;
        }
        // A POP did not tell what it serves: what was found before may still be so.
        let named: BTreeSet<&str> = differences.zones.iter().map(|zone| zone.zone.as_str()).collect();
        let before = self.differences.zones.iter().filter(|zone| !named.contains(zone.zone.as_str()));
        let before: Vec<_> = before.cloned().collect();
        differences.zones.extend(before);
        differences.zones.truncate(MOST_DIFFERING);
        let at = self.at.unwrap_or(begun);
        *self = Self { basis: None, differences, at: Some(at) };
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::ZoneDifference;
    use super::*;

    #[test]
    fn the_last_differences_stay_where_a_pop_does_not_tell_what_it_serves() {
        let look = |zones: &[&str], is_whole: bool| Differences {
            zones: zones
                .iter()
                .map(|zone| ZoneDifference { zone: (*zone).into(), ..Default::default() })
                .collect(),
            more: !is_whole,
            is_whole,
            untold: if is_whole { Vec::new() } else { vec!["a".to_owned()] },
        };
        let (mut found, begun) = (Found::default(), Instant::now());
        let names = |found: &Found| {
            found.differences.zones.iter().map(|zone| zone.zone.clone()).collect::<Vec<_>>().join(" ")
        };
        found.take(begun, Basis::default(), look(&["a.", "b."], true));
        let at = found.at;
        assert!(found.basis.is_some());
        found.take(begun, Basis::default(), look(&["b.", "c."], false));
        assert_eq!((names(&found), found.at, found.basis.is_some()), ("b. c. a.".into(), at, false));
        assert_eq!(found.differences.untold, ["a"]);
        found.take(begun, Basis::default(), look(&["c."], true));
        assert_eq!((names(&found), found.basis.is_some()), ("c.".into(), true));
    }

    #[test]
    fn differences_that_were_looked_for_a_moment_ago_are_current_whatever_has_changed_since() {
        let whole = || Differences { is_whole: true, ..Differences::default() };
        let (before, other) = (Basis::of_one_pop("a"), Basis::of_one_pop("b"));
        let (mut found, begun) = (Found::default(), Instant::now());
        assert!(!found.is_current(&other, begun), "nothing was looked for");
        found.take(begun, before.clone(), whole());
        let late = begun + OLD;
        let early = late - Duration::from_millis(1);
        assert!(found.is_current(&before, early) && found.is_current(&other, early));
        assert!(found.is_current(&before, late) && !found.is_current(&other, late));
        // A POP that did not tell makes nothing current.
        found.take(begun, other.clone(), Differences::default());
        assert!(!found.is_current(&other, begun));
    }

    #[tokio::test]
    async fn a_look_of_long_ago_is_not_what_is_shown() {
        let (clients, mut follow) = (Arc::new(Clients::new()), Follow::default());
        let known = Basis::of_one_pop("a");
        follow.found.take(
            Instant::now(),
            known.clone(),
            Differences { is_whole: true, ..Differences::default() },
        );
        // A look that was begun with other sums has not ended when the sums are the known ones again.
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        follow.looking.spawn(async move {
            let begun = Instant::now();
            let _ = told.await;
            (
                begun,
                Basis::of_one_pop("b"),
                Differences { more: true, is_whole: true, ..Differences::default() },
            )
        });
        follow.compare(&clients, &known, Instant::now()).await;
        let _ = tell.send(());
        assert!(follow.looking.is_empty());
        follow.compare(&clients, &known, Instant::now()).await;
        assert!(!follow.found.differences.more && follow.found.basis == Some(known));
    }
}
