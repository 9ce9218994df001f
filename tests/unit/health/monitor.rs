//! The loop against a real responder on loopback that answers as it is told.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use tokio::time::timeout;

use tokio_util::sync::CancellationToken;

use crate::telemetry::{BacklogLoad, ListenerLoad, keep_running};
use crate::wire::Name;

use super::super::responder::{Manner, Responder};
use super::*;

/// Far more than any step takes; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    responder: Responder,
    health: Health,
    /// What others are answered in each round, over each transport.
    others: Arc<AtomicU64>,
    /// Whether the workers are busy.
    busy: Arc<AtomicBool>,
    beat: Beat,
    _zones: Latest<Arc<dyn ServedZones>>,
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
        reference_addresses: Vec::new(),
    };
    let (others, busy) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let zones =
        Latest::<Arc<dyn ServedZones>>::new(Arc::new(names(zones).into_iter().collect::<BTreeSet<Name>>()));
    let (per_round, is_busy, address) = (others.clone(), busy.clone(), responder.address());
    let (mut total, sent) = (0, responder.sent());
    let load = move |_| {
        total += per_round.load(Ordering::Relaxed);
        let listener = |is_tcp: bool| {
            let answers = sent[usize::from(is_tcp)].load(Ordering::Relaxed) + total;
            let (threads, busy_threads) = (1, u32::from(is_busy.load(Ordering::Relaxed)));
            let (accepted, refused, drops) = (0, 0, 0);
            let answers = [answers; 2];
            let (is_queue_full, is_handshake_queue_full) = (false, false);
            ListenerLoad {
                address,
                is_tcp,
                answers,
                accepted,
                refused,
                drops,
                is_queue_full,
                threads,
                busy_threads,
                is_handshake_queue_full,
            }
        };
        Load {
            listeners: vec![listener(false), listener(true)],
            backlog: BacklogLoad::default(),
            syn_cookies: 0,
        }
    };
    let shutdown = CancellationToken::new();
    let (mut monitor, health) = prepare(settings, zones.reader(), Box::new(load)).unwrap();
    let (beat, stop) = (monitor.beat(), shutdown.clone());
    let running = beat.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep_running(&running, &mut monitor, async |monitor| monitor.run().await) => {}
        }
    });
    Scene { responder, health, others, busy, beat, _zones: zones, _shutdown: shutdown.drop_guard() }
}

impl Scene {
    async fn wait(&mut self, fits: impl Fn(&Probe) -> bool) -> Probe {
        let found = self.health.probes.wait_for(|probes| fits(&probes[0].1));
        let found = timeout(PATIENCE, found).await.map(|probes| probes[0].1.clone());
        found.unwrap_or_else(|_| {
            panic!("still {:?}, {:?}", self.health.probes.load(), self.health.statistics.load())
        })
    }

    fn evidence(&self) -> Vec<String> {
        self.health.statistics.load().iter().filter_map(|one| one.evidence.clone()).collect()
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
async fn silence_while_others_are_answered_and_the_workers_are_busy_is_pressure() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.others.store(10, Ordering::Relaxed);
    scene.busy.store(true, Ordering::Relaxed);
    scene.responder.behave(Manner::Silent);
    scene.wait(|probe| *probe == Probe::Pressure).await;
    let evidence = scene.evidence();
    assert!(
        evidence[0].contains("1 of 1 workers busy") && evidence[0].ends_with(": overload"),
        "{evidence:?}"
    );
    // The load ends, the silence does not: now it is ill health.
    scene.busy.store(false, Ordering::Relaxed);
    scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
    let evidence = scene.evidence();
    assert!(evidence.iter().all(|one| one.ends_with(": no overload")), "{evidence:?}");
}

#[tokio::test]
async fn silence_while_idle_workers_answer_others_is_silent() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.others.store(1000, Ordering::Relaxed);
    scene.responder.behave(Manner::Silent);
    scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
}

#[tokio::test]
async fn silence_over_one_transport_is_told_apart() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    for (manner, transport) in [(Manner::SilentOverUdp, "UDP: "), (Manner::SilentOverTcp, "TCP: ")] {
        scene.responder.behave(manner);
        let probe = scene.wait(|probe| *probe != Probe::Up).await;
        let told = matches!(&probe, Probe::OneTransportDead { reason } if reason.starts_with(transport));
        assert!(told, "{probe:?}");
        scene.responder.behave(Manner::Right);
        scene.up().await;
    }
}

