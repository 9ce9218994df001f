//! From facts to the decision that the gate goes by.

use std::sync::Arc;
use std::time::Instant;

use crate::handoff::{Latest, Reader};
use crate::policy::{Decision, Intent, Operator, Policy, PrefixDecision};
use crate::route::{BgpControl, GateControl, RouteStatus};
use crate::telemetry::{Beat, List};

use crate::daemon::required::RequiredZones;
use crate::daemon::sources::Sources;
use crate::daemon::status::Ordered;

/// What is decided by, and who is told.
pub(super) struct Deciding {
    /// The zones that the config requires.
    pub(super) required: RequiredZones,
    pub(super) policy: Policy,
    pub(super) sources: Sources,
    pub(super) routes: Reader<RouteStatus>,
    /// Changes what the gate and the watchdog go by.
    pub(super) gate: Arc<GateControl>,
    /// Changes the BGP speaker, if there is one.
    pub(super) bgp: Option<BgpControl>,
    /// The latest decision, for the gate.
    pub(super) decisions: Latest<Decision>,
    /// What was ordered, for the status and the planned stop.
    pub(super) ordered: Latest<Ordered>,
    /// Renews the lease.
    pub(super) beat: Beat,
}

impl Deciding {
    /// Gathers facts, asks policy, hands the decision on.
    pub(super) fn decide(&mut self, operator: Operator, now: Instant) {
        let facts = self.sources.gather(&self.required, operator, now);
        let decision = self.policy.decide(&facts, now);
        log_changes(&self.decisions.current(), &decision);
        self.decisions.publish_if_new(decision);
    }
}

/// One record for each prefix whose intent or reasons changed; a withdrawal is a warning.
fn log_changes(before: &Decision, after: &Decision) {
    for prefix in &after.prefixes {
        let old = before.prefixes.iter().find(|old| old.prefix == prefix.prefix);
        if old.is_some_and(|old| old.intent == prefix.intent && old.reasons == prefix.reasons) {
            continue;
        }
        let withdrawn =
            prefix.intent == Intent::Withdraw && old.is_some_and(|old| old.intent != prefix.intent);
        log_change(prefix, withdrawn);
    }
}

fn log_change(decided: &PrefixDecision, withdrawn: bool) {
    let now = Instant::now();
    let reasons: Vec<String> = decided.reasons.iter().map(|reason| reason.text(now)).collect();
    let (prefix, intent, reasons) = (decided.prefix, decided.intent.word(), List(&reasons));
    match withdrawn {
        true => tracing::warn!(%prefix, intent, ?reasons, "decision"),
        false => tracing::info!(%prefix, intent, ?reasons, "decision"),
    }
}
