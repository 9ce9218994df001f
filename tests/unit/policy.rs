//! The whole transition table, and what must hold whatever happens.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const A: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const SECOND: Duration = Duration::from_secs(1);

/// The inputs of the table: what facts of one prefix with two addresses can amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Good,
    Untested,
    Unknown,
    Pressure,
    RequiredMissing,
    Loading,
    NoZone,
    SocketLost,
    AddressLost,
    WorkersStale,
    Wrong,
    Silent,
    OneTransportDead,
    FactStale,
    NoRouteBack,
    Shared,
    SharedUnderPressure,
}

const INPUTS: [Input; 17] = [
    Input::Good,
    Input::Untested,
    Input::Unknown,
    Input::Pressure,
    Input::RequiredMissing,
    Input::Loading,
    Input::NoZone,
    Input::SocketLost,
    Input::AddressLost,
    Input::WorkersStale,
    Input::Wrong,
    Input::Silent,
    Input::OneTransportDead,
    Input::FactStale,
    Input::NoRouteBack,
    Input::Shared,
    Input::SharedUnderPressure,
];

impl Input {
    fn is_fault(self) -> bool {
        !matches!(
            self,
            Self::Good
                | Self::Untested
                | Self::Unknown
                | Self::Pressure
                | Self::RequiredMissing
                | Self::Shared
                | Self::SharedUnderPressure
        )
    }

    /// What it allows to begin.
    fn begins(self) -> Intent {
        match self {
            Self::Good => Intent::Announce,
            Self::Shared => Intent::Deprefer,
            _ => Intent::Withdraw,
        }
    }

    fn facts(self, operator: Operator) -> Facts {
        let mut facts = Facts {
            zones_settled: self != Self::Loading,
            catalogs_settled: true,
            zones_served: usize::from(self != Self::NoZone),
            required_missing: Vec::new(),
            lost_sockets: Vec::new(),
            lost_addresses: Vec::new(),
            stale_workers: usize::from(self == Self::WorkersStale),
            heartbeat_age: SECOND,
            stale: Vec::new(),
            no_route_back: Vec::new(),
            shared_addresses: Vec::new(),
            probes: vec![(A, Probe::Up), (B, self.probe())],
            operator,
        };
        match self {
            Self::Unknown => facts.probes.truncate(1),
            Self::RequiredMissing => facts.required_missing.push("example.".into()),
            Self::SocketLost => facts.lost_sockets.push("192.0.2.1:53/udp: gone".into()),
            Self::AddressLost => facts.lost_addresses.push(A),
            Self::FactStale => facts.stale.push(StaleFact { name: "the probes".into(), age: SECOND }),
            Self::NoRouteBack => {
                let family = Family::Ipv4;
                facts.no_route_back.push(NoRouteBack { family, references: vec![B] });
            }
            Self::Shared | Self::SharedUnderPressure => {
                facts.shared_addresses.push((A, "192.0.2.1:53/udp (inode 4711)".into()));
            }
            _ => {}
        }
        facts
    }

    fn probe(self) -> Probe {
        match self {
            Self::Untested => Probe::Untested,
            Self::Pressure | Self::SharedUnderPressure => Probe::Pressure,
            Self::OneTransportDead => Probe::OneTransportDead { reason: "TCP: no answer".into() },
            Self::Wrong => Probe::Wrong { reason: "REFUSED".into() },
            Self::Silent => Probe::Silent { reason: "no answer".into() },
            _ => Probe::Up,
        }
    }
}

fn settings() -> Settings {
    Settings { hold_initial: SECOND, ..Settings::default() }
}

fn policy() -> Policy {
    Policy::new(settings(), vec![("192.0.2.0/24".parse().unwrap(), vec![A, B])])
}

fn step(policy: &mut Policy, input: Input, now: Instant) -> Intent {
    let decision = policy.decide(&input.facts(Operator::Automatic), now);
    decision.prefixes[0].intent
}

/// A policy whose prefix is announced at `start + 1 s`.
fn announced(start: Instant) -> Policy {
    let mut policy = policy();
    assert_eq!(step(&mut policy, Input::Good, start), Intent::Withdraw);
    assert_eq!(step(&mut policy, Input::Good, start + SECOND), Intent::Announce);
    policy
}

