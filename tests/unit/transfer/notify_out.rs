//! NOTIFYs to several secondaries, one of which is silent.

use std::collections::HashSet;
use std::time::Instant;

use super::*;
use crate::transfer::notify::Notify;
use crate::wire::Name;
use crate::zone::Zone;

/// Zones of the hub: four times what it told in ten seconds if a silent secondary held up the others.
const ZONES: usize = 2000;

/// Serves the same version under any name.
struct ManyZones(Arc<Zone>);

impl Source for ManyZones {
    fn zone(&self, _: &Name) -> Option<Arc<Zone>> {
        Some(self.0.clone())
    }

    fn differences(&self, _: &Name, _: Serial, _: Serial) -> Option<Vec<Arc<crate::publish::Difference>>> {
        None
    }
}

/// A secondary that answers to each NOTIFY, or to none; what it was told of until `enough` says so.
fn told(socket: &UdpSocket, answers: bool, mut enough: impl FnMut(&Name) -> bool) {
    let mut buffer = [0; 2048];
    loop {
        let (octets, hub) = socket.recv_from(&mut buffer).expect("a NOTIFY within the bound");
        let notify = Notify::read(&buffer[..octets]).expect("a NOTIFY");
        if answers {
            socket.send_to(&notify.response(0), hub).expect("sent");
        }
        if enough(&notify.zone) {
            return;
        }
    }
}

/// Waits until the facts of a hub about its only target are so.
fn wait_facts(what: &str, hub: &Primary, holds: impl Fn(&TargetFacts) -> bool) {
    let target = || hub.targets().facts().and_then(|facts| facts.each.first().cloned());
    wait_until(what, BOUND, || target().is_some_and(|facts| holds(&facts)));
}

#[test]
fn what_a_target_makes_of_its_notifies_is_told() {
    let socket = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    socket.set_read_timeout(Some(BOUND)).unwrap();
    let target = |key: Option<&str>| Target { address: socket.local_addr().unwrap(), key: key.map(name) };
    let settings = PrimarySettings { listen: vec![], notify: vec![target(None)], ..settings(&[]) };
    let hub = Primary::start(settings.clone(), Arc::new(ManyZones(Arc::new(zone(5, [])))), None).unwrap();
    assert_eq!(hub.targets().facts(), Some(AllTargets::default()));
    assert!(hub.changed(name("a.example.")));
    let receive = || {
        let mut buffer = [0; 2048];
        let (octets, from) = socket.recv_from(&mut buffer).expect("a NOTIFY");
        (Notify::read(&buffer[..octets]).expect("a NOTIFY"), from)
    };
    let answer = |rcode| {
        let (notify, from) = receive();
        socket.send_to(&notify.response(rcode), from).expect("sent");
        notify.zone
    };
    // It is refused, and refused again after five seconds at the earliest.
    answer(9);
    wait_facts("the refusal", &hub, |facts| facts.counts.refused == 1 && facts.silent.is_none());
    let facts = hub.targets().facts().unwrap().each.remove(0);
    let refusing = facts.refusing.unwrap();
    assert_eq!((refusing.zones, refusing.first, facts.rcode), (1, name("a.example."), 9));
    let of = |zone: &str| {
        let of_zone = hub.targets().of(&name(zone)).into_iter();
        of_zone
            .map(|(address, refused, silent)| (address, refused.is_some(), silent.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!((of("a.example."), of("b.example.")), (vec![(target(None).address, true, false)], vec![]));
    // Another zone is taken, and a third is not answered; the NOTIFY of the first comes again.
    assert!(hub.changed(name("b.example.")));
    assert_eq!(answer(0), name("b.example."));
    wait_facts("one that is taken", &hub, |facts| facts.counts.taken == 1 && facts.silent.is_none());
    assert!(hub.changed(name("c.example.")));
    wait_facts("one that is not answered", &hub, |facts| {
        facts.counts.unanswered > 0 && facts.silent.is_some()
    });
    assert_eq!(of("c.example."), [(target(None).address, false, true)]);
    let (again, from) =
        std::iter::repeat_with(receive).find(|(it, _)| it.zone == name("a.example.")).unwrap();
    socket.send_to(&again.response(0), from).unwrap();
    wait_facts("the first is taken", &hub, |facts| facts.refusing.is_none());
    assert!(hub.targets().facts().unwrap().each.remove(0).silent.is_some());
    // A zone that is gone is forgotten, and so is a target that is not configured any more.
    assert!(hub.gone(name("c.example.")));
    wait_facts("the zone is gone", &hub, |facts| facts.silent.is_none());
    hub.reserve_change().unwrap().make(PrimarySettings { notify: vec![], ..settings });
    wait_until("the target is forgotten", BOUND, || {
        hub.targets().facts().is_some_and(|facts| facts.each.is_empty())
    });
}

#[test]
fn a_secondary_that_does_not_answer_holds_up_no_other() {
    let [live, silent] = [0, 1].map(|_| UdpSocket::bind((LOOPBACK, 0)).unwrap());
    live.set_read_timeout(Some(BOUND / 2)).unwrap();
    let target = |socket: &UdpSocket| Target { address: socket.local_addr().unwrap(), key: None };
    let settings =
        PrimarySettings { listen: vec![], notify: vec![target(&silent), target(&live)], ..settings(&[]) };
    let hub = Primary::start(settings, Arc::new(ManyZones(Arc::new(zone(5, [])))), None).unwrap();
    let name = |zone: usize| name(&format!("z{zone}.example."));
    (0..ZONES).for_each(|zone| assert!(hub.changed(name(zone))));
    let mut seen = HashSet::new();
    let begun = Instant::now();
    told(&live, true, |zone| {
        seen.insert(zone.clone());
        seen.len() == ZONES
    });
    assert!(begun.elapsed() < BOUND / 2, "{:?}", begun.elapsed());
    // One that is new is told of behind nothing, whatever still waits for the silent one.
    assert!(hub.changed(name(ZONES)));
    told(&live, true, |zone| *zone == name(ZONES));
    // A zone that is served no more is forgotten, and so is what waits of it.
    assert!(hub.gone(name(ZONES)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let known: HashSet<Name> = runtime.block_on(hub.notified()).into_iter().map(|(zone, _)| zone).collect();
    assert!(!known.contains(&name(ZONES)) && known.contains(&name(0)), "{}", known.len());
    // The silent one was sent some all the same.
    silent.set_read_timeout(Some(BOUND)).unwrap();
    told(&silent, false, |_| true);
}
