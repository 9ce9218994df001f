//! Serials that a zone has again with other content: no secondary gets differences to a version that it does not have, whatever became
//! of the zone since it was last heard of.

use std::fs;

use anyns::publish::{Force, KeptMember, MemberChanges, Settings, StepOrigin};
use anyns::wire::Serial;
use anyns::zone::Zone;
use anyns::zonefile::write_zone;
use proptest::prelude::*;

use crate::support::{Pop, name, replace, versioned, zone_text};

pub(crate) const ZONE: &str = "zones/a.example.zone";
pub(crate) const HOSTS: usize = 3;
/// The furthest that a serial may be ahead (RFC 1982 section 3.1).
const FURTHEST: u32 = (1 << 31) - 1;

/// What becomes of the zone.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// Another version whose serial is so far ahead, or behind.
    Version(u32),
    /// The next version by a difference.
    Difference,
    /// The file goes, the zone is removed, and another one gets its name.
    Another(u32),
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1..3_u32).prop_map(Event::Version),
        2 => (0..5_u32).prop_map(|back| Event::Version(0_u32.wrapping_sub(back))),
        1 => prop_oneof![Just(FURTHEST), Just(1 << 21), Just(0_u32.wrapping_sub(1 << 21))].prop_map(Event::Version),
        3 => Just(Event::Difference),
        1 => (1..6_u32).prop_map(Event::Another),
        2 => Just(Event::Restart),
    ]
}

/// The hub, and every version that a secondary may have.
pub(crate) struct Life {
    pub(crate) hub: Pop,
    /// How many hosts the next version has.
    pub(crate) hosts: usize,
    pub(crate) versions: Vec<Zone>,
    /// How many secondaries got differences, and how many the whole zone.
    pub(crate) answers: [usize; 2],
}

impl Life {
    async fn begin(serial: u32) -> Self {
        Self::begin_at(Pop::new(), serial).await
    }

    pub(crate) async fn begin_at(mut hub: Pop, serial: u32) -> Self {
        hub.write(ZONE, &zone_text(serial, HOSTS));
        hub.start().await;
        hub.wait_kept().await;
        let mut life = Self { hub, hosts: HOSTS, versions: Vec::new(), answers: [0; 2] };
        life.ask();
        life
    }

    pub(crate) fn served(&self) -> Zone {
        Zone::clone(self.hub.published.load().zone(&name("a.example.")).unwrap())
    }

    pub(crate) fn serial(&self) -> u32 {
        self.served().serial().0
    }

    /// Content that no version had before.
    pub(crate) fn content(&self) -> u32 {
        1000 + self.versions.len() as u32
    }

    /// A version of the file that is kept.
    pub(crate) async fn version(&mut self, serial: u32) {
        self.deploy(serial).await;
        self.hub.wait_kept().await;
        self.ask();
    }

    /// A version of the file; an operator accepts one that goes back.
    pub(crate) async fn deploy(&mut self, serial: u32) {
        let (before, zone) = (Serial(self.serial()), name("a.example."));
        replace(&self.hub.path(ZONE), &versioned(serial, self.content(), self.hosts));
        self.hub.handle().reload().await;
        if !Serial(serial).is_after(before) {
            // A look that the change of the file has begun may judge it once more meanwhile: the operator repeats the order.
            let mut accepted = self.hub.handle().accept(&zone, Serial(serial)).await;
            for _ in 0..5 {
                if accepted.is_err() {
                    self.hub.handle().reload().await;
                    accepted = self.hub.handle().accept(&zone, Serial(serial)).await;
                }
            }
            accepted.unwrap();
        }
        assert_eq!(self.hub.served("a.example."), Some((serial, self.content())));
        self.ask();
    }

    /// Has the zone removed, and another one with its name made.
    async fn another(&mut self, serial: u32) {
        fs::remove_file(self.hub.path(ZONE)).unwrap();
        self.hub.handle().reload().await;
        self.hub.handle().remove(&name("a.example.")).await.unwrap();
        replace(&self.hub.path(ZONE), &versioned(serial, self.content(), self.hosts));
        self.hub.handle().reload().await;
        assert_eq!(self.hub.served("a.example."), Some((serial, self.content())));
        self.ask();
    }

    /// The next version by a difference.
    pub(crate) async fn difference(&mut self) {
        let difference = crate::history::text_record(&self.served(), self.versions.len() as u8);
        self.hub.handle().apply(&name("a.example."), vec![difference]).await.unwrap();
        self.ask();
    }

    pub(crate) async fn restart(&mut self) {
        self.hub.wait_kept().await;
        self.hub.restart().await;
    }

    async fn happens(&mut self, event: Event) {
        let serial = self.serial();
        match event {
            Event::Version(ahead) => self.deploy(serial.wrapping_add(ahead)).await,
            Event::Difference => self.difference().await,
            Event::Another(serial) => self.another(serial).await,
            Event::Restart => self.restart().await,
        }
        self.ask();
        self.hub.wait_kept().await;
        self.ask();
    }

