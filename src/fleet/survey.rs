//! All POPs asked at the same time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::client::PopClient;
use super::compare::{BucketSums, ToldServed, differences, differing_buckets};
use super::document::PopDocument;
use super::error::FleetError;
use super::settings::Settings;
use super::summary::{FleetReport, PopSummary, ZoneDifference, scarce_prefixes};
use crate::telemetry::with_causes;

/// Of a zone's name in a path letters, digits, dots, hyphens and underscores stand for themselves (RFC 3986 section 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Where a POP tells of itself.
pub(super) const DOCUMENT_PATH: &str = "/api/v1/pop?most=0";
/// Octets of a POP's document at most: its reasons, prefixes and probes, and the digests.
pub(super) const MOST_DOCUMENT: usize = 1 << 20;
/// Octets of what is served in some buckets at most: that of some million zones.
const MOST_SERIALS: usize = 8 << 20;
/// POPs that are asked for the same list, one after the other: the first may fail meanwhile.
const MOST_ASKED: usize = 2;
/// The most zones of a report.
pub(super) const MOST_DIFFERING: usize = 50;

/// The POPs by name, and how each is asked, or why it cannot be.
pub type Clients = Vec<(String, Result<PopClient, FleetError>)>;

/// What a POP told of itself, or why not.
pub(super) type Answered<'a> = Result<&'a PopDocument, String>;

/// By POP, its sums by bucket: what differences are found from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Basis(Vec<(String, BucketSums)>);

#[cfg(test)]
impl Basis {
    /// One POP, without sums.
    pub(super) fn of_one_pop(name: &str) -> Self {
        Self(vec![(name.to_owned(), BucketSums::default())])
    }
}

/// What a look at the zones of some buckets found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Differences {
    /// The zones that differ.
    pub(super) zones: Vec<ZoneDifference>,
    /// Whether there may be more of them.
    pub(super) more: bool,
    /// Whether every POP told what it serves.
    pub(super) is_whole: bool,
    /// Those that did not.
    pub(super) untold: Vec<String>,
}

/// The clients of all POPs; one that cannot be asked for its files has the reason in its place.
#[must_use]
pub fn clients(settings: &Settings) -> Clients {
    let client = |pop: &super::settings::FleetPop| (pop.name.clone(), PopClient::new(pop, &settings.sources));
    settings.pops.iter().map(client).collect()
}

/// The report of a POP that stands alone: no fleet is configured. Without a document its name, and why there is none.
#[must_use]
pub fn alone(document: Result<&PopDocument, (String, String)>) -> FleetReport {
    let pops = vec![match document {
        Ok(document) => PopSummary::of(&document.status.pop, "", document),
        Err((name, error)) => PopSummary::silent(&name, "", error),
    }];
    FleetReport { pops, ..FleetReport::default() }
}

/// Asks all POPs once, and then for what differs; each answer may take `limit`.
pub async fn survey(clients: &Clients, limit: Duration) -> FleetReport {
    let answers = join_all(clients.iter().map(|(_, client)| async move {
        let client = client.as_ref().map_err(|error| with_causes(error))?;
        let document = client.document::<PopDocument>(DOCUMENT_PATH, MOST_DOCUMENT, limit).await;
        document.map_err(|error| with_causes(&error))
    }))
    .await;
    let answers = clients.iter().zip(&answers).map(|((name, _), answer)| match answer {
        Ok(document) => of_its_name(name, document),
        Err(error) => Err(error.clone()),
    });
    let answers: Vec<Answered<'_>> = answers.collect();
    let (mut report, basis) = summarize(clients, &answers);
    let found = look(clients, &basis, limit).await;
    (report.differing, report.more_differ, report.not_compared) = (found.zones, found.more, found.untold);
    report.sort();
    report
}

/// Another POP than the one of the list is no answer.
pub(super) fn of_its_name<'a>(name: &str, document: &'a PopDocument) -> Answered<'a> {
    match document.status.answers_as(name) {
        true => Ok(document),
        false => Err(FleetError::OtherPop { found: document.status.pop.clone() }.to_string()),
    }
}

