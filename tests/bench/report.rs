//! The figures as Markdown.

use std::fmt::Write as _;

use crate::figures::{Metric, Spread, Table};
use crate::servers::Kind;

/// A heading, the table, the ratios, the faults.
pub(crate) fn markdown(table: &Table) -> String {
    let names: Vec<&str> = table.metrics.iter().map(|metric| metric.name).collect();
    let rounds = table.rows.first().map_or(0, |row| row.rounds.len());
    let mut text = format!("## {}\n\nMedian (least to most) of {rounds} rounds.\n\n", table.title);
    let _ = writeln!(text, "| server | {} |\n|{}", names.join(" | "), " --- |".repeat(names.len() + 1));
    for row in &table.rows {
        let cell = |(index, metric): (usize, &Metric)| cell(row.spread(index), *metric);
        let cells: Vec<String> = table.metrics.iter().enumerate().map(cell).collect();
        let _ = writeln!(text, "| {} | {} |", row.kind.name(), cells.join(" | "));
    }
    text.push('\n');
    text.push_str(&ratios(table));
    for fault in &table.faults {
        let _ = writeln!(text, "- FAULT: {fault}");
    }
    text
}

fn cell(spread: Spread, metric: Metric) -> String {
    let digits = metric.digits;
    let Spread { median, least, most } = spread;
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// anyns by the others, in what costs.
fn ratios(table: &Table) -> String {
    let mut text = String::new();
    let own = table.own().map_or("", |row| row.kind.name());
    for (index, metric) in table.metrics.iter().enumerate().filter(|(_, metric)| metric.cost) {
        let ratios = table.ratios(index);
        let told: Vec<String> =
            ratios.iter().map(|(kind, ratio)| format!("{} {ratio:.2}", kind.name())).collect();
        // The reflector is no peer, nor is anyns its own: the most of ratios is that to the best peer.
        let peers = ratios.iter().filter(|(kind, _)| !matches!(kind, Kind::Reflector | Kind::Anyns));
        let best = peers.map(|(_, ratio)| *ratio).reduce(f64::max);
        let best = best.map(|best| format!("; by the best peer **{best:.2}**")).unwrap_or_default();
        if !told.is_empty() {
            let _ = writeln!(text, "- {own} in {}, by {}{best}", metric.name, told.join(", "));
        }
    }
    text.push('\n');
    text
}
