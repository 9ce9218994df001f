//! What the other POPs would receive if one were drained: an estimate. Pure.
//!
//! Queries of a prefix that other POPs see too go there, in proportion to what each of them gets from that prefix: its clients reach those
//! POPs already. All other queries are divided in proportion to the load of the POPs. Only POPs that announce a prefix of the drained one
//! receive any, and of these the less preferred ones only where no other is. Routers decide in truth, by paths that no POP
//! knows; what is estimated says whether the others have room, not who gets how much.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Serialize;

use super::catchment::{CatchmentReport, PopCatchment};
use crate::control::{aligned, one_line};

/// The estimate.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DrainPlan {
    /// The POP that would be drained.
    pub pop: String,
    /// The queries that would move, per second: all that it is asked now.
    pub queries: f64,
    /// The part of them whose prefixes other announced POPs see too, from 0 to 1; the rest is divided by load.
    pub seen_elsewhere: f64,
    /// The POPs that would receive them.
    pub receivers: Vec<Receiver>,
    /// What makes the estimate weaker, in words.
    pub remarks: Vec<String>,
    /// How it is estimated.
    pub method: &'static str,
}

/// A POP that would receive queries; all numbers per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// What it is asked now.
    pub now: f64,
    /// What would come in addition.
    pub more: f64,
}

/// Why there is no estimate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No such POP.
    #[error("no POP {0:?} is listed under [[fleet.pop]]; listed are {known}", known = .1.join(", "))]
    Unknown(String, Vec<String>),
    /// Its load is not known.
    #[error("{0} gives no answer, so what it is asked is not known: {1}")]
    Silent(String, String),
    /// Nobody is left.
    #[error("no other POP is announced: a drain of {0} leaves the service without a route")]
    Last(String),
    /// Nobody is left for some prefixes.
    #[error("no other POP announces {prefixes}: a drain of {0} leaves it without a route", prefixes = .1.join(", "))]
    LastOf(String, Vec<String>),
}

impl DrainPlan {
    const METHOD: &str = "queries of prefixes that other announced POPs see go there in proportion, the rest in proportion to load; \
                          samples of the last half hour to an hour, load of now; routers decide, so it is an estimate";

    /// Estimates a drain of this POP.
    ///
    /// # Errors
    /// The POP is not listed or not known, or no other one announces one of its prefixes.
    pub fn new(report: &CatchmentReport, name: &str) -> Result<Self, PlanError> {
        let known = || report.pops.iter().map(|pop| pop.name.clone()).collect();
        let drained = report.pops.iter().find(|pop| pop.name == name);
        let drained = drained.ok_or_else(|| PlanError::Unknown(name.to_owned(), known()))?;
        if let Some(error) = &drained.error {
            return Err(PlanError::Silent(name.to_owned(), error.clone()));
        }
        let others = report.pops.iter().filter(|pop| pop.name != name && pop.announced);
        let others: Vec<&PopCatchment> = others.collect();
        if others.is_empty() {
            return Err(PlanError::Last(name.to_owned()));
        }
        let alone: Vec<String> = announced(drained)
            .filter(|prefix| !others.iter().any(|pop| has(pop, prefix)))
            .map(str::to_owned)
            .collect();
        if !alone.is_empty() {
            return Err(PlanError::LastOf(name.to_owned(), alone));
        }
        let others = receiving(drained, &others);
        let mut receivers: Vec<Receiver> = others
            .iter()
            .map(|pop| Receiver { name: pop.name.clone(), now: pop.queries, more: 0.0 })
            .collect();
        let moved = move_known(drained, &others, &mut receivers);
        divide(drained.queries - moved, &mut receivers);
        let seen_elsewhere = if drained.queries > 0.0 { moved / drained.queries } else { 0.0 };
        let (pop, queries) = (name.to_owned(), drained.queries);
        let remarks = remarks(report, drained, &others);
        Ok(Self { pop, queries, seen_elsewhere, receivers, remarks, method: Self::METHOD })
    }
}

/// The prefixes of the service that a POP announces.
fn announced(pop: &PopCatchment) -> impl Iterator<Item = &str> {
    pop.announces.iter().map(|one| one.prefix.as_str())
}

fn has(pop: &PopCatchment, prefix: &str) -> bool {
    announced(pop).any(|own| own == prefix)
}

fn prefers(pop: &PopCatchment, prefix: &str) -> bool {
    pop.announces.iter().any(|own| own.prefix == prefix && !own.depreferred)
}

/// The POPs that the queries of each prefix go to: those that announce it, and the less preferred ones if there is no other. All of
/// them where the drained one announces nothing.
fn receiving<'a>(drained: &PopCatchment, others: &[&'a PopCatchment]) -> Vec<&'a PopCatchment> {
    let receives = |pop: &PopCatchment, prefix: &str| {
        prefers(pop, prefix) || (has(pop, prefix) && !others.iter().any(|other| prefers(other, prefix)))
    };
    let is_one = |pop: &&PopCatchment| {
        drained.announces.is_empty() || announced(drained).any(|prefix| receives(pop, prefix))
    };
    others.iter().copied().filter(|pop| is_one(pop)).collect()
}

