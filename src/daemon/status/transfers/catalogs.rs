//! Catalogs of the document, and what an operator must know of them. Pure.

use crate::control::{CatalogStatus, Cause, one_line, without_numbers};
use crate::daemon::catalogs::{CatalogFact, CatalogFacts, HeldRemovals};
use crate::telemetry::counted;

use crate::daemon::status::other::OtherAlarm;

/// The catalogs of the document.
pub(in crate::daemon::status) fn statuses(facts: &CatalogFacts) -> Vec<CatalogStatus> {
    facts.catalogs.iter().map(catalog_status).collect()
}

fn catalog_status(fact: &CatalogFact) -> CatalogStatus {
    let held = fact.held.as_ref();
    CatalogStatus {
        name: fact.name.to_string(),
        produced: fact.is_produced,
        serial: fact.serial.map(|serial| serial.0),
        members: fact.members as u64,
        awaited: fact.awaited as u64,
        held: held.map_or(0, |held| held.count as u64),
        held_serial: held.map(|held| held.serial.0),
        removed: fact.removed as u64,
        clashes: fact.clashes as u64,
        first_clash: fact.first_clash.as_deref().map(one_line),
        fault: fact
            .fault
            .as_deref()
            .or(fact.has_left.then_some("it is not in the configuration"))
            .map(one_line),
    }
}

/// What an operator must know.
pub(in crate::daemon) fn alarms(facts: &CatalogFacts) -> Vec<OtherAlarm> {
    facts.catalogs.iter().flat_map(of_catalog).collect()
}

fn of_catalog(fact: &CatalogFact) -> Vec<OtherAlarm> {
    let name = &fact.name;
    let alarm = |what: &str, message: String| OtherAlarm {
        kind: format!("catalog {}: {what}", without_numbers(&name.to_string())),
        cause: Cause::Rest,
        message: one_line(&message),
    };
    let held = fact.held.as_ref().map(|held| {
        let HeldRemovals { serial, count, first } = held;
        if fact.has_left {
            let zones = counted(*count, "zone");
            let message = format!(
                "catalog {name}: it is not followed any more, and {zones} of it, the first is {first}, are served on without new versions: follow it again, \
                 or `anyns catalog accept {name} {serial}` removes them, and those that another catalog lists begin anew"
            );
            return alarm("left the configuration", message);
        }
        let message = format!(
            "catalog {name}: {count} of {} zones go or begin anew, many of them or held ones, the first is {first}; they stay as they are until \
             `anyns catalog accept {name} {serial}`, additions apply",
            fact.members
        );
        alarm("removals wait", message)
    });
    let clash = fact.first_clash.as_ref().map(|first| {
        let more = fact.clashes.saturating_sub(1);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        alarm("names clash", format!("catalog {name}: not taken from it: {first}{more}"))
    });
    let fault = fact.fault.as_ref().map(|fault| {
        alarm("not in force", format!("catalog {name}: its newest version is not in force: {fault}"))
    });
    [held, clash, fault].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Name, Serial};

    #[test]
    fn what_waits_clashes_or_is_broken_is_an_alarm_with_the_order_that_helps() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let mut fact = CatalogFact {
            name: name("cat1.example."),
            is_produced: false,
            has_left: false,
            serial: Some(Serial(7)),
            members: 50,
            awaited: 0,
            held: None,
            removed: 3,
            clashes: 0,
            first_clash: None,
            fault: None,
        };
        assert_eq!(of_catalog(&fact).len(), 0);
        fact.held = Some(HeldRemovals { serial: Serial(8), count: 40, first: name("a.") });
        (fact.clashes, fact.first_clash) = (2, Some("b. is configured".to_owned()));
        fact.fault = Some("it has no version".to_owned());
        let texts: Vec<String> = of_catalog(&fact).into_iter().map(|alarm| alarm.message).collect();
        assert!(texts[0].contains("40 of 50 zones") && texts[0].contains("catalog accept cat1.example. 8"));
        assert!(texts[1].contains("b. is configured, and 1 more"));
        assert!(texts[2].contains("it has no version"));
        assert_eq!(
            of_catalog(&fact)[0].kind,
            of_catalog(&CatalogFact { members: 1, ..fact.clone() })[0].kind
        );
        // One that left says which order lets its zones go.
        let held = HeldRemovals { serial: Serial(0), count: 50, first: name("a.") };
        let fact = CatalogFact { has_left: true, held: Some(held), fault: None, first_clash: None, ..fact };
        let [alarm] = &*of_catalog(&fact) else { panic!("one alarm") };
        assert!(alarm.message.contains("50 zones of it, the first is a.,"), "{}", alarm.message);
        assert!(alarm.message.contains("catalog accept cat1.example. 0"), "{}", alarm.message);
    }
}
