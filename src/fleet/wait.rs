//! Waits until every announced POP serves a version of a zone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::client::PopClient;
use super::document::ToldStatus;
use super::error::FleetError;
use super::survey::zone_everywhere;
use crate::wire::Serial;

/// Between two rounds of questions: a deploy reaches a POP within a second or so.
const PAUSE: Duration = Duration::from_millis(250);

/// How long one POP may take for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The zone.
    pub zone: String,
    /// Its serial; a newer one will do (RFC 1982).
    pub serial: u32,
    /// How long.
    pub limit: Duration,
    /// Whether last-resort POPs are waited for, too: they serve each version with a delay.
    pub with_last_resort: bool,
    /// Whether POPs that do not answer are left out. Otherwise one counts as announced: nobody can tell.
    pub skip_unreachable: bool,
}

/// How it ended, by POP in words: `serves N`, or why not.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WaitOutcome {
    /// Whether every announced POP serves it.
    pub done: bool,
    /// Whether any POP has answered.
    pub answered: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// By POP.
    pub pops: Vec<WaitedPop>,
}

/// One POP at the end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct WaitedPop {
    /// Its name.
    pub name: String,
    /// Whether it is waited for no more.
    pub ready: bool,
    /// Whether it is a last-resort POP that is not waited for.
    pub left_out: bool,
    /// Whether queries reach it; unknown without an answer.
    pub announced: bool,
    /// The serial that it serves, if it serves one.
    pub serial: Option<u32>,
    /// The digest of what it serves, if it is announced and serves what is waited for, once it is made.
    pub digest: Option<String>,
    /// In words.
    pub state: String,
}

/// Asks again and again; done after the limit at the latest.
pub async fn wait(clients: &[(String, Result<PopClient, FleetError>)], waiting: &Waiting) -> WaitOutcome {
    let begun = Instant::now();
    let until = begun + waiting.limit;
    let mut known: Vec<WaitedPop> = Vec::new();
    let mut answered = false;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let limit = left.min(ANSWER_LIMIT);
        let answers = zone_everywhere(clients, &waiting.zone, limit).await;
        let heard: Vec<bool> = answers.iter().map(|(_, answer)| answer.is_ok()).collect();
        answered |= heard.contains(&true);
        let mut pops: Vec<WaitedPop> =
            answers.into_iter().map(|(name, answer)| judge(name, answer, waiting)).collect();
        if limit < ANSWER_LIMIT {
            keep_earlier(&mut pops, &heard, &known);
        }
        let mut compared = pops.clone();
        compare_contents(&mut compared);
        let done = is_done(&compared);
        if done || Instant::now() + PAUSE >= until {
            let took_ms = begun.elapsed().as_millis() as u64;
            return WaitOutcome { done, answered, took_ms, pops: compared };
        }
        known = pops;
        tokio::time::sleep(PAUSE).await;
    }
}

/// Every POP is as it should be, and at least one of them serves what is waited for to somebody.
fn is_done(pops: &[WaitedPop]) -> bool {
    let is_served = pops.iter().any(|pop| pop.announced && pop.ready && !pop.left_out);
    is_served && pops.iter().all(|pop| pop.ready)
}

/// A round that the end of the waiting cuts short may end before a POP could answer: then what is known of it from the round before stays.
fn keep_earlier(pops: &mut [WaitedPop], heard: &[bool], known: &[WaitedPop]) {
    for ((pop, heard), earlier) in pops.iter_mut().zip(heard).zip(known) {
        if !heard {
            pop.clone_from(earlier);
        }
    }
}

/// POPs that serve other content than others under the same serial are not as they should be: those whose content fewer POPs have; all of
/// them where no content is that of most. A digest is made behind the serving: one that is not there yet says nothing.
fn compare_contents(pops: &mut [WaitedPop]) {
    let mut counts: BTreeMap<(u32, String), usize> = BTreeMap::new();
    let content = |pop: &WaitedPop| Some((pop.serial?, pop.digest.clone()?));
    for content in pops.iter().filter_map(content) {
        *counts.entry(content).or_default() += 1;
    }
    for pop in pops {
        let Some(own) = content(pop) else { continue };
        let same_serial =
            counts.range((own.0, String::new())..).take_while(|((serial, _), _)| *serial == own.0);
        let others = same_serial.filter(|(content, _)| **content != own);
        if others.map(|(_, count)| *count).max() >= counts.get(&own).copied() {
            pop.ready = false;
            let digest = own.1.get(..16).unwrap_or(&own.1);
            pop.state.push_str(&format!(" with other content than other POPs: digest {digest}"));
        }
    }
}

