//! What goes out to secondaries: how the targets of NOTIFYs take them, and counts.

use std::time::{Duration, Instant};

use crate::clock::rfc3339;
use crate::control::{Cause, NotifyStatus};
use crate::metrics::{OutwardFacts, RCODES, TargetNotifies};
use crate::transfer::primary::{AllTargets, NotTaken, SendCounts, TargetFacts, TargetTable};
use crate::transfer::tsig::TsigCounts;
use crate::update::UpdateCounts;
use crate::wire::Name;

use crate::daemon::status::clock::Clock;
use crate::daemon::status::other::OtherAlarm;

/// For how long a target may refuse or not answer before that is an alarm: a lost datagram comes again after a second, and a secondary
/// may learn of a new zone by a catalog a moment after its NOTIFY. A refused NOTIFY leaves twice more within this time.
const NOT_TAKEN: Duration = Duration::from_secs(60);

/// Targets that one alarm names: its text has a bound.
const MOST_NAMED: usize = 2;

/// What is sent to others, and what they send.
#[derive(Default)]
pub(in crate::daemon) struct OutwardSources {
    /// How NOTIFYs are taken, where zones are sent.
    pub(in crate::daemon) targets: Option<TargetTable>,
    /// What was sent to secondaries.
    pub(in crate::daemon) sent: SendCounts,
    /// What became of dynamic updates.
    pub(in crate::daemon) updates: UpdateCounts,
    /// Signatures that were not accepted, by the kind of the message.
    pub(in crate::daemon) bad_signatures: [(&'static str, TsigCounts); 3],
}

/// The targets of NOTIFYs, as they were at the last look at which nobody held the lock of their table.
#[derive(Debug, Default)]
pub(in crate::daemon::status) struct TargetWatch {
    known: AllTargets,
}

impl TargetWatch {
    /// Looks at them.
    pub(in crate::daemon::status) fn observe(&mut self, sources: &OutwardSources) {
        if let Some(facts) = sources.targets.as_ref().and_then(TargetTable::facts) {
            self.known = facts;
        }
    }

    /// Targets that do not take what they are told.
    pub(in crate::daemon::status) fn alarms(&self, clock: Clock) -> Vec<OtherAlarm> {
        let late = |taken: &&TargetFacts, which: fn(&TargetFacts) -> &Option<NotTaken>| {
            which(taken).as_ref().is_some_and(|it| is_late(it, clock.instant()))
        };
        let refusing: Vec<_> = self.known.each.iter().filter(|it| late(it, |it| &it.refusing)).collect();
        let silent: Vec<_> = self.known.each.iter().filter(|it| late(it, |it| &it.silent)).collect();
        let refusing = alarm(
            "NOTIFYs that are refused",
            (&refusing, |it| it.refusing.as_ref()),
            |it| format!("refused with {}", rcode_name(it.rcode)),
            "does it have the zone, and list this server, with the key, in its notify-from?",
            clock,
        );
        let silent = alarm(
            "NOTIFYs without an answer",
            (&silent, |it| it.silent.as_ref()),
            |_| "not answered".to_owned(),
            "is it up, is the address right, and is the key the same there?",
            clock,
        );
        refusing.into_iter().chain(silent).collect()
    }

    /// What metrics tell.
    pub(in crate::daemon::status) fn facts(&self, sources: &OutwardSources, now: Instant) -> OutwardFacts {
        let of_message = |(message, counts): &(&'static str, TsigCounts)| {
            let message = *message;
            counts.by_error().map(|(error, count)| (message, error, count)).collect::<Vec<_>>()
        };
        OutwardFacts {
            transfers: sources.sent.transfers().to_vec(),
            octets: sources.sent.octets(),
            refusals: sources.sent.refusals().to_vec(),
            targets: target_facts(&self.known, now),
            updates: sources.updates.by_result().collect(),
            bad_signatures: sources.bad_signatures.iter().flat_map(of_message).collect(),
        }
    }
}

/// Targets with samples of their own, and one sum of the others.
fn target_facts(known: &AllTargets, now: Instant) -> Vec<TargetNotifies> {
    let mut facts = Vec::new();
    let mut others = TargetNotifies {
        target: "other".to_owned(),
        taken: known.gone.taken,
        refused: known.gone.refused,
        unanswered: known.gone.unanswered,
        zones_refused: 0,
        zones_silent: 0,
    };
    let mut has_others = known.gone != Default::default();
    for target in &known.each {
        let silent = target.silent.as_ref().filter(|it| is_late(it, now));
        let one = TargetNotifies {
            target: target.address.to_string(),
            taken: target.counts.taken,
            refused: target.counts.refused,
            unanswered: target.counts.unanswered,
            zones_refused: target.refusing.as_ref().map_or(0, |it| it.zones as u64),
            zones_silent: silent.map_or(0, |it| it.zones as u64),
        };
        if target.is_told_apart {
            facts.push(one);
            continue;
        }
        has_others = true;
        others.taken += one.taken;
        others.refused += one.refused;
        others.unanswered += one.unanswered;
        others.zones_refused += one.zones_refused;
        others.zones_silent += one.zones_silent;
    }
    facts.extend(has_others.then_some(others));
    facts
}

fn is_late(not_taken: &NotTaken, now: Instant) -> bool {
    now.saturating_duration_since(not_taken.since) >= NOT_TAKEN
}

fn rcode_name(rcode: u8) -> String {
    RCODES.get(usize::from(rcode)).map_or_else(|| rcode.to_string(), |name| (*name).to_owned())
}

/// What one kind of trouble with a target is.
type Trouble = fn(&TargetFacts) -> Option<&NotTaken>;

/// One alarm for all targets with the same trouble.
fn alarm(
    kind: &str,
    (targets, which): (&[&TargetFacts], Trouble),
    how: impl Fn(&TargetFacts) -> String,
    advice: &str,
    clock: Clock,
) -> Option<OtherAlarm> {
    let one = |target: &&TargetFacts| {
        let NotTaken { zones, first, since } = which(target)?;
        let zones = match zones {
            1 => format!("zone {first}"),
            _ => format!("{zones} zones, the first is {first}"),
        };
        Some(format!("{} since {} ({zones}; {})", target.address, rfc3339(clock.of(*since)), how(target)))
    };
    let named: Vec<String> = targets.iter().take(MOST_NAMED).filter_map(one).collect();
    let more = match targets.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("NOTIFYs are not taken by {}{more}: {advice}", named.join(", "));
    let alarm =
        OtherAlarm { kind: kind.to_owned(), cause: Cause::Rest, message: crate::control::one_line(&message) };
    (!named.is_empty()).then_some(alarm)
}

/// The targets that do not take the NOTIFYs of a zone.
pub(in crate::daemon::status) fn zone_targets(
    sources: &OutwardSources,
    zone: &Name,
    clock: Clock,
) -> Vec<NotifyStatus> {
    let targets = sources.targets.as_ref().map(|targets| targets.of(zone)).unwrap_or_default();
    let now = clock.instant();
    let is_late = |since: &Instant| now.saturating_duration_since(*since) >= NOT_TAKEN;
    let status = |(address, refused, silent): (std::net::SocketAddr, Option<Instant>, Option<Instant>)| {
        let (refused, silent) = (refused, silent.filter(is_late));
        refused.or(silent)?;
        Some(NotifyStatus {
            address: address.to_string(),
            refused_since: refused.map(|at| clock.of(at)),
            unanswered_since: silent.map(|at| clock.of(at)),
        })
    };
    targets.into_iter().filter_map(status).collect()
}

#[cfg(test)]
#[path = "../../../../tests/unit/daemon/status/outward.rs"]
mod tests;
