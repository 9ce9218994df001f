//! What a scenario showed: as a table for people, as JSON for programs.

use std::collections::BTreeMap;
use std::path::Path;

use super::ecmp::{self, GroupChange};
use super::error::{LabError, file};
use super::routes::RouteChange;
use super::sessions::{self, SessionResult};

/// One scenario that was run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ScenarioResult {
    /// Its name.
    pub scenario: String,
    /// What was done.
    pub what: String,
    /// Where.
    pub pop: String,
    /// `namespaces` or `containerlab`.
    pub runtime: &'static str,
    /// What the servers run.
    pub stack: &'static str,
    /// Whether the clients of the POP were meant to be answered by somebody else.
    pub moves: bool,
    /// By family: what the clients of the POP saw.
    pub families: Vec<FamilyResult>,
    /// Queries of the other regions that were never answered.
    pub lost_elsewhere: usize,
    /// What happened when.
    pub events: Vec<Event>,
    /// Every client.
    pub clients: Vec<ClientResult>,
    /// Every change of a route to the primary service.
    pub routes: Vec<RouteChange>,
    /// The sessions that the client of the POP had open, where the scenario is about them.
    pub sessions: Vec<SessionResult>,
    /// What changes of the POP's ECMP group did, where the scenario is about them.
    pub group_changes: Vec<GroupChange>,
}

/// What one family of the POP's clients saw.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FamilyResult {
    /// `IPv4` or `IPv6`.
    pub family: &'static str,
    /// When the transit of the POP had another route, or none, in milliseconds after the fault.
    pub withdrawn_ms: Option<f64>,
    /// When the first answer of another server arrived.
    pub elsewhere_ms: Option<f64>,
    /// Queries that were never answered.
    pub lost: usize,
    /// Queries in all.
    pub sent: usize,
    /// The rate of the queries.
    pub rate: u32,
}

/// Something that happened.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Event {
    /// Milliseconds after the fault.
    pub at_ms: f64,
    /// What.
    pub what: String,
}

/// What one client saw over one family.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct ClientResult {
    /// The client's node.
    pub client: String,
    /// Its region.
    pub pop: String,
    /// 0 for IPv4, 1 for IPv6.
    pub family: usize,
    /// Queries per second.
    pub rate: u32,
    /// Queries in all.
    pub sent: usize,
    /// Queries that were never answered, from the fault on.
    pub lost: usize,
    /// Queries that were lost before anything happened: the machine was busy.
    pub lost_before: usize,
    /// The longest time without an answered query.
    pub gap_ms: f64,
    /// When the first answer of another server than before arrived.
    pub elsewhere_ms: Option<f64>,
    /// The versions of the zone that were answered, and when each was answered first.
    pub versions: BTreeMap<u32, f64>,
    /// Answers that were wrong: of two versions at once, not whole, to no query of ours.
    pub faults: Vec<String>,
    /// Who answered when.
    pub segments: Vec<Segment>,
}

/// A time in which the same server answered, or none.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Segment {
    /// When its first query was sent.
    pub from_ms: f64,
    /// When its last query was sent.
    pub to_ms: f64,
    /// Who answered.
    pub instance: Option<String>,
}

impl ScenarioResult {
    /// Everything that happened, a line each.
    pub fn timeline(&self) -> String {
        let head = format!("{} at {} ({}): {}\n", self.scenario, self.pop, self.runtime, self.what);
        let lines = self.events.iter().map(|event| format!("  {:>9.1} ms  {}\n", event.at_ms, event.what));
        head + &lines.collect::<String>()
    }
}

/// The heading of [`rows`].
pub const HEADING: &str = "scenario         POP  family  withdrawn  first answer elsewhere  lost at 1,000 q/s  lost in other regions";

/// A line for each family; then a table of the sessions and one of the changes of an ECMP group, where there are any.
pub fn rows(result: &ScenarioResult) -> String {
    let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    let row = |family: &FamilyResult| {
        format!(
            "{:<16} {:<4} {:<7} {:>9}  {:>22}  {:>17}  {:>21}\n",
            result.scenario,
            result.pop,
            family.family,
            time(family.withdrawn_ms),
            time(family.elsewhere_ms),
            family.lost,
            result.lost_elsewhere
        )
    };
    let families: String = result.families.iter().map(row).collect();
    let (scenario, pop) = (&result.scenario, &result.pop);
    families
        + &sessions::table(scenario, pop, &result.sessions)
        + &ecmp::table(scenario, pop, &result.group_changes)
}

/// Writes a result into a folder: `SCENARIO-POP.json` and `SCENARIO-POP.svg`.
pub fn write(result: &ScenarioResult, folder: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(folder).map_err(file(folder))?;
    let path = |extension: &str| folder.join(format!("{}-{}.{extension}", result.scenario, result.pop));
    let text = serde_json::to_string_pretty(result).unwrap_or_default();
    std::fs::write(path("json"), text).map_err(file(path("json")))?;
    std::fs::write(path("svg"), super::svg::draw(result)).map_err(file(path("svg")))
}
