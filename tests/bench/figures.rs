//! Figures of several rounds: medians, spans, ratios.

use crate::servers::Kind;

/// What one column of a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metric {
    /// Name and unit.
    pub(crate) name: &'static str,
    /// Digits behind the point.
    pub(crate) digits: usize,
    /// Less is better, and the ratio to the peers is told.
    pub(crate) cost: bool,
}

/// What a server did, round by round.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The server.
    pub(crate) kind: Kind,
    /// For each round one value for each metric.
    pub(crate) rounds: Vec<Vec<f64>>,
}

/// A scenario's figures.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What was measured.
    pub(crate) title: String,
    /// The columns.
    pub(crate) metrics: &'static [Metric],
    /// The servers.
    pub(crate) rows: Vec<Row>,
    /// What was wrong; any fault fails the run.
    pub(crate) faults: Vec<String>,
}

/// Median, least and most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    /// Of an even number the mean of the middle two.
    pub(crate) median: f64,
    /// The least.
    pub(crate) least: f64,
    /// The most.
    pub(crate) most: f64,
}

impl Row {
    /// The rounds of one metric.
    pub(crate) fn spread(&self, metric: usize) -> Spread {
        let mut values: Vec<f64> =
            self.rounds.iter().filter_map(|round| round.get(metric)).copied().collect();
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else { return Spread::default() };
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Spread { median: (low + high) / 2.0, least: *least, most: *most }
    }
}

impl Table {
    /// A table without rounds yet.
    pub(crate) fn new(title: impl Into<String>, metrics: &'static [Metric], kinds: &[Kind]) -> Self {
        let rows = kinds.iter().map(|kind| Row { kind: *kind, rounds: Vec::new() }).collect();
        Self { title: title.into(), metrics, rows, faults: Vec::new() }
    }

    /// The row of a server.
    pub(crate) fn row(&self, kind: Kind) -> Option<&Row> {
        self.rows.iter().find(|row| row.kind == kind)
    }

    /// The server that is held against the others: anyns, or what of it is tried beside anyns as it is shipped.
    pub(crate) fn own(&self) -> Option<&Row> {
        self.row(Kind::AnynsAffinity).or_else(|| self.row(Kind::Anyns))
    }

    /// That one by each other server in one metric, medians of the rounds of this run.
    pub(crate) fn ratios(&self, metric: usize) -> Vec<(Kind, f64)> {
        let Some(own) = self.own() else { return Vec::new() };
        let peers = self.rows.iter().filter(|row| row.kind != own.kind);
        let own = own.spread(metric).median;
        peers
            .map(|row| (row.kind, own / row.spread(metric).median))
            .filter(|(_, ratio)| ratio.is_finite())
            .collect()
    }
}