    /// Every secondary, whatever it has, has what the hub serves after the answer to its query.
    pub(crate) fn ask(&mut self) {
        let served = self.served();
        if self.versions.last().is_none_or(|last| text(last) != text(&served)) {
            self.versions.push(served.clone());
        }
        let history = self.hub.handle().history();
        for version in &self.versions {
            let from = version.serial();
            if !served.serial().is_after(from) {
                // It hears that there is nothing newer.
                continue;
            }
            let steps = history.for_secondary(&name("a.example."), from, served.serial()).unwrap();
            self.answers[usize::from(steps.is_none())] += 1;
            let Some(steps) = steps else { continue };
            let mut at = version.clone();
            for step in steps {
                // Strictly: what is deleted must be there, what is added must not.
                assert_eq!(at.serial(), step.from);
                let next = at.with_changes(step.deleted, step.added);
                at = next
                    .unwrap_or_else(|faults| panic!("a secondary that has\n{}\n{faults:?}", text(version)));
            }
            assert!(
                text(&at) == text(&served),
                "a secondary that had\n{}\nhas\n{}",
                text(version),
                text(&at)
            );
        }
    }

    /// Whether a secondary that says this serial gets differences to what is served.
    pub(crate) fn gets_differences(&self, from: u32) -> bool {
        let to = self.served().serial();
        let steps = self.hub.handle().history().for_secondary(&name("a.example."), Serial(from), to);
        steps.unwrap().is_some()
    }
}

fn text(zone: &Zone) -> String {
    let mut text = Vec::new();
    write_zone(zone, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_secondary_ends_with_what_is_served(
        first in prop_oneof![2..8_u32, (0..8_u32).prop_map(|back| 4_u32.wrapping_sub(back))],
        events in prop::collection::vec(event(), 4..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut life = Life::begin(first).await;
            for event in events {
                life.happens(event).await;
            }
            life.hub.stop().await;
        });
    }
}

#[tokio::test]
async fn a_zone_that_goes_back_and_reaches_its_serials_again_is_sent_whole_from_them() {
    let mut life = Life::begin(5).await;
    for serial in 6..=9 {
        life.version(serial).await;
    }
    assert!([5, 6, 8].into_iter().all(|from| life.gets_differences(from)));
    life.deploy(6).await;
    assert!(!life.gets_differences(5), "before it is kept, too");
    for serial in 7..=9 {
        life.version(serial).await;
        assert!(!life.gets_differences(serial - 1));
    }
    life.restart().await;
    life.version(10).await;
    assert!((6..10).all(|from| !life.gets_differences(from)));
    // Above all that were there: as always.
    life.happens(Event::Difference).await;
    assert!(life.gets_differences(10) && !life.gets_differences(9));
    life.restart().await;
    life.version(12).await;
    assert!(life.gets_differences(10) && life.gets_differences(11) && !life.gets_differences(9));
    let [differences, whole] = life.answers;
    assert!(differences > 10 && whole > 30, "{differences} {whole}");
    // The steps are there all the same, for the operator.
    let steps = life.hub.handle().history().steps(&name("a.example.")).unwrap().unwrap().steps;
    let origins: Vec<StepOrigin> = steps.iter().map(|step| step.origin).collect();
    assert_eq!((steps[0].from, origins.len()), (Serial(6), 6), "{origins:?}");
}

#[tokio::test]
async fn the_same_serial_again_and_a_turn_around_the_circle_are_known_over_a_restart() {
    let mut life = Life::begin(5).await;
    life.version(6).await;
    life.version(6).await;
    life.restart().await;
    life.version(7).await;
    assert!(!life.gets_differences(6));
    life.version(8).await;
    assert!(life.gets_differences(7));
    // RFC 1912 section 3.1: to an older serial without going back.
    life.version(8 + FURTHEST).await;
    life.restart().await;
    assert!(Serial(6).is_after(Serial(8 + FURTHEST)));
    for serial in 6..=9 {
        life.version(serial).await;
    }
    life.hub.wait_kept().await;
    assert!([7, 8].into_iter().all(|from| !life.gets_differences(from)));
    life.version(10).await;
    assert!(life.gets_differences(9));
}

