//! One round of one address: both zones over both transports at once, and what that says.

use std::time::Duration;

use super::evidence::Stage;
use super::exchange::{Reply, ask};
use super::message::Question;
use super::rotation::Pick;
use super::settings::Target;
use super::statistics::ProbeTransport;
use super::track::{Evidence, Outcome};
use crate::wire::Name;

/// What one round says about one address over one transport.
#[derive(Debug)]
pub(super) struct Report {
    /// What the state machine takes; a loss is still called idle.
    pub(super) outcome: Outcome,
    /// Whether the canary zone and the other zone were answered well.
    pub(super) good: (bool, bool),
    /// How long the canary zone's answer took.
    pub(super) round_trip: Option<Duration>,
    /// How many questions were asked.
    pub(super) asked: u64,
    /// How many of them got no answer.
    pub(super) lost: u64,
    /// How far the canary zone's question came, if its answer was lost.
    pub(super) stage: Option<Stage>,
    /// A fault of one zone that does not count.
    pub(super) zone_fault: Option<(Name, String)>,
}

/// Asks one address over UDP and TCP.
pub(super) async fn run(target: Target, pick: &Pick, instance: &str, limit: Duration) -> (Report, Report) {
    tokio::join!(
        ask_over(target, ProbeTransport::Udp, pick, instance, limit),
        ask_over(target, ProbeTransport::Tcp, pick, instance, limit)
    )
}

async fn ask_over(
    target: Target,
    transport: ProbeTransport,
    pick: &Pick,
    instance: &str,
    limit: Duration,
) -> Report {
    let question = |zone: Name| async move {
        let question = if pick.is_identity { Question::identity() } else { Question::new(&zone) };
        let Some(question) = question else {
            return Reply::Unable(format!("cannot encode a question for {zone}"));
        };
        ask(target, transport, &question, instance, limit).await
    };
    let other = async {
        match pick.other.clone() {
            Some(zone) => Some(question(zone).await),
            None => None,
        }
    };
    let (canary_zone, other) = tokio::join!(question(pick.canary_zone.clone()), other);
    report(pick, canary_zone, other)
}

fn report(pick: &Pick, canary_zone: Reply, other: Option<Reply>) -> Report {
    let good = (canary_zone.is_good(), other.as_ref().is_some_and(Reply::is_good));
    let round_trip = match canary_zone {
        Reply::Answered(_, time) => Some(time),
        _ => None,
    };
    let replies = || [Some(&canary_zone), other.as_ref()].into_iter().flatten();
    let asked = replies().filter(|reply| reply.was_asked()).count() as u64;
    let lost = replies().filter(|reply| matches!(reply, Reply::Lost(..))).count() as u64;
    let stage = match &canary_zone {
        Reply::Lost(_, stage) => Some(*stage),
        _ => None,
    };
    let (outcome, zone_fault) = judge(pick, &canary_zone, other.as_ref());
    Report { outcome, good, round_trip, asked, lost, stage, zone_fault }
}

/// One outcome out of two replies. A fault of the server counts wherever it shows. A fault of one zone counts if the zone
/// is required, or if nothing was answered well. One loss of two may be chance in the network or the queue: lost
/// counts when the canary zone is lost and nothing was answered well.
fn judge(pick: &Pick, canary_zone: &Reply, other: Option<&Reply>) -> (Outcome, Option<(Name, String)>) {
    let of_server = [Some(canary_zone), other].into_iter().flatten().find_map(Reply::server_fault);
    if let Some(reason) = of_server {
        return (Outcome::Wrong { reason }, None);
    }
    let fault_of = |zone: &Name, reply: &Reply| reply.fault().map(|reason| (zone.clone(), reason));
    let other_fault = pick.other.as_ref().zip(other).and_then(|(zone, reply)| fault_of(zone, reply));
    let other_good = other.is_some_and(Reply::is_good);
    match canary_zone {
        Reply::Answered(Ok(()), _) => (Outcome::Good, other_fault),
        Reply::Answered(Err(_), _) if other_good && !pick.required => {
            (Outcome::Good, fault_of(&pick.canary_zone, canary_zone))
        }
        Reply::Answered(Err(fault), _) => (Outcome::Wrong { reason: fault.to_string() }, other_fault),
        Reply::Lost(..) if other_good => (Outcome::Good, None),
        Reply::Lost(reason, _) => (lost(reason, Evidence::Idle), other_fault),
        Reply::Refused(reason) => (lost(reason, Evidence::Refused), other_fault),
        Reply::Unable(reason) => (lost(reason, Evidence::Busy), other_fault),
    }
}

fn lost(reason: &str, evidence: Evidence) -> Outcome {
    Outcome::Lost { reason: reason.into(), evidence }
}

impl Reply {
    /// Whether an answer may have left for it.
    fn was_asked(&self) -> bool {
        matches!(self, Self::Answered(..) | Self::Lost(..))
    }

    fn is_good(&self) -> bool {
        matches!(self, Self::Answered(Ok(()), _))
    }

    fn fault(&self) -> Option<String> {
        match self {
            Self::Answered(Err(fault), _) => Some(fault.to_string()),
            _ => None,
        }
    }

    fn server_fault(&self) -> Option<String> {
        match self {
            Self::Answered(Err(fault), _) if fault.is_of_server() => Some(fault.to_string()),
            _ => None,
        }
    }
}
