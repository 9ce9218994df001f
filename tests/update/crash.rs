//! `kill -9` while updates are acknowledged: none that was acknowledged is lost, and none is there by half.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::client::{Client, zone};
use crate::hub::{HUB, PORT, ZONE, hub};
use crate::support::anyns::BOUND;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::wait::wait_until;

/// How often it is killed.
const ROUNDS: u32 = 5;

#[test]
fn no_acknowledged_update_is_lost() {
    if !has_programs("kill -9 during updates", &["nsupdate", "dig"]) {
        return;
    }
    let (mut hub, _) = hub();
    let rounds = if is_full_run() { 60 } else { ROUNDS };
    let (next, mut acknowledged, mut unanswered) = (AtomicU32::new(0), Vec::new(), 0);
    let (space, server) = (hub.space.clone(), (HUB, PORT));
    let mut rng = fastrand::Rng::with_seed(13);
    for round in 0..rounds {
        hub.anyns.start(&hub.lab);
        wait_until("the zone is there", BOUND, || zone(&space, server).0.is_some());
        // What was acknowledged in earlier rounds is there, each update whole.
        let (serial, lines) = zone(&space, server);
        for number in &acknowledged {
            let count = lines.iter().filter(|line| line.starts_with(&format!("u{number}."))).count();
            assert_eq!(
                count,
                2,
                "round {round}: update {number} of {}; serial {serial:?}",
                acknowledged.len()
            );
        }
        let halves = (0..next.load(Ordering::SeqCst)).filter(|number| {
            lines.iter().filter(|line| line.starts_with(&format!("u{number}."))).count() == 1
        });
        assert_eq!(halves.count(), 0, "an update is there by half");
        let killed = AtomicBool::new(false);
        let least = acknowledged.len() + rng.usize(3..12);
        let done = AtomicU32::new(acknowledged.len() as u32);
        let outcomes = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut mine = Vec::new();
                        while !killed.load(Ordering::SeqCst) {
                            let number = next.fetch_add(1, Ordering::SeqCst);
                            let owner = format!("u{number}.{ZONE}.");
                            let both =
                                format!("update add {owner} 300 TXT a\nupdate add {owner} 300 A 192.0.2.1");
                            let said = Client::Nsupdate.send(&space, server, Some("hmac-sha256"), &both);
                            mine.push((number, said == "NOERROR"));
                            done.fetch_add(u32::from(said == "NOERROR"), Ordering::SeqCst);
                        }
                        mine
                    })
                })
                .collect();
            wait_until("some updates are acknowledged", BOUND, || {
                done.load(Ordering::SeqCst) as usize >= least
            });
            hub.anyns.kill();
            killed.store(true, Ordering::SeqCst);
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect::<Vec<_>>()
        });
        for (number, is_acknowledged) in outcomes {
            if is_acknowledged {
                acknowledged.push(number);
            } else {
                unanswered += 1;
            }
        }
    }
    println!(
        "{rounds} kills, {} updates acknowledged and there, {unanswered} not answered",
        acknowledged.len()
    );
}
