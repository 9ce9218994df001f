//! The same scenarios with two stacks, side by side.

use crate::tool::ecmp::GroupChange;
use crate::tool::result::{FamilyResult, ScenarioResult};
use crate::tool::sessions::{End, SessionResult};

/// A table in Markdown: a line for each scenario, POP and family, then for each session and for each change of an ECMP group.
pub(crate) fn table(anyns: &[ScenarioResult], stitched: &[ScenarioResult]) -> String {
    let pairs: Vec<(&ScenarioResult, &ScenarioResult)> = anyns
        .iter()
        .filter_map(|one| {
            let is_same = |other: &&ScenarioResult| other.scenario == one.scenario && other.pop == one.pop;
            Some((one, stitched.iter().find(is_same)?))
        })
        .collect();
    let lines = |rows: fn(&ScenarioResult, &ScenarioResult) -> Vec<String>| {
        pairs.iter().flat_map(|(one, other)| rows(one, other)).map(|row| row + "\n").collect::<String>()
    };
    let (one, other) = pairs.first().map(|(one, other)| (one.stack, other.stack)).unwrap_or_default();
    let head = |what: &str, cell: &str| {
        format!(
            "\n| {what} | POP | family | {one}: {cell} | {other}: {cell} |\n| --- | --- | --- | --- | --- |\n"
        )
    };
    [
        head("scenario", "withdrawn; first answer elsewhere; queries lost"),
        lines(families),
        head("session", "over after; retry answered after"),
        lines(sessions),
        head("ECMP", "broken connections to the other server; to itself"),
        lines(groups),
    ]
    .concat()
}

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

fn families(one: &ScenarioResult, other: &ScenarioResult) -> Vec<String> {
    let key = |family: &FamilyResult| format!("| {} | {} | {} |", one.scenario, one.pop, family.family);
    let pairs = one.families.iter().zip(&other.families);
    pairs.map(|(a, b)| format!("{} {} | {} |", key(a), family(one, a), family(other, b))).collect()
}

fn family(result: &ScenarioResult, family: &FamilyResult) -> String {
    let time = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    let wrong = match (result.scenario.as_str(), versions(result)) {
        ("wrong-zone", 2) => ", the wrong version is refused",
        ("wrong-zone", _) => ", the wrong version is served by every POP",
        _ => "",
    };
    // In an upgrade the routes move once for each server.
    let moved = match result.scenario.as_str() {
        "upgrade" => "(each server in turn)".to_owned(),
        _ if result.moves => format!("{}; {}", time(family.withdrawn_ms), time(family.elsewhere_ms)),
        _ => "-".to_owned(),
    };
    format!("{moved}; {} lost{wrong}", family.lost)
}

/// The most versions that a client was answered from.
fn versions(result: &ScenarioResult) -> usize {
    result.clients.iter().map(|client| client.versions.len()).max().unwrap_or(0)
}

fn sessions(one: &ScenarioResult, other: &ScenarioResult) -> Vec<String> {
    let same = |session: &SessionResult| {
        other.sessions.iter().find(|one| (one.transport, one.family) == (session.transport, session.family))
    };
    let row = |a: &SessionResult| {
        let name = a.transport.name();
        let b = same(a).map_or_else(|| format!("none: NSD 4.6 does not speak {name}"), session);
        format!("| {}, {name} | {} | {} | {} | {b} |", one.scenario, one.pop, FAMILIES[a.family], session(a))
    };
    one.sessions.iter().map(row).collect()
}

fn session(one: &SessionResult) -> String {
    let by = match one.end {
        End::Reset => "RST",
        End::Closed => "close",
        End::Silence => "silence",
    };
    let resumed = match one.resumed {
        Some(true) => ", resumed",
        Some(false) => ", full handshake",
        None => "",
    };
    format!("{by} {:.1} ms; {:.1} ms{resumed}", one.ended_ms, one.answered_ms)
}

fn groups(one: &ScenarioResult, other: &ScenarioResult) -> Vec<String> {
    let pairs = one.group_changes.iter().zip(&other.group_changes);
    let row = |(a, b): (&GroupChange, &GroupChange)| {
        let key =
            format!("| {}, a server {} | {} | {} |", one.scenario, a.change, one.pop, FAMILIES[a.family]);
        format!("{key} {} | {} |", group(a), group(b))
    };
    pairs.map(row).collect()
}

fn group(change: &GroupChange) -> String {
    let GroupChange { staying, staying_broken, leaving, leaving_broken, .. } = change;
    format!("{staying_broken} of {staying}; {leaving_broken} of {leaving}")
}
