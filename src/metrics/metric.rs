//! What a metric is.

/// A metric: its row in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name; that of a counter ends in `_total`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels beside `pop` and `instance`, in the order of their values.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence without its full stop.
    pub help: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A count since the start of the process.
    Counter,
    /// A value at this moment.
    Gauge,
    /// Counts by size.
    Histogram,
}

impl Kind {
    /// The word in both formats.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}
