//! Messages that fit each other, faults by name, and the pauses.

use super::*;
use crate::wire::{Name, RecordType, Serial};
use std::time::{Duration, Instant};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    [&b"\x02ns\x07example\0\0"[..], &serial.to_be_bytes(), &[0; 16]].concat()
}

#[test]
fn a_request_is_read_and_its_response_is_too() {
    let message = request(7, &name("Example."), (60, &soa(9)));
    let notify = Notify::read(&message).unwrap();
    assert_eq!(notify, Notify { id: 7, zone: name("example."), hint: Some(Serial(9)), edns_version: None });
    let response = notify.response(0);
    assert_eq!((read_answer(&response, 7), read_answer(&response, 8)), (Some(0), None));
    assert_eq!(read_answer(&notify.response(5), 7), Some(5));
    assert_eq!((read_answer(&message, 7), read_answer(&response[..11], 7)), (None, None));
    assert!(response.windows(8).any(|window| window == b"\x07Example"), "in the case it came in");
}

#[test]
fn a_response_has_an_opt_record_where_the_request_has_one() {
    let mut message = request(7, &name("example."), (60, &soa(9)));
    assert_eq!(Notify::read(&message).unwrap().response(5).len(), 12 + 9 + 4);
    message[11] = 1;
    message.extend([0, 0, 41, 4, 208, 0, 1, 0, 0, 0, 0]);
    let notify = Notify::read(&message).unwrap();
    assert_eq!((notify.edns_version, notify.hint), (Some(1), Some(Serial(9))));
    let response = hickory_proto::op::Message::from_vec(&notify.response(16)).unwrap();
    assert_eq!((response.metadata.response_code.into(), response.edns.is_some()), (16_u16, true));
}

#[test]
fn what_is_no_notify_has_a_name() {
    let good = request(7, &name("example."), (60, &soa(9)));
    let read = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = good.clone();
        change(&mut message);
        Notify::read(&message)
    };
    assert_eq!(read(&|it| it[2] = 0), Err(NotifyFault::NotNotify));
    assert_eq!(read(&|it| it[2] |= 0x80), Err(NotifyFault::NotNotify));
    assert_eq!(read(&|it| it.truncate(11)), Err(NotifyFault::NotNotify));
    assert_eq!(read(&|it| it[5] = 0), Err(NotifyFault::BadQuestion));
    assert_eq!(read(&|it| it.truncate(14)), Err(NotifyFault::BadQuestion));
    assert_eq!(read(&|it| it[22] = 1), Err(NotifyFault::OtherType(RecordType::A)));
    assert_eq!(NotifyFault::OtherType(RecordType::A).rcode(), Some(4));
    // A hint that cannot be read is none.
    for change in
        [&|it: &mut Vec<u8>| it[7] = 0, &|it: &mut Vec<u8>| it.truncate(40), &|it: &mut Vec<u8>| it[28] = 1]
            as [&dyn Fn(&mut Vec<u8>); 3]
    {
        assert_eq!(read(change).unwrap().hint, None);
    }
}

#[test]
fn a_list_allows_by_prefix_and_key() {
    let entry = |prefix: &str, keys: &[&str]| AllowedSource {
        prefix: prefix.parse().unwrap(),
        keys: keys.iter().map(|key| name(key)).collect(),
        encrypted: prefix == "2001:db8:1::/48",
    };
    let list = Allowed(vec![entry("192.0.2.0/24", &["old.", "new."]), entry("2001:db8::/32", &[])]);
    let allows =
        |source: &str, key: Option<&str>| list.allows(source.parse().unwrap(), key.map(name).as_ref(), false);
    assert!(allows("192.0.2.1", Some("old.")) && allows("192.0.2.1", Some("new.")));
    assert!(!allows("192.0.2.1", None) && !allows("192.0.2.1", Some("other.")));
    assert!(allows("::ffff:192.0.2.1", Some("old.")));
    assert!(allows("2001:db8::1", None) && allows("2001:db8::1", Some("other.")));
    assert!(!allows("198.51.100.1", Some("old.")));
    assert!(!Allowed::default().allows("192.0.2.1".parse().unwrap(), None, false));
    let encrypted = Allowed(vec![entry("2001:db8:1::/48", &[])]);
    let over_tls = |is_encrypted| encrypted.allows("2001:db8:1::1".parse().unwrap(), None, is_encrypted);
    assert!(over_tls(true) && !over_tls(false));
}

fn notifier(now: Instant, targets: u8) -> Notifier {
    let target = |last| Target { address: ([192, 0, 2, last], 53).into(), key: None };
    Notifier::new((0..targets).map(target).collect(), Pauses::default(), now, fastrand::Rng::with_seed(1))
}

