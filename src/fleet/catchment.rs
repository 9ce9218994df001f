//! The catchments of all POPs: which client prefixes reach which of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use futures_util::future::{join, join_all};
use ipnet::IpNet;
use serde::Serialize;

use super::client::PopClient;
use super::document::{PopDocument, Reach, ToldCatchment, ToldClients, ToldPrefix, ToldStatus};
use super::error::FleetError;
use super::summary::short;
use crate::control::{aligned, one_line};
use crate::telemetry::with_causes;

/// The most prefixes of each family that are taken from a POP: as many as one counts.
const MOST_PREFIXES: usize = 4096;
/// Octets of the document with them at most; each prefix takes up to 100.
const MOST_DOCUMENT: usize = 2 << 20;
/// Octets of the document with the load at most.
const MOST_LOAD: usize = 1 << 20;
/// The prefixes of a POP, and those of several POPs, in a text.
const SHOWN: usize = 10;

/// Which client prefixes reach which POP.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CatchmentReport {
    /// The POPs in the order of the list.
    pub pops: Vec<PopCatchment>,
    /// The prefixes that several POPs see, those with the most queries first.
    pub shared: Vec<SharedPrefix>,
}

/// The catchment of one POP.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PopCatchment {
    /// Its name.
    pub name: String,
    /// Why nothing is known of it; the rest is empty then.
    pub error: Option<String>,
    /// Whether queries reach it by routes.
    pub announced: bool,
    /// The prefixes of the service that it announces.
    pub announces: Vec<AnnouncedPrefix>,
    /// The queries that it is asked now, per second.
    pub queries: f64,
    /// Why its client prefixes are not known.
    pub without_prefixes: Option<String>,
    /// Since when samples are counted (Unix seconds).
    pub since: u64,
    /// One query in so many is a sample.
    pub one_in: u32,
    /// The samples of all clients over IPv4.
    pub samples_ipv4: u64,
    /// The same over IPv6.
    pub samples_ipv6: u64,
    /// The prefixes, those with the most samples first.
    pub prefixes: Vec<ClientPrefix>,
}

/// A prefix of the service at a POP that announces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnnouncedPrefix {
    /// The prefix.
    pub prefix: String,
    /// Whether it is less preferred than elsewhere, or on its way out.
    pub depreferred: bool,
}

/// A client prefix at a POP.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientPrefix {
    /// The prefix.
    pub prefix: IpNet,
    /// Samples that were counted for it.
    pub samples: u64,
    /// Samples that may be its own and were counted for no prefix, at most.
    pub missed: u64,
    /// Its part of the POP's samples, from 0 to 1.
    pub share: f64,
}

/// A client prefix that several POPs see.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedPrefix {
    /// The prefix.
    pub prefix: IpNet,
    /// By POP the estimated queries per second.
    pub queries: Vec<(String, f64)>,
}

impl PopCatchment {
    /// Whether its load and its prefixes are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.error.is_none() && self.without_prefixes.is_none()
    }

    /// A POP of this load.
    fn of(name: &str, document: &PopDocument) -> Self {
        Self {
            name: name.to_owned(),
            announced: document.status.is_announced(),
            announces: announces(&document.status),
            // What comes from the network may be any number.
            queries: Some(document.load.queries)
                .filter(|load| load.is_finite() && *load > 0.0)
                .unwrap_or(0.0),
            ..Self::default()
        }
    }

    /// The same with its prefixes. What is no prefix is left out.
    fn with(self, told: &ToldCatchment) -> Self {
        let all = told.ipv4.samples.saturating_add(told.ipv6.samples);
        let both = [&told.ipv4, &told.ipv6];
        let clients = both.into_iter().flat_map(|family| family.prefixes.iter().take(MOST_PREFIXES));
        let prefix = |one: &ToldClients| {
            let share = (one.samples as f64 / all.max(1) as f64).min(1.0);
            let prefix = one.prefix.parse().ok()?;
            Some(ClientPrefix { prefix, samples: one.samples, missed: one.missed, share })
        };
        let mut prefixes: Vec<ClientPrefix> = clients.filter_map(prefix).collect();
        prefixes.sort_by_key(|one| (Reverse(one.samples), one.prefix));
        Self {
            since: told.since,
            one_in: told.one_in,
            samples_ipv4: told.ipv4.samples,
            samples_ipv6: told.ipv6.samples,
            prefixes,
            ..self
        }
    }

    /// The estimated queries per second of each prefix.
    pub(super) fn rates(&self) -> impl Iterator<Item = (IpNet, f64)> + '_ {
        self.prefixes.iter().map(|one| (one.prefix, one.share * self.queries))
    }
}

/// The prefixes that draw queries to a POP.
fn announces(status: &ToldStatus) -> Vec<AnnouncedPrefix> {
    let one = |prefix: &ToldPrefix| {
        let reach = prefix.reach(status.dry_run);
        let depreferred = reach == Reach::Depreferred;
        (reach != Reach::Nothing).then(|| AnnouncedPrefix { prefix: short(&prefix.prefix), depreferred })
    };
    status.prefixes.iter().filter_map(one).collect()
}

