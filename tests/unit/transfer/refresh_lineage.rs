//! Primaries that have other content under one serial: no differences of one to the content of the other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::tests::{later, refresh, soa, start};
use super::*;
use crate::publish::{KeptGiver, KeptLineage, KeptStanding};

pub(super) const HOUR: f64 = 3600.0;

pub(super) fn ask(primaries: &[usize]) -> Option<Action> {
    Some(Action::AskSoa(primaries.to_vec()))
}

pub(super) fn ixfr(primary: usize, from: u32) -> Option<Action> {
    Some(Action::Transfer { primary, from: Some(Serial(from)), force: Force::No })
}

pub(super) fn axfr(primary: usize) -> Option<Action> {
    Some(Action::Transfer { primary, from: None, force: Force::No })
}

pub(super) fn forked(primary: usize) -> Option<Action> {
    Some(Action::Transfer { primary, from: None, force: Force::Forked })
}

pub(super) fn due(it: &Refresh, now: Now) -> Now {
    it.due().map_or(now, |due| later(now, due.saturating_duration_since(now.instant).as_secs_f64()))
}

/// The answers of a round that the timer begins; when it was.
pub(super) fn round(it: &mut Refresh, now: Now, serials: &[Option<u32>]) -> (Option<Action>, Now) {
    let now = due(it, now);
    assert!(it.wake(now).is_some(), "a round begins");
    let mut action = None;
    for (primary, serial) in serials.iter().enumerate() {
        action = it.answered(now, primary, serial.map(soa));
    }
    (action, now)
}

/// Primary 0 gave serial 5, and both have told it.
pub(super) fn given(now: Now) -> Refresh {
    let mut it = refresh(2, None, now);
    assert_eq!(round(&mut it, now, &[Some(5), None]).0, axfr(0));
    assert_eq!(it.transferred(now, Transferred::Served(soa(5))), None);
    assert_eq!(round(&mut it, now, &[Some(5), Some(5)]).0, None);
    it
}

/// The same, with what a comparison of primary 1 has found.
pub(super) fn compared(now: Now, found: Comparison) -> Refresh {
    let mut it = given(now);
    let of = it.comparison().expect("one is wanted");
    assert_eq!((of.primary, of.serial), (1, Serial(5)));
    it.compared(of, found, now);
    it
}

pub(super) fn contradiction(it: &Refresh, now: Now) -> Option<(Option<usize>, usize, u32)> {
    it.status(now).contradiction.map(|it| (it.giver, it.other, it.serial.0))
}

pub(super) fn addresses() -> [SocketAddr; 2] {
    ["192.0.2.1:53".parse().unwrap(), "192.0.2.2:53".parse().unwrap()]
}

/// After a restart, with these primaries.
pub(super) fn restarted(it: &Refresh, served: u32, now: Now, primaries: &[SocketAddr]) -> Refresh {
    let lineage = it.kept_lineage(&addresses());
    let saved = Saved { lineage, ..it.save(now) };
    let rng = fastrand::Rng::with_seed(1);
    let mut again =
        Refresh::new(Bounds::default(), primaries.len(), Some(soa(served)), Some(saved), now, rng);
    if let Some(lineage) = lineage {
        again.restore_lineage(lineage, primaries);
    }
    again
}

