//! The status as text for people: what is wrong first, then prefixes, probes, zones, sockets, limits.

use std::fmt::Write;

use super::{RouteState, Status, Verdict, ZoneState, ZoneStatus};

/// The most zones that are well and still listed one by one; `--json` has them all.
const MAX_WELL_ZONES: usize = 20;

/// The most zones that are unwell and listed one by one.
const MAX_BAD_ZONES: usize = 200;

/// The document as aligned text, at most some hundred lines.
///
/// `anyns status` prints it and ends with [`Verdict::exit_code`]: 0 ok, 1 degraded, 2 down (3: no answer).
pub fn render(status: &Status) -> String {
    let mut text = headline(status);
    let tables = [
        ("prefix", prefixes(status)),
        ("probe", probes(status)),
        ("zone", zones(status)),
        ("serve", serve(status)),
        ("rate limit", rate_limit(status)),
    ];
    for (title, rows) in tables {
        if !rows.is_empty() {
            let _ = write!(text, "\n{title}\n{}", aligned(&rows));
        }
    }
    text
}

fn headline(status: &Status) -> String {
    let overall = &status.overall;
    let mut text = format!(
        "{} is {} since {} ({} ago)\n",
        printable(&status.pop),
        overall.verdict.word().to_uppercase(),
        time(overall.since),
        span(status.now.saturating_sub(overall.since))
    );
    for reason in &overall.reasons {
        let _ = writeln!(text, "  ! {}", printable(reason));
    }
    if overall.verdict == Verdict::Ok {
        text.push_str("  nothing is wrong\n");
    }
    let up = span(status.now.saturating_sub(status.started));
    let _ = writeln!(
        text,
        "  instance {}, anyns {}, up {up}",
        printable(&status.instance),
        printable(&status.version)
    );
    if let Some(progress) = &status.progress {
        let _ = writeln!(text, "  {}", printable(progress));
    }
    if status.zones_not_kept > 0 {
        let _ =
            writeln!(text, "  {} zones are served but not yet in the state directory", status.zones_not_kept);
    }
    text
}

type Row = Vec<String>;

fn prefixes(status: &Status) -> Vec<Row> {
    let mut rows = Vec::new();
    for prefix in &status.prefixes {
        rows.push(vec![
            prefix.prefix.clone(),
            prefix.intent.clone(),
            since(status, prefix.since),
            prefix.reasons.join("; "),
        ]);
        for neighbour in &prefix.neighbours {
            let told = match neighbour.route {
                RouteState::Absent => "absent",
                RouteState::Depreferred => "depreferred",
                RouteState::Announced => "announced",
            };
            let name = format!("  at {}", neighbour.neighbour);
            rows.push(vec![name, told.into(), since(status, neighbour.since), neighbour.session.clone()]);
        }
    }
    rows
}

fn probes(status: &Status) -> Vec<Row> {
    let row = |probe: &super::ProbeStatus| {
        let round_trip = probe.round_trip_us.map_or("-".into(), |micros| format!("{micros} µs"));
        let why = match (&probe.reason, probe.reason_at) {
            (Some(reason), Some(at)) if probe.standing == "up" => format!("last: {reason}, {}", time(at)),
            (Some(reason), _) => reason.clone(),
            (None, _) => String::new(),
        };
        let why = [Some(why), probe.zone_fault.clone()].into_iter().flatten().filter(|text| !text.is_empty());
        let why = why.collect::<Vec<_>>().join("; ");
        let name = format!("{} {}", probe.address, probe.transport);
        vec![name, probe.standing.clone(), since(status, probe.since), round_trip, why]
    };
    status.probes.iter().map(row).collect()
}

fn zones(status: &Status) -> Vec<Row> {
    let is_well = |zone: &&ZoneStatus| zone.state == ZoneState::Served && zone.faults.is_empty();
    let row = |zone: &ZoneStatus| {
        let state = match zone.state {
            ZoneState::Loading => "loading",
            ZoneState::Served => "served",
            ZoneState::Kept => "kept",
            ZoneState::Refused => "refused",
            ZoneState::Expired => "expired",
        };
        let serial = zone.serial.map_or("-".into(), |serial| serial.to_string());
        let records = format!("{} records", zone.records);
        let fault = zone.faults.first().cloned().unwrap_or_default();
        vec![
            zone.name.clone(),
            state.into(),
            since(status, zone.since),
            serial,
            records,
            zone.source.clone(),
            fault,
        ]
    };
    let (well, bad): (Vec<&ZoneStatus>, Vec<&ZoneStatus>) = status.zones.iter().partition(is_well);
    let mut rows: Vec<Row> = bad.iter().take(MAX_BAD_ZONES).map(|zone| row(zone)).collect();
    rows.extend(well.iter().take(MAX_WELL_ZONES).map(|zone| row(zone)));
    let (bad, well) = (bad.len().saturating_sub(MAX_BAD_ZONES), well.len().saturating_sub(MAX_WELL_ZONES));
    if bad + well > 0 {
        rows.push(vec![format!("and {bad} more that are not well, {well} more that are: see --json")]);
    }
    rows
}

