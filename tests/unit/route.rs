//! The gate on the speaker's thread, with the driver that announces nothing.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::*;
use crate::handoff::Latest;
use crate::policy::{Decision, Intent, PrefixDecision};
use crate::telemetry::Beat;

/// Far more than any step takes.
const PATIENCE: Duration = Duration::from_secs(20);
const LEASE: Duration = GateSettings::SHORTEST_LEASE;

/// Answers well or not, as the test has it.
#[derive(Clone, Default)]
struct Service(Arc<AtomicBool>);

impl SelfTest for Service {
    fn ask(&self, _: IpAddr) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> {
        let answers = self.0.load(Relaxed);
        Box::pin(async move { if answers { Ok(()) } else { Err("no answer".to_owned()) } })
    }
}

/// A speaker in dry run, and the senders that control it.
struct Steered {
    speaker: Speaker,
    decisions: Latest<Decision>,
    decider: Beat,
    service: Service,
}

fn decision(intent: Intent) -> Decision {
    let prefix = "192.0.2.0/24".parse().unwrap();
    let (since, reasons) = (Instant::now(), Vec::new());
    Decision { prefixes: vec![PrefixDecision { prefix, intent, since, reasons, withdrawals: 0 }] }
}

impl Steered {
    fn new() -> Self {
        let (decisions, decider, service) =
            (Latest::new(Decision::default()), Beat::new("decide"), Service::default());
        let settings = GateSettings {
            lease: LEASE,
            services: vec![("192.0.2.0/24".parse().unwrap(), vec!["192.0.2.53".parse().unwrap()])],
            self_test: Arc::new(service.clone()),
        };
        let reader = decisions.reader();
        let speaker = start(DryRun, settings, reader, decider.clone()).unwrap();
        Self { speaker, decisions, decider, service }
    }

    /// Waits until the route is like this; renews the lease meanwhile, if `renewed`.
    async fn wait(&mut self, renewed: bool, good: impl Fn(&RouteState) -> bool) {
        let wait = async {
            loop {
                let status = self.speaker.status.load();
                let mut states = status.prefixes.iter().flat_map(|prefix| &prefix.neighbors);
                if states.any(|(_, state)| good(state)) {
                    return;
                }
                tokio::select! {
                    () = self.speaker.changes.changed() => {}
                    () = self.decider.keep_beating(), if renewed => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("in time");
    }
}

fn sent(wanted: Preference) -> impl Fn(&RouteState) -> bool {
    move |state| match state {
        RouteState::Announced { preference, .. } => *preference == wanted,
        RouteState::Pending { told } => *told == Some(wanted),
        _ => false,
    }
}

fn none_sent(state: &RouteState) -> bool {
    matches!(state, RouteState::Withdrawn | RouteState::Pending { told: None })
}

#[tokio::test]
async fn the_driver_follows_the_latest_decision_and_stops_withdrawn() {
    let mut steered = Steered::new();
    steered.decisions.publish(decision(Intent::Announce));
    steered.wait(true, sent(Preference::Normal)).await;
    steered.decisions.publish(decision(Intent::Deprefer));
    steered.wait(true, sent(Preference::Depreferred)).await;
    steered.decisions.publish(decision(Intent::Withdraw));
    steered.wait(true, |state| *state == RouteState::Withdrawn).await;
    let took = steered.speaker.status.load().prefixes[0].withdrawn_in;
    assert!(took.is_some_and(|took| took < PATIENCE), "{took:?}");
    steered.decisions.publish(decision(Intent::Announce));
    steered.wait(true, sent(Preference::Normal)).await;
    let status = steered.speaker.status.clone();
    assert!(steered.speaker.shut_down(PATIENCE).await);
    assert!(status.load().all_withdrawn());
}

#[tokio::test]
async fn without_a_decider_the_service_itself_decides() {
    let mut steered = Steered::new();
    steered.service.0.store(true, Relaxed);
    steered.decisions.publish(decision(Intent::Announce));
    steered.wait(true, sent(Preference::Normal)).await;
    steered.wait(false, sent(Preference::Depreferred)).await;
    assert!(matches!(steered.speaker.status.load().lease, LeaseStatus::Expired { .. }));
    steered.service.0.store(false, Relaxed);
    steered.wait(false, none_sent).await;
    steered.wait(true, sent(Preference::Normal)).await;
    assert_eq!(steered.speaker.status.load().lease, LeaseStatus::Held);
    assert!(steered.speaker.shut_down(PATIENCE).await);
}

/// The lease and the addresses that are asked change while the gate runs.
#[tokio::test]
async fn a_changed_lease_is_in_force_at_once() {
    let mut steered = Steered::new();
    let service = Service::default();
    let changed = |lease| GateSettings {
        lease,
        services: vec![("192.0.2.0/24".parse().unwrap(), vec!["192.0.2.53".parse().unwrap()])],
        self_test: Arc::new(service.clone()),
    };
    steered.speaker.control.change(changed(GateSettings::LONGEST_LEASE));
    assert_eq!(steered.speaker.control.lease().get(), GateSettings::LONGEST_LEASE);
    steered.decisions.publish(decision(Intent::Announce));
    steered.wait(true, sent(Preference::Normal)).await;
    let not_announced = steered.wait(false, |state| !sent(Preference::Normal)(state));
    let early = tokio::time::timeout(LEASE * 3, not_announced).await;
    assert!(early.is_err(), "the long lease has not expired");
    steered.speaker.control.change(changed(LEASE));
    // The new self-test is asked, and says no.
    steered.wait(false, none_sent).await;
    assert!(steered.speaker.shut_down(PATIENCE).await);
}

#[tokio::test]
async fn a_gate_that_panics_goes_on() {
    let mut steered = Steered::new();
    steered.decisions.publish(decision(Intent::Announce));
    steered.wait(true, sent(Preference::Normal)).await;
    let gate = steered.speaker.beats.iter().find(|beat| beat.name() == "gate").unwrap().clone();
    gate.ask_panic();
    steered.decisions.publish(decision(Intent::Withdraw));
    steered.wait(true, |state| *state == RouteState::Withdrawn).await;
    assert_eq!(gate.panics(), 1);
    assert!(steered.speaker.shut_down(PATIENCE).await);
}