/// Prefixes come and go while what is remembered of the others stays.
#[test]
fn a_prefix_that_is_new_begins_anew_and_the_others_go_on() {
    let start = Instant::now();
    let settings = Settings { hold_initial: SECOND, ..Settings::default() };
    let prefix = |text: &str| (text.parse().unwrap(), vec![A]);
    let (first, second) = (prefix("192.0.2.0/24"), prefix("198.51.100.0/24"));
    let good = Input::Good.facts(Operator::Automatic);
    let mut policy = Policy::new(settings, vec![first.clone()]);
    policy.decide(&good, start);
    let announced = policy.decide(&good, start + SECOND).prefixes[0].clone();
    assert_eq!(announced.intent, Intent::Announce);
    policy.change(settings, vec![second.clone(), first]);
    let decided = policy.decide(&good, start + SECOND * 2).prefixes;
    assert_eq!(decided[1], announced, "since when it was before");
    assert_eq!((decided[0].prefix, decided[0].intent), (second.0, Intent::Withdraw));
    assert_eq!(policy.decide(&good, start + SECOND * 3).prefixes[0].intent, Intent::Announce);
    policy.change(settings, vec![second]);
    assert_eq!(policy.decide(&good, start + SECOND * 4).prefixes.len(), 1);
}

#[test]
fn from_withdrawn_only_good_facts_that_last_announce() {
    let start = Instant::now();
    for input in INPUTS {
        let mut policy = policy();
        for second in 0..100 {
            let intent = step(&mut policy, input, start + SECOND * second);
            let expected = if second >= 1 { input.begins() } else { Intent::Withdraw };
            assert_eq!(intent, expected, "{input:?} after {second} s");
        }
    }
}

#[test]
fn from_announced_every_input_leads_where_the_rules_say() {
    let start = Instant::now();
    for input in INPUTS {
        for operator in [None, Some(Intent::Deprefer), Some(Intent::Withdraw)] {
            let mut policy = announced(start);
            let order = match operator {
                None => Operator::Automatic,
                Some(Intent::Withdraw) => Operator::Withdraw { reason: "works".into() },
                Some(_) => Operator::Deprefer { reason: "works".into() },
            };
            let health = match input {
                _ if input.is_fault() => Intent::Withdraw,
                Input::RequiredMissing | Input::Shared | Input::SharedUnderPressure => Intent::Deprefer,
                _ => Intent::Announce,
            };
            let expected = operator.map_or(health, |order| order.min(health));
            let decision = policy.decide(&input.facts(order.clone()), start + 2 * SECOND);
            assert_eq!(decision.prefixes[0].intent, expected, "{input:?} under {order:?}");
            let quiet = input == Input::Good && operator.is_none();
            assert_eq!(decision.prefixes[0].reasons.is_empty(), quiet, "{input:?} under {order:?}");
        }
    }
}

#[test]
fn each_withdrawal_doubles_the_hold_up_to_its_maximum() {
    let mut now = Instant::now();
    let mut policy = announced(now);
    now += SECOND;
    for expected in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(step(&mut policy, Input::Silent, now), Intent::Withdraw);
        assert_eq!(policy.next_wakeup(), None, "nothing waits while it is silent");
        assert_eq!(step(&mut policy, Input::Good, now), Intent::Withdraw);
        assert_eq!(policy.next_wakeup(), Some(now + SECOND * expected));
        now += SECOND * expected - Duration::from_millis(1);
        assert_eq!(step(&mut policy, Input::Good, now), Intent::Withdraw);
        now += Duration::from_millis(1);
        assert_eq!(step(&mut policy, Input::Good, now), Intent::Announce);
        assert_eq!(policy.next_wakeup(), None);
    }
    let facts = Input::Good.facts(Operator::Automatic);
    assert_eq!(policy.decide(&facts, now).prefixes[0].withdrawals, 8);
}

#[test]
fn a_break_in_good_facts_starts_the_hold_again() {
    let start = Instant::now();
    for input in INPUTS.into_iter().filter(|input| input.begins() == Intent::Withdraw) {
        let mut policy = announced(start);
        step(&mut policy, Input::Wrong, start + 2 * SECOND);
        step(&mut policy, Input::Good, start + 3 * SECOND);
        step(&mut policy, input, start + 7 * SECOND);
        assert_eq!(step(&mut policy, Input::Good, start + 8 * SECOND), Intent::Withdraw, "{input:?}");
        assert_eq!(policy.next_wakeup(), Some(start + 13 * SECOND), "{input:?}");
    }
}

