//! A metric of a day as a YAML document (RSSAC002 section 4), and back. Text in, text out.
//!
//! ```yaml
//! ---
//! version: rssac002v5
//! service: as112.example
//! start-period: 2026-11-29T00:00:00Z
//! metric: rcode-volume
//! 0: 1234
//! 3: 567
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use super::counts::{Counts, SIZES, TRAFFIC};
use super::day::Day;
use crate::telemetry::SIZE_RANGE;

/// What the documents say that they follow.
const VERSION: &str = "rssac002v5";

/// A metric: one document, one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// Queries and responses by transport and family.
    TrafficVolume,
    /// Queries and responses by size, in ranges of 16 octets.
    TrafficSizes,
    /// Responses by RCODE.
    RcodeVolume,
}

impl Metric {
    pub(super) const ALL: [Self; 3] = [Self::TrafficVolume, Self::TrafficSizes, Self::RcodeVolume];

    /// Its name in documents and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TrafficVolume => "traffic-volume",
            Self::TrafficSizes => "traffic-sizes",
            Self::RcodeVolume => "rcode-volume",
        }
    }
}

/// Why a text is no document of a metric that anyns wrote for this day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DocumentError {
    /// It does not begin as this document begins.
    #[error("it does not begin with the lines of this service, day and metric")]
    OtherHead,
    /// A line that is no field of it.
    #[error("line {line} is no field of {metric}")]
    Field {
        /// Which, from 1.
        line: usize,
        /// The metric.
        metric: &'static str,
    },
}

/// The lines before the fields.
fn head(metric: Metric, service: &str, day: Day) -> String {
    let (start, metric) = (day.start(), metric.name());
    format!("---\nversion: {VERSION}\nservice: {service}\nstart-period: {start}\nmetric: {metric}\n")
}

/// Writes a document.
pub(super) fn write(counts: &Counts, metric: Metric, service: &str, day: Day) -> String {
    let mut text = head(metric, service, day);
    // Writing to a string does not fail.
    match metric {
        Metric::TrafficVolume => {
            for (field, count) in TRAFFIC.iter().zip(counts.traffic) {
                let _ = writeln!(text, "{field}: {count}");
            }
        }
        Metric::TrafficSizes => {
            for (field, sizes) in SIZES.iter().zip(&counts.sizes) {
                write_sizes(&mut text, field, sizes);
            }
        }
        Metric::RcodeVolume => {
            for (rcode, count) in counts.rcodes.iter().filter(|(_, count)| **count > 0) {
                let _ = writeln!(text, "{rcode}: {count}");
            }
        }
    }
    text
}

/// A field with the ranges that have messages, such as `  32-47: 123`.
fn write_sizes(text: &mut String, field: &str, sizes: &BTreeMap<u16, u64>) {
    // Writing to a string does not fail.
    if sizes.values().all(|count| *count == 0) {
        let _ = writeln!(text, "{field}: {{}}");
        return;
    }
    let _ = writeln!(text, "{field}:");
    for (first, count) in sizes.iter().filter(|(_, count)| **count > 0) {
        let _ = writeln!(text, "  {first}-{}: {count}", usize::from(*first) + SIZE_RANGE - 1);
    }
}

/// Adds what a document tells to the counts.
pub(super) fn read(
    text: &str,
    (metric, service, day): (Metric, &str, Day),
    counts: &mut Counts,
) -> Result<(), DocumentError> {
    let head = head(metric, service, day);
    let fields = text.strip_prefix(&head).ok_or(DocumentError::OtherHead)?;
    let mut sizes = None;
    for (index, line) in fields.lines().enumerate() {
        let read = match metric {
            Metric::TrafficVolume => read_traffic(line, counts),
            Metric::TrafficSizes => read_sizes(line, &mut sizes, counts),
            Metric::RcodeVolume => read_rcode(line, counts),
        };
        let line = head.lines().count() + index + 1;
        read.ok_or_else(|| DocumentError::Field { line, metric: metric.name() })?;
    }
    Ok(())
}

