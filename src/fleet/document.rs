//! What a POP tells of itself, read leniently: a newer anyns may tell more, an older one less.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! lenient {
    ($($(#[$attribute:meta])* $name:ident { $($(#[$field_attribute:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $name { $($(#[$field_attribute])* pub $field: $kind,)* }
    )*};
}

lenient! {
    /// The document at `/api/v1/pop`.
    PopDocument {
        /// The state.
        status: ToldStatus,
        /// How much is asked.
        load: PopLoad,
        /// By bucket, the digest of the serials.
        digests: Vec<u64>,
        /// By bucket, the digest of the contents that are known.
        contents: Vec<u64>,
        /// By bucket, the digest of the serials of the zones whose contents are known.
        made: Vec<u64>,
    }

    /// The document at `/api/v1/catchment`.
    ToldCatchment {
        /// The POP.
        pop: String,
        /// When it was written.
        now: u64,
        /// Since when samples are counted.
        since: u64,
        /// One query in so many is a sample.
        one_in: u32,
        /// Clients over IPv4.
        ipv4: ToldFamily,
        /// Clients over IPv6.
        ipv6: ToldFamily,
    }

    /// The clients of one family.
    ToldFamily {
        /// The samples of all clients.
        samples: u64,
        /// The prefixes with the most samples.
        prefixes: Vec<ToldClients>,
    }

    /// The clients in one prefix.
    ToldClients {
        /// The prefix.
        prefix: String,
        /// Samples that were counted for it.
        samples: u64,
        /// Samples that may be its own and were counted for no prefix, at most.
        missed: u64,
    }

    /// What a POP is asked, per second.
    PopLoad {
        /// Queries over all transports.
        queries: f64,
        /// Queries that the rate limiter refused.
        limited: f64,
        /// Answers SERVFAIL.
        servfail: f64,
    }

    /// The parts of [`crate::control::Status`] that a fleet needs.
    ToldStatus {
        /// The POP.
        pop: String,
        /// The instance.
        instance: String,
        /// The version of anyns.
        version: String,
        /// When it was written.
        now: u64,
        /// When the process began.
        started: u64,
        /// Well or not.
        overall: ToldOverall,
        /// Whether nothing is sent to any neighbor.
        dry_run: bool,
        /// Whether it stops.
        stopping: bool,
        /// By how many seconds versions are served later than they come, at a last-resort POP.
        delay: Option<u64>,
        /// Its zones.
        zone_counts: ToldCounts,
        /// The zones that were asked for.
        zones: Vec<ToldZone>,
        /// Its prefixes.
        prefixes: Vec<ToldPrefix>,
        /// Its probes.
        probes: Vec<ToldProbe>,
        /// What its operator ordered.
        operator: ToldOperator,
        /// What it answered.
        serve: ToldServe,
    }

    /// The probes of a service address over one transport.
    ToldProbe {
        /// The address.
        address: String,
        /// The transport.
        transport: String,
        /// `untested`, `up`, `pressure`, `wrong` or `silent`.
        standing: String,
        /// What was last wrong or missing.
        reason: Option<String>,
    }

    /// What an operator ordered.
    ToldOperator {
        /// `automatic`, `deprefer` or `withdraw`.
        order: String,
        /// Why.
        reason: String,
    }

    /// What was answered.
    ToldServe {
        /// Totals by name, such as `rcode_2`.
        counters: BTreeMap<String, u64>,
    }

    /// Well or not, since when and why.
    ToldOverall {
        /// `ok`, `degraded` or `down`.
        verdict: String,
        /// Since when.
        since: u64,
        /// Why.
        reasons: Vec<String>,
    }

    /// How many zones.
    ToldCounts {
        /// All.
        total: u64,
        /// Those that are not well.
        not_well: u64,
    }

    /// A zone.
    ToldZone {
        /// Its name.
        name: String,
        /// Its state.
        state: String,
        /// The serial that is served.
        serial: Option<u32>,
        /// The digest of what is served, once it is made.
        digest: Option<String>,
        /// What is wrong.
        faults: Vec<String>,
        /// What is known of its primaries, if it has some.
        transfer: Option<ToldTransfer>,
    }

    /// A zone that comes from primaries.
    ToldTransfer {
        /// The serial of the version that was refused.
        refused: Option<u32>,
        /// What went wrong last.
        last_error: Option<String>,
    }

    /// A prefix.
    ToldPrefix {
        /// The prefix.
        prefix: String,
        /// What is desired.
        intent: String,
        /// Since when.
        since: u64,
        /// Why it is not simply announced.
        reasons: Vec<String>,
        /// What neighbors were sent.
        neighbors: Vec<ToldNeighbor>,
    }

    /// A prefix at a neighbor.
    ToldNeighbor {
        /// `nothing`, `depreferred` or `announced`.
        sent: String,
    }
}

impl ToldPrefix {
    /// To how many neighbors it is sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.neighbors.iter().filter(|neighbor| !matches!(neighbor.sent.as_str(), "" | "nothing")).count()
    }
}

/// How a prefix of a POP draws queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Not at all.
    Nothing,
    /// Less preferred than other POPs, or on its way out: a route that is still with a neighbor still brings queries.
    Depreferred,
    /// As every other POP.
    Announced,
}

impl ToldPrefix {
    /// How it draws queries. In a dry run what would be sent counts.
    #[must_use]
    pub fn reach(&self, dry_run: bool) -> Reach {
        let is_wanted = self.intent == "announce";
        let is_sent = match dry_run {
            true => is_wanted,
            false => self.neighbors.iter().any(|neighbor| neighbor.sent == "announced"),
        };
        let is_there = match dry_run {
            true => self.intent == "deprefer",
            false => self.sent() > 0,
        };
        match (is_wanted && is_sent, is_there) {
            (true, _) => Reach::Announced,
            (false, true) => Reach::Depreferred,
            (false, false) => Reach::Nothing,
        }
    }
}

impl ToldStatus {
    /// Whether queries reach this POP: a prefix is announced, less preferred or not.
    #[must_use]
    pub fn is_announced(&self) -> bool {
        self.prefixes.iter().any(|prefix| prefix.reach(self.dry_run) != Reach::Nothing)
    }
}

impl ToldStatus {
    /// Whether a list of POPs means this server by a name: the POP, or the instance where a POP has several servers.
    pub fn answers_as(&self, name: &str) -> bool {
        self.pop == name || self.instance == name
    }
}