/// Asks all POPs at the same time for their load and their client prefixes; done after `limit` at the latest.
pub async fn catchments(
    clients: &[(String, Result<PopClient, FleetError>)],
    limit: Duration,
) -> CatchmentReport {
    let pops = join_all(clients.iter().map(|(name, client)| async {
        let silent =
            |error| PopCatchment { name: name.clone(), error: Some(error), ..PopCatchment::default() };
        match client {
            Err(error) => silent(with_causes(error)),
            Ok(client) => ask(name, client, limit).await.unwrap_or_else(|error| silent(with_causes(&error))),
        }
    }))
    .await;
    CatchmentReport { shared: shared(&pops), pops }
}

/// One POP. Without its load nothing is known; its prefixes may be missing.
async fn ask(name: &str, client: &PopClient, limit: Duration) -> Result<PopCatchment, FleetError> {
    let path = format!("/api/v1/catchment?most={MOST_PREFIXES}");
    let (document, told) = join(
        client.document::<PopDocument>("/api/v1/pop?most=0&digests=0", MOST_LOAD, limit),
        client.document::<ToldCatchment>(&path, MOST_DOCUMENT, limit),
    )
    .await;
    let document = document?;
    if !document.status.answers_as(name) {
        return Err(FleetError::OtherPop { found: document.status.pop });
    }
    let pop = PopCatchment::of(name, &document);
    Ok(match told {
        Ok(told) => pop.with(&told),
        Err(FleetError::Status { status: 404 }) => {
            let reason = "it does not count client prefixes: give it a section [samples]";
            PopCatchment { without_prefixes: Some(reason.to_owned()), ..pop }
        }
        Err(error) => PopCatchment { without_prefixes: Some(with_causes(&error)), ..pop },
    })
}

/// The prefixes that more than one POP sees.
fn shared(pops: &[PopCatchment]) -> Vec<SharedPrefix> {
    let mut seen: BTreeMap<IpNet, Vec<(String, f64)>> = BTreeMap::new();
    for pop in pops {
        // A POP that names a prefix twice is still one POP.
        let mut known = BTreeSet::new();
        for (prefix, queries) in pop.rates().filter(|(prefix, _)| known.insert(*prefix)) {
            seen.entry(prefix).or_default().push((pop.name.clone(), queries));
        }
    }
    seen.retain(|_, pops| pops.len() > 1);
    let mut shared: Vec<SharedPrefix> =
        seen.into_iter().map(|(prefix, queries)| SharedPrefix { prefix, queries }).collect();
    let total = |one: &SharedPrefix| one.queries.iter().map(|(_, queries)| queries).sum::<f64>();
    shared.sort_by(|one, other| total(other).total_cmp(&total(one)));
    shared
}

/// The report as lines: each POP with its part of all queries and its busiest prefixes, then the prefixes that several POPs see.
#[must_use]
pub fn render_catchments(report: &CatchmentReport) -> String {
    let all: f64 = report.pops.iter().map(|pop| pop.queries).sum();
    let mut rows =
        vec![["pop", "share of queries", "load", "samples", "busiest prefixes"].map(str::to_owned).to_vec()];
    for pop in report.pops.iter().filter(|pop| pop.error.is_none()) {
        let busiest = pop.prefixes.iter().take(SHOWN);
        let busiest: Vec<String> =
            busiest.map(|one| format!("{} {:.1} %", one.prefix, one.share * 100.0)).collect();
        rows.push(vec![
            pop.name.clone(),
            format!("{:.1} %", pop.queries * 100.0 / if all > 0.0 { all } else { 1.0 }),
            format!("{:.0} queries/s", pop.queries),
            (pop.samples_ipv4.saturating_add(pop.samples_ipv6)).to_string(),
            busiest.join(", "),
        ]);
    }
    let mut text = aligned(&rows);
    for pop in &report.pops {
        for reason in pop.error.iter().chain(&pop.without_prefixes) {
            text.push_str(&aligned(&[vec![format!("! {}: {}", pop.name, one_line(reason))]]));
        }
    }
    let _ = writeln!(text, "  prefixes that several POPs see: {}", report.shared.len());
    for one in report.shared.iter().take(SHOWN) {
        let at = one.queries.iter().map(|(pop, queries)| format!("{pop} {queries:.1} queries/s"));
        let line = format!("{}: {}", one.prefix, at.collect::<Vec<_>>().join(", "));
        text.push_str(&aligned(&[vec![line]]));
    }
    text
}

/// The report as CSV (RFC 4180): a line for each POP and prefix.
#[must_use]
pub fn catchments_csv(report: &CatchmentReport) -> String {
    let mut text = "pop,prefix,samples,missed,share,queries_per_second\r\n".to_owned();
    for pop in &report.pops {
        let name = csv_field(&pop.name);
        for one in &pop.prefixes {
            let queries = one.share * pop.queries;
            let ClientPrefix { prefix, samples, missed, share } = one;
            let _ = write!(text, "{name},{prefix},{samples},{missed},{share:.6},{queries:.3}\r\n");
        }
    }
    text
}