fn serve(status: &Status) -> Vec<Row> {
    let serve = &status.serve;
    let mut rows: Vec<Row> = Vec::new();
    for listener in &serve.listeners {
        let state =
            listener.fault.as_ref().map_or("listens".into(), |fault| format!("does not work: {fault}"));
        rows.push(vec![format!("{} {}", listener.address, listener.transport), state]);
    }
    for worker in &serve.workers {
        let state = if worker.stale { "stands still" } else { "runs" };
        rows.push(vec![
            format!("worker {} ({})", worker.index, serve.engine),
            state.into(),
            format!("{} queries", worker.queries),
        ]);
    }
    rows.extend(serve.counters.iter().map(|(name, count)| vec![name.clone(), count.to_string()]));
    rows
}

fn rate_limit(status: &Status) -> Vec<Row> {
    let limit = &status.rate_limit;
    let table = format!("{} slots", limit.table_slots);
    let counts =
        format!("{} dropped, {} slipped, {} would be", limit.limited, limit.slipped, limit.would_limit);
    vec![vec![limit.mode.clone(), table, counts]]
}

/// Two spaces in front and between columns; the last column of a row is not padded.
fn aligned(rows: &[Row]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    let rows: Vec<Row> = rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    // A lone cell is a remark, not a column.
    for row in rows.iter().filter(|row| row.len() > 1) {
        widths.resize(widths.len().max(row.len()), 0);
        let longer = |(width, cell): (&mut usize, &String)| *width = (*width).max(cell.chars().count());
        widths.iter_mut().zip(row).for_each(longer);
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths.iter().chain(std::iter::repeat(&0))) {
            let _ = write!(line, "  {cell:width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Control characters of names and reasons must not reach the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

fn since(status: &Status, at: u64) -> String {
    format!("since {} ({})", time(at), span(status.now.saturating_sub(at)))
}

/// The two largest units of a span of seconds.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// RFC 3339 in UTC, by the civil calendar counted from 1 March 0000, in which a leap day ends its year.
fn time(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::super::overall;
    use super::super::overall::tests::well;
    use super::*;

    #[test]
    fn times_are_rfc3339() {
        let table = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_799, "2000-02-29T23:59:59Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in table {
            assert_eq!(time(seconds), text);
        }
        assert_eq!(
            [span(59), span(61), span(3661), span(90_000)],
            ["59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
        );
    }

    #[test]
    fn well_reads_well() {
        let text = render(&well());
        assert!(
            text.starts_with("fra1 is OK since 2023-11-14T22:13:20Z (1 h 1 min ago)\n  nothing is wrong\n"),
            "{text}"
        );
        assert!(
            text.contains("\nprefix\n  198.51.100.0/24   announce   since 2023-11-14T22:15:00Z (1 h 0 min)"),
            "{text}"
        );
        assert!(text.contains("\n    at 192.0.2.254  announced  since"), "{text}");
    }

    #[test]
    fn what_is_wrong_stands_first_and_reaches_no_terminal_raw() {
        let mut status = well();
        status.operator.order = "withdraw".into();
        status.operator.reason = "upgrade\u{1b}[2J".into();
        status.operator.since = 1_700_000_000;
        status.overall = overall(&status);
        let text = render(&status);
        let second = text.lines().nth(1).unwrap();
        assert_eq!(second, "  ! the operator ordered withdraw: upgrade\u{fffd}[2J");
    }

    #[test]
    fn bad_zones_come_first_and_a_hundred_thousand_stay_readable() {
        let mut status = well();
        let more = (0..100_000).map(|index| ZoneStatus {
            name: format!("z{index}.example."),
            state: if index % 2 == 0 { ZoneState::Served } else { ZoneState::Refused },
            ..ZoneStatus::default()
        });
        status.zones.extend(more);
        let text = render(&status);
        assert!(text.lines().count() < 300);
        assert!(text.contains("\nzone\n  z1.example."), "{}", text.get(..2000).unwrap());
        assert!(text.contains("and 49800 more that are not well, 49981 more that are: see --json"));
    }
}
