//! Canaries of the document, and what an operator must know of them. Pure.

use crate::clock::unix_seconds;
use crate::control::{
    CanarySecondaryStatus, CanaryStatus, Cause, ZoneCanaryStatus, one_line, without_numbers,
};
use crate::daemon::canaries::{CanaryFact, CanaryFacts, CanaryHealth, CanarySecondary, HealthFact};
use crate::transfer::canary::CanaryState;
use crate::wire::Name;

use crate::daemon::status::clock::Clock;
use crate::daemon::status::other::OtherAlarm;

/// The groups of the document.
pub(in crate::daemon::status) fn statuses(facts: &CanaryFacts) -> Vec<CanaryStatus> {
    facts.groups.iter().map(status).collect()
}

fn status(fact: &CanaryFact) -> CanaryStatus {
    let [released, trial, overdue, halted] = fact.counts.map(|count| count as u64);
    CanaryStatus {
        name: fact.name.clone(),
        released,
        trial,
        overdue,
        halted,
        withheld: fact.withheld as u64,
        stopped: fact.stopped as u64,
        secondaries: fact.secondaries.iter().map(secondary_status).collect(),
    }
}

fn secondary_status(secondary: &CanarySecondary) -> CanarySecondaryStatus {
    let fact = secondary.health.as_ref().map(|health| &health.fact);
    let (health, known) = match fact {
        None => ("", None),
        Some(HealthFact::NotAsked) => ("not-asked", None),
        Some(HealthFact::Good) => ("good", None),
        Some(HealthFact::Unknown(since, why)) => ("unknown", Some((since, why))),
        Some(HealthFact::Bad(since, why)) => ("bad", Some((since, why))),
    };
    CanarySecondaryStatus {
        address: secondary.address.to_string(),
        failing_since: secondary.failing.as_ref().map(|(since, _)| unix_seconds(*since)),
        error: secondary.failing.as_ref().map(|(_, error)| one_line(error)),
        pop: secondary.health.as_ref().map(|health| health.pop.clone()),
        health: health.to_owned(),
        health_since: known.map(|(since, _)| unix_seconds(*since)),
        health_reason: known.map(|(_, why)| one_line(why)),
    }
}

