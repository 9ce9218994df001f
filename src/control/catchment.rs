//! Which client prefixes reach a POP, as a document and as text. Times are Unix seconds.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::telemetry::counted;

use super::render::aligned;
use super::render::span::span;
use super::text::printable;

/// Which client prefixes reach this POP, from samples of queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchmentStatus {
    /// The POP's name.
    pub pop: String,
    /// The instance's name.
    pub instance: String,
    /// When this was written.
    pub now: u64,
    /// Since when samples are counted: the last half hour to an hour, or less after a start.
    pub since: u64,
    /// One query in so many is a sample.
    pub one_in: u32,
    /// Clients over IPv4, by /24.
    pub ipv4: CatchmentFamily,
    /// Clients over IPv6, by /48.
    pub ipv6: CatchmentFamily,
}

/// The clients of one family.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchmentFamily {
    /// The samples of all clients.
    pub samples: u64,
    /// The prefixes with the most samples, the busiest first.
    pub prefixes: Vec<CatchmentPrefix>,
}

/// One prefix. It has at least `samples` samples, and at most `samples + missed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatchmentPrefix {
    /// The prefix.
    pub prefix: String,
    /// Samples that were counted for it.
    pub samples: u64,
    /// Samples that may be its own and were counted for no prefix, at most.
    pub missed: u64,
}

impl CatchmentStatus {
    /// What is said where nobody counts clients.
    pub const NOT_KEPT: &str = "client prefixes are not counted here: add the section [samples], without catchments = false, and restart";

    /// The samples of both families.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.ipv4.samples + self.ipv6.samples
    }
}

/// The document as text: the busiest prefixes of both families with their shares of all samples, `most` of them, and the rest.
#[must_use]
pub fn render_catchment(catchment: &CatchmentStatus, most: usize) -> String {
    let CatchmentStatus { since, now, one_in, ipv4, ipv6, .. } = catchment;
    let all = catchment.samples();
    let share = if *one_in > 1 { format!("one query in {one_in}") } else { "every query".to_owned() };
    let mut text = format!(
        "{}: {} ({share}) since {} ({} ago), {} over IPv4 and {} over IPv6\n",
        printable(&catchment.pop),
        counted(all, "sample"),
        rfc3339(*since),
        span(now.saturating_sub(*since)),
        ipv4.samples,
        ipv6.samples
    );
    if all == 0 {
        return text;
    }
    let mut prefixes: Vec<&CatchmentPrefix> = ipv4.prefixes.iter().chain(&ipv6.prefixes).collect();
    prefixes.sort_by_key(|one| Reverse(one.samples));
    prefixes.truncate(most);
    let row = |name: &str, samples: u64| vec![name.to_owned(), samples.to_string(), percent(samples, all)];
    let mut rows = vec![["prefix", "samples", "share"].map(str::to_owned).to_vec()];
    rows.extend(prefixes.iter().map(|one| row(&one.prefix, one.samples)));
    let shown: u64 = prefixes.iter().map(|one| one.samples).sum();
    rows.push(row("others", all.saturating_sub(shown)));
    text.push_str(&aligned(&rows));
    text
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_prefixes_stand_first_and_the_rest_is_told() {
        let prefix = |prefix: &str, samples| CatchmentPrefix { prefix: prefix.into(), samples, missed: 0 };
        let catchment = CatchmentStatus {
            pop: "ams1".into(),
            now: 1_700_000_060,
            since: 1_700_000_000,
            one_in: 100,
            ipv4: CatchmentFamily {
                samples: 60,
                prefixes: vec![prefix("192.0.2.0/24", 30), prefix("198.51.100.0/24", 20)],
            },
            ipv6: CatchmentFamily { samples: 40, prefixes: vec![prefix("2001:db8::/48", 25)] },
            ..CatchmentStatus::default()
        };
        assert_eq!(
            render_catchment(&catchment, 2),
            "ams1: 100 samples (one query in 100) since 2023-11-14T22:13:20Z (1 min 0 s ago), 60 over IPv4 and 40 over IPv6\n\
             \x20 prefix         samples  share\n\
             \x20 192.0.2.0/24   30       30.0 %\n\
             \x20 2001:db8::/48  25       25.0 %\n\
             \x20 others         45       45.0 %\n"
        );
        let idle = render_catchment(&CatchmentStatus::default(), 2);
        assert_eq!(idle.lines().count(), 1, "{idle}");
    }
}
