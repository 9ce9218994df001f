use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;

use std::net::Ipv4Addr;

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

fn shared(settings: &Settings, start: Instant) -> Arc<Limiter> {
    Arc::new(Limiter::new(settings, start).unwrap().unwrap())
}

fn limiter(settings: &Settings, start: Instant) -> WorkerLimiter {
    shared(settings, start).worker(1)
}

fn verdicts(limiter: &mut WorkerLimiter, source: &str, now: Instant, count: usize) -> Vec<Admission> {
    let source = source.parse().unwrap();
    limiter.set_time(now);
    (0..count).map(|_| limiter.check(source)).collect()
}

#[test]
fn a_burst_passes_then_the_rate() {
    let start = Instant::now();
    let mut limiter = limiter(&settings(), start);
    use Admission::{Answer, Drop};
    assert_eq!(verdicts(&mut limiter, "192.0.2.1", start, 4), [Answer, Answer, Answer, Drop]);
    let later = start + Duration::from_millis(100);
    assert_eq!(verdicts(&mut limiter, "192.0.2.1", later, 2), [Answer, Drop]);
    let much_later = start + Duration::from_secs(60);
    assert_eq!(verdicts(&mut limiter, "192.0.2.1", much_later, 4), [Answer, Answer, Answer, Drop]);
}

#[test]
fn a_prefix_is_counted_together_and_its_neighbor_apart() {
    let start = Instant::now();
    for (spent, same, other) in [
        ("192.0.2.1", "192.0.2.255", "192.0.3.1"),
        ("::ffff:192.0.2.1", "192.0.2.7", "192.0.1.255"),
        ("2001:db8:0:ff::1", "2001:db8::2", "2001:db8:0:100::1"),
    ] {
        let mut limiter = limiter(&settings(), start);
        verdicts(&mut limiter, spent, start, BURST as usize);
        assert_eq!(verdicts(&mut limiter, same, start, 1), [Admission::Drop], "{spent} {same}");
        assert_eq!(verdicts(&mut limiter, other, start, 1), [Admission::Answer], "{spent} {other}");
    }
}

#[test]
fn prefix_lengths_reach_from_none_to_the_whole_address() {
    let start = Instant::now();
    for (v4, v6, same) in [(0, 0, true), (32, 128, false)] {
        let settings = Settings { ipv4_prefix_length: v4, ipv6_prefix_length: v6, ..settings() };
        for (spent, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
            let mut limiter = limiter(&settings, start);
            verdicts(&mut limiter, spent, start, BURST as usize);
            assert_eq!(verdicts(&mut limiter, other, start, 1)[0] == Admission::Drop, same, "{other}");
        }
    }
}

#[test]
fn every_nth_refusal_slips() {
    use Admission::{Drop, Slip};
    let start = Instant::now();
    for (slip, expected) in [
        (0, [Drop, Drop, Drop, Drop, Drop, Drop]),
        (1, [Slip, Slip, Slip, Slip, Slip, Slip]),
        (2, [Drop, Slip, Drop, Slip, Drop, Slip]),
        (3, [Drop, Drop, Slip, Drop, Drop, Slip]),
    ] {
        let mut limiter = limiter(&Settings { slip, ..settings() }, start);
        verdicts(&mut limiter, "192.0.2.1", start, BURST as usize);
        assert_eq!(verdicts(&mut limiter, "192.0.2.1", start, 6), expected, "slip {slip}");
    }
}

#[test]
fn exempt_sources_have_no_limit() {
    let start = Instant::now();
    let exempt = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let mut limiter = limiter(&Settings { exempt, ..settings() }, start);
    for (source, free) in [
        ("192.0.2.200", true),
        ("::ffff:192.0.2.1", true),
        ("2001:db8:ffff::1", true),
        ("192.0.3.0", false),
        ("2001:db9::", false),
    ] {
        let answered = verdicts(&mut limiter, source, start, 100).iter().all(|it| *it == Admission::Answer);
        assert_eq!(answered, free, "{source}");
    }
}

#[test]
fn a_dry_run_only_counts_and_off_is_no_limiter() {
    let start = Instant::now();
    let mut dry = limiter(&Settings { mode: Mode::DryRun, slip: 1, ..settings() }, start);
    verdicts(&mut dry, "192.0.2.1", start, BURST as usize);
    assert_eq!(verdicts(&mut dry, "192.0.2.1", start, 1), [Admission::WouldLimit]);
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
    let mut limiter = limiter(&Settings::default(), start);
    assert_eq!(limiter.shared.memory(2), (1 << 17) * 16 + 2 * (1 << 12) * 32);
    // A million prefixes, ten queries each, within a tenth of a second.
    let mut now = start;
    for turn in 0..10u32 {
        now += Duration::from_millis(10);
        limiter.set_time(now);
        for prefix in 0..1_000_000u32 {
            limiter.check(Ipv4Addr::from((prefix << 8) | turn).into());
        }
    }
    let stranger = "2001:db8::53".parse().unwrap();
    assert!((0..100).all(|_| limiter.check(stranger) == Admission::Answer));
}

#[test]
fn sharing_one_cell_with_a_flood_refuses_nobody() {
    let taker = Table::new(1024).taker(Quota::per_second(NonZeroU32::MIN));
    let flood = Place::new((7 << 32) | 3, 1024);
    let take = |place| taker.take(place, NonZeroU32::MIN);
    assert!(take(flood).is_ok());
    assert!((0..100).all(|_| take(flood) == Err(1_000_000_000)));
    assert!(take(Place::new((8 << 32) | 3, 1024)).is_ok(), "shares the first cell");
    assert!(take(Place::new((7 << 32) | 4, 1024)).is_ok(), "shares the second cell");
    assert!(take(flood).is_err());
}

