//! The fleet in short: a line for each POP, what is wrong first.

use std::collections::BTreeMap;

use serde::Serialize;

use super::document::{PopDocument, PopLoad, Reach, ToldPrefix, ToldStatus};

/// The most reasons of a POP in a summary.
const MOST_REASONS: usize = 5;
/// The most prefixes of a POP in a summary.
const MOST_PREFIXES: usize = 32;
/// The most characters of a text that a POP tells.
const MOST_CHARACTERS: usize = 300;

/// All POPs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FleetReport {
    /// The POPs, those that do not answer or are not well first.
    pub pops: Vec<PopSummary>,
    /// Zones that differ: those with other content under the same serial, then those with other serials, each by name.
    pub differing: Vec<ZoneDifference>,
    /// How many seconds ago that was so, if it could not be looked at since.
    pub differing_age: Option<u64>,
    /// Whether there may be more of them than those.
    pub more_differ: bool,
    /// POPs that did not tell what they serve, so that it is compared with no other's.
    pub not_compared: Vec<String>,
    /// Prefixes that no POP that answers announces, or one alone though there are several, by prefix.
    pub scarce: Vec<ScarcePrefix>,
}

/// A prefix that few POPs announce.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ScarcePrefix {
    /// The prefix.
    pub prefix: String,
    /// The only POP that announces it; `None`: none does.
    pub pop: Option<String>,
}

/// One POP.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PopSummary {
    /// Its name in the list of POPs.
    pub name: String,
    /// Where it is asked.
    pub url: String,
    /// Why it gave no answer; the rest is empty then.
    pub error: Option<String>,
    /// How many seconds old the answer is, if the next one is overdue.
    pub answer_age: Option<u64>,
    /// The instance.
    pub instance: String,
    /// The version of anyns.
    pub version: String,
    /// `ok`, `degraded` or `down`; empty without an answer.
    pub verdict: String,
    /// Since when (Unix seconds).
    pub since: u64,
    /// Why, the first ones.
    pub reasons: Vec<String>,
    /// Whether queries reach it.
    pub announced: bool,
    /// Whether it only says what it would announce.
    pub dry_run: bool,
    /// Whether it stops in order.
    pub stopping: bool,
    /// By how many seconds it serves versions later than they come, if it is a last-resort POP: its serials are compared with no other's.
    pub delay: Option<u64>,
    /// Its prefixes.
    pub prefixes: Vec<PrefixSummary>,
    /// How many zones it has.
    pub zones: u64,
    /// How many of them are not well.
    pub zones_not_well: u64,
    /// What it is asked, per second.
    pub load: PopLoad,
}

/// A prefix at a POP.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PrefixSummary {
    /// The prefix.
    pub prefix: String,
    /// What is desired: `announce`, `deprefer` or `withdraw`.
    pub intent: String,
    /// To how many neighbors it is sent.
    pub sent: usize,
    /// How many neighbors there are.
    pub neighbors: usize,
    /// Why it is not simply announced.
    pub reasons: Vec<String>,
}

/// A zone that is not the same everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ZoneDifference {
    /// The zone.
    pub zone: String,
    /// By POP the serial that is served, if one is.
    pub serials: Vec<(String, Option<u32>)>,
    /// The start of the digest of the content, of each POP that serves other content than another one under the same serial.
    pub contents: Vec<(String, String)>,
}

impl PopSummary {
    /// A POP that answered.
    #[must_use]
    pub fn of(name: &str, url: &str, document: &PopDocument) -> Self {
        let PopDocument { status, load, .. } = document;
        let ToldStatus {
            instance, version, overall, dry_run, stopping, delay, zone_counts, prefixes, ..
        } = status;
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            error: None,
            answer_age: None,
            instance: short(instance),
            version: short(version),
            verdict: short(&overall.verdict),
            since: overall.since,
            reasons: overall.reasons.iter().take(MOST_REASONS).map(|reason| short(reason)).collect(),
            announced: status.is_announced(),
            dry_run: *dry_run,
            stopping: *stopping,
            delay: *delay,
            prefixes: prefixes.iter().take(MOST_PREFIXES).map(PrefixSummary::of).collect(),
            zones: zone_counts.total,
            zones_not_well: zone_counts.not_well,
            load: load.clone(),
        }
    }

    /// A POP that did not.
    #[must_use]
    pub fn silent(name: &str, url: &str, error: String) -> Self {
        Self { name: name.to_owned(), url: url.to_owned(), error: Some(short(&error)), ..Self::default() }
    }

    /// How urgent it is: 0 no answer, 1 down, 2 degraded or an answer overdue, 3 ok.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match (&self.error, self.verdict.as_str()) {
            (Some(_), _) => 0,
            (None, "down") => 1,
            (None, "ok") if self.answer_age.is_none() => 3,
            (None, _) => 2,
        }
    }
}

impl PrefixSummary {
    fn of(prefix: &ToldPrefix) -> Self {
        Self {
            prefix: short(&prefix.prefix),
            intent: short(&prefix.intent),
            sent: prefix.sent(),
            neighbors: prefix.neighbors.len(),
            reasons: prefix.reasons.iter().take(MOST_REASONS).map(|reason| short(reason)).collect(),
        }
    }
}

impl FleetReport {
    /// Puts what is wrong first.
    pub(super) fn sort(&mut self) {
        self.pops.sort_by(|one, other| (one.rank(), &one.name).cmp(&(other.rank(), &other.name)));
    }

    /// As an exit code: 0 all is well, 1 something is not, 2 no POP is announced, 3 no POP answers.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let is_announced = self.scarce.iter().all(|prefix| prefix.pop.is_some());
        let is_well =
            self.pops.iter().all(|pop| pop.rank() == 3) && self.differing.is_empty() && is_announced;
        if self.pops.iter().all(|pop| pop.error.is_some()) {
            3
        } else if !self.pops.iter().any(|pop| pop.announced) {
            2
        } else {
            u8::from(!is_well || self.more_differ)
        }
    }
}

/// The prefixes that none of these POPs announces, or one alone. Where one POP alone is listed, that is meant.
pub(super) fn scarce_prefixes<'a>(
    pops: impl Iterator<Item = (&'a str, &'a ToldStatus)>,
    listed: usize,
) -> Vec<ScarcePrefix> {
    let mut announcing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, status) in pops {
        for prefix in &status.prefixes {
            let is_announced = prefix.reach(status.dry_run) != Reach::Nothing;
            announcing.entry(&prefix.prefix).or_default().extend(is_announced.then_some(name));
        }
    }
    let scarce = |(prefix, pops): (&str, Vec<&str>)| {
        let is_scarce = pops.is_empty() || (pops.len() == 1 && listed > 1);
        let pop = pops.first().map(|pop| (*pop).to_owned());
        is_scarce.then(|| ScarcePrefix { prefix: short(prefix), pop })
    };
    announcing.into_iter().filter_map(scarce).take(MOST_PREFIXES).collect()
}

/// A text of the network, bounded.
pub(super) fn short(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}