/// Gives the queries of prefixes that others see to them; how many these are.
fn move_known(drained: &PopCatchment, others: &[&PopCatchment], receivers: &mut [Receiver]) -> f64 {
    let mut seen: BTreeMap<IpNet, Vec<(usize, f64)>> = BTreeMap::new();
    for (index, other) in others.iter().enumerate() {
        for (prefix, queries) in other.rates().filter(|(_, queries)| *queries > 0.0) {
            seen.entry(prefix).or_default().push((index, queries));
        }
    }
    let mut moved = 0.0;
    for (prefix, queries) in drained.rates() {
        let Some(at) = seen.get(&prefix) else { continue };
        let all: f64 = at.iter().map(|(_, queries)| queries).sum();
        for (index, part) in at {
            if let Some(receiver) = receivers.get_mut(*index) {
                receiver.more += queries * part / all;
            }
        }
        moved += queries;
    }
    moved
}

/// Divides the rest by the load of now; evenly where there is none.
fn divide(rest: f64, receivers: &mut [Receiver]) {
    let (rest, count) = (rest.max(0.0), receivers.len() as f64);
    let all: f64 = receivers.iter().map(|receiver| receiver.now).sum();
    for receiver in receivers {
        let part = if all > 0.0 { receiver.now / all } else { 1.0 / count };
        receiver.more += rest * part;
    }
}

fn remarks(report: &CatchmentReport, drained: &PopCatchment, receivers: &[&PopCatchment]) -> Vec<String> {
    let mut remarks = Vec::new();
    if !drained.announced {
        remarks.push(format!("{} is not announced: only what still arrives would move", drained.name));
    }
    for pop in &report.pops {
        let PopCatchment { name, error, without_prefixes, .. } = pop;
        if let Some(error) = error {
            remarks.push(format!("{name} is left out: {error}"));
        } else if !pop.announced && name != &drained.name {
            remarks.push(format!("{name} is left out: it is not announced"));
        } else if name != &drained.name && !receivers.iter().any(|one| one.name == *name) {
            let why = match announced(drained).any(|prefix| has(pop, prefix)) {
                true => "it is less preferred, for a drain or a fault",
                false => "it announces no prefix of that POP",
            };
            remarks.push(format!("{name} is left out: {why}"));
        } else {
            if name != &drained.name {
                remarks.extend(weak(drained, pop));
            }
            if let Some(reason) = without_prefixes {
                remarks.push(format!("the client prefixes of {name} are not known: {reason}"));
            }
        }
    }
    remarks
}

/// Why a receiver may get less than is estimated.
fn weak(drained: &PopCatchment, receiver: &PopCatchment) -> Vec<String> {
    let name = &receiver.name;
    let (shared, absent): (Vec<&str>, Vec<&str>) =
        announced(drained).partition(|prefix| has(receiver, prefix));
    let less: Vec<&str> = shared.into_iter().filter(|prefix| !prefers(receiver, prefix)).collect();
    let mut remarks = Vec::new();
    if !absent.is_empty() {
        remarks
            .push(format!("{name} receives no queries of {}: it does not announce that", absent.join(", ")));
    }
    if !less.is_empty() {
        remarks.push(format!("{name} announces {} less preferred, for a drain or a fault", less.join(", ")));
    }
    remarks
}

