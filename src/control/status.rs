//! The state of one POP as a document. Times are Unix seconds (UTC), durations are seconds; `render` makes them readable.

use serde::{Deserialize, Serialize};

use super::canary::{CanaryStatus, ZoneCanaryStatus};
use super::document::document;
use super::transfer::{NotifyStatus, SecondaryStatus, TransferStatus, WaitingStatus};
use super::verdict::Verdict;

document! {
    /// The state of one POP.
    Status {
        /// The POP's name.
        pop: String,
        /// The instance's name, as NSID says it.
        instance: String,
        /// The version of anyns.
        version: String,
        /// When this was written.
        now: u64,
        /// When the process began.
        started: u64,
        /// Well or not, since when and why; the daemon fills it with [`super::Memory::settle`].
        overall: Overall,
        /// Whether the driver is the dry run: nothing is sent to any neighbor.
        dry_run: bool,
        /// Whether anyns is stopping in order.
        stopping: bool,
        /// When it was last known that changes of zone files are seen; `None` if it never was.
        updates_alive: Option<u64>,
        /// Why changes of zone files are not seen; `None` while they are.
        updates_fault: Option<String>,
        /// What the operator ordered.
        operator: OperatorStatus,
        /// A reload that goes on, or one that failed and was not yet followed by a good one.
        reload: Option<ReloadStatus>,
        /// How far a look at all zones is that takes long, such as the first load.
        progress: Option<String>,
        /// How many zones are served in a version that is not yet in the state directory: for a moment after each
        /// change.
        zones_not_kept: u64,
        /// How many zones there are, and how they stand.
        zone_counts: ZoneCounts,
        /// The zones that are not well, grouped by what is wrong.
        zone_groups: Vec<ZoneGroup>,
        /// The catalogs that are followed and that are made here.
        #[serde(default)]
        catalogs: Vec<CatalogStatus>,
        /// The secondaries that have each version of some zones before all others.
        #[serde(default)]
        canaries: Vec<CanaryStatus>,
        /// How many seconds after it first saw a version this POP serves it, if it is a last-resort POP: older serials than elsewhere are meant.
        #[serde(default)]
        delay: Option<u64>,
        /// Of how many zones versions wait for that.
        #[serde(default)]
        zones_waiting: u64,
        /// The zones that were asked for, served or not.
        zones: Vec<ZoneStatus>,
        /// Every service prefix.
        prefixes: Vec<PrefixStatus>,
        /// Every service address and transport.
        probes: Vec<ProbeStatus>,
        /// Sockets and workers.
        serve: ServeStatus,
        /// The rate limiter.
        rate_limit: RateLimitStatus,
        /// Every supervised task and thread.
        tasks: Vec<TaskStatus>,
        /// The sources of facts that decide about the route.
        #[serde(default)]
        facts: Vec<FactStatus>,
        /// Whatever else an operator must know.
        alarms: Vec<Alarm>,
    }

    /// A source of facts.
    FactStatus {
        /// What it checks.
        name: String,
        /// How long ago it did so last, in milliseconds.
        age_ms: u64,
    }

    /// A catalog of zones (RFC 9432).
    CatalogStatus {
        /// Its name.
        name: String,
        /// Whether it is made here; otherwise its zones are served here.
        produced: bool,
        /// The serial of the version that is in force.
        serial: Option<u32>,
        /// How many zones are members.
        members: u64,
        /// Members of which neither a version nor a failure has come since the start; told where one catalog is followed.
        awaited: u64,
        /// How many removals wait for `anyns catalog accept`.
        held: u64,
        /// The serial under which they wait.
        held_serial: Option<u32>,
        /// Zones that are members no more, and whose data is kept for a while.
        removed: u64,
        /// Members that are not taken, because another catalog, the configuration or a zone file has them.
        clashes: u64,
        /// The first of them, in words.
        first_clash: Option<String>,
        /// Why the newest version is not in force.
        fault: Option<String>,
    }

    /// A reload that is not over, or that failed.
    ReloadStatus {
        /// Whether it failed; otherwise it goes on.
        failed: bool,
        /// Since when.
        since: u64,
        /// Why it failed.
        reason: String,
    }

    /// How many zones there are.
    ZoneCounts {
        /// All of them.
        total: u64,
        /// Those that are not well: not served in their newest version, or served with faults.
        not_well: u64,
        /// Still being read.
        loading: u64,
        /// Served in the newest version that was accepted.
        served: u64,
        /// Served in an older version.
        kept: u64,
        /// Not served.
        refused: u64,
        /// Answered SERVFAIL because they have expired.
        #[serde(default)]
        expired: u64,
        /// Those that were asked for; the list of zones may be cut to fewer.
        matched: u64,
        /// Those of them that are not well.
        matched_not_well: u64,
    }

    /// Zones with the same state and the same kind of fault.
    ZoneGroup {
        /// Their state.
        state: ZoneState,
        /// Whether the config requires them.
        required: bool,
        /// How many they are.
        count: u64,
        /// The name of the first.
        first: String,
        /// What is wrong with the first.
        fault: Option<String>,
        /// Since when the first of them has this state.
        since: u64,
    }

    /// A supervised task or thread.
    TaskStatus {
        /// Its name.
        name: String,
        /// Whether it runs.
        state: TaskState,
        /// How often it panicked.
        panics: u64,
    }

    /// What the operator ordered.
    OperatorStatus {
        /// `automatic`, `deprefer` or `withdraw`.
        order: String,
        /// Why; empty for `automatic`.
        reason: String,
        /// Since when.
        since: u64,
    }

    /// One zone.
    ZoneStatus {
        /// Its name.
        name: String,
        /// Its state.
        state: ZoneState,
        /// Whether the config requires it.
        required: bool,
        /// The serial that is served, if one is.
        serial: Option<u32>,
        /// The serial that its source gave last, if that is not the one that is served: it was raised here, or differences led on from it.
        #[serde(default)]
        source_serial: Option<u32>,
        /// The serial of the version that was refused last, if it may be accepted.
        #[serde(default)]
        refused_serial: Option<u32>,
        /// Whether an operator holds it at the version that is served.
        #[serde(default)]
        is_held: bool,
        /// How many records are served.
        records: u64,
        /// Where it comes from.
        source: String,
        /// Since when it has this state.
        since: u64,
        /// Its DNSSEC signatures; `None` if it is not signed or was not looked at yet.
        signatures: Option<SignatureStatus>,
        /// What is wrong with it, `file:line:column: …` where a place is known.
        faults: Vec<String>,
        /// The catalog that it is a member of.
        #[serde(default)]
        catalog: Option<String>,
        /// Its primaries and what they say; `None` if it comes from none.
        #[serde(default)]
        transfer: Option<TransferStatus>,
        /// SHA-384 over the content that is served, as in a ZONEMD record (RFC 8976, scheme SIMPLE), in hexadecimal: two servers that have the
        /// same serial and another digest serve other content. `None` until it is made.
        #[serde(default)]
        digest: Option<String>,
        /// What canaries wait for; `None` if all secondaries may have what is served, and the next version will go its usual way.
        #[serde(default)]
        canary: Option<ZoneCanaryStatus>,
        /// The versions that wait here, because this is a last-resort POP; `None` if none does.
        #[serde(default)]
        waiting: Option<WaitingStatus>,
        /// What each secondary asked for last, if it is sent to some.
        #[serde(default)]
        secondaries: Vec<SecondaryStatus>,
        /// Targets of NOTIFYs that do not take those of this zone.
        #[serde(default)]
        notify: Vec<NotifyStatus>,
    }

    /// The DNSSEC signatures of a zone.
    SignatureStatus {
        /// Whether those of the version that is served are still being looked at, or verified.
        verifying: bool,
        /// How much of the zone is verified, in percent; `None` if signatures are not verified.
        verified_percent: Option<u8>,
        /// When the first of them expires; `None` if that is not known yet.
        expires: Option<u64>,
        /// When the last of them begins to be valid; `None` if that is not known yet.
        begins: Option<u64>,
        /// How many are wrong, as far as is known; expired ones are not counted.
        wrong: u64,
        /// The first of them.
        first_wrong: Option<String>,
    }

    /// One service prefix.
    PrefixStatus {
        /// The prefix.
        prefix: String,
        /// What is desired: `announce`, `deprefer` or `withdraw`.
        intent: String,
        /// Since when.
        since: u64,
        /// Why it is not simply announced.
        reasons: Vec<String>,
        /// What each neighbor was sent; empty with the dry-run driver.
        neighbors: Vec<NeighborStatus>,
    }

    /// One prefix at one neighbor: what is desired and what was sent are two things, and a neighbor does not say what it makes of a route.
    NeighborStatus {
        /// The neighbor's address.
        neighbor: String,
        /// Whether it is a routing daemon on this host: what it was sent has not left the host by that.
        local: bool,
        /// The state of the session (RFC 4271 section 8.2.2), such as `Established`.
        session: String,
        /// What is desired: `announce`, `deprefer` or `withdraw`.
        desired: String,
        /// What this neighbor was sent in this session, the latest.
        sent: RouteState,
        /// Since when.
        since: u64,
    }

    /// The probes of one service address over one transport.
    ProbeStatus {
        /// The address.
        address: String,
        /// `UDP` or `TCP`.
        transport: String,
        /// `untested`, `up`, `pressure`, `wrong` or `silent`.
        standing: String,
        /// Since when.
        since: u64,
        /// Questions that were asked.
        questions: u64,
        /// Questions that got no answer.
        questions_lost: u64,
        /// Of how many of the last questions, at most 64, the next number tells.
        recent_questions: u32,
        /// How many of them got no answer.
        recent_lost: u32,
        /// How long the last answer took, in microseconds.
        round_trip_us: Option<u64>,
        /// What was last wrong or missing.
        reason: Option<String>,
        /// When that was.
        reason_at: Option<u64>,
        /// The last fault of a single zone, such as `SERVFAIL for example.org.`.
        zone_fault: Option<String>,
    }

    /// Sockets and workers.
    ServeStatus {
        /// `native` or `hickory`.
        engine: String,
        /// Every listening socket.
        listeners: Vec<ListenerStatus>,
        /// Every worker.
        workers: Vec<WorkerStatus>,
        /// Totals by name, such as `udp_queries`.
        counters: std::collections::BTreeMap<String, u64>,
    }

    /// One listening socket.
    ListenerStatus {
        /// Address and port.
        address: String,
        /// `UDP` or `TCP`.
        transport: String,
        /// Why it does not work; `None` while it does.
        fault: Option<String>,
    }

    /// One worker.
    WorkerStatus {
        /// Its number, from 0.
        index: u64,
        /// Whether its heartbeat is stale.
        stale: bool,
        /// Queries it has taken.
        queries: u64,
    }

    /// The rate limiter.
    RateLimitStatus {
        /// `enforce`, `dry-run` or `off`.
        mode: String,
        /// Queries without a response.
        limited: u64,
        /// Queries with a truncated response.
        slipped: u64,
        /// Queries that dry-run mode let pass.
        would_limit: u64,
        /// Slots of the table.
        table_slots: u64,
    }

    /// Something an operator must know.
    Alarm {
        /// What it is, without counts and ages: the same for as long as it lasts.
        kind: String,
        /// To which causes it belongs.
        cause: Cause,
        /// What it is, in words.
        message: String,
        /// Since when.
        since: u64,
    }
}