/// A field in quotes where it needs them.
fn csv_field(text: &str) -> String {
    match text.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::document::{PopLoad, ToldFamily};
    use super::*;

    /// A POP that is asked this much, and the samples of its prefixes; `others` are those of no prefix.
    pub(in super::super) fn pop(
        name: &str,
        queries: f64,
        prefixes: &[(&str, u64)],
        others: u64,
    ) -> PopCatchment {
        let samples = others + prefixes.iter().map(|(_, samples)| samples).sum::<u64>();
        let clients = |(prefix, samples): &(&str, u64)| ToldClients {
            prefix: (*prefix).to_owned(),
            samples: *samples,
            missed: 0,
        };
        let ipv4 = ToldFamily { samples, prefixes: prefixes.iter().map(clients).collect() };
        let document =
            PopDocument { load: PopLoad { queries, ..PopLoad::default() }, ..PopDocument::default() };
        let pop = PopCatchment::of(name, &document).with(&ToldCatchment { ipv4, ..ToldCatchment::default() });
        announcing(pop, &[("192.0.2.0/24", false)])
    }

    /// The same POP with these prefixes of the service, each less preferred or not.
    pub(in super::super) fn announcing(pop: PopCatchment, prefixes: &[(&str, bool)]) -> PopCatchment {
        let one = |(prefix, depreferred): &(&str, bool)| AnnouncedPrefix {
            prefix: (*prefix).to_owned(),
            depreferred: *depreferred,
        };
        let announces = prefixes.iter().map(one).collect();
        PopCatchment { announced: !prefixes.is_empty(), announces, ..pop }
    }

    /// A report of these POPs.
    pub(in super::super) fn report(pops: Vec<PopCatchment>) -> CatchmentReport {
        CatchmentReport { shared: shared(&pops), pops }
    }

    #[test]
    fn prefixes_that_several_pops_see_are_found_and_what_is_no_prefix_is_left_out() {
        let report = report(vec![
            pop("ams1", 100.0, &[("192.0.2.0/24", 30), ("198.51.100.0/24", 50), ("\u{1b}[2J", 9)], 11),
            pop("fra1", 50.0, &[("192.0.2.0/24", 1), ("203.0.113.0/24", 1)], 0),
            PopCatchment {
                name: "sin1".into(),
                error: Some("gone \u{1b}".into()),
                ..PopCatchment::default()
            },
        ]);
        let queries = vec![("ams1".to_owned(), 30.0), ("fra1".to_owned(), 25.0)];
        assert_eq!(report.shared, [SharedPrefix { prefix: "192.0.2.0/24".parse().unwrap(), queries }]);
        assert_eq!(
            render_catchments(&report),
            "  pop   share of queries  load           samples  busiest prefixes\n\
             \x20 ams1  66.7 %            100 queries/s  100      198.51.100.0/24 50.0 %, 192.0.2.0/24 30.0 %\n\
             \x20 fra1  33.3 %            50 queries/s   2        192.0.2.0/24 50.0 %, 203.0.113.0/24 50.0 %\n\
             \x20 ! sin1: gone \u{fffd}\n\
             \x20 prefixes that several POPs see: 1\n\
             \x20 192.0.2.0/24: ams1 30.0 queries/s, fra1 25.0 queries/s\n"
        );
        assert_eq!(
            catchments_csv(&report),
            "pop,prefix,samples,missed,share,queries_per_second\r\n\
             ams1,198.51.100.0/24,50,0,0.500000,50.000\r\n\
             ams1,192.0.2.0/24,30,0,0.300000,30.000\r\n\
             fra1,192.0.2.0/24,1,0,0.500000,25.000\r\n\
             fra1,203.0.113.0/24,1,0,0.500000,25.000\r\n"
        );
    }

    #[test]
    fn a_name_with_a_comma_or_a_quote_is_one_field() {
        let told = catchments_csv(&report(vec![pop("a,\"b\"", 1.0, &[("192.0.2.0/24", 1)], 0)]));
        assert!(told.ends_with("\r\n\"a,\"\"b\"\"\",192.0.2.0/24,1,0,1.000000,1.000\r\n"), "{told}");
    }

    #[test]
    fn numbers_of_the_network_are_bounded() {
        let odd = |queries| pop("ams1", queries, &[("192.0.2.0/24", 1)], 0).queries;
        assert_eq!([odd(f64::NAN), odd(f64::INFINITY), odd(-1.0), odd(2.0)], [0.0, 0.0, 0.0, 2.0]);
        let told = ToldCatchment {
            ipv4: ToldFamily {
                samples: 1,
                prefixes: vec![ToldClients { prefix: "192.0.2.0/24".into(), samples: 7, missed: 0 }],
            },
            ..ToldCatchment::default()
        };
        assert_eq!(PopCatchment::default().with(&told).prefixes[0].share, 1.0);
    }
}