#[test]
fn a_newer_version_comes_as_differences_from_who_has_what_is_served_and_whole_from_any_other() {
    let now = start();
    let believed = |now: Now| refresh(2, Some(5), now);
    let parted_later = |now: Now| {
        let mut it = compared(now, Comparison::Same);
        // What was found of serial 5 says nothing of serial 6.
        assert_eq!(it.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
        it.transferred(now, Transferred::Served(soa(6)));
        it
    };
    let table: [(&str, Refresh, u32, bool); 7] = [
        ("nothing was kept", believed(now), 5, true),
        ("unknown", given(now), 5, false),
        ("same", compared(now, Comparison::Same), 5, true),
        ("other", compared(now, Comparison::Other), 5, false),
        ("moved", compared(now, Comparison::Moved), 5, false),
        ("failed", compared(now, Comparison::Failed), 5, false),
        ("same at the version before", parted_later(now), 6, false),
    ];
    for (name, it, served, is_trusted) in table {
        let next = served + 1;
        let from_other = if is_trusted { ixfr(1, served) } else { axfr(1) };
        // The other one alone has it, and the first one does not answer.
        let (action, _) = round(&mut it.clone(), now, &[None, Some(next)]);
        assert_eq!(action, from_other, "{name}: timer");
        let mut notified = it.clone();
        let action = notified.notified(Some(1), Some(Serial(next)));
        if is_trusted {
            assert_eq!(action, from_other, "{name}: NOTIFY");
        } else {
            assert_eq!(action, ask(&[1]), "{name}: NOTIFY");
            assert_eq!(notified.answered(now, 1, Some(soa(next))), ask(&[0]), "{name}: NOTIFY");
            assert_eq!(notified.answered(now, 0, None), from_other, "{name}: NOTIFY");
        }
        // Both have it: the first one, and the other one where that fails.
        let mut both = it.clone();
        let (action, at) = round(&mut both, now, &[Some(next), Some(next)]);
        assert_eq!(action, ixfr(0, served), "{name}: both");
        let action = both.transferred(at, Transferred::Unreachable);
        assert_eq!(action, from_other, "{name}: the first one fails");
        // After a restart.
        let mut again = restarted(&it, served, now, &addresses());
        let (action, _) = round(&mut again, now, &[None, Some(next)]);
        assert_eq!(action, from_other, "{name}: restart");
        let (action, _) = round(&mut restarted(&it, served, now, &addresses()), now, &[Some(next), None]);
        assert_eq!(action, ixfr(0, served), "{name}: restart");
    }
}

#[test]
fn of_equal_serials_the_primary_that_gave_what_is_served_is_preferred() {
    let now = start();
    let mut it = given(now);
    let (action, at) = round(&mut it, now, &[None, Some(6)]);
    assert_eq!(action, axfr(1));
    it.transferred(at, Transferred::Served(soa(6)));
    // Now it is the second one.
    assert_eq!(round(&mut it.clone(), at, &[Some(7), Some(7)]).0, ixfr(1, 6));
    assert_eq!(it.notified(Some(1), Some(Serial(7))), ixfr(1, 6));
    it.transferred(at, Transferred::Served(soa(7)));
    // Freshness counts more.
    let (action, at) = round(&mut it, at, &[Some(9), Some(8)]);
    assert_eq!(action, None, "the second one may have it in a moment");
    let (action, _) = round(&mut it, at, &[Some(9), Some(9)]);
    assert_eq!(action, ixfr(1, 7));
}

#[test]
fn a_primary_that_has_what_is_served_is_waited_for_a_little() {
    let now = start();
    // The NOTIFY of the standby comes first, and the hub gave what is served and has not the new version yet.
    let mut it = given(now);
    assert_eq!(it.notified(Some(1), Some(Serial(6))), ask(&[1]));
    assert_eq!(it.answered(now, 1, Some(soa(6))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(5))), None);
    assert_eq!(it.due(), Some(later(now, 5.0).instant));
    assert_eq!((it.status(now).failures, it.status(now).checked), (0, Some(now.wall)));
    // It has it then.
    let mut soon = it.clone();
    assert_eq!(soon.notified(Some(0), Some(Serial(6))), ixfr(0, 5));
    // It has it when it is asked again.
    assert_eq!(round(&mut it.clone(), now, &[Some(6), Some(6)]).0, ixfr(0, 5));
    // It has not, and newer ones of the other one do not make the pause longer.
    let mut never = it.clone();
    assert_eq!(never.notified(Some(1), Some(Serial(7))), ask(&[1]));
    let at = later(now, 2.0);
    never.answered(at, 1, Some(soa(7)));
    assert_eq!(never.answered(at, 0, Some(soa(5))), None);
    assert_eq!(never.due(), Some(later(now, 5.0).instant));
    let (action, at) = round(&mut never, now, &[Some(5), Some(7)]);
    assert_eq!(action, axfr(1));
    never.transferred(at, Transferred::Served(soa(7)));
    assert_eq!(never.notified(Some(1), Some(Serial(8))), ixfr(1, 7), "it is the one now");
    // One that does not answer at all is waited for no longer than its answer, or this time.
    let mut silent = given(now);
    let at = due(&silent, now);
    silent.wake(at);
    assert_eq!(silent.answered(at, 1, Some(soa(6))), None);
    assert_eq!(silent.due(), Some(later(at, 5.0).instant));
    assert_eq!(silent.clone().answered(at, 0, None), axfr(1));
    assert_eq!(silent.wake(later(at, 5.0)), axfr(1));
    let mut silent = given(now);
    silent.notified(Some(1), Some(Serial(6)));
    assert_eq!(silent.answered(now, 1, Some(soa(6))), ask(&[0]));
    assert_eq!(silent.wake(later(now, 4.9)), None);
    assert_eq!(silent.wake(later(now, 5.0)), axfr(1));
    // An order waits for nothing.
    let mut ordered = given(now);
    ordered.ordered(Order::Retransfer);
    ordered.answered(now, 0, Some(soa(5)));
    let whole = Action::Transfer { primary: 1, from: None, force: Force::Order };
    assert_eq!(ordered.answered(now, 1, Some(soa(6))), Some(whole));
}

