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
