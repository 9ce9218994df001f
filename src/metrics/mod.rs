//! Metrics as text: the status of this POP and its counters in, the formats that Prometheus scrapes out.
//!
//! ```text
//!   control::Status, telemetry::Counters, Facts ---> render ---> OpenMetrics 1.0, or the text format 0.0.4
//!   table (every metric: name, kind, labels, help) ----^----> the table in deploy/metrics.md
//! ```
//!
//! Each sample has the labels `pop` and `instance`. What arbitrary clients can grow is bounded: a query type without a counter of its own is
//! `other`, zones are the busiest that the workers' sketches hold ([`MOST_BUSY`]), and zones have samples of their own only while
//! there are at most [`MOST_ZONES`]; of more, those that the configuration requires have, and all are counted by state. Never waits,
//! never keeps anything from one scrape to the next.
//!
//! The text is written here and not by `prometheus-client`: that crate keeps live metric objects, and these samples are made from a
//! document at the time of the scrape; it writes OpenMetrics alone, and `promtool check metrics` and older scrapers read the
//! text format. The writer is a hundred lines.

mod exposition;
mod facts;
mod guide;
mod metric;
mod outward;
mod process;
mod queries;
mod routes;
mod table;
#[cfg(test)]
#[path = "../../tests/unit/metrics.rs"]
mod tests;
mod zones;

pub use exposition::Format;
pub use facts::{
    CertificateFacts, ExportFacts, Facts, OutwardFacts, PrefixFacts, SampleFacts, SessionFacts,
    TargetNotifies, TransferFacts, TransferTotals, ZoneFacts,
};
pub use guide::guide;
pub use metric::{Kind, Metric};
pub use queries::RCODES;
pub use table::ALL;

use crate::control::Status;
use crate::telemetry::Counters;

use exposition::Exposition;

/// Zones that have samples of their own at most: with nine samples each and names of usual length a scrape stays below 1 MB.
pub const MOST_ZONES: usize = 500;

/// Octets of the names of those zones at most, as they stand in a label: long names must not make a scrape of many MB.
pub const MOST_NAMES: usize = 64 * 1024;

/// Zones that have a count of queries at most: what the sketches of eight workers hold if no two have a zone in common.
pub const MOST_BUSY: usize = 256;

/// Everything there is to tell, in this format.
#[must_use]
pub fn render(status: &Status, counters: &Counters, facts: &Facts, format: Format) -> String {
    let mut text = Exposition::new(format, &status.pop, &status.instance);
    process::write(&mut text, status, facts);
    queries::write(&mut text, status, counters, facts);
    zones::write(&mut text, status, facts);
    outward::write(&mut text, &facts.outward);
    routes::write(&mut text, status, facts);
    text.finish()
}