/// To which causes a complaint belongs. The earlier ones explain the later ones and are shown before them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The host and the process: addresses, sockets, workers, tasks.
    Host,
    /// The zones that the config requires.
    Zones,
    /// What the probes see.
    Probes,
    /// Prefixes and sessions.
    Routes,
    /// Everything else.
    #[default]
    Rest,
}

/// Whether a task runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// It sends heartbeats.
    #[default]
    Runs,
    /// It has sent none for some seconds.
    Silent,
    /// It has ended.
    Ended,
}

/// The state of a zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZoneState {
    /// Still being read.
    #[default]
    Loading,
    /// Served in the newest version that was accepted.
    Served,
    /// An older version is served: the newer one was refused, or its file vanished.
    Kept,
    /// Not served: refused, and there is no older version.
    Refused,
    /// Answered SERVFAIL: no primary has confirmed it for as long as its SOA record says.
    Expired,
}

impl ZoneState {
    /// The word for it, as in the document.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Served => "served",
            Self::Kept => "kept",
            Self::Refused => "refused",
            Self::Expired => "expired",
        }
    }
}

/// What a neighbor was sent about a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteState {
    /// Nothing, or a withdrawal.
    #[default]
    Nothing,
    /// The route, less preferred.
    Depreferred,
    /// The route.
    Announced,
}

/// Well or not, since when and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overall {
    /// The one word.
    pub verdict: Verdict,
    /// Since when it is this one (Unix seconds).
    pub since: u64,
    /// What is wrong in words, the cause before what follows from it; empty for `ok`. At most [`MAX_REASONS`](super::MAX_REASONS) and a count.
    pub reasons: Vec<String>,
    /// The same with kinds and times, as many as there are reasons.
    pub complaints: Vec<Alarm>,
}