#[test]
fn it_is_known_over_a_restart_and_over_other_primaries() {
    let now = start();
    let [hub, standby] = addresses();
    let new: SocketAddr = "192.0.2.9:53".parse().unwrap();
    let kept = |it: &Refresh| it.kept_lineage(&addresses());
    let giver = Some(KeptGiver { primary: hub, since: Serial(5), until: Serial(5) });
    let standing = |is_same| Some(KeptStanding { primary: standby, is_same, serial: Serial(5) });
    assert_eq!(kept(&refresh(2, Some(5), now)), None, "an older build kept nothing");
    assert_eq!(kept(&given(now)), Some(KeptLineage { giver, other: None }));
    assert_eq!(kept(&compared(now, Comparison::Same)), Some(KeptLineage { giver, other: standing(true) }));
    let parted = compared(now, Comparison::Other);
    assert_eq!(kept(&parted), Some(KeptLineage { giver, other: standing(false) }));
    assert_eq!(contradiction(&parted, now), Some((Some(0), 1, 5)));
    // The alarm is there at once after a restart, also where the list has another order.
    let swapped = restarted(&parted, 5, now, &[standby, hub]);
    assert_eq!(contradiction(&swapped, now), Some((Some(1), 0, 5)));
    assert_eq!(round(&mut swapped.clone(), now, &[Some(6), None]).0, axfr(0));
    assert_eq!(round(&mut swapped.clone(), now, &[Some(6), Some(6)]).0, ixfr(1, 5));
    // One of both is listed no more.
    let without = restarted(&parted, 5, now, &[hub, new]);
    assert_eq!(contradiction(&without, now), None);
    assert_eq!(round(&mut without.clone(), now, &[None, Some(6)]).0, axfr(1));
    let without = restarted(&parted, 5, now, &[new, standby]);
    assert_eq!(contradiction(&without, now), Some((None, 1, 5)));
    assert_eq!(round(&mut without.clone(), now, &[Some(6), None]).0, axfr(0));
    // What is served is newer than what was kept: another one may have given it, if there is another one.
    let same = compared(now, Comparison::Same);
    assert_eq!(round(&mut restarted(&same, 6, now, &addresses()), now, &[Some(7), None]).0, axfr(0));
    assert_eq!(round(&mut restarted(&same, 6, now, &[hub]), now, &[Some(7)]).0, ixfr(0, 6));
    assert_eq!(round(&mut restarted(&same, 6, now, &addresses()), now, &[None, Some(7)]).0, axfr(1));
    // It is older, because versions wait: it is from before the giver gave one.
    assert_eq!(round(&mut restarted(&same, 4, now, &addresses()), now, &[Some(6), None]).0, axfr(0));
    // A file was served, or nothing is known of who gave it.
    let mut other = given(now);
    other.serves(now, Some(soa(6)));
    assert_eq!(kept(&other), Some(KeptLineage::default()));
    assert_eq!(round(&mut other, now, &[Some(7), None]).0, axfr(0));
}