/// The estimate as lines.
#[must_use]
pub fn render_plan(plan: &DrainPlan) -> String {
    let DrainPlan { pop, queries, seen_elsewhere, receivers, remarks, method } = plan;
    let mut text = format!(
        "estimate: a drain of {pop} moves {queries:.0} queries/s, {:.0} % of them from prefixes that other POPs see too\n",
        seen_elsewhere * 100.0
    );
    let mut rows = vec![["pop", "now", "more", "then"].map(str::to_owned).to_vec()];
    rows.extend(receivers.iter().map(|one| {
        let then = one.now + one.more;
        let grows =
            if one.now > 0.0 { format!(" (+{:.0} %)", one.more * 100.0 / one.now) } else { String::new() };
        let queries = |queries: f64| format!("{queries:.0} queries/s");
        vec![one.name.clone(), queries(one.now), queries(one.more), queries(then) + &grows]
    }));
    text.push_str(&aligned(&rows));
    for remark in remarks {
        text.push_str(&aligned(&[vec![format!("! {}", one_line(remark))]]));
    }
    text.push_str(&format!("method: {method}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::super::catchment::tests::{announcing, pop, report};
    use super::*;

    fn more(plan: &DrainPlan) -> Vec<(&str, f64)> {
        plan.receivers.iter().map(|one| (one.name.as_str(), one.more)).collect()
    }

    #[test]
    fn known_prefixes_follow_their_pops_and_the_rest_follows_the_load() {
        // Of 100 queries/s at ams1: 60 of a prefix that fra1 sees with 30 and sin1 with 10 queries/s, 20 of one that nobody else
        // sees, 20 of no prefix that is told.
        let report = report(vec![
            pop("ams1", 100.0, &[("192.0.2.0/24", 60), ("198.51.100.0/24", 20)], 20),
            pop("fra1", 40.0, &[("192.0.2.0/24", 30)], 10),
            pop("sin1", 160.0, &[("192.0.2.0/24", 1)], 15),
        ]);
        let plan = DrainPlan::new(&report, "ams1").unwrap();
        assert_eq!((plan.queries, plan.seen_elsewhere), (100.0, 0.6));
        // 60 * 30/40 + 40 * 40/200, and 60 * 10/40 + 40 * 160/200.
        assert_eq!(more(&plan), [("fra1", 53.0), ("sin1", 47.0)]);
        assert!(plan.remarks.is_empty());
        let text = render_plan(&plan);
        assert!(text.starts_with("estimate: a drain of ams1 moves 100 queries/s, 60 % of them"), "{text}");
        assert!(text.contains("fra1  40 queries/s   53 queries/s  93 queries/s (+132 %)\n"), "{text}");
        assert!(text.contains("routers decide, so it is an estimate"), "{text}");
    }

    #[test]
    fn nothing_is_lost_whatever_is_not_known() {
        let silent =
            PopCatchment { name: "down".into(), error: Some("gone".into()), ..PopCatchment::default() };
        let drained = announcing(pop("dry", 5.0, &[], 0), &[]);
        let blind = PopCatchment { without_prefixes: Some("none".into()), ..pop("fra1", 0.0, &[], 0) };
        let idle = pop("sin1", 0.0, &[("192.0.2.0/24", 1)], 0);
        let report = report(vec![pop("ams1", 10.0, &[("192.0.2.0/24", 1)], 1), blind, idle, silent, drained]);
        let plan = DrainPlan::new(&report, "ams1").unwrap();
        // A POP without load gets nothing of a prefix in proportion: all is divided evenly.
        assert_eq!(more(&plan), [("fra1", 5.0), ("sin1", 5.0)]);
        assert_eq!(
            plan.remarks,
            [
                "the client prefixes of fra1 are not known: none",
                "down is left out: gone",
                "dry is left out: it is not announced"
            ]
        );
        assert_eq!(DrainPlan::new(&report, "down"), Err(PlanError::Silent("down".into(), "gone".into())));
        assert!(matches!(DrainPlan::new(&report, "x"), Err(PlanError::Unknown(..))));
        let last = super::super::catchment::tests::report(vec![pop("ams1", 1.0, &[], 0)]);
        assert_eq!(DrainPlan::new(&last, "ams1"), Err(PlanError::Last("ams1".into())));
    }

    #[test]
    fn only_pops_with_the_same_prefixes_receive_and_a_prefix_is_never_left_alone() {
        let (one, two) = ("192.0.2.0/24", "198.51.100.0/24");
        let of = |name: &str, prefixes: &[(&str, bool)]| announcing(pop(name, 10.0, &[], 1), prefixes);
        let plan = |pops: Vec<PopCatchment>| DrainPlan::new(&report(pops), "ams1");
        let names = |plan: &DrainPlan| plan.receivers.iter().map(|one| one.name.clone()).collect::<Vec<_>>();

        let last = plan(vec![of("ams1", &[(one, false), (two, false)]), of("fra1", &[(one, false)])]);
        let error = last.unwrap_err();
        assert_eq!(error, PlanError::LastOf("ams1".into(), vec![two.to_owned()]));
        assert!(
            error.to_string().starts_with("no other POP announces 198.51.100.0/24: a drain of ams1"),
            "{error}"
        );

        // Another prefix is no room, and a POP that is being drained neither.
        let found = plan(vec![
            of("ams1", &[(one, false)]),
            of("fra1", &[(two, false)]),
            of("lhr1", &[(one, true)]),
            of("sin1", &[(one, false)]),
        ]);
        let found = found.unwrap();
        assert_eq!(names(&found), ["sin1"]);
        assert_eq!(
            found.remarks,
            [
                "fra1 is left out: it announces no prefix of that POP",
                "lhr1 is left out: it is less preferred, for a drain or a fault",
            ]
        );

        // Where nobody else is, the less preferred one receives; one with a part of the prefixes receives that part.
        let found = plan(vec![
            of("ams1", &[(one, false), (two, false)]),
            of("lhr1", &[(one, true)]),
            of("sin1", &[(two, false)]),
        ]);
        let found = found.unwrap();
        assert_eq!(names(&found), ["lhr1", "sin1"]);
        assert_eq!(
            found.remarks,
            [
                "lhr1 receives no queries of 198.51.100.0/24: it does not announce that",
                "lhr1 announces 192.0.2.0/24 less preferred, for a drain or a fault",
                "sin1 receives no queries of 192.0.2.0/24: it does not announce that",
            ]
        );
    }
}
