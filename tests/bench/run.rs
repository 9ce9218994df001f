//! The scenarios: worlds and queries made, measured, and their tables handed back.

use std::path::PathBuf;

use crate::dnsperf::Way;
use crate::figures::Table;
use crate::options::{Options, Scenario};
use crate::queries::{Blend, Queries};
use crate::servers::Kind;
use crate::zones::{self, World};
use crate::{beside, change, cost, memory, observed, one_of_many, signatures, startup, transfer};

/// Records of the smallest zone of `size`.
const SMALLEST: u32 = 100;

/// Records of the zone of `memory`: a reload takes some 20 ms.
const RELOADED: u32 = 20_000;

/// The cores that server and load are held to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cores {
    /// For the server, with one worker; all if there is none.
    pub(crate) server: Option<usize>,
    /// For dnsperf, one on each.
    pub(crate) load: Vec<usize>,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// What is wanted.
    pub(crate) options: Options,
    /// The servers that are here.
    pub(crate) kinds: Vec<Kind>,
    /// Where they run.
    pub(crate) cores: Cores,
    /// A directory of this run's own.
    pub(crate) home: PathBuf,
}

/// What a scenario gave.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// Which.
    pub(crate) scenario: Scenario,
    /// Records of its zones.
    pub(crate) records: u64,
    /// The figures.
    pub(crate) table: Table,
}

impl Bench {
    /// Runs one scenario.
    pub(crate) fn run(&self, scenario: Scenario) -> Vec<Measured> {
        let blend = match scenario {
            Scenario::Size => return self.sizes(),
            Scenario::Change => return vec![self.change()],
            Scenario::Transfer => return vec![self.transfer()],
            Scenario::OneOfMany => return vec![self.one_of_many()],
            Scenario::Beside => return vec![self.beside()],
            Scenario::Memory => return vec![self.memory()],
            Scenario::Affinity => return self.affinity(),
            Scenario::Observed => return self.observed(),
            Scenario::Signatures => return vec![self.signatures()],
            Scenario::Load | Scenario::Zones => return vec![self.start(scenario)],
            Scenario::Mix | Scenario::Tcp | Scenario::TcpOnce => Blend::Mix,
            Scenario::Nxdomain => Blend::Nxdomain,
            Scenario::Nodata => Blend::Nodata,
            Scenario::Wildcard => Blend::Wildcard,
            Scenario::Referral => Blend::Referral,
        };
        let world = if blend == Blend::Referral { self.large() } else { self.mixed(self.options.records) };
        vec![self.cost(scenario, blend, &world)]
    }

    fn sizes(&self) -> Vec<Measured> {
        let sizes = std::iter::successors(Some(SMALLEST), |size| size.checked_mul(10));
        let sizes = sizes.take_while(|size| *size <= self.options.largest);
        sizes.map(|size| self.cost(Scenario::Size, Blend::Mix, &self.mixed(size))).collect()
    }

    fn cost(&self, scenario: Scenario, blend: Blend, world: &World) -> Measured {
        let queries = Queries::write(&self.home.join("queries"), blend, world, self.options.queries);
        let title = format!("{scenario:?}, {} records", world.records).to_lowercase();
        let way = match scenario {
            Scenario::Tcp => Way::Tcp,
            Scenario::TcpOnce => Way::TcpOnce,
            _ => Way::Udp,
        };
        let table = cost::measure(self, &title, world, &queries, way);
        Measured { scenario, records: world.records, table }
    }

    fn start(&self, scenario: Scenario) -> Measured {
        let world = match scenario {
            Scenario::Zones => zones::small(&self.zone_directory(), self.options.zones, self.options.seed),
            _ => self.large_or_signed(),
        };
        let (zones, records) = (world.zones.len(), world.records);
        let title = format!("start with {zones} zones of {records} records together");
        Measured { scenario, records, table: startup::measure(self, &title, &world) }
    }

    fn change(&self) -> Measured {
        let world = self.large_or_signed();
        let title = format!("changes of a zone of {} records", world.records);
        Measured {
            scenario: Scenario::Change,
            records: world.records,
            table: change::measure(self, &title, &world),
        }
    }