#[tokio::test]
async fn rounds_go_on_after_a_panic() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene.beat.ask_panic();
    scene.responder.behave(Manner::Silent);
    scene.wait(|probe| matches!(probe, Probe::Silent { .. })).await;
    assert_eq!(scene.beat.panics(), 1);
    assert!(scene.health.rounds() > 2);
}

#[tokio::test]
async fn a_probe_that_panics_does_not_end_the_round() {
    let mut tasks = JoinSet::new();
    for number in 0..4 {
        tasks.spawn(async move {
            assert!(number != 2, "this one panics");
            number
        });
    }
    let mut ended = all_that_end_well(tasks).await;
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 3]);
}

#[test]
fn a_round_that_took_far_longer_than_its_probes_was_paused() {
    let timeout = Duration::from_millis(500);
    for (milliseconds, paused) in [(0, false), (510, false), (750, false), (751, true), (2000, true)] {
        assert_eq!(was_paused(Duration::from_millis(milliseconds), timeout), paused, "{milliseconds}");
    }
}

#[test]
fn losses_of_a_paused_round_and_of_failed_probes_count_as_what_they_are() {
    let address = "192.0.2.1".parse().unwrap();
    let settings = Settings {
        addresses: vec![address],
        port: 53,
        management_addresses: vec!["192.0.2.9".parse().unwrap()],
        instance: "pop1".into(),
        required: Vec::new(),
        interval: Duration::from_millis(100),
        timeout: Duration::from_millis(300),
        rise: 1,
        fall: 2,
        reference_addresses: Vec::new(),
    };
    let subject = |target| Subject::new(target, &settings);
    let mut subject: Subject = settings.targets().unwrap().into_iter().map(subject).next().unwrap();
    let report = |outcome| Report {
        outcome,
        good: (false, false),
        round_trip: None,
        asked: 2,
        lost: 0,
        stage: Some(Stage::Asked),
        zone_fault: None,
    };
    let lost = || report(Outcome::Lost { reason: "late".into(), evidence: Evidence::Idle });
    let pick = Pick {
        canary_zone: "example.org".parse().unwrap(),
        required: false,
        other: None,
        is_identity: false,
    };
    let standings = |subject: &Subject| [&subject.udp, &subject.tcp].map(|lane| lane.track.standing().word());
    subject.learn(&pick, (report(Outcome::Good), report(Outcome::Good)), &Load::default(), false);
    assert_eq!(standings(&subject), ["up"; 2]);
    for _ in 0..5 {
        subject.learn(&pick, (lost(), lost()), &Load::default(), true);
    }
    assert_eq!(standings(&subject), ["pressure"; 2]);
    for _ in 0..2 {
        subject.fail();
    }
    assert_eq!(standings(&subject), ["silent"; 2]);
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
    scene.health.start_round_now();
    let probe = scene.wait(|probe| *probe != Probe::Up).await;
    assert!(matches!(&probe, Probe::Silent { reason } if reason.contains("nobody listens")), "{probe:?}");
}

#[tokio::test]
async fn one_bad_zone_is_a_zone_fault_unless_it_is_required() {
    let mut lenient = scene("good.example bad.example", "").await;
    lenient.responder.behave(Manner::BadZone);
    lenient.up().await;
    let seen = lenient.health.statistics.wait_for(|all| all[0].zone_fault.is_some());
    let fault = timeout(PATIENCE, seen).await.unwrap()[0].zone_fault.clone().unwrap();
    assert_eq!(fault.reason, "SERVFAIL for bad.example.");
    assert_eq!(lenient.health.probes.load()[0].1, Probe::Up);
    let mut strict = scene("good.example bad.example", "good.example bad.example").await;
    strict.responder.behave(Manner::BadZone);
    strict.wait(|probe| matches!(probe, Probe::Wrong { .. })).await;
}

#[tokio::test]
async fn nothing_served_is_untested() {
    let mut scene = scene("example.org", "").await;
    scene.up().await;
    scene._zones.publish(Arc::new(BTreeSet::new()));
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
    let seen = timeout(PATIENCE, seen).await.unwrap().clone();
    assert!(seen[0].reason.as_ref().unwrap().starts_with("cannot ask from 192.0.2.1: "), "{seen:?}");
    assert_eq!(scene.health.probes.load()[0].1, Probe::Untested);
}