#[test]
fn two_primaries_with_other_content_under_one_serial_are_told_until_they_have_the_same() {
    let now = start();
    let mut it = compared(now, Comparison::Other);
    assert_eq!(contradiction(&it, now), Some((Some(0), 1, 5)));
    // Their serials go on, and what both have follows from other content.
    let (action, now) = round(&mut it, now, &[Some(6), Some(5)]);
    assert_eq!(action, ixfr(0, 5));
    it.transferred(now, Transferred::Served(soa(6)));
    assert_eq!(contradiction(&it, now), Some((Some(0), 1, 5)));
    assert_eq!(it.comparison(), None, "it has told 5, and 6 is served");
    let (_, now) = round(&mut it, now, &[Some(6), Some(6)]);
    // Soon, because the version that was compared is served no more.
    let of = it.comparison().unwrap();
    assert!(of.primary == 1 && of.at <= later(now, 60.0).instant);
    // A comparison that fails, or comes too late, ends nothing.
    for found in [Comparison::Failed, Comparison::Moved] {
        it.compared(of, found, now);
        assert_eq!(contradiction(&it, now), Some((Some(0), 1, 5)));
    }
    let stale = DueComparison { version: of.version - 1, ..of };
    it.compared(stale, Comparison::Same, now);
    assert_eq!(contradiction(&it, now), Some((Some(0), 1, 5)));
    // Once it has the same the alarm ends.
    let mut same = it.clone();
    same.compared(of, Comparison::Same, now);
    assert_eq!((contradiction(&same, now), same.comparison()), (None, None));
    assert_eq!(round(&mut same, now, &[None, Some(7)]).0, ixfr(1, 6));
    // The other one gives a version: then it is the first one that has other content, until that is known to follow.
    let (action, now) = round(&mut it, now, &[None, Some(7)]);
    assert_eq!(action, axfr(1));
    it.transferred(now, Transferred::Served(soa(7)));
    assert_eq!(contradiction(&it, now), Some((Some(1), 0, 5)));
    let (_, now) = round(&mut it, now, &[Some(7), Some(7)]);
    it.compared(it.comparison().unwrap(), Comparison::Same, now);
    assert_eq!(contradiction(&it, now), None);
    // Nothing is served any more, or no such primary is there.
    let mut gone = compared(start(), Comparison::Other);
    gone.serves(now, None);
    assert_eq!(contradiction(&gone, now), None);
    let mut gone = compared(start(), Comparison::Other);
    gone.change_primaries(1, now);
    assert_eq!(contradiction(&gone, now), None);
}

#[test]
fn a_version_that_is_in_service_before_its_transfer_has_ended_is_of_the_primary_that_gave_it() {
    let now = start();
    let begun = || {
        let mut it = compared(now, Comparison::Other);
        let (action, at) = round(&mut it, now, &[None, Some(6)]);
        assert_eq!(action, axfr(1));
        it.serves(at, Some(soa(6)));
        (it, at)
    };
    let (mut it, at) = begun();
    it.transferred(at, Transferred::Served(soa(6)));
    assert_eq!(contradiction(&it, at), Some((Some(1), 0, 5)));
    assert_eq!(round(&mut it.clone(), at, &[None, Some(7)]).0, ixfr(1, 6));
    assert_eq!(round(&mut it, at, &[Some(7), None]).0, axfr(0));
    // It was another one: nobody gave what is served.
    let (mut it, at) = begun();
    it.transferred(at, Transferred::Unreachable);
    for serials in [[Some(7), None], [None, Some(7)]] {
        let (action, _) = round(&mut it.clone(), at, &serials);
        assert!(action == axfr(0) || action == axfr(1), "{action:?}");
    }
}

#[test]
fn a_serial_that_went_backwards_is_not_forgotten_when_another_version_is_served_or_after_a_restart() {
    let now = start();
    let mut it = refresh(1, Some(5), now);
    let (action, now) = round(&mut it, now, &[Some(3)]);
    assert_eq!((action, it.save(now).forked), (None, Some(3)));
    it.serves(now, Some(soa(6)));
    assert_eq!(it.save(now).forked, Some(3));
    assert_eq!(round(&mut it, now, &[Some(7)]).0, forked(0));
    // Another primary confirms it, so that it is no alarm: after a restart no differences of the one that was put back are taken.
    let mut it = given(start());
    let (action, now) = round(&mut it, now, &[Some(3), Some(5)]);
    assert_eq!((action, it.save(now).forked), (None, None));
    assert_eq!(round(&mut restarted(&it, 5, now, &addresses()), now, &[Some(6), None]).0, axfr(0));
}

#[test]
fn several_servers_behind_one_address_cost_one_whole_transfer_in_each_refresh() {
    let begun = start();
    let mut it = refresh(1, Some(5), begun);
    let (mut now, mut serial, mut whole) = (begun, 5, Vec::new());
    while now.instant < later(begun, 4.0 * HOUR).instant {
        // One that lags answers, then one that does not, and the serial goes on.
        let served = it.status(now).serial.unwrap().0;
        round(&mut it, now, &[Some(served - 1)]);
        serial = served.max(serial) + 1;
        let (action, at) = round(&mut it, now, &[Some(serial)]);
        now = at;
        match action {
            None => assert!(it.status(now).behind.is_some(), "it is told"),
            action => {
                assert_eq!(action, forked(0), "never differences");
                it.transferred(now, Transferred::Served(soa(serial)));
                whole.push(now.instant);
            }
        }
        assert!(!it.is_expired(now));
    }
    let pauses: Vec<Duration> = whole.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(whole.len() >= 3 && pauses.iter().all(|pause| *pause >= Duration::from_secs(1000)), "{pauses:?}");
    // An order does not wait, and a NOTIFY changes nothing.
    let fall = |it: &mut Refresh| {
        let served = it.status(now).serial.unwrap().0;
        it.ordered(Order::Refresh);
        assert_eq!(it.answered(now, 0, Some(soa(served - 1))), None);
        served + 1
    };
    let next = fall(&mut it);
    it.ordered(Order::Refresh);
    assert_eq!(it.answered(now, 0, Some(soa(next))), forked(0));
    assert_eq!(it.transferred(now, Transferred::Served(soa(next))), None);
    it.notified(Some(0), None);
    assert_eq!(it.answered(now, 0, Some(soa(next - 1))), None);
    assert_eq!(it.notified(Some(0), Some(Serial(next + 1))), ask(&[0]));
    assert_eq!(it.answered(now, 0, Some(soa(next + 1))), None);
    let next = fall(&mut it);
    it.ordered(Order::Refresh);
    assert_eq!(it.answered(now, 0, Some(soa(next))), forked(0));
}