/// Whether this POP is as it should be.
fn judge(name: String, answer: Result<ToldStatus, String>, waiting: &Waiting) -> WaitedPop {
    let status = match answer {
        Ok(status) => status,
        Err(error) => {
            let ready = waiting.skip_unreachable;
            let state = if ready { format!("left out: {error}") } else { error };
            return WaitedPop {
                name,
                ready,
                left_out: false,
                announced: false,
                serial: None,
                digest: None,
                state,
            };
        }
    };
    if !status.answers_as(&name) {
        let state = FleetError::OtherPop { found: status.pop }.to_string();
        return WaitedPop {
            name,
            ready: false,
            left_out: false,
            announced: false,
            serial: None,
            digest: None,
            state,
        };
    }
    let zone = status.zones.first();
    let serial = zone.and_then(|zone| zone.serial);
    let is_there = serial.is_some_and(|serial| !Serial(waiting.serial).is_after(Serial(serial)));
    let shown = match (serial, zone) {
        (Some(serial), _) => format!("serves {serial}"),
        (None, Some(zone)) => {
            format!("{} the zone", if zone.state == "loading" { "loads" } else { "refuses" })
        }
        (None, None) => "has no such zone".to_owned(),
    };
    let fault = zone.filter(|_| !is_there).and_then(|zone| zone.faults.first());
    let fault = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
    let announced = status.is_announced();
    let delay = status.delay.filter(|_| !waiting.with_last_resort && !is_there);
    let aside = match (announced, delay) {
        (false, _) => ", not announced".to_owned(),
        (true, Some(delay)) => {
            let delay = humantime::format_duration(Duration::from_secs(delay));
            format!(", not waited for: a last-resort POP with a delay of {delay}")
        }
        (true, None) => String::new(),
    };
    let (ready, left_out) = (is_there || !announced || delay.is_some(), delay.is_some());
    let digest = zone.filter(|_| is_there && announced).and_then(|zone| zone.digest.clone());
    WaitedPop { name, ready, left_out, announced, serial, digest, state: format!("{shown}{aside}{fault}") }
}

#[cfg(test)]
mod tests {
    use super::super::document::{ToldPrefix, ToldZone};
    use super::*;

    fn told(announced: bool, serial: Option<u32>) -> ToldStatus {
        let intent = if announced { "announce" } else { "withdraw" };
        ToldStatus {
            pop: "ams1".into(),
            dry_run: true,
            prefixes: vec![ToldPrefix { intent: intent.into(), ..ToldPrefix::default() }],
            zones: vec![ToldZone { serial, faults: vec!["a fault".into()], ..ToldZone::default() }],
            ..ToldStatus::default()
        }
    }

    fn waiting() -> Waiting {
        Waiting {
            zone: "a.".into(),
            serial: 7,
            limit: Duration::from_secs(1),
            with_last_resort: false,
            skip_unreachable: false,
        }
    }

    #[test]
    fn a_round_that_is_cut_short_forgets_nothing() {
        let pop = |state: &str| WaitedPop {
            name: "ams1".into(),
            ready: false,
            left_out: false,
            announced: false,
            serial: None,
            digest: None,
            state: state.into(),
        };
        let mut pops = vec![pop("no answer within 2ms"), pop("serves 7")];
        keep_earlier(&mut pops, &[false, true], &[pop("serves 6"), pop("serves 6")]);
        assert_eq!(pops, [pop("serves 6"), pop("serves 7")]);
        // There is no earlier round.
        keep_earlier(&mut pops, &[false, false], &[]);
        assert_eq!(pops, [pop("serves 6"), pop("serves 7")]);
    }

