//! Canaries of the document, and what an operator must know of them. Pure.

use crate::control::{
    CanarySecondaryStatus, CanaryStatus, Cause, ZoneCanaryStatus, one_line, without_numbers,
};
use crate::daemon::canaries::{CanaryFact, CanaryFacts};
use crate::transfer::canary::CanaryState;
use crate::wire::Name;

use super::clock::{Clock, unix};
use super::other::OtherAlarm;

/// The groups of the document.
pub(super) fn statuses(facts: &CanaryFacts) -> Vec<CanaryStatus> {
    facts.groups.iter().map(status).collect()
}

fn status(fact: &CanaryFact) -> CanaryStatus {
    let [released, trial, overdue, halted] = fact.counts.map(|count| count as u64);
    let secondaries = fact.secondaries.iter().map(|secondary| CanarySecondaryStatus {
        address: secondary.address.to_string(),
        failing_since: secondary.failing.as_ref().map(|(since, _)| unix(*since)),
        error: secondary.failing.as_ref().map(|(_, error)| one_line(error)),
    });
    CanaryStatus {
        name: fact.name.clone(),
        released,
        trial,
        overdue,
        halted,
        withheld: fact.withheld as u64,
        secondaries: secondaries.collect(),
    }
}

/// What canaries wait for of one zone.
pub(super) fn of_zone(facts: &CanaryFacts, zone: &Name, clock: Clock) -> Option<ZoneCanaryStatus> {
    let waiting = facts.waiting.get(zone)?;
    Some(ZoneCanaryStatus {
        canary: facts.groups.get(waiting.group).map(|group| group.name.clone()).unwrap_or_default(),
        state: word(waiting.state).to_owned(),
        released: waiting.released.0,
        withheld: waiting.is_withheld,
        since: waiting.since.map(|since| clock.of(since)),
        lacking: waiting.lacking.iter().map(ToString::to_string).collect(),
    })
}

fn word(state: CanaryState) -> &'static str {
    match state {
        CanaryState::Released => "released",
        CanaryState::Trial => "trial",
        CanaryState::Overdue => "overdue",
        CanaryState::Halted => "halted",
    }
}

/// What an operator must know.
pub(in crate::daemon) fn alarms(facts: &CanaryFacts) -> Vec<OtherAlarm> {
    facts.groups.iter().flat_map(of_group).collect()
}

fn of_group(fact: &CanaryFact) -> Vec<OtherAlarm> {
    let name = &fact.name;
    let alarm = |what: &str, message: String| OtherAlarm {
        kind: format!("canary {}: {what}", without_numbers(name)),
        cause: Cause::Rest,
        message: one_line(&message),
    };
    let zones = |count: usize, first: &Name| match count {
        1 => format!("zone {first}"),
        _ => format!("{count} zones, the first is {first}"),
    };
    let [_, _, overdue, _] = fact.counts;
    let overdue = fact.first_overdue.as_ref().map(|first| {
        let message = format!(
            "canary {name}: {}: the group does not prove the newest version for longer than it should take, so the others wait; `anyns zone \
             status {first}` tells who lacks it, `anyns zone release {first}` releases it",
            zones(overdue, first)
        );
        alarm("overdue", message)
    });
    let withheld = fact.first_withheld.as_ref().map(|first| {
        let message = format!(
            "canary {name}: {}: the released version is not in the history any more, so the others get none and keep what they have; \
             `anyns zone release {first}` gives them the newest",
            zones(fact.withheld, first)
        );
        alarm("withheld", message)
    });
    let failing = fact.secondaries.iter().filter_map(|secondary| {
        let (_, error) = secondary.failing.as_ref()?;
        let message = format!("canary {name}: {} does not tell its serial: {error}", secondary.address);
        Some(alarm(&format!("{} does not answer", secondary.address), message))
    });
    [overdue, withheld].into_iter().flatten().chain(failing).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::daemon::canaries::CanarySecondary;

    #[test]
    fn what_waits_too_long_or_does_not_answer_is_an_alarm_with_the_order_that_helps() {
        let secondary = |failing| CanarySecondary { address: ([192, 0, 2, 1], 53).into(), failing };
        let mut fact = CanaryFact {
            name: "first".to_owned(),
            counts: [5, 2, 0, 1],
            first_overdue: None,
            withheld: 0,
            first_withheld: None,
            secondaries: vec![secondary(None)],
        };
        assert_eq!(of_group(&fact).len(), 0, "a trial and a halt are no faults");
        fact.counts = [5, 0, 3, 1];
        fact.first_overdue = Some("a.".parse().unwrap());
        (fact.withheld, fact.first_withheld) = (1, Some("b.".parse().unwrap()));
        fact.secondaries = vec![secondary(Some((SystemTime::now(), "silent".to_owned())))];
        let texts: Vec<String> = of_group(&fact).into_iter().map(|alarm| alarm.message).collect();
        assert!(texts[0].contains("3 zones, the first is a.") && texts[0].contains("anyns zone release a."));
        assert!(texts[1].contains("zone b.: ") && texts[1].contains("anyns zone release b."));
        assert!(texts[2].contains("192.0.2.1:53 does not tell its serial: silent"));
        let told = status(&fact);
        assert_eq!([told.released, told.trial, told.overdue, told.halted, told.withheld], [5, 0, 3, 1, 1]);
        assert_eq!(told.secondaries[0].error.as_deref(), Some("silent"));
    }
}
