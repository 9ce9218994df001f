//! The command line.

use clap::{Parser, ValueEnum};

use crate::servers::Kind;

/// anyns beside its peers, in one run: CPU per query, start-up, memory. Prints a Markdown table and writes it with
/// SVG plots to `bench/` in cargo's target directory.
#[derive(Clone, Debug, Parser)]
#[command(name = "peers")]
pub(crate) struct Options {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    pub(crate) scenarios: Vec<Scenario>,
    /// Rounds; each asks every server once.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Seconds that each server is asked in a round.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,
    /// The servers, separated by commas; all that are installed if none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) servers: Vec<Kind>,
    /// Different queries in a scenario; they are repeated until the time is over.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) queries: u32,
    /// Records of the zone of `mix`, `nxdomain`, `nodata`, `wildcard`, `tcp`, `tcp-once`, `affinity` and `observed`.
    #[arg(long, default_value_t = 180_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) records: u32,
    /// Delegations of the zone of `referral`, `load`, `change` and `transfer`; it has 2.6 times as many records.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(10..))]
    pub(crate) delegations: u32,
    /// Zones of `zones` and `one-of-many`.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) zones: u32,
    /// Records of the largest zone of `size`; the smallest has 100, each is ten times the one before.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) largest: u32,
    /// Signatures of the zone of `signatures`; it has twice as many records.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(100..))]
    pub(crate) signatures: u32,
    /// Seed of the zones and the queries.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Queries carry EDNS with DO (`dnsperf -D`); without it they carry no OPT.
    #[arg(long)]
    pub(crate) edns: bool,
    /// The zone of `load` and `change` has signed DS records and an NSEC3 chain with opt-out; the differences of `change` are
    /// ten new delegations with DS.
    #[arg(long)]
    pub(crate) signed: bool,
    /// What `cargo bench` adds; of no meaning here.
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    /// Be the reflector on this port of loopback.
    #[arg(long, hide = true)]
    pub(crate) reflector: Option<u16>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// 90 % hits (5 % CNAME, 3 % wildcard among them), 10 % NXDOMAIN.
    Mix,
    /// Names that do not exist.
    Nxdomain,
    /// Types that do not exist at names that do.
    Nodata,
    /// Names that a wildcard answers.
    Wildcard,
    /// Names below delegations of a large zone.
    Referral,
    /// The mix over TCP connections that are kept.
    Tcp,
    /// The mix, a TCP connection for each query.
    TcpOnce,
    /// The mix against zones of 100 records and more.
    Size,
    /// From start to the first answer with the large zone.
    Load,
    /// From start to the last answer with many small zones.
    Zones,
    /// anyns alone: the large zone deployed again with ten records changed, a difference of ten records, `kill -9`.
    Change,
    /// The large zone from a hub to a secondary of the same make, anyns and Knot DNS: whole, and ten records that change at the hub.
    Transfer,
    /// anyns alone: one changed file and one difference beside many other zones, and without them.
    OneOfMany,
    /// anyns alone: how long queries take beside 40 zones whose source does not answer, and beside four zones of a million records that
    /// compile.
    Beside,
    /// anyns alone: memory under load, and after the 100th, 500th and 1000th reload of a zone of 20,000 records.
    Memory,
    /// anyns alone: the mix with a worker on each core, with and without `serve.socket-affinity`.
    Affinity,
    /// anyns alone: the mix plain, with a scrape each second, dnstap and open pages, and with OTLP and RSSAC002 as well.
    Observed,
    /// anyns alone: a zone of a million good signatures, checked, served, changed by a tenth and served again, with `dnssec` as
    /// shipped and off.
    Signatures,
}

impl Options {
    /// The scenarios, in the order in which they run.
    pub(crate) fn wanted(&self) -> Vec<Scenario> {
        let all = Scenario::value_variants();
        let wanted = all.iter().filter(|one| self.scenarios.is_empty() || self.scenarios.contains(one));
        wanted.copied().collect()
    }
}
