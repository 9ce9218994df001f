//! Primaries for each of which more waits than may leave: none gets much less than the others, whatever the moments are at which they begin.

use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const TIME: Duration = Duration::from_secs(4);

fn peer(last: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last as u8], 53))
}

fn ask(last: usize, is_hinted: bool) -> Ask {
    let (zone, over) = (Name::root(), AskOver::Usual);
    Ask { zone, primary: 0, address: peer(last), generation: 0, over, doubt: None, is_hinted }
}

/// How many of the queries that the timers want leave within the time to each of the primaries, which begin so many microseconds after the
/// start, in order; with as many queries of NOTIFYs for the first of them, or none.
fn sent((total, own): (u32, u32), begins: &[u64], is_first_hinted: bool) -> Vec<u32> {
    let limit = |limit| NonZeroU32::new(limit).unwrap();
    let start = Instant::now();
    let mut jobs = Jobs::new(Pacer::new(limit(total), limit(own), start), 16, 8);
    let mut left: Vec<(Instant, usize)> =
        begins.iter().enumerate().map(|(last, at)| (start + Duration::from_micros(*at), last)).collect();
    left.sort_unstable();
    let (mut now, mut sent) = (start, vec![0; begins.len()]);
    while now < start + TIME {
        while let Some((_, last)) = left.first().copied().filter(|(at, _)| *at <= now) {
            left.remove(0);
            for _ in 0..total * 5 {
                jobs.add_ask(ask(last, false));
                if is_first_hinted && last == 0 {
                    jobs.add_ask(ask(last, true));
                }
            }
        }
        let wait = match jobs.next(now) {
            Next::Ask(ask) => {
                jobs.ask_ended(ask.address, true, now);
                let last = (0..begins.len()).find(|last| peer(*last) == ask.address).unwrap();
                sent[last] += u32::from(!ask.is_hinted);
                continue;
            }
            Next::Fetch(_) => unreachable!(),
            Next::Wait(wait) => wait.map(|wait| now + wait),
        };
        now = [wait, left.first().map(|(at, _)| *at)].into_iter().flatten().min().unwrap();
    }
    sent
}

/// What each of so many may have, if all have the same.
fn share((total, own): (u32, u32), count: usize) -> f64 {
    let seconds = TIME.as_secs_f64();
    f64::from(own).min(f64::from(total) / count as f64) * seconds
}

/// A token of a primary's own limit was lost where the total was reached: of three, two were served and one was not.
#[test]
fn a_primary_whose_moments_fall_between_those_of_others_has_its_share() {
    let limits = (100, 50);
    let sent = sent(limits, &[2_000, 5_000, 12_000], false);
    assert!(sent.iter().all(|sent| f64::from(*sent) > 0.9 * share(limits, 3)), "{sent:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_primary_has_its_share_of_the_queries(
        (total, own) in (20..200_u32, 10..100_u32),
        begins in prop::collection::vec(0..100_000_u64, 2..=6),
    ) {
        let (limits, count) = ((total, own), begins.len());
        let sent = sent(limits, &begins, false);
        let least = 0.6 * share(limits, count);
        prop_assert!(sent.iter().all(|sent| f64::from(*sent) >= least), "{limits:?} {begins:?}: {sent:?}");
        let most = 1.1 * f64::from(total) * (TIME.as_secs_f64() + 1.0);
        prop_assert!(f64::from(sent.iter().sum::<u32>()) <= most, "{limits:?} {begins:?}: {sent:?}");
    }

    /// NOTIFYs of one primary leave half of the queries to the timers.
    #[test]
    fn each_primary_has_its_share_beside_the_notifies_of_another_one(
        (total, own) in (20..200_u32, 10..100_u32),
        begins in prop::collection::vec(0..100_000_u64, 2..=6),
    ) {
        let (limits, count) = ((total, own), begins.len());
        let sent = sent(limits, &begins, true);
        let least = 0.6 * share((total / 2, own), count);
        prop_assert!(sent[1..].iter().all(|sent| f64::from(*sent) >= least), "{limits:?} {begins:?}: {sent:?}");
    }

    /// Transfers that take as long at each of them; each tick, those end whose time is over.
    #[test]
    fn each_primary_has_its_share_of_the_transfers(
        (most, own) in (1..=16_usize, 1..=8_usize),
        count in 2..=6_usize,
        seed in any::<u64>(),
    ) {
        let now = Instant::now();
        let limit = NonZeroU32::MIN;
        let mut jobs = Jobs::new(Pacer::new(limit, limit, now), most, own);
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut begun, mut under_way) = (vec![0_u32; count], Vec::new());
        let ticks = 600_u32;
        for last in 0..count {
            for _ in 0..ticks {
                let (zone, address, gate) = (Name::root(), peer(last), Arc::default());
                let (force, generation) = (Force::No, 0);
                let fetch = Fetch { zone, primary: last, address, from: None, force, generation, gate };
                jobs.add_fetch(fetch, now).unwrap();
            }
        }
        for tick in 0..ticks {
            while let Next::Fetch(fetch) = jobs.next(now) {
                begun[fetch.primary] += 1;
                under_way.push((tick + rng.u32(1..=20), fetch.address));
            }
            for (_, address) in under_way.extract_if(.., |(end, _)| *end <= tick) {
                jobs.fetch_ended(address, PeerEnd::Answered, now, now);
            }
        }
        let (least, most_begun) = (*begun.iter().min().unwrap(), *begun.iter().max().unwrap());
        prop_assert!(least * 2 >= most_begun, "{most} {own}: {begun:?}");
    }
}