/// What is sent now, by targets that all have a slot.
fn sends(it: &mut Notifier, now: Instant) -> Vec<Send> {
    let (mut slots, mut due) = (TargetSlots::new(100), Vec::new());
    let given_up = it.wake(now, |one| {
        due.push(one.target);
        slots.wait(one.address, (&name("example."), one.target), one.is_again)
    });
    let is_given_up =
        |address| it.status().any(|one| one.target.address == address && one.given_up.is_some());
    assert!(given_up.into_iter().all(is_given_up));
    let sent: Vec<Send> = due.into_iter().filter_map(|target| it.send(target, now)).collect();
    sent.iter().for_each(|one| it.left(one.target, now));
    sent
}

#[test]
fn each_target_is_told_until_it_answers_and_then_given_up() {
    let mut now = Instant::now();
    let mut it = notifier(now, 2);
    assert_eq!((it.due(), sends(&mut it, now)), (None, vec![]));
    it.changed(|_| Some(Serial(5)), now);
    let first = sends(&mut it, now);
    assert_eq!(
        first.iter().map(|send| (send.target, send.serial)).collect::<Vec<_>>(),
        [(0, Serial(5)), (1, Serial(5))]
    );
    it.answered(0, (first[0].id, 0), now);
    let mut waits = Vec::new();
    while waits.len() < 10 {
        let due = it.due().unwrap();
        waits.push((due - now).as_secs());
        now = due;
        let again = sends(&mut it, now);
        assert!(again.iter().all(|send| send.target == 1));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    let status: Vec<_> = it.status().cloned().collect();
    assert_eq!((status[0].acknowledged, status[1].given_up), (Some(Serial(5)), Some(Serial(5))));
}

/// Sends to one target that does not answer until it is given up; the time of that.
fn told_in_vain(it: &mut Notifier, mut now: Instant) -> Instant {
    it.changed(|_| Some(Serial(5)), now);
    while it.status().next().unwrap().given_up.is_none() {
        sends(it, now);
        now = it.due().filter(|_| it.status().next().unwrap().given_up.is_none()).unwrap_or(now);
    }
    now
}

#[test]
fn a_target_that_was_told_in_vain_is_told_once_more_again_and_again_until_it_answers() {
    let start = Instant::now();
    let mut it = notifier(start, 1);
    let mut now = told_in_vain(&mut it, start);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let due = it.due().unwrap();
        waits.push((due - now).as_secs());
        now = due;
        assert_eq!(sends(&mut it, now).len(), 1, "one alone");
        now = it.due().unwrap();
        assert_eq!(sends(&mut it, now), vec![]);
        assert_eq!(it.status().next().unwrap().unanswered, Some(start));
    }
    assert_eq!(waits, [300, 600, 1200, 2400, 3600, 3600]);
    now = it.due().unwrap();
    let last = sends(&mut it, now)[0];
    assert!(it.answered(0, (last.id, 0), now));
    let status = it.status().next().unwrap().clone();
    assert_eq!((status.unanswered, status.acknowledged, it.due()), (None, Some(Serial(5)), None));
}

#[test]
fn a_target_that_answers_again_is_told_at_once_of_what_it_was_told_in_vain() {
    let start = Instant::now();
    let mut it = notifier(start, 1);
    let now = told_in_vain(&mut it, start);
    it.told_again(([192, 0, 2, 9], 53).into(), now);
    assert!(it.due().unwrap() > now, "another target");
    it.told_again(([192, 0, 2, 0], 53).into(), now);
    assert_eq!(it.due(), Some(now));
    let send = sends(&mut it, now)[0];
    assert_eq!((send.serial, send.pause), (Serial(5), Duration::from_secs(1)));
    assert!(it.answered(0, (send.id, 0), now));
    it.told_again(([192, 0, 2, 0], 53).into(), now);
    assert_eq!((it.due(), it.status().next().unwrap().unanswered), (None, None));
}

#[test]
fn a_target_that_answers_only_after_the_zone_has_changed_again_is_not_silent() {
    let start = Instant::now();
    let mut it = notifier(start, 1);
    let at = |serial: u32| start + Duration::from_millis(100 * u64::from(serial));
    it.changed(|_| Some(Serial(1)), at(1));
    let mut last = sends(&mut it, at(1))[0];
    // It refused the first.
    assert!(it.answered(0, (last.id, 5), at(1)));
    for serial in 2..1000 {
        it.changed(|_| Some(Serial(serial)), at(serial));
        let next = sends(&mut it, at(serial))[0];
        assert!(!it.answered(0, (last.id, 0), at(serial)));
        last = next;
        let status = it.status().next().unwrap();
        assert_eq!((status.unanswered, status.refused), (Some(at(serial)), None));
        assert_eq!((status.acknowledged, status.pending), (None, Some((Serial(serial), 1))));
    }
    // One that has not been sent yet is not without an answer.
    it.changed(|_| Some(Serial(1000)), at(1000));
    assert!(!it.answered(0, (last.id, 0), at(1000)));
    assert_eq!(it.status().next().unwrap().unanswered, None);
}