/// What canaries wait for of one zone.
pub(in crate::daemon::status) fn of_zone(
    facts: &CanaryFacts,
    zone: &Name,
    clock: Clock,
) -> Option<ZoneCanaryStatus> {
    let waiting = facts.waiting.get(zone)?;
    Some(ZoneCanaryStatus {
        canary: facts.groups.get(waiting.group).map(|group| group.name.clone()).unwrap_or_default(),
        state: word(waiting.state).to_owned(),
        released: waiting.released.0,
        withheld: waiting.is_withheld,
        stopped: waiting.stopped.as_deref().map(one_line),
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
    let uncovered = facts.uncovered.iter().map(|(count, first)| OtherAlarm {
        kind: "canary: halted zones that no group covers".to_owned(),
        cause: Cause::Rest,
        message: one_line(&format!(
            "{}: halted, but no [[canary]] covers it any more, so all secondaries get its newest version; put it back into `zones` of a \
             [[canary]] and halt it again, or end this alarm: anyns zone release {first}",
            zones_text(*count, first)
        )),
    });
    uncovered.chain(facts.groups.iter().flat_map(of_group)).collect()
}

/// So many zones, of which this is the first.
fn zones_text(count: usize, first: &Name) -> String {
    match count {
        1 => format!("zone {first}"),
        _ => format!("{count} zones, the first is {first}"),
    }
}

fn of_group(fact: &CanaryFact) -> Vec<OtherAlarm> {
    let name = &fact.name;
    let alarm = |what: &str, message: String| OtherAlarm {
        kind: format!("canary {}: {what}", without_numbers(name)),
        cause: Cause::Rest,
        message: one_line(&message),
    };
    let [_, _, overdue, halted] = fact.counts;
    let overdue = fact.first_overdue.as_ref().map(|first| {
        let message = format!(
            "canary {name}: {}: the group does not prove the newest version for longer than it should take, so the others wait; `anyns zone \
             status {first}` tells who lacks it, `anyns zone release {first}` releases it",
            zones_text(overdue, first)
        );
        alarm("overdue", message)
    });
    let withheld = fact.first_withheld.as_ref().map(|first| {
        let message = format!(
            "canary {name}: {}: the released version is not in the history any more, so the others get none and keep what they have; \
             `anyns zone release {first}` gives them the newest",
            zones_text(fact.withheld, first)
        );
        alarm("withheld", message)
    });
    let failing = fact.secondaries.iter().filter_map(|secondary| {
        let (_, error) = secondary.failing.as_ref()?;
        let message = format!("canary {name}: {} does not tell its serial: {error}", secondary.address);
        Some(alarm(&format!("{} does not answer", secondary.address), message))
    });
    let stopped = fact.first_stopped.as_ref().map(|(first, why)| {
        let message = format!(
            "canary {name}: {}: a canary became unhealthy, so the others wait: {why}; look at the canaries, and then `anyns zone release {first}` \
             gives all secondaries the newest version",
            zones_text(fact.stopped, first)
        );
        alarm("stopped", message)
    });
    let halted = fact.first_halted.as_ref().map(|first| {
        let message = format!(
            "canary {name}: {}: halted by order, so that no newer version goes to the others; `anyns zone release {first}` ends that",
            zones_text(halted - fact.stopped.min(halted), first)
        );
        alarm("halted", message)
    });
    let unhealthy = fact.secondaries.iter().filter_map(|secondary| unhealthy(name, secondary));
    let unhealthy = unhealthy.map(|(kind, message)| alarm(&kind, message));
    [overdue, withheld, stopped, halted].into_iter().flatten().chain(failing).chain(unhealthy).collect()
}

/// What is wrong with a secondary by what it tells, or that it does not tell it.
fn unhealthy(name: &str, secondary: &CanarySecondary) -> Option<(String, String)> {
    let CanaryHealth { pop, fact } = secondary.health.as_ref()?;
    let address = secondary.address;
    match fact {
        HealthFact::NotAsked | HealthFact::Good => None,
        HealthFact::Unknown(_, why) => Some((
            format!("{address} is not known to be healthy"),
            format!(
                "canary {name}: only the serial of {address} is checked, because it is not known whether the POP {pop} is healthy, so it proves no \
                 version: {why}"
            ),
        )),
        HealthFact::Bad(_, why) => Some((
            format!("{address} is unhealthy"),
            format!("canary {name}: {address}, the POP {pop}, is unhealthy, so it proves no version: {why}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_waits_too_long_or_does_not_answer_is_an_alarm_with_the_order_that_helps() {
        let secondary =
            |failing| CanarySecondary { address: ([192, 0, 2, 1], 53).into(), failing, health: None };
        let mut fact = CanaryFact {
            name: "first".to_owned(),
            counts: [5, 2, 0, 1],
            first_overdue: None,
            withheld: 0,
            first_withheld: None,
            stopped: 0,
            first_stopped: None,
            first_halted: None,
            secondaries: vec![secondary(None)],
        };
        assert_eq!(of_group(&fact).len(), 0, "a trial is no fault");
        fact.first_halted = Some("h.".parse().unwrap());
        let halted = of_group(&fact).remove(0).message;
        assert!(
            halted.contains("zone h.: halted by order") && halted.contains("anyns zone release h."),
            "{halted}"
        );
        (fact.counts, fact.stopped) = ([5, 2, 0, 4], 1);
        assert!(
            of_group(&fact).remove(0).message.contains("3 zones, the first is h."),
            "those by order alone"
        );
        (fact.first_halted, fact.stopped) = (None, 0);
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

    #[test]
    fn a_secondary_that_is_unhealthy_or_does_not_tell_is_an_alarm_and_a_state() {
        let since = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7);
        let fact = |health: Option<HealthFact>, stopped: Option<&str>| CanaryFact {
            name: "first".to_owned(),
            counts: [0, 0, 0, usize::from(stopped.is_some())],
            first_overdue: None,
            withheld: 0,
            first_withheld: None,
            stopped: usize::from(stopped.is_some()),
            first_stopped: stopped.map(|why| ("a.".parse().unwrap(), why.to_owned())),
            first_halted: None,
            secondaries: vec![CanarySecondary {
                address: ([192, 0, 2, 1], 53).into(),
                failing: None,
                health: health.map(|fact| CanaryHealth { pop: "ams1".to_owned(), fact }),
            }],
        };
        let silent = || "silent".to_owned();
        let table = [
            (None, "", ""),
            (Some(HealthFact::NotAsked), "not-asked", ""),
            (Some(HealthFact::Good), "good", ""),
            (
                Some(HealthFact::Unknown(since, silent())),
                "unknown",
                "canary first: only the serial of 192.0.2.1:53 is checked, because it is not known whether the POP ams1 is healthy, so it proves no \
                 version: silent",
            ),
            (
                Some(HealthFact::Bad(since, silent())),
                "bad",
                "canary first: 192.0.2.1:53, the POP ams1, is unhealthy, so it proves no version: silent",
            ),
        ];
        for (health, word, message) in table {
            let is_known = !message.is_empty();
            let fact = fact(health, None);
            let told = status(&fact).secondaries.remove(0);
            assert_eq!(told.health, word);
            assert_eq!((told.health_since, told.health_reason.is_some()), (is_known.then_some(7), is_known));
            let messages: Vec<String> = of_group(&fact).into_iter().map(|alarm| alarm.message).collect();
            assert_eq!(messages.concat(), message);
        }
        let alarms = of_group(&fact(None, Some("ams1: silent")));
        assert!(alarms[0].message.contains("zone a.: a canary became unhealthy"), "{}", alarms[0].message);
        assert!(alarms[0].message.contains("ams1: silent") && alarms[0].message.contains("zone release a."));
    }
}
