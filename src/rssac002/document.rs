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
use super::sources::{SOURCES, Sources};
use super::versions::Versions;
use crate::telemetry::SIZE_RANGE;

/// What the documents say that they follow.
const VERSION: &str = "rssac002v5";

/// What the documents of a day tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    /// What is added up.
    pub(super) counts: Counts,
    /// The sources of queries.
    pub(super) sources: Sources,
    /// The versions of the zone of the service.
    pub(super) versions: Versions,
}

/// A metric: one document, one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// Queries and responses by transport and family.
    TrafficVolume,
    /// Queries and responses by size, in ranges of 16 octets.
    TrafficSizes,
    /// Responses by RCODE.
    RcodeVolume,
    /// Sources of queries.
    UniqueSources,
    /// Seconds until a version of the zone is served, by serial.
    LoadTime,
    /// Octets of the zone, by serial.
    ZoneSize,
}

impl Metric {
    pub(super) const ALL: [Self; 6] = [
        Self::TrafficVolume,
        Self::TrafficSizes,
        Self::RcodeVolume,
        Self::UniqueSources,
        Self::LoadTime,
        Self::ZoneSize,
    ];

    /// Whether it is about the zone of the service.
    pub(super) fn is_of_zone(self) -> bool {
        matches!(self, Self::LoadTime | Self::ZoneSize)
    }

    /// Its name in documents and files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TrafficVolume => "traffic-volume",
            Self::TrafficSizes => "traffic-sizes",
            Self::RcodeVolume => "rcode-volume",
            Self::UniqueSources => "unique-sources",
            Self::LoadTime => "load-time",
            Self::ZoneSize => "zone-size",
        }
    }
}

/// Why a text is not a document of a metric that anyns wrote for this day.
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
pub(super) fn write(figures: &Figures, metric: Metric, service: &str, day: Day) -> String {
    let mut text = head(metric, service, day);
    let Figures { counts, sources, versions } = figures;
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
        Metric::UniqueSources => {
            for (field, count) in SOURCES.iter().zip(sources.estimates()) {
                let _ = writeln!(text, "{field}: {count}");
            }
        }
        Metric::LoadTime => write_versions(&mut text, "time", &versions.load_times),
        Metric::ZoneSize => write_versions(&mut text, "size", &versions.sizes),
    }
    text
}

/// A field with a number for each serial, such as `  2026112900: 14`.
fn write_versions(text: &mut String, field: &str, versions: &BTreeMap<u32, u64>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{field}:{}", if versions.is_empty() { " {}" } else { "" });
    for (serial, number) in versions {
        let _ = writeln!(text, "  {serial}: {number}");
    }
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

/// Adds what a document tells to the figures; of `unique-sources` nothing, because an estimate cannot be gone on from.
pub(super) fn read(
    text: &str,
    (metric, service, day): (Metric, &str, Day),
    figures: &mut Figures,
) -> Result<(), DocumentError> {
    let Figures { counts, versions, .. } = figures;
    let head = head(metric, service, day);
    let fields = text.strip_prefix(&head).ok_or(DocumentError::OtherHead)?;
    let mut sizes = None;
    for (index, line) in fields.lines().enumerate() {
        let read = match metric {
            Metric::TrafficVolume => read_traffic(line, counts),
            Metric::TrafficSizes => read_sizes(line, &mut sizes, counts),
            Metric::RcodeVolume => read_rcode(line, counts),
            Metric::UniqueSources => read_source(line),
            Metric::LoadTime => read_version(line, "time", &mut versions.load_times),
            Metric::ZoneSize => read_version(line, "size", &mut versions.sizes),
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

fn read_source(line: &str) -> Option<()> {
    let (field, count) = line.split_once(": ")?;
    count.parse::<u64>().ok()?;
    SOURCES.contains(&field).then_some(())
}

fn read_version(line: &str, field: &str, versions: &mut BTreeMap<u32, u64>) -> Option<()> {
    let Some(version) = line.strip_prefix("  ") else {
        let known = line.strip_suffix(" {}").unwrap_or(line).strip_suffix(':')?;
        return (known == field).then_some(());
    };
    let (serial, number) = version.split_once(": ")?;
    versions.insert(serial.parse().ok()?, number.parse().ok()?);
    Some(())
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
        let versions = Versions { load_times: [(2_026_112_900, 14)].into(), sizes: BTreeMap::new() };
        let figures = Figures { counts, versions, sources: Sources::default() };
        let text = |metric| write(&figures, metric, "as112.example", day);
        assert!(text(Metric::UniqueSources).ends_with(
            "metric: unique-sources\nnum-sources-ipv4: 0\nnum-sources-ipv6: 0\nnum-sources-ipv6-aggregate: 0\n"
        ));
        assert!(text(Metric::LoadTime).ends_with("metric: load-time\ntime:\n  2026112900: 14\n"));
        assert!(text(Metric::ZoneSize).ends_with("metric: zone-size\nsize: {}\n"));
        assert_eq!(
            text(Metric::RcodeVolume),
            "---\nversion: rssac002v5\nservice: as112.example\nstart-period: 1970-01-01T00:00:00Z\nmetric: rcode-volume\n0: 9\n23: 4\n"
        );
        assert!(text(Metric::TrafficSizes).ends_with(
            "metric: traffic-sizes\nudp-request-sizes:\n  32-47: 7\n  48-63: 1\nudp-response-sizes: {}\ntcp-request-sizes: {}\n\
             tcp-response-sizes:\n  65520-65535: 2\n"
        ));
        let mut back = Figures::default();
        for metric in Metric::ALL {
            read(&text(metric), (metric, "as112.example", day), &mut back).unwrap();
        }
        let counts = Counts { rcodes: [(0, 9), (23, 4)].into(), ..figures.counts.clone() };
        assert_eq!(back, Figures { counts, ..figures });
    }

    #[test]
    fn what_is_no_such_document_is_refused() {
        let day = Day::of(UNIX_EPOCH);
        let write = |metric| write(&Figures::default(), metric, "a", day);
        let text = write(Metric::TrafficVolume);
        let read =
            |text: &str, service| read(text, (Metric::TrafficVolume, service, day), &mut Figures::default());
        assert_eq!(read(&text, "a"), Ok(()));
        assert_eq!(read(&text, "b"), Err(DocumentError::OtherHead));
        assert_eq!(read("", "a"), Err(DocumentError::OtherHead));
        for more in ["x: 1", "dns-udp-queries-received-ipv4: -1", "dns-udp-queries-received-ipv4"] {
            let error = DocumentError::Field { line: 14, metric: "traffic-volume" };
            assert_eq!(read(&format!("{text}{more}\n"), "a"), Err(error), "{more}");
        }
        for (metric, line, wrong) in [
            (Metric::TrafficSizes, 10, &["x:", "  16-31: -1", "  16: 1", "16-31: 1"][..]),
            (Metric::UniqueSources, 9, &["num-sources-ipv4: -1", "x: 1"]),
            (Metric::LoadTime, 7, &["size:", "  -1: 1", "  1: x", "1: 1"]),
            (Metric::ZoneSize, 7, &["time:", "  4294967296: 1"]),
        ] {
            let text = write(metric);
            let read = |text: &str| super::read(text, (metric, "a", day), &mut Figures::default());
            assert_eq!(read(&text), Ok(()));
            for more in wrong {
                let error = DocumentError::Field { line, metric: metric.name() };
                assert_eq!(read(&format!("{text}{more}\n")), Err(error), "{more}");
            }
        }
    }
}
