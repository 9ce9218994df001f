//! The fleet as text: what is wrong first. Control characters never reach the terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::summary::{FleetReport, PopSummary, PrefixSummary, ScarcePrefix};
use crate::control::{aligned, one_line};

/// POPs that are named of those that serve the same.
const MOST_NAMED: usize = 5;

/// The report as lines: the POPs, what is wrong with them, and the zones that differ.
#[must_use]
pub fn render(report: &FleetReport) -> String {
    let mut rows = vec![["pop", "state", "route", "zones", "load", "version"].map(str::to_owned).to_vec()];
    rows.extend(report.pops.iter().map(row));
    let mut text = aligned(&rows);
    for pop in &report.pops {
        let because = pop.error.iter().chain(&pop.reasons);
        for reason in because {
            let _ = write!(text, "{}", aligned(&[vec![format!("! {}: {}", pop.name, one_line(reason))]]));
        }
    }
    for ScarcePrefix { prefix, pop } in &report.scarce {
        let line = match pop {
            Some(pop) => format!("! {prefix}: of the POPs that answer, {pop} alone announces it"),
            None => format!("! {prefix}: no POP that answers announces it"),
        };
        text.push_str(&aligned(&[vec![one_line(&line)]]));
    }
    for difference in &report.differing {
        if !difference.contents.is_empty() {
            let content = |(pop, content): &(String, String)| {
                let known = difference.serials.iter().find(|(name, _)| name == pop);
                let serial = known.and_then(|(_, serial)| *serial).unwrap_or_default();
                (pop.clone(), format!("{serial} digest {}", one_line(content)))
            };
            let contents = grouped(difference.contents.iter().map(content));
            let line = format!("! {}: same serial, other content: {contents}", difference.zone);
            text.push_str(&aligned(&[vec![one_line(&line)]]));
        }
        if difference
            .serials
            .iter()
            .any(|(_, serial)| Some(serial) != difference.serials.first().map(|(_, it)| it))
        {
            let serial = |(pop, serial): &(String, Option<u32>)| {
                (pop.clone(), serial.map_or("none".to_owned(), |serial| serial.to_string()))
            };
            let line =
                format!("! {} differs: {}", difference.zone, grouped(difference.serials.iter().map(serial)));
            text.push_str(&aligned(&[vec![one_line(&line)]]));
        }
    }
    if report.more_differ {
        let _ = writeln!(text, "  ! and more zones may differ{}", why_more(&report.not_compared));
    }
    text
}

/// What POPs serve, and which POPs; what fewer serve stands first, because a line has a bound.
fn grouped(served: impl Iterator<Item = (String, String)>) -> String {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (pop, what) in served {
        groups.entry(what).or_default().push(pop);
    }
    let mut groups: Vec<(String, Vec<String>)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, pops)| pops.len());
    let group = |(what, pops): (String, Vec<String>)| format!("{what} at {}", names(&pops));
    groups.into_iter().map(group).collect::<Vec<_>>().join("; ")
}

fn row(pop: &PopSummary) -> Vec<String> {
    if pop.error.is_some() {
        return vec![pop.name.clone(), "NO ANSWER".to_owned()];
    }
    let zones = match pop.zones_not_well {
        0 => pop.zones.to_string(),
        bad => format!("{} ({bad} not well)", pop.zones),
    };
    let state = match pop.stopping {
        true => "STOPPING".to_owned(),
        false => pop.verdict.to_uppercase(),
    };
    vec![
        pop.name.clone(),
        state,
        route(pop),
        zones,
        format!("{:.0} queries/s", pop.load.queries),
        pop.version.clone(),
    ]
}