/// `None`: no such line.
fn read_traffic(line: &str, counts: &mut Counts) -> Option<()> {
    let (field, count) = line.split_once(": ")?;
    let place = TRAFFIC.iter().position(|known| *known == field)?;
    add(counts.traffic.get_mut(place)?, count)
}

/// `place` is the field that the lines before have begun.
fn read_sizes(line: &str, place: &mut Option<usize>, counts: &mut Counts) -> Option<()> {
    let Some(range) = line.strip_prefix("  ") else {
        let field = line.strip_suffix(" {}").unwrap_or(line).strip_suffix(':')?;
        *place = Some(SIZES.iter().position(|known| *known == field)?);
        return Some(());
    };
    let (range, count) = range.split_once(": ")?;
    let first = range.split_once('-')?.0.parse().ok()?;
    add(counts.sizes.get_mut((*place)?)?.entry(first).or_default(), count)
}

fn read_rcode(line: &str, counts: &mut Counts) -> Option<()> {
    let (rcode, count) = line.split_once(": ")?;
    add(counts.rcodes.entry(rcode.parse().ok()?).or_default(), count)
}

fn add(known: &mut u64, count: &str) -> Option<()> {
    *known = known.saturating_add(count.parse().ok()?);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn documents_are_read_as_they_were_written() {
        let day = Day::of(UNIX_EPOCH);
        let sizes = [[(32, 7), (48, 1)].into(), BTreeMap::new(), BTreeMap::new(), [(65_520, 2)].into()];
        let traffic = [1, 2, 3, 4, 5, 6, 7, u64::MAX];
        let counts = Counts { traffic, sizes, rcodes: [(0, 9), (3, 0), (23, 4)].into() };
        let text = |metric| write(&counts, metric, "as112.example", day);
        assert_eq!(
            text(Metric::RcodeVolume),
            "---\nversion: rssac002v5\nservice: as112.example\nstart-period: 1970-01-01T00:00:00Z\nmetric: rcode-volume\n0: 9\n23: 4\n"
        );
        assert!(text(Metric::TrafficSizes).ends_with(
            "metric: traffic-sizes\nudp-request-sizes:\n  32-47: 7\n  48-63: 1\nudp-response-sizes: {}\ntcp-request-sizes: {}\n\
             tcp-response-sizes:\n  65520-65535: 2\n"
        ));
        let mut back = Counts::default();
        for metric in Metric::ALL {
            read(&text(metric), (metric, "as112.example", day), &mut back).unwrap();
        }
        assert_eq!(back, Counts { rcodes: [(0, 9), (23, 4)].into(), ..counts });
    }

    #[test]
    fn what_is_no_such_document_is_refused() {
        let day = Day::of(UNIX_EPOCH);
        let text = write(&Counts::default(), Metric::TrafficVolume, "a", day);
        let read =
            |text: &str, service| read(text, (Metric::TrafficVolume, service, day), &mut Counts::default());
        assert_eq!(read(&text, "a"), Ok(()));
        assert_eq!(read(&text, "b"), Err(DocumentError::OtherHead));
        assert_eq!(read("", "a"), Err(DocumentError::OtherHead));
        for more in ["x: 1", "dns-udp-queries-received-ipv4: -1", "dns-udp-queries-received-ipv4"] {
            let error = DocumentError::Field { line: 14, metric: "traffic-volume" };
            assert_eq!(read(&format!("{text}{more}\n"), "a"), Err(error), "{more}");
        }
        let sizes = write(&Counts::default(), Metric::TrafficSizes, "a", day);
        let read_sizes =
            |text: &str| super::read(text, (Metric::TrafficSizes, "a", day), &mut Counts::default());
        assert_eq!(read_sizes(&sizes), Ok(()));
        for more in ["x:", "  16-31: -1", "  16: 1", "16-31: 1"] {
            let error = DocumentError::Field { line: 10, metric: "traffic-sizes" };
            assert_eq!(read_sizes(&format!("{sizes}{more}\n")), Err(error), "{more}");
        }
    }
}
