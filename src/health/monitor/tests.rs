//! The loop against a real responder on loopback that answers as it is told.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::timeout;

use super::super::responder::{Manner, Responder};
use super::*;

/// Far more than any step takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    responder: Responder,
    health: Health,
    /// What others are answered in each round.
    others: Arc<AtomicU64>,
    _zones: watch::Sender<Arc<[Name]>>,
    _shutdown: tokio_util::sync::DropGuard,
}

async fn scene(zones: &str, required: &str) -> Scene {
    scene_between("127.0.0.1", "127.0.0.1", zones, required).await
}

async fn scene_between(source: &str, service: &str, zones: &str, required: &str) -> Scene {
    let names =
        |text: &str| -> Vec<Name> { text.split_whitespace().map(|name| name.parse().unwrap()).collect() };
    let responder = Responder::start(service.parse().unwrap()).await;
    let settings = Settings {
        addresses: vec![responder.address().ip()],
        port: responder.address().port(),
        management_addresses: vec![source.parse().unwrap()],
        instance: "pop1".into(),
        required: names(required),
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(300),
        rise: 2,
        fall: 2,
    };
    let others = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = watch::channel(names(zones).into());
    let (per_round, total, sent) = (others.clone(), AtomicU64::new(0), responder.sent());
    let activity = move || {
        let others = total.fetch_add(per_round.load(Ordering::Relaxed), Ordering::Relaxed);
        Activity { responses: others + sent.load(Ordering::Relaxed), receive_queue: 0 }
    };
    let shutdown = tokio_util::sync::CancellationToken::new();
    let (mut monitor, health) = prepare(settings, receiver, Arc::new(activity)).unwrap();
    tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move { monitor.run().await }));
    Scene { responder, health, others, _zones: sender, _shutdown: shutdown.drop_guard() }
}

impl Scene {
    async fn wait(&mut self, fits: impl Fn(&Probe) -> bool) -> Probe {
        let found = self.health.probes.wait_for(|probes| fits(&probes[0].1));
        let found = timeout(PATIENCE, found).await.map(|probes| probes.unwrap()[0].1.clone());
        found.unwrap_or_else(|_| {
            panic!("still {:?}, {:?}", self.health.probes.borrow(), self.health.statistics.borrow())
        })
    }

    async fn up(&mut self) {
        self.wait(|probe| *probe == Probe::Up).await;
    }

    async fn wrong(&mut self, manner: Manner, words: &str) {
        self.responder.behave(manner);
        let probe = self.wait(|probe| matches!(probe, Probe::Wrong { .. })).await;
        assert!(matches!(&probe, Probe::Wrong { reason } if reason.contains(words)), "{probe:?}");
        self.responder.behave(Manner::Right);
        self.up().await;
    }
}

#[tokio::test]
async fn wrong_answers_are_wrong_and_their_end_is_seen() {
    let mut scene = scene("example.org", "example.org").await;
    scene.up().await;
    scene.wrong(Manner::Instance("pop2"), "NSID says `pop2`, not `pop1`").await;
    scene.wrong(Manner::OtherOwner, "belongs to other.").await;
    scene.wrong(Manner::NotAuthoritative, "without AA").await;
    scene.wrong(Manner::Servfail, "SERVFAIL for example.org.").await;
    scene.wrong(Manner::Garbage, "no DNS message").await;
}

#[tokio::test]
async fn silence_with_idle_workers_is_silent() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.responder.behave(Manner::Silent);
    let probe = scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
    assert!(matches!(&probe, Probe::Silent { reason } if reason.contains("within 300 ms")), "{probe:?}");
    scene.responder.behave(Manner::Right);
    scene.up().await;
}

#[tokio::test]
async fn silence_while_others_are_answered_is_pressure() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.others.store(1, Ordering::Relaxed);
    scene.responder.behave(Manner::Silent);
    scene.wait(|probe| *probe == Probe::Pressure).await;
    // The load ends, the silence does not: now it is ill health.
    scene.others.store(0, Ordering::Relaxed);
    scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
}

#[tokio::test]
async fn late_answers_to_our_own_probes_are_no_activity() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    // Longer than the probes wait: the workers answer nobody but us, and too late.
    scene.responder.behave(Manner::Late(Duration::from_millis(450)));
    scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
}

#[tokio::test]
async fn closed_sockets_are_silent_at_once() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.others.store(1, Ordering::Relaxed);
    scene.responder.close().await;
    scene.health.kick();
    let probe = scene.wait(|probe| *probe != Probe::Up).await;
    assert!(matches!(&probe, Probe::Silent { reason } if reason.contains("nobody listens")), "{probe:?}");
}

#[tokio::test]
async fn one_bad_zone_is_a_zone_fault_unless_it_is_required() {
    let mut lenient = scene("good.example bad.example", "").await;
    lenient.responder.behave(Manner::BadZone);
    lenient.up().await;
    let seen = lenient.health.statistics.wait_for(|all| all[0].zone_fault.is_some());
    let fault = timeout(PATIENCE, seen).await.unwrap().unwrap()[0].zone_fault.clone().unwrap();
    assert_eq!(fault.reason, "SERVFAIL for bad.example.");
    assert_eq!(lenient.health.probes.borrow()[0].1, Probe::Up);
    let mut strict = scene("good.example bad.example", "good.example bad.example").await;
    strict.responder.behave(Manner::BadZone);
    strict.wait(|probe| matches!(probe, Probe::Wrong { .. })).await;
}

#[tokio::test]
async fn nothing_served_is_untested() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene._zones.send_replace(Arc::new([]));
    scene.wait(|probe| *probe == Probe::Untested).await;
}

#[tokio::test]
async fn over_ipv6() {
    let mut scene = scene_between("::1", "::1", "example.org", "").await;
    scene.up().await;
    scene.wrong(Manner::Instance("pop2"), "NSID says `pop2`").await;
}

#[tokio::test]
async fn a_probe_that_cannot_be_made_says_nothing_about_the_server() {
    // No host has this address (RFC 5737), so nothing can be asked from it.
    let mut scene = scene_between("192.0.2.1", "127.0.0.1", "example.org", "").await;
    let seen = scene.health.statistics.wait_for(|all| all.iter().all(|one| one.lost > 5));
    let seen = timeout(PATIENCE, seen).await.unwrap().unwrap().clone();
    assert!(seen[0].reason.as_ref().unwrap().starts_with("cannot ask from 192.0.2.1: "), "{seen:?}");
    assert_eq!(scene.health.probes.borrow()[0].1, Probe::Untested);
}