    fn transfer(&self) -> Measured {
        let world = self.large();
        let title = format!("a zone of {} records from a hub to a secondary", world.records);
        let table = transfer::measure(self, &title, &world);
        Measured { scenario: Scenario::Transfer, records: world.records, table }
    }

    fn one_of_many(&self) -> Measured {
        let directory = self.zone_directory();
        let many = zones::small(&directory, self.options.zones, self.options.seed);
        let one = zones::small(&self.home.join("one-zone"), 1, self.options.seed);
        let (zones, records) = (many.zones.len(), many.records);
        let title = format!("one change beside {zones} zones");
        let table = one_of_many::measure(self, &title, many, one);
        Measured { scenario: Scenario::OneOfMany, records, table }
    }

    fn beside(&self) -> Measured {
        let world = zones::small(&self.home.join("beside"), 1, self.options.seed);
        let title = "queries beside sources that do not answer and large zones that compile";
        let table = beside::measure(self, title, &world);
        Measured { scenario: Scenario::Beside, records: world.records, table }
    }

    fn memory(&self) -> Measured {
        let world = self.mixed(RELOADED);
        let queries = Queries::write(&self.home.join("queries"), Blend::Mix, &world, self.options.queries);
        let title = format!("memory, {} records", world.records);
        let table = memory::measure(self, &title, &world, &queries);
        Measured { scenario: Scenario::Memory, records: world.records, table }
    }

    fn signatures(&self) -> Measured {
        let table = signatures::measure(self, &self.zone_directory());
        let records = 2 * u64::from(self.options.signatures);
        Measured { scenario: Scenario::Signatures, records, table }
    }

    /// On loopback the core that sends is the one that receives: a dnsperf on each core stands for a network card with a
    /// queue for each worker, one alone for a card with one queue.
    fn affinity(&self) -> Vec<Measured> {
        let cores = anyns::sys::cpu::allowed().expect("the system tells the cores");
        if cores.len() < 2 {
            println!("SKIPPED affinity: there is one core, and so one worker");
            return Vec::new();
        }
        let world = self.mixed(self.options.records);
        let queries = Queries::write(&self.home.join("queries"), Blend::Mix, &world, self.options.queries);
        let first = cores.iter().take(1).copied().collect();
        let measure = |(load, whence): (Vec<usize>, &str)| {
            let cores = Cores { server: None, load };
            let bench = Self { kinds: vec![Kind::Anyns, Kind::AnynsAffinity], cores, ..self.clone() };
            let title =
                format!("affinity, {} records, workers on all cores, load from {whence}", world.records);
            let table = cost::measure(&bench, &title, &world, &queries, Way::Udp);
            Measured { scenario: Scenario::Affinity, records: world.records, table }
        };
        [(cores, "all of them"), (first, "the first")].map(measure).into()
    }

    fn observed(&self) -> Vec<Measured> {
        if crate::servers::program("fstrm_capture").is_none() {
            println!("SKIPPED observed: no fstrm_capture here; apt-get install fstrm-bin");
            return Vec::new();
        }
        let world = self.mixed(self.options.records);
        let queries = Queries::write(&self.home.join("queries"), Blend::Mix, &world, self.options.queries);
        let title = format!("observed, {} records", world.records);
        let table = observed::measure(self, &title, &world, &queries);
        vec![Measured { scenario: Scenario::Observed, records: world.records, table }]
    }

    fn mixed(&self, records: u32) -> World {
        zones::mixed(&self.zone_directory(), records, self.options.seed)
    }

    fn large(&self) -> World {
        zones::delegations(&self.zone_directory(), self.options.delegations, self.options.seed)
    }

    fn large_or_signed(&self) -> World {
        if !self.options.signed {
            return self.large();
        }
        zones::signed_delegations(&self.zone_directory(), self.options.delegations, self.options.seed)
    }

    /// An empty directory for zone files; those of the scenario before are gone.
    fn zone_directory(&self) -> PathBuf {
        let directory = self.home.join("zones");
        let _ = std::fs::remove_dir_all(&directory);
        directory
    }
}