#[test]
fn staying_announced_forgets_withdrawals_one_by_one() {
    let mut now = Instant::now();
    let mut policy = announced(now);
    for _ in 0..3 {
        step(&mut policy, Input::Silent, now);
        step(&mut policy, Input::Good, now);
        now = policy.next_wakeup().unwrap();
        assert_eq!(step(&mut policy, Input::Good, now), Intent::Announce);
    }
    now += settings().decay;
    step(&mut policy, Input::Silent, now);
    step(&mut policy, Input::Good, now);
    assert_eq!(
        policy.next_wakeup(),
        Some(now + SECOND * 20),
        "40 s would be next, one doubling is forgotten"
    );
    now += SECOND * 20;
    assert_eq!(step(&mut policy, Input::Good, now), Intent::Announce);
    now += settings().decay * 50;
    step(&mut policy, Input::Silent, now);
    step(&mut policy, Input::Good, now);
    assert_eq!(
        policy.next_wakeup(),
        Some(now + SECOND * 10),
        "never forgets all: the next is a second withdrawal"
    );
}

#[test]
fn an_order_costs_no_hold() {
    let start = Instant::now();
    let mut policy = announced(start);
    let order = Operator::Withdraw { reason: "works".into() };
    let at = |second: u32| start + SECOND * second;
    assert_eq!(policy.decide(&Input::Good.facts(order), at(10)).prefixes[0].intent, Intent::Withdraw);
    let back = policy.decide(&Input::Good.facts(Operator::Automatic), at(20));
    assert_eq!(back.prefixes[0].intent, Intent::Announce);
    assert_eq!(back.prefixes[0].since, at(20));
}

#[test]
fn a_fault_of_one_address_leaves_other_prefixes_alone() {
    let start = Instant::now();
    let prefixes =
        vec![("192.0.2.1/32".parse().unwrap(), vec![A]), ("192.0.2.2/32".parse().unwrap(), vec![B])];
    let mut policy = Policy::new(Settings::default(), prefixes);
    let decision = policy.decide(&Input::Silent.facts(Operator::Automatic), start);
    let intents: Vec<Intent> = decision.prefixes.iter().map(|prefix| prefix.intent).collect();
    assert_eq!(intents, [Intent::Announce, Intent::Withdraw]);
    let decision = policy.decide(&Input::Shared.facts(Operator::Automatic), start + 60 * SECOND);
    let intents: Vec<Intent> = decision.prefixes.iter().map(|prefix| prefix.intent).collect();
    assert_eq!(intents, [Intent::Deprefer, Intent::Announce], "only the prefix of the shared address");
}

#[test]
fn one_dead_transport_lowers_the_preference_if_the_operator_chose_so() {
    let start = Instant::now();
    let settings = Settings { one_transport_dead: OneTransportDead::Deprefer, ..settings() };
    let mut policy = Policy::new(settings, vec![("192.0.2.0/24".parse().unwrap(), vec![A, B])]);
    step(&mut policy, Input::OneTransportDead, start);
    assert_eq!(
        step(&mut policy, Input::OneTransportDead, start + SECOND),
        Intent::Deprefer,
        "it may begin so"
    );
    assert_eq!(step(&mut policy, Input::Good, start + 2 * SECOND), Intent::Announce);
    let facts = Input::OneTransportDead.facts(Operator::Automatic);
    let decision = policy.decide(&facts, start + 3 * SECOND);
    assert_eq!(decision.prefixes[0].intent, Intent::Deprefer);
    let expected = "192.0.2.2 does not answer over one transport: TCP: no answer";
    assert_eq!(decision.prefixes[0].reasons[0].to_string(), expected);
}

#[test]
fn no_route_back_in_one_family_leaves_the_other_announced() {
    let start = Instant::now();
    let v6: IpAddr = "2001:db8::1".parse().unwrap();
    let prefixes =
        vec![("192.0.2.0/24".parse().unwrap(), vec![A]), ("2001:db8::/48".parse().unwrap(), vec![v6])];
    let mut policy = Policy::new(Settings::default(), prefixes);
    let mut facts = Input::NoRouteBack.facts(Operator::Automatic);
    facts.probes.push((v6, Probe::Up));
    let intents: Vec<Intent> =
        policy.decide(&facts, start).prefixes.iter().map(|prefix| prefix.intent).collect();
    assert_eq!(intents, [Intent::Withdraw, Intent::Announce]);
}