#[tokio::test]
async fn the_next_zone_of_a_name_knows_the_serials_of_the_one_before_over_a_restart() {
    let mut life = Life::begin(5).await;
    life.version(6).await;
    life.version(7).await;
    let zone = name("a.example.");
    fs::remove_file(life.hub.path(ZONE)).unwrap();
    life.hub.handle().reload().await;
    life.hub.handle().remove(&zone).await.unwrap();
    life.hub.restart().await;
    let settings = life.hub.settings();
    replace(&life.hub.path(ZONE), &versioned(5, 500, HOSTS));
    life.hub.handle().reload().await;
    life.ask();
    for serial in 6..=8 {
        life.version(serial).await;
        assert!(!life.gets_differences(serial - 1));
    }
    // Removed once more, and there again in the same process.
    life.another(8).await;
    life.hub.wait_kept().await;
    life.version(9).await;
    assert!(!life.gets_differences(8));
    life.version(10).await;
    assert!(life.gets_differences(9));
    // A zone that leaves the configuration and comes back with what is kept of it goes on.
    life.hub.handle().reconfigure(Settings { directories: Vec::new(), ..settings.clone() }).await.unwrap();
    life.hub.wait(|report| !report.zones.contains_key(&zone)).await;
    life.hub.handle().reconfigure(settings).await.unwrap();
    life.hub.wait_serial("a.example.", 10).await;
    life.version(11).await;
    assert!(life.gets_differences(9) && life.gets_differences(10) && !life.gets_differences(8));
}

#[tokio::test]
async fn the_first_time_that_a_zone_goes_back_takes_no_serials_that_nobody_had() {
    // A mistyped year, put right.
    let mut life = Life::begin(2_062_010_101).await;
    life.version(2_026_113_001).await;
    life.version(2_026_113_002).await;
    assert!(life.gets_differences(2_026_113_001));
    // Another zone of the name, that counts otherwise.
    life.another(1).await;
    life.hub.wait_kept().await;
    life.version(2).await;
    life.restart().await;
    life.version(3).await;
    assert!(life.gets_differences(1) && life.gets_differences(2));
    life.hub.stop().await;
}

#[tokio::test]
async fn a_serial_that_goes_on_costs_no_secondary_a_whole_zone() {
    let mut life = Life::begin(2_026_123_101).await;
    for serial in [2_026_123_102, 2_027_010_101, 2_027_123_199, 2_028_010_100] {
        life.version(serial).await;
    }
    assert!((life.versions.len() == 5) && life.gets_differences(2_026_123_101));
    let before = life.answers[1];
    // To seconds since 1970 in another unit, or a mistyped year: once.
    life.version(2_062_010_100).await;
    assert!(!life.gets_differences(2_028_010_100));
    life.version(2_062_010_101).await;
    assert!(life.gets_differences(2_062_010_100) && life.answers[1] > before);
}

/// A version as a primary gives it.
pub(crate) fn given(serial: u32, content: u32) -> Zone {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.example.zone");
    fs::write(&path, versioned(serial, content, HOSTS)).unwrap();
    anyns::zonefile::read_zone(&path, &name("a.example."), &Default::default()).unwrap().zone
}

#[tokio::test]
async fn a_pop_knows_the_serials_of_a_retransfer_and_of_a_member_that_begins_anew() {
    let (zone, catalog) = (name("a.example."), name("catalog.example."));
    let member = |label: &[u8]| KeptMember {
        catalog: catalog.clone(),
        label: label.into(),
        new_owner: None,
        groups: Vec::new(),
        kept_until: None,
        waits_since: None,
    };
    let listed = MemberChanges { set: vec![(zone.clone(), member(b"one"))], ..Default::default() };
    let primary = "192.0.2.1:53".parse().unwrap();
    let mut pop = Pop::new();
    pop.start().await;
    assert!(pop.handle().change_members(listed).await);
    let mut life = Life { hub: pop, hosts: HOSTS, versions: Vec::new(), answers: [0; 2] };
    let offer = async |life: &mut Life, serial, force| {
        let version = given(serial, life.content());
        life.hub.handle().offer(version, primary, force).await.unwrap();
        assert_eq!(life.serial(), serial);
        life.ask();
        life.hub.wait_kept().await;
        life.ask();
    };
    for serial in 5..=8 {
        offer(&mut life, serial, Force::No).await;
    }
    assert!(life.gets_differences(7));
    offer(&mut life, 6, Force::Order).await;
    offer(&mut life, 7, Force::No).await;
    life.restart().await;
    offer(&mut life, 8, Force::No).await;
    offer(&mut life, 9, Force::No).await;
    assert!((5..9).all(|from| !life.gets_differences(from)));
    offer(&mut life, 10, Force::No).await;
    assert!(life.gets_differences(9));
    // Another zone of the name, which has the same serials.
    let reset = MemberChanges { reset: vec![(zone.clone(), member(b"two"))], ..Default::default() };
    assert!(life.hub.handle().change_members(reset).await);
    offer(&mut life, 9, Force::No).await;
    offer(&mut life, 10, Force::No).await;
    life.restart().await;
    offer(&mut life, 11, Force::No).await;
    assert!((5..11).all(|from| !life.gets_differences(from)));
    offer(&mut life, 12, Force::No).await;
    assert!(life.gets_differences(11));
    life.hub.stop().await;
}