/// The report without differences, in the order of the POPs, and what those are to be found from.
pub(super) fn summarize(clients: &Clients, answers: &[Answered<'_>]) -> (FleetReport, Basis) {
    let mut report = FleetReport::default();
    let mut known: Vec<(&str, &PopDocument)> = Vec::new();
    for ((name, client), answer) in clients.iter().zip(answers) {
        let url = client.as_ref().map(|client| client.url().to_string()).unwrap_or_default();
        match answer {
            Ok(document) => {
                report.pops.push(PopSummary::of(name, &url, document));
                known.push((name, document));
            }
            Err(error) => report.pops.push(PopSummary::silent(name, &url, error.clone())),
        }
    }
    report.scarce =
        scarce_prefixes(known.iter().map(|(name, document)| (*name, &document.status)), clients.len());
    // At a last-resort POP older serials are meant.
    known.retain(|(_, document)| document.status.delay.is_none());
    let sums = |(name, document): (&str, &PopDocument)| (name.to_owned(), BucketSums::of(document));
    (report, Basis(known.into_iter().map(sums).filter(|(_, sums)| sums.is_known()).collect()))
}

/// Asks what is served in the buckets whose sums differ; each answer may take `limit`.
pub(super) async fn look(clients: &Clients, basis: &Basis, limit: Duration) -> Differences {
    let sums: Vec<&BucketSums> = basis.0.iter().map(|(_, sums)| sums).collect();
    let buckets = differing_buckets(&sums, fastrand::u8(..));
    if buckets.asked.is_empty() {
        return Differences { is_whole: true, ..Differences::default() };
    }
    let list: Vec<String> = buckets.asked.iter().map(ToString::to_string).collect();
    let path = format!("/api/v1/serials?contents=1&buckets={}", list.join(","));
    // POPs with the same sums serve the same there: one tells it for all of them.
    let mut groups: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (name, sums) in &basis.0 {
        groups.entry(sums.of_buckets(&buckets.asked)).or_default().push(name);
    }
    let groups: Vec<Vec<&str>> = groups.into_values().collect();
    let client = |asked: &&str| clients.iter().find(|(name, _)| name == asked)?.1.as_ref().ok();
    let listings = join_all(groups.iter().map(|group| async {
        for client in group.iter().filter_map(client).take(MOST_ASKED) {
            if let Ok(served) = client.document::<Vec<ToldServed>>(&path, MOST_SERIALS, limit).await {
                return Some(served);
            }
        }
        None
    }))
    .await;
    // POPs that answer no more are not compared, and seen in the next survey.
    let silent = groups.iter().zip(&listings).filter(|(_, listing)| listing.is_none());
    let mut untold: Vec<String> =
        silent.flat_map(|(group, _)| group).map(|name| (*name).to_owned()).collect();
    untold.sort();
    let is_whole = untold.is_empty();
    let (groups, listings): (Vec<_>, Vec<_>) =
        groups.into_iter().zip(listings).filter_map(|(group, listing)| Some((group, listing?))).unzip();
    let group_of = |name: &str| groups.iter().position(|group| group.contains(&name));
    let pops = basis.0.iter().filter_map(|(name, _)| Some((name.as_str(), group_of(name)?)));
    let (zones, is_cut) = differences(&pops.collect::<Vec<_>>(), &listings, MOST_DIFFERING);
    Differences { zones, more: buckets.more || is_cut || !is_whole, is_whole, untold }
}

/// What every POP says of one zone, in the order of the list; an error in words where one does not answer. Done after `limit` at the latest.
pub(super) async fn zone_everywhere<T: DeserializeOwned>(
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
#[must_use]
pub fn zone_path(zone: &str) -> String {
    format!("/api/v1/status?most=1&zones={}", escaped(zone))
}

/// A zone's name as a part of a path.
#[must_use]
pub fn escaped(zone: &str) -> String {
    utf8_percent_encode(zone, ESCAPED).to_string()
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
