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

use std::fmt::Write;

use super::counts::{Counts, TRAFFIC};
use super::day::Day;

/// What the documents say that they follow.
const VERSION: &str = "rssac002v5";

/// A metric: one document, one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// Queries and responses by transport and family.
    TrafficVolume,
    /// Responses by RCODE.
    RcodeVolume,
}

impl Metric {
    pub(super) const ALL: [Self; 2] = [Self::TrafficVolume, Self::RcodeVolume];

    /// Its name in documents and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TrafficVolume => "traffic-volume",
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
        Metric::RcodeVolume => {
            for (rcode, count) in counts.rcodes.iter().filter(|(_, count)| **count > 0) {
                let _ = writeln!(text, "{rcode}: {count}");
            }
        }
    }
    text
}

/// Adds what a document tells to the counts.
pub(super) fn read(
    text: &str,
    (metric, service, day): (Metric, &str, Day),
    counts: &mut Counts,
) -> Result<(), DocumentError> {
    let head = head(metric, service, day);
    let fields = text.strip_prefix(&head).ok_or(DocumentError::OtherHead)?;
    for (index, line) in fields.lines().enumerate() {
        let wrong = || DocumentError::Field { line: head.lines().count() + index + 1, metric: metric.name() };
        let (field, count) = line.split_once(": ").ok_or_else(wrong)?;
        let count: u64 = count.parse().map_err(|_| wrong())?;
        match metric {
            Metric::TrafficVolume => {
                let place = TRAFFIC.iter().position(|known| *known == field).ok_or_else(wrong)?;
                if let Some(known) = counts.traffic.get_mut(place) {
                    *known = known.saturating_add(count);
                }
            }
            Metric::RcodeVolume => {
                let known = counts.rcodes.entry(field.parse().map_err(|_| wrong())?).or_default();
                *known = known.saturating_add(count);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn documents_are_read_as_they_were_written() {
        let day = Day::of(UNIX_EPOCH);
        let counts =
            Counts { traffic: [1, 2, 3, 4, 5, 6, 7, u64::MAX], rcodes: [(0, 9), (3, 0), (23, 4)].into() };
        let text = write(&counts, Metric::RcodeVolume, "as112.example", day);
        assert_eq!(
            text,
            "---\nversion: rssac002v5\nservice: as112.example\nstart-period: 1970-01-01T00:00:00Z\nmetric: rcode-volume\n0: 9\n23: 4\n"
        );
        let mut back = Counts::default();
        for metric in Metric::ALL {
            let text = write(&counts, metric, "as112.example", day);
            read(&text, (metric, "as112.example", day), &mut back).unwrap();
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
    }
}