/// The prefixes in few words: one word if all are alike.
fn route(pop: &PopSummary) -> String {
    let one = |prefix: &PrefixSummary| match (pop.dry_run, prefix.intent.as_str()) {
        (true, intent) => format!("{intent} (dry run)"),
        (false, "withdraw") if prefix.sent == 0 => "withdrawn".to_owned(),
        (false, intent) => format!("{intent} at {} of {}", prefix.sent, prefix.neighbors),
    };
    let mut routes: Vec<String> = pop.prefixes.iter().map(one).collect();
    routes.dedup();
    let routes = match routes.as_slice() {
        [] => "no prefix".to_owned(),
        [same] => same.clone(),
        _ => {
            let named = pop.prefixes.iter().map(|prefix| format!("{} {}", prefix.prefix, one(prefix)));
            named.collect::<Vec<_>>().join(", ")
        }
    };
    match pop.delay {
        None => routes,
        Some(delay) => {
            let delay = humantime::format_duration(std::time::Duration::from_secs(delay));
            format!("{routes}, last resort ({delay})")
        }
    }
}

/// Which POPs leave it open whether more zones differ.
fn why_more(silent: &[String]) -> String {
    match silent {
        [] => String::new(),
        [pop] => format!(": {pop} did not tell what it serves"),
        pops => format!(": {} did not tell what they serve", names(pops)),
    }
}