    #[test]
    fn another_content_under_the_same_serial_does_not_count() {
        let ready = |pops: &[(u32, Option<&str>)]| {
            let pop = |(serial, digest): &(u32, Option<&str>)| WaitedPop {
                name: "ams1".into(),
                ready: true,
                left_out: false,
                announced: true,
                serial: Some(*serial),
                digest: digest.map(str::to_owned),
                state: format!("serves {serial}"),
            };
            let mut pops: Vec<WaitedPop> = pops.iter().map(pop).collect();
            compare_contents(&mut pops);
            let marked =
                |pop: &WaitedPop| pop.state.ends_with("with other content than other POPs: digest b");
            assert!(pops.iter().all(|pop| pop.digest.as_deref() != Some("b") || pop.ready || marked(pop)));
            pops.iter().map(|pop| pop.ready).collect::<Vec<_>>()
        };
        assert_eq!(ready(&[(7, Some("a")), (7, Some("a")), (7, Some("b"))]), [true, true, false]);
        assert_eq!(ready(&[(7, Some("a")), (7, Some("b"))]), [false, false]);
        // Another serial, or no digest yet.
        assert_eq!(ready(&[(7, Some("a")), (8, Some("b")), (7, None)]), [true, true, true]);
    }

    #[test]
    fn a_digest_is_of_what_is_waited_for_at_an_announced_pop() {
        let waiting = waiting();
        let digest = |announced, serial| {
            let mut status = told(announced, Some(serial));
            status.zones[0].digest = Some("a".into());
            judge("ams1".into(), Ok(status), &waiting).digest
        };
        assert_eq!([digest(true, 7), digest(true, 6), digest(false, 7)], [Some("a".to_owned()), None, None]);
    }

    #[test]
    fn it_is_done_only_where_an_announced_pop_serves_it() {
        let done = |answers: Vec<Result<ToldStatus, String>>, skip_unreachable| {
            let waiting = Waiting { skip_unreachable, ..waiting() };
            let judged = answers.into_iter().map(|answer| judge("ams1".into(), answer, &waiting));
            is_done(&judged.collect::<Vec<_>>())
        };
        let gone = || Err("gone".to_owned());
        let late = || ToldStatus { delay: Some(14_400), ..told(true, Some(6)) };
        assert!(done(vec![Ok(told(true, Some(7))), Ok(told(false, Some(6)))], false));
        assert!(!done(vec![Ok(told(false, Some(6)))], false), "an older one, and nobody asks there");
        assert!(!done(vec![Ok(told(false, Some(7)))], false), "nobody asks there");
        assert!(!done(vec![Ok(told(false, Some(7))), gone()], true));
        assert!(!done(vec![Ok(late())], false), "the last resort serves an older one");
        assert!(done(vec![Ok(told(true, Some(7))), Ok(late()), gone()], true));
    }

    #[test]
    fn every_announced_pop_must_serve_it_or_a_newer_one() {
        let waiting = waiting();
        let judged = |answer, waiting: &Waiting| {
            let pop = judge("ams1".into(), answer, waiting);
            (pop.ready, pop.state)
        };
        let table = [
            (Ok(told(true, Some(7))), true, "serves 7"),
            (Ok(told(true, Some(8))), true, "serves 8"),
            (Ok(told(true, Some(6))), false, "serves 6: a fault"),
            (Ok(told(false, Some(6))), true, "serves 6, not announced: a fault"),
            (Ok(told(true, None)), false, "refuses the zone: a fault"),
            (Ok(ToldStatus { zones: Vec::new(), ..told(true, None) }), false, "has no such zone"),
            (
                Ok(ToldStatus { pop: "fra1".into(), ..told(true, Some(7)) }),
                false,
                "the POP \"fra1\" answers there",
            ),
            // One of several servers of a POP.
            (
                Ok(ToldStatus { pop: "ams".into(), instance: "ams1".into(), ..told(true, Some(7)) }),
                true,
                "serves 7",
            ),
            (Err("no connection".to_owned()), false, "no connection"),
        ];
        for (answer, ready, state) in table {
            assert_eq!(judged(answer, &waiting), (ready, state.to_owned()));
        }
        // A last-resort POP has it later, and that is meant.
        let late = || ToldStatus { delay: Some(14_400), ..told(true, Some(6)) };
        let pop = judge("ams1".into(), Ok(late()), &waiting);
        let state = "serves 6, not waited for: a last-resort POP with a delay of 4h: a fault";
        assert_eq!((pop.ready, pop.left_out, pop.state.as_str()), (true, true, state));
        let pop = judge("ams1".into(), Ok(late()), &Waiting { with_last_resort: true, ..waiting.clone() });
        assert_eq!((pop.ready, pop.left_out, pop.state.as_str()), (false, false, "serves 6: a fault"));
        let waiting = Waiting { skip_unreachable: true, ..waiting };
        assert_eq!(judged(Err("gone".to_owned()), &waiting), (true, "left out: gone".to_owned()));
    }
}