/// A server: which content it has, or had, under each serial.
#[derive(Clone, Debug, Default)]
struct Server {
    serial: u32,
    contents: HashMap<u32, u32>,
}

proptest! {
    /// Both servers are edited and follow each other in any order, and answer at any time. What comes as differences from one of them is always to what
    /// that one had.
    #[test]
    fn differences_are_never_to_other_content(steps in prop::collection::vec((0..9_u8, 0..2_usize, any::<bool>()), 1..300)) {
        let mut now = start();
        let mut servers = [Server::default(), Server::default()];
        let mut next_content = 0;
        for server in &mut servers {
            server.serial = 1;
            server.contents.insert(1, 0);
        }
        let mut it = refresh(2, None, now);
        let mut content = 0;
        for (step, which, flag) in steps {
            now = later(now, 1.0);
            let mut action = match step {
                // Somebody edits it there, or it follows the other one.
                0 | 1 => {
                    next_content += 1;
                    servers[which].serial += 1;
                    let serial = servers[which].serial;
                    servers[which].contents.insert(serial, next_content);
                    None
                }
                2 | 3 if servers[1 - which].serial > servers[which].serial => {
                    let other = servers[1 - which].clone();
                    servers[which].serial = other.serial;
                    servers[which].contents.insert(other.serial, other.contents[&other.serial]);
                    None
                }
                4 => {
                    let of = it.comparison();
                    if let Some(of) = of {
                        let server = &servers[of.primary];
                        let found = match (server.serial == of.serial.0, server.contents[&server.serial] == content) {
                            (true, true) => Comparison::Same,
                            (true, false) => Comparison::Other,
                            _ => Comparison::Moved,
                        };
                        it.compared(of, found, now);
                    }
                    None
                }
                5 => {
                    let lineage = it.kept_lineage(&addresses());
                    match it.status(now).serial {
                        Some(_) if lineage.is_some() => {
                            let serial = it.status(now).serial.unwrap().0;
                            it = restarted(&it, serial, now, &addresses());
                            None
                        }
                        _ => None,
                    }
                }
                6 => {
                    now = due(&it, now);
                    it.wake(now)
                }
                7 => it.notified(Some(which), flag.then_some(Serial(servers[which].serial))),
                _ => {
                    now = due(&it, now);
                    it.wake(now)
                }
            };
            while let Some(todo) = action.take() {
                action = match todo {
                    Action::AskSoa(primaries) => {
                        let mut last = None;
                        for primary in primaries {
                            let is_silent = primary == which && flag && step == 8;
                            let told = (!is_silent).then(|| soa(servers[primary].serial));
                            last = last.or(it.answered(now, primary, told));
                        }
                        last
                    }
                    Action::Transfer { primary, from, .. } => {
                        let server = &servers[primary];
                        let end = match from {
                            Some(from) if server.serial == from.0 => Transferred::NotNewer(soa(server.serial)),
                            Some(from) if !server.contents.contains_key(&from.0) => Transferred::AskWhole,
                            from => {
                                if let Some(from) = from {
                                    prop_assert_eq!(server.contents[&from.0], content, "a mixture");
                                }
                                if it.status(now).serial.is_none_or(|served| server.serial > served.0) {
                                    content = server.contents[&server.serial];
                                    Transferred::Served(soa(server.serial))
                                } else {
                                    Transferred::NotNewer(soa(server.serial))
                                }
                            }
                        };
                        it.transferred(now, end)
                    }
                };
            }
        }
    }
}