/// Some names, [`MOST_NAMED`] of them in full.
fn names(all: &[String]) -> String {
    let named: Vec<&str> = all.iter().take(MOST_NAMED).map(String::as_str).collect();
    match all.len().saturating_sub(MOST_NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{PopLoad, ToldPrefix, ToldStatus};
    use super::super::summary::{ZoneDifference, scarce_prefixes};
    use super::*;

    #[test]
    fn what_is_wrong_stands_first_and_each_pop_is_a_line() {
        let prefix = |intent: &str, sent| PrefixSummary {
            prefix: "192.0.2.0/24".into(),
            intent: intent.into(),
            sent,
            neighbors: 2,
            reasons: Vec::new(),
        };
        let pop = |name: &str, verdict: &str| PopSummary {
            name: name.into(),
            verdict: verdict.into(),
            version: "0.1.0".into(),
            announced: true,
            zones: 12,
            prefixes: vec![prefix("announce", 2)],
            load: PopLoad { queries: 1234.4, ..PopLoad::default() },
            ..PopSummary::default()
        };
        let mut report = FleetReport {
            pops: vec![
                pop("ams1", "ok"),
                PopSummary {
                    zones_not_well: 1,
                    reasons: vec!["zone a. is refused".into()],
                    ..pop("fra1", "degraded")
                },
                PopSummary::silent("sin1", "http://a:1", "no answer within 1s \u{1b}[2J".into()),
            ],
            differing: vec![ZoneDifference {
                zone: "a.".into(),
                serials: vec![("ams1".into(), Some(2)), ("fra1".into(), None)],
                contents: Vec::new(),
            }],
            differing_age: None,
            more_differ: true,
            not_compared: Vec::new(),
            scarce: Vec::new(),
        };
        report.sort();
        assert_eq!(
            render(&report),
            "  pop   state      route               zones            load            version\n\
             \x20 sin1  NO ANSWER\n\
             \x20 fra1  DEGRADED   announce at 2 of 2  12 (1 not well)  1234 queries/s  0.1.0\n\
             \x20 ams1  OK         announce at 2 of 2  12               1234 queries/s  0.1.0\n\
             \x20 ! sin1: no answer within 1s \u{fffd}[2J\n\
             \x20 ! fra1: zone a. is refused\n\
             \x20 ! a. differs: 2 at ams1; none at fra1\n\
             \x20 ! and more zones may differ\n"
        );
        assert_eq!(report.exit_code(), 1);
        report.not_compared = vec!["fra1".into()];
        assert!(
            render(&report).ends_with("  ! and more zones may differ: fra1 did not tell what it serves\n")
        );
        report.not_compared = (1..9).map(|number| format!("p{number}")).collect();
        let line =
            "  ! and more zones may differ: p1, p2, p3, p4, p5 and 3 more did not tell what they serve\n";
        assert!(render(&report).ends_with(line));
        report.differing[0].serials[1].1 = Some(2);
        report.differing[0].contents = vec![("ams1".into(), "01".into()), ("fra1".into(), "02".into())];
        let text = render(&report);
        let line = "\n  ! a.: same serial, other content: 2 digest 01 at ams1; 2 digest 02 at fra1\n";
        assert!(text.contains(line) && !text.contains("differs:"), "{text}");
        let well = FleetReport {
            pops: vec![pop("ams1", "ok")],
            differing: report.differing.clone(),
            ..FleetReport::default()
        };
        assert_eq!(well.exit_code(), 1);
        report.pops.truncate(1);
        assert_eq!(report.exit_code(), 3);
        report.pops = vec![PopSummary { announced: false, ..pop("ams1", "down") }];
        assert_eq!(report.exit_code(), 2);
        let late = PopSummary { delay: Some(14_400), ..pop("ams1", "ok") };
        let report_of_late = FleetReport { pops: vec![late], ..FleetReport::default() };
        assert!(render(&report_of_late).contains("announce at 2 of 2, last resort (4h)"));
        report = FleetReport { pops: vec![pop("ams1", "ok")], ..FleetReport::default() };
        assert_eq!(report.exit_code(), 0);
    }

    #[test]
    fn the_pop_that_differs_from_many_stands_first() {
        let name = |pop: usize| format!("pop{pop}");
        let mut difference = ZoneDifference {
            zone: "a.".into(),
            serials: (0..100).map(|pop| (name(pop), Some(if pop == 77 { 1 } else { 2 }))).collect(),
            contents: Vec::new(),
        };
        let line = |difference: &ZoneDifference| {
            render(&FleetReport { differing: vec![difference.clone()], ..FleetReport::default() })
        };
        let named = "at pop0, pop1, pop2, pop3, pop4 and 94 more\n";
        assert!(line(&difference).contains(&format!("! a. differs: 1 at pop77; 2 {named}")));
        difference.serials.iter_mut().for_each(|(_, serial)| *serial = Some(2));
        let content = |pop| if pop == 77 { "ff" } else { "00" };
        difference.contents = (0..100).map(|pop| (name(pop), content(pop).to_owned())).collect();
        let text = line(&difference);
        assert!(text.contains(&format!(": 2 digest ff at pop77; 2 digest 00 {named}")), "{text}");
    }

    #[test]
    fn prefixes_that_one_pop_alone_or_none_announces_are_named() {
        let prefix = |(prefix, intent): &(&str, &str)| ToldPrefix {
            prefix: (*prefix).into(),
            intent: (*intent).into(),
            ..ToldPrefix::default()
        };
        let found = |pops: &[(&str, &[(&str, &str)])]| {
            let told: Vec<(&str, ToldStatus)> = pops
                .iter()
                .map(|(name, prefixes)| {
                    let prefixes = prefixes.iter().map(prefix).collect();
                    (*name, ToldStatus { dry_run: true, prefixes, ..ToldStatus::default() })
                })
                .collect();
            let pop = |(name, _): &(&str, ToldStatus)| PopSummary {
                name: (*name).into(),
                verdict: "ok".into(),
                announced: true,
                ..PopSummary::default()
            };
            let scarce = scarce_prefixes(told.iter().map(|(name, status)| (*name, status)), told.len());
            let pops = told.iter().map(pop).collect();
            let report = FleetReport { pops, scarce, ..FleetReport::default() };
            let text = render(&report);
            let lines = text.lines().filter_map(|line| line.strip_prefix("  ! ")).map(str::to_owned);
            (lines.collect::<Vec<_>>(), report.exit_code())
        };
        let (both, one, none) = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24");
        let ams: &[(&str, &str)] = &[(both, "announce"), (one, "announce"), (none, "withdraw")];
        assert_eq!(
            found(&[("ams1", ams), ("fra1", &[(both, "deprefer"), (none, "withdraw")])]),
            (
                vec![
                    "198.51.100.0/24: of the POPs that answer, ams1 alone announces it".to_owned(),
                    "203.0.113.0/24: no POP that answers announces it".to_owned(),
                ],
                1
            )
        );
        let two: &[(&str, &str)] = &[(both, "announce"), (one, "announce")];
        assert_eq!(found(&[("ams1", two), ("fra1", &[(both, "announce")])]).1, 0, "a remark");
        assert_eq!(found(&[("ams1", two)]), (vec![], 0), "one POP stands alone");
    }
}