#[test]
fn a_reason_that_lasts_stays_equal_while_its_age_grows() {
    let start = Instant::now();
    for (input, text) in [
        (Input::WorkersStale, "1 worker has sent no heartbeat for 4.0 s"),
        (Input::FactStale, "the probes: not checked for 4.0 s"),
    ] {
        let mut policy = announced(start);
        let mut facts = input.facts(Operator::Automatic);
        let first = policy.decide(&facts, start + 4 * SECOND).prefixes[0].reasons.clone();
        // The age as an observer measures it is never exact.
        let age = SECOND * 2 + Duration::from_millis(7);
        facts.heartbeat_age = age;
        facts.stale.iter_mut().for_each(|fact| fact.age = age);
        let later = policy.decide(&facts, start + 5 * SECOND).prefixes[0].reasons.clone();
        assert_eq!(first, later, "{input:?}");
        assert_eq!(first[0].text(start + 7 * SECOND), text);
        step(&mut policy, Input::Good, start + 8 * SECOND);
        let anew = policy.decide(&facts, start + 20 * SECOND).prefixes[0].reasons.clone();
        assert_ne!(first, anew, "{input:?}: it was fresh in between");
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let good = Settings::default();
    assert_eq!(good.check(), Ok(()));
    assert_eq!(Settings { hold: Duration::ZERO, ..good }.check(), Err(SettingsError::ZeroHold));
    assert_eq!(Settings { decay: Duration::ZERO, ..good }.check(), Err(SettingsError::ZeroDecay));
    assert!(matches!(Settings { hold_max: SECOND, ..good }.check(), Err(SettingsError::MaxBelowHold { .. })));
    assert!(matches!(
        Settings { decay: Duration::MAX, ..good }.check(),
        Err(SettingsError::TooLong { name: "decay", .. })
    ));
}

fn inputs() -> impl Strategy<Value = Vec<(Input, u64)>> {
    prop::collection::vec((prop::sample::select(INPUTS.to_vec()), 0u64..20_000), 1..200)
}

proptest! {
    #[test]
    fn never_announced_under_a_fault_never_withdrawn_without_one(script in inputs()) {
        let mut now = Instant::now();
        let mut policy = policy();
        let mut last = Intent::Withdraw;
        for (input, wait) in script {
            now += Duration::from_millis(wait);
            let intent = step(&mut policy, input, now);
            if input.is_fault() {
                prop_assert_eq!(intent, Intent::Withdraw);
            } else if last != Intent::Withdraw {
                prop_assert_ne!(intent, Intent::Withdraw, "withdrawn for {:?} alone", input);
            }
            if last == Intent::Withdraw && input.begins() == Intent::Withdraw {
                prop_assert_eq!(intent, Intent::Withdraw, "announced for {:?}", input);
            }
            last = intent;
        }
    }

    #[test]
    fn flapping_facts_give_few_announcements(script in inputs()) {
        let start = Instant::now();
        let mut now = start;
        let mut policy = policy();
        let mut last = Intent::Withdraw;
        let mut announcements = 0u32;
        for (input, wait) in script {
            now += Duration::from_millis(wait);
            let intent = step(&mut policy, input, now);
            announcements += u32::from(last == Intent::Withdraw && intent != Intent::Withdraw);
            last = intent;
        }
        // All but the first waited at least `hold`.
        let most = 1 + (now - start).as_secs() / settings().hold.as_secs();
        prop_assert!(u64::from(announcements) <= most, "{} announcements, {} expected at most", announcements, most);
    }

    #[test]
    fn the_wakeup_is_when_the_announcement_comes(script in inputs()) {
        let mut now = Instant::now();
        let mut policy = policy();
        for (input, wait) in script {
            now += Duration::from_millis(wait);
            step(&mut policy, input, now);
        }
        if let Some(wakeup) = policy.next_wakeup() {
            prop_assert!(wakeup > now);
            prop_assert_eq!(step(&mut policy, Input::Good, wakeup), Intent::Announce);
        }
    }
}
