use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const RATE: u32 = 10;
const BURST: u32 = 3;

fn settings() -> Settings {
    Settings {
        queries_per_second: NonZeroU32::new(RATE).unwrap(),
        burst: NonZeroU32::new(BURST).unwrap(),
        slip: 0,
        ..Settings::default()
    }
}

fn limiter(settings: &Settings, start: Instant) -> Limiter {
    Limiter::new(settings, start).unwrap().unwrap()
}

fn verdicts(limiter: &Limiter, source: &str, now: Instant, count: usize) -> Vec<Verdict> {
    let source = source.parse().unwrap();
    (0..count).map(|_| limiter.check(source, now)).collect()
}

#[test]
fn a_burst_passes_then_the_rate() {
    let start = Instant::now();
    let limiter = limiter(&settings(), start);
    use Verdict::{Answer, Drop};
    assert_eq!(verdicts(&limiter, "192.0.2.1", start, 4), [Answer, Answer, Answer, Drop]);
    let later = start + Duration::from_millis(100);
    assert_eq!(verdicts(&limiter, "192.0.2.1", later, 2), [Answer, Drop]);
    let much_later = start + Duration::from_secs(60);
    assert_eq!(verdicts(&limiter, "192.0.2.1", much_later, 4), [Answer, Answer, Answer, Drop]);
}

#[test]
fn a_prefix_is_counted_together_and_its_neighbour_apart() {
    let start = Instant::now();
    for (spent, same, other) in [
        ("192.0.2.1", "192.0.2.255", "192.0.3.1"),
        ("::ffff:192.0.2.1", "192.0.2.7", "192.0.1.255"),
        ("2001:db8:0:ff::1", "2001:db8::2", "2001:db8:0:100::1"),
    ] {
        let limiter = limiter(&settings(), start);
        verdicts(&limiter, spent, start, BURST as usize);
        assert_eq!(verdicts(&limiter, same, start, 1), [Verdict::Drop], "{spent} {same}");
        assert_eq!(verdicts(&limiter, other, start, 1), [Verdict::Answer], "{spent} {other}");
    }
}

#[test]
fn prefix_lengths_reach_from_none_to_the_whole_address() {
    let start = Instant::now();
    for (v4, v6, same) in [(0, 0, true), (32, 128, false)] {
        let settings = Settings { ipv4_prefix_length: v4, ipv6_prefix_length: v6, ..settings() };
        for (spent, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
            let limiter = limiter(&settings, start);
            verdicts(&limiter, spent, start, BURST as usize);
            assert_eq!(verdicts(&limiter, other, start, 1)[0] == Verdict::Drop, same, "{other}");
        }
    }
}

#[test]
fn every_nth_refusal_slips() {
    use Verdict::{Drop, Slip};
    let start = Instant::now();
    for (slip, expected) in [
        (0, [Drop, Drop, Drop, Drop, Drop, Drop]),
        (1, [Slip, Slip, Slip, Slip, Slip, Slip]),
        (2, [Drop, Slip, Drop, Slip, Drop, Slip]),
        (3, [Drop, Drop, Slip, Drop, Drop, Slip]),
    ] {
        let limiter = limiter(&Settings { slip, ..settings() }, start);
        verdicts(&limiter, "192.0.2.1", start, BURST as usize);
        assert_eq!(verdicts(&limiter, "192.0.2.1", start, 6), expected, "slip {slip}");
    }
}

#[test]
fn exempt_sources_have_no_limit() {
    let start = Instant::now();
    let exempt = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let limiter = limiter(&Settings { exempt, ..settings() }, start);
    for (source, free) in [
        ("192.0.2.200", true),
        ("::ffff:192.0.2.1", true),
        ("2001:db8:ffff::1", true),
        ("192.0.3.0", false),
        ("2001:db9::", false),
    ] {
        let answered = verdicts(&limiter, source, start, 100).iter().all(|it| *it == Verdict::Answer);
        assert_eq!(answered, free, "{source}");
    }
}