#[test]
fn a_newer_serial_takes_the_place_of_an_older_one_and_old_answers_do_not_count() {
    let now = Instant::now();
    let mut it = notifier(now, 1);
    it.changed(|_| Some(Serial(5)), now);
    let old = sends(&mut it, now)[0];
    it.changed(|_| Some(Serial(6)), now);
    assert!(!it.answered(0, (old.id, 0), now));
    assert_eq!(it.status().next().unwrap().pending, Some((Serial(6), 0)));
    let new = sends(&mut it, now)[0];
    assert!(!it.answered(0, (old.id, 0), now) && !it.answered(9, (new.id, 0), now));
    // SERVFAIL passes; it is told again.
    assert!(it.answered(0, (new.id, 2), now));
    assert_eq!(it.due(), Some(now + Duration::from_secs(1)));
}

#[test]
fn a_refused_notify_is_sent_again_until_the_target_takes_it() {
    let start = Instant::now();
    let (mut it, mut now) = (notifier(start, 1), start);
    it.changed(|_| Some(Serial(5)), now);
    let mut waits = Vec::new();
    loop {
        let send = sends(&mut it, now)[0];
        assert_eq!(it.status().next().unwrap().unanswered, Some(now));
        assert!(it.answered(0, (send.id, 5), now));
        if waits.len() == 7 {
            break;
        }
        let due = it.due().unwrap();
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [5, 30, 300, 600, 1200, 2400, 3600], "a catalog may bring the zone meanwhile");
    let status = it.status().next().unwrap().clone();
    assert_eq!((status.pending, status.acknowledged, status.unanswered), (None, None, None));
    assert_eq!(status.refused, Some((5, start)));
    // Another serial is told of at once; the refusal stands while nothing comes back, and ends when the target takes it.
    now += Duration::from_secs(100);
    it.changed(|_| Some(Serial(6)), now);
    sends(&mut it, now);
    let again = sends(&mut it, now + Duration::from_secs(1))[0];
    let status = it.status().next().unwrap().clone();
    assert_eq!((status.refused, status.unanswered), (Some((5, start)), Some(now)));
    assert!(it.answered(0, (again.id, 0), now));
    let status = it.status().next().unwrap().clone();
    assert_eq!((status.refused, status.unanswered, status.acknowledged), (None, None, Some(Serial(6))));
}

#[test]
fn each_target_is_told_of_the_serial_that_it_may_have_and_of_each_once() {
    let now = Instant::now();
    let mut it = notifier(now, 3);
    // The last of them may have no version.
    let serials = |first: u32, second: u32| {
        move |target: &Target| match target.address.ip().to_string().as_str() {
            "192.0.2.0" => Some(Serial(first)),
            "192.0.2.1" => Some(Serial(second)),
            _ => None,
        }
    };
    let told = |it: &mut Notifier| -> Vec<(usize, u32)> {
        sends(it, now).iter().map(|send| (send.target, send.serial.0)).collect()
    };
    it.changed(serials(5, 4), now);
    assert_eq!(told(&mut it), [(0, 5), (1, 4)]);
    it.changed(serials(6, 4), now);
    assert_eq!(told(&mut it), [(0, 6)]);
    it.changed(serials(6, 6), now);
    assert_eq!(told(&mut it), [(1, 6)]);
    it.changed(serials(6, 6), now);
    assert_eq!(told(&mut it), []);
    it.changed(|_| Some(Serial(6)), now);
    assert_eq!(told(&mut it), [(2, 6)]);
}

#[test]
fn a_target_that_waits_for_a_slot_with_an_old_serial_waits_for_the_new_one_before_the_repetitions() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let (mut it, mut slots) = (notifier(now, 1), TargetSlots::new(100));
    let mut wake = |it: &mut Notifier, now| {
        let mut seen = Vec::new();
        it.wake(now, |one| {
            seen.push((one.is_again, one.withdrawn.is_some()));
            slots.wait(one.address, (&name("example."), one.target), one.is_again)
        });
        seen
    };
    it.changed(|_| Some(Serial(5)), now);
    assert_eq!(wake(&mut it, now), [(false, false)]);
    // Another serial takes the same place.
    it.changed(|_| Some(Serial(6)), now);
    assert_eq!((it.due(), wake(&mut it, now)), (None, vec![]));
    assert_eq!(
        it.send(0, now).map(|send| (send.serial, send.pause)),
        Some((Serial(6), Duration::from_secs(1)))
    );
    assert_eq!(it.send(0, now), None, "it has no slot twice");
    assert_eq!(wake(&mut it, later), [(true, false)]);
    it.changed(|_| Some(Serial(7)), later);
    assert_eq!(wake(&mut it, later), [(false, true)]);
    assert_eq!((it.queued().count(), it.send(0, later).map(|send| send.serial)), (1, Some(Serial(7))));
    assert_eq!(it.queued().count(), 0);
}
