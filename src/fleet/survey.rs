//! All POPs asked at the same time.

use crate::telemetry::with_causes;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::client::PopClient;
use super::compare::{differences, differing_buckets};
use super::document::PopDocument;
use super::error::FleetError;
use super::settings::Settings;
use super::summary::{FleetReport, PopSummary, scarce_prefixes};

/// Of a zone's name in a path letters, digits, dots, hyphens and underscores stand for themselves (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Octets of a POP's document at most: its reasons, prefixes and probes, and the digests.
pub(super) const MOST_DOCUMENT: usize = 1 << 20;
/// Octets of the serials of a bucket at most: those of some million zones.
const MOST_SERIALS: usize = 4 << 20;
/// The most buckets whose serials are looked at in one survey: with more, the zones are too many to read.
const MOST_BUCKETS: usize = 8;
/// The most zones of a report.
const MOST_DIFFERING: usize = 50;

/// The POPs by name, and how each is asked, or why it cannot be.
pub type Clients = Vec<(String, Result<PopClient, FleetError>)>;

/// What a survey found.
#[derive(Clone, Debug, Default)]
pub struct Surveyed {
    /// The summary.
    pub report: FleetReport,
    /// By bucket and POP, what the differences were found from: while it stays, they need not be looked for again.
    basis: Vec<(String, Vec<u64>)>,
}

/// The clients of all POPs; one that cannot be asked for its files has the reason in its place.
#[must_use]
pub fn clients(settings: &Settings) -> Clients {
    let client = |pop: &super::settings::FleetPop| (pop.name.clone(), PopClient::new(pop, &settings.sources));
    settings.pops.iter().map(client).collect()
}

/// The report of a POP that stands alone: no fleet is configured. Without a document its name, and why there is none.
#[must_use]
pub fn alone(document: Result<&PopDocument, (String, String)>) -> Surveyed {
    let pops = vec![match document {
        Ok(document) => PopSummary::of(&document.status.pop, "", document),
        Err((name, error)) => PopSummary::silent(&name, "", error),
    }];
    Surveyed { report: FleetReport { pops, ..FleetReport::default() }, basis: Vec::new() }
}

/// Asks all POPs; done after `limit` at the latest. `before` is the last survey, if there was one.
pub async fn survey(
    clients: &[(String, Result<PopClient, FleetError>)],
    limit: Duration,
    before: Option<&Surveyed>,
) -> Surveyed {
    let until = Instant::now() + limit;
    let answers = join_all(clients.iter().map(|(name, client)| async move {
        let client = client.as_ref().map_err(|error| (String::new(), with_causes(error)))?;
        let failed = |error: FleetError| (client.url().to_string(), with_causes(&error));
        let document = client.document::<PopDocument>("/api/v1/pop?most=0", MOST_DOCUMENT, limit).await;
        let document = document.map_err(failed)?;
        match document.status.answers_as(name) {
            true => Ok((client, document)),
            false => Err(failed(FleetError::OtherPop { found: document.status.pop })),
        }
    }))
    .await;
    let mut report = FleetReport::default();
    let mut known: Vec<(&PopClient, PopDocument)> = Vec::new();
    for ((name, _), answer) in clients.iter().zip(answers) {
        match answer {
            Ok((client, document)) => {
                report.pops.push(PopSummary::of(name, &client.url().to_string(), &document));
                known.push((client, document));
            }
            Err((url, error)) => report.pops.push(PopSummary::silent(name, &url, error)),
        }
    }
    let told = known.iter().map(|(client, document)| (client.name(), &document.status));
    report.scarce = scarce_prefixes(told, clients.len());
    // At a last-resort POP older serials are meant.
    known.retain(|(_, document)| document.status.delay.is_none());
    let basis: Vec<(String, Vec<u64>)> =
        known.iter().map(|(client, document)| (client.name().to_owned(), document.digests.clone())).collect();
    match before.filter(|before| before.basis == basis && !before.report.more_differ) {
        Some(before) => report.differing.clone_from(&before.report.differing),
        None => look_for_differences(&mut report, &known, until).await,
    }
    report.sort();
    Surveyed { report, basis }
}

/// Asks for the serials of the buckets that differ.
async fn look_for_differences(report: &mut FleetReport, known: &[(&PopClient, PopDocument)], until: Instant) {
    let digests: Vec<&[u64]> = known.iter().map(|(_, document)| document.digests.as_slice()).collect();
    let buckets = differing_buckets(&digests);
    report.more_differ = buckets.len() > MOST_BUCKETS;
    if buckets.is_empty() {
        return;
    }
    let asked = buckets.iter().take(MOST_BUCKETS);
    let list: Vec<String> = asked.map(ToString::to_string).collect();
    let path = format!("/api/v1/serials?buckets={}", list.join(","));
    let limit = until.saturating_duration_since(Instant::now());
    let with_digests = known.iter().filter(|(_, document)| !document.digests.is_empty());
    let listings = join_all(with_digests.map(|(client, _)| async {
        let serials = client.document::<Vec<(String, u32)>>(&path, MOST_SERIALS, limit).await.ok()?;
        Some((client.name().to_owned(), serials))
    }))
    .await;
    // A POP that answers no more is not compared, and seen in the next survey.
    let is_whole = listings.iter().all(Option::is_some);
    let listings: Vec<_> = listings.into_iter().flatten().collect();
    let (differing, is_cut) = differences(&listings, MOST_DIFFERING);
    report.differing = differing;
    report.more_differ |= is_cut || !is_whole;
}

/// What every POP says of one zone, in the order of the list; an error in words where one does not answer. Done after `limit` at the latest.
pub async fn zone_everywhere<T: DeserializeOwned>(
    clients: &[(String, Result<PopClient, FleetError>)],
    zone: &str,
    limit: Duration,
) -> Vec<(String, Result<T, String>)> {
    let path = zone_path(zone);
    join_all(clients.iter().map(|(name, client)| async {
        let answer = match client {
            Ok(client) => {
                client.document(&path, MOST_DOCUMENT, limit).await.map_err(|error| with_causes(&error))
            }
            Err(error) => Err(with_causes(error)),
        };
        (name.clone(), answer)
    }))
    .await
}

/// The path of the status with one zone.
pub(super) fn zone_path(zone: &str) -> String {
    format!("/api/v1/status?most=1&zones={}", utf8_percent_encode(zone, ESCAPED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_escaped_in_the_path() {
        assert_eq!(zone_path("a-1_b.Example."), "/api/v1/status?most=1&zones=a-1_b.Example.");
        assert_eq!(zone_path("a/b&c\\032\r\n"), "/api/v1/status?most=1&zones=a%2Fb%26c%5C032%0D%0A");
    }
}
