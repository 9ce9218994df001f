//! The fleet from second to second, for a page: the last answer of each POP, and the last differences, each with its age.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
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
    looking: JoinSet<(Basis, Differences)>,
    found: Found,
}

/// The last differences.
#[derive(Debug, Default)]
struct Found {
    /// What they were found from; while it stays, they need not be looked for again.
    basis: Option<Basis>,
    differences: Differences,
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
        let is_current = self.found.basis.as_ref() == Some(&basis);
        let age = at.map(|at| at.elapsed()).filter(|age| !is_current && *age >= OLD);
        report.differing.clone_from(&differences.zones);
        report.differing_age =
            age.filter(|_| !differences.zones.is_empty()).map(|age| age.as_secs_f64().round() as u64);
        report.more_differ = differences.more || !is_current;
        report.sort();
        Surveyed { report, settled: all_answered && is_current }
    }

    /// Looks for differences where the sums are others than those of the last look.
    async fn compare(&mut self, clients: &Arc<Clients>, basis: &Basis, until: Instant) {
        if self.found.basis.as_ref() == Some(basis) {
            return;
        }
        if self.looking.is_empty() {
            let (clients, basis) = (clients.clone(), basis.clone());
            self.looking.spawn(async move {
                let found = look(&clients, &basis, ANSWER_LIMIT).await;
                (basis, found)
            });
        }
        if let Ok(Some(Ok((basis, differences)))) = timeout_at(until, self.looking.join_next()).await {
            self.found.take(basis, differences);
        }
    }
}

impl Found {
    fn take(&mut self, basis: Basis, mut differences: Differences) {
        if differences.is_whole {
            *self = Self { basis: Some(basis), differences, at: Some(Instant::now()) };
            return;
        }
        // A POP did not tell what it serves: what was found before may still be so.
        let named: BTreeSet<&str> = differences.zones.iter().map(|zone| zone.zone.as_str()).collect();
        let before = self.differences.zones.iter().filter(|zone| !named.contains(zone.zone.as_str()));
        let before: Vec<_> = before.cloned().collect();
        differences.zones.extend(before);
        differences.zones.truncate(MOST_DIFFERING);
        let at = self.at.unwrap_or_else(Instant::now);
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
        };
        let mut found = Found::default();
        let names = |found: &Found| {
            found.differences.zones.iter().map(|zone| zone.zone.clone()).collect::<Vec<_>>().join(" ")
        };
        found.take(Basis::default(), look(&["a.", "b."], true));
        let at = found.at;
        assert!(found.basis.is_some());
        found.take(Basis::default(), look(&["b.", "c."], false));
        assert_eq!((names(&found), found.at, found.basis.is_some()), ("b. c. a.".into(), at, false));
        found.take(Basis::default(), look(&["c."], true));
        assert_eq!((names(&found), found.basis.is_some()), ("c.".into(), true));
    }
}