#[test]
fn several_are_taken_together_or_not_at_all() {
    let number = |number| NonZeroU32::new(number).unwrap();
    let table = Table::new(1024);
    let quota = Quota::per_second(number(10)).allow_burst(number(8));
    let (mut one, mut other) = (table.taker(quota), table.taker(quota));
    let place = Place::new(1, 1024);
    assert_eq!(one.take(place, number(9)), Err(0), "more than the burst, never together");
    assert_eq!(one.take(place, number(5)), Ok(()));
    assert_eq!(other.take(place, number(4)), Err(100_000_000));
    assert_eq!(other.take(place, number(3)), Ok(()));
    assert_eq!(one.take(place, number(1)), Err(100_000_000));
    other.set_time(100_000_000);
    assert_eq!(other.take(place, number(1)), Ok(()));
    one.set_time(u64::MAX);
    assert_eq!([one.take(place, number(8)), one.take(place, number(1))].map(|it| it.is_ok()), [true, false]);
}

/// What all workers answer of one source within a second, asked in turn, each so often a millisecond.
fn answered(limiters: &mut [WorkerLimiter], start: Instant, each_millisecond: usize) -> usize {
    let source = "192.0.2.1".parse().unwrap();
    let mut answered = 0;
    for millisecond in 0..1000 {
        for limiter in &mut *limiters {
            limiter.set_time(start + Duration::from_millis(millisecond));
            let answers = (0..each_millisecond).filter(|_| limiter.check(source) == Admission::Answer);
            answered += answers.count();
        }
    }
    answered
}

#[test]
fn all_workers_together_keep_the_rate_and_the_burst() {
    let start = Instant::now();
    let (rate, burst) = (1000, 2000);
    for workers in [1, 2, 7, 64, 256] {
        let shared = shared(&Settings::default(), start);
        let mut limiters: Vec<WorkerLimiter> = (0..workers).map(|_| shared.worker(workers)).collect();
        let first = answered(&mut limiters, start, 10);
        assert!((burst + rate - burst / 8..=burst + rate).contains(&first), "{workers} workers: {first}");
        let second = answered(&mut limiters, start + Duration::from_secs(1), 10);
        assert!((rate - 1..=rate + burst / 8 + 1).contains(&second), "{workers} workers: {second}");
    }
}

#[test]
fn a_source_that_asks_one_worker_only_has_the_whole_limit() {
    let start = Instant::now();
    let shared = shared(&Settings::default(), start);
    let mut limiters = [shared.worker(64)];
    assert_eq!(answered(&mut limiters, start, 10), 2999);
}

#[test]
fn a_busy_prefix_writes_the_shared_cells_once_in_64_queries() {
    let start = Instant::now();
    let settings = Settings {
        queries_per_second: NonZeroU32::new(1_000_000).unwrap(),
        burst: NonZeroU32::new(1_000_000).unwrap(),
        ..Settings::default()
    };
    let mut limiter = limiter(&settings, start);
    // The whole burst is there when nothing was taken; so when it would be tells what was.
    let cell = |limiter: &WorkerLimiter, hash| {
        let all = NonZeroU32::new(1_000_000).unwrap();
        limiter.taker.take(Place::new(hash, 1 << 17), all).unwrap_err()
    };
    let source = "192.0.2.1".parse().unwrap();
    let hash = limiter.shared.hash(limiter.shared.prefixes.of(source));
    assert_eq!(limiter.check(source), Admission::Answer);
    let (mut writes, mut before) = (vec![0], cell(&limiter, hash));
    for query in 1..10_000 {
        assert_eq!(limiter.check(source), Admission::Answer);
        let after = cell(&limiter, hash);
        if after != before {
            writes.push(query);
        }
        before = after;
    }
    let early = writes.iter().filter(|query| **query < 640).count();
    assert!(early <= 50, "{early}");
    assert!(writes.len() - early <= 10_000 / 64, "{}", writes.len());
}

#[test]
fn a_prefix_that_is_pushed_out_all_the_time_loses_an_eighth_at_most() {
    let start = Instant::now();
    let mut limiter = limiter(&Settings::default(), start);
    let index =
        |limiter: &WorkerLimiter, source| limiter.shared.hash(limiter.shared.prefixes.of(source)) >> 52;
    let honest: IpAddr = "2001:db8::53".parse().unwrap();
    let wanted = index(&limiter, honest);
    let others = (0..1 << 22).map(|number: u32| IpAddr::from(Ipv4Addr::from(number << 8)));
    let pushes: Vec<IpAddr> = others.filter(|other| index(&limiter, *other) == wanted).take(200).collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut answered = 0;
    for _ in 0..2000 {
        answered += usize::from(limiter.check(honest) == Admission::Answer);
        if random.u32(0..8) == 0 {
            limiter.check(pushes[random.usize(..pushes.len())]);
        }
    }
    assert!(answered >= 2000 * 7 / 8, "{answered}");
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
                .map(|number| Place::new(limiter.hash(limiter.prefixes.of(source(number))), 1 << 17))
                .collect();
            places.iter().enumerate().all(|(index, place)| !places[..index].iter().any(|it| it.collides(place)))
        };
        while !apart(&limiter.shared) {
            limiter = self::limiter(&settings(), start);
        }
        let mut model = Model::default();
        let mut now = 0;
        for (number, wait) in steps {
            now += wait;
            limiter.set_time(start + Duration::from_nanos(now));
            let answered = limiter.check(source(number)) == Admission::Answer;
            prop_assert_eq!(answered, model.answers(source(number), now));
        }
    }
}