#[test]
fn a_dry_run_only_counts_and_off_is_no_limiter() {
    let start = Instant::now();
    let dry = limiter(&Settings { mode: Mode::DryRun, slip: 1, ..settings() }, start);
    verdicts(&dry, "192.0.2.1", start, BURST as usize);
    assert_eq!(verdicts(&dry, "192.0.2.1", start, 1), [Verdict::WouldLimit]);
    assert!(Limiter::new(&Settings { mode: Mode::Off, ..settings() }, start).unwrap().is_none());
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let start = Instant::now();
    for (wrong, error) in [
        (Settings { ipv4_prefix_length: 33, ..settings() }, SettingsError::Ipv4PrefixLength(33)),
        (Settings { ipv6_prefix_length: 129, ..settings() }, SettingsError::Ipv6PrefixLength(129)),
        (Settings { table_slots: 1023, ..settings() }, SettingsError::TableSlots(1023)),
        (Settings { table_slots: (1 << 26) + 1, ..settings() }, SettingsError::TableSlots((1 << 26) + 1)),
        (Settings { exempt: vec![IpNet::default(); 65], ..settings() }, SettingsError::Exempt(65)),
    ] {
        assert_eq!(Limiter::new(&wrong, start).unwrap_err(), error);
    }
}

#[test]
fn a_flood_of_spoofed_sources_takes_no_more_memory_and_hurts_no_stranger() {
    let start = Instant::now();
    let limiter = limiter(&Settings::default(), start);
    let memory = limiter.memory();
    assert_eq!(memory, (1 << 17) * 20);
    // A million prefixes, ten queries each, within a tenth of a second.
    let mut now = start;
    for turn in 0..10u32 {
        now += Duration::from_millis(10);
        for prefix in 0..1_000_000u32 {
            limiter.check(Ipv4Addr::from((prefix << 8) | turn).into(), now);
        }
    }
    assert_eq!(limiter.memory(), memory);
    let stranger = "2001:db8::53".parse().unwrap();
    assert!((0..100).all(|_| limiter.check(stranger, now) == Verdict::Answer));
}

#[test]
fn sharing_one_slot_with_a_flood_refuses_nobody() {
    let table = Table::new(1024);
    let quota = Quota::per_second(NonZeroU32::MIN).allow_burst(NonZeroU32::MIN);
    NOW.set(0);
    let cells: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> = RateLimiter::new(quota, table, CallersClock);
    let flood = Place::new((7 << 32) | 3, 1024);
    assert!(cells.check_key(&flood).is_ok());
    assert!((0..100).all(|_| cells.check_key(&flood).is_err()));
    assert!(cells.check_key(&Place::new((8 << 32) | 3, 1024)).is_ok(), "shares the first slot");
    assert!(cells.check_key(&Place::new((7 << 32) | 4, 1024)).is_ok(), "shares the second slot");
    assert!(cells.check_key(&flood).is_err());
}

/// The exact model: the theoretical arrival time of each prefix, in a map that grows without bound.
#[derive(Default)]
struct Model {
    arrivals: HashMap<IpAddr, u64>,
}

impl Model {
    fn answers(&mut self, source: IpAddr, now: u64) -> bool {
        let interval = 1_000_000_000 / u64::from(RATE);
        let tolerance = interval * u64::from(BURST - 1);
        let arrival = self.arrivals.entry(source).or_insert(now);
        let answers = now >= arrival.saturating_sub(tolerance);
        if answers {
            *arrival = (*arrival).max(now) + interval;
        }
        answers
    }
}

proptest! {
    #[test]
    fn without_collisions_it_is_the_exact_model(
        steps in prop::collection::vec((0u32..4, 0u64..400_000_000), 1..200),
    ) {
        let start = Instant::now();
        let mut limiter = limiter(&settings(), start);
        // A seed under which the four prefixes share no slot pair: with 2^17 slots nearly every one is.
        let source = |number: u32| IpAddr::from(Ipv4Addr::from(0xc000_0200 + (number << 8)));
        let apart = |limiter: &Limiter| {
            let places: Vec<Place> = (0..4)
                .map(|number| Place::new(limiter.seed.hash_one(limiter.key(source(number))), 1 << 17))
                .collect();
            places.iter().enumerate().all(|(index, place)| !places[..index].iter().any(|it| it.collides(place)))
        };
        while !apart(&limiter) {
            limiter.seed = RandomState::new();
        }
        let mut model = Model::default();
        let mut now = 0;
        for (number, wait) in steps {
            now += wait;
            let answered = limiter.check(source(number), start + Duration::from_nanos(now)) == Verdict::Answer;
            prop_assert_eq!(answered, model.answers(source(number), now));
        }
    }
}
