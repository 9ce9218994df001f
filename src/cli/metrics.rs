//! `anyns metrics`: the text of a scrape, or with `--json` its families as a document.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::control::{self, Request, Response};

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::{print_document, print_text};
use super::remote::{outcome_of, socket_path};

/// A scrape of very many zones takes some seconds.
const LIMIT: Duration = Duration::from_secs(70);

/// The metric of queries by zone.
const ZONE_QUERIES: &str = "anyns_zone_queries_total";

/// A metric with its samples.
#[derive(Debug, Serialize)]
struct FamilyDocument<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    help: &'a str,
    samples: Vec<SampleDocument<'a>>,
}

/// One value. Its name differs from that of the metric in the parts of a histogram.
#[derive(Debug, PartialEq, Serialize)]
struct SampleDocument<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, String>,
    value: Value,
}

/// Prints what a scrape gets.
pub(super) fn metrics(
    config: Option<&Path>,
    socket: Option<&Path>,
    (openmetrics, json): (bool, bool),
) -> Outcome {
    let path = socket_path(config, socket)?;
    match control::call(&path, &Request::Metrics { openmetrics: openmetrics && !json }, LIMIT)? {
        Response::Metrics { text } => {
            match json {
                true => print_document(&families(&text))?,
                false => print_text(&text),
            }
            Ok(Exit::DONE)
        }
        other => outcome_of(other),
    }
}

/// The estimated queries for the busiest zones, and for all others as `other`.
pub(super) fn zone_queries(path: &Path, limit: Duration) -> Option<BTreeMap<String, u64>> {
    let Ok(Response::Metrics { text }) = control::call(path, &Request::Metrics { openmetrics: false }, limit)
    else {
        return None;
    };
    Some(queries_of_zones(&text))
}

fn queries_of_zones(text: &str) -> BTreeMap<String, u64> {
    let families = families(text);
    let samples =
        families.into_iter().filter(|family| family.name == ZONE_QUERIES).flat_map(|family| family.samples);
    samples.filter_map(|mut sample| Some((sample.labels.remove("zone")?, sample.value.as_u64()?))).collect()
}

/// The families of a text in Prometheus's format 0.0.4, as anyns writes it: HELP, TYPE, samples.
fn families(text: &str) -> Vec<FamilyDocument<'_>> {
    let mut families: Vec<FamilyDocument<'_>> = Vec::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            families.push(FamilyDocument { name, kind: "", help, samples: Vec::new() });
            continue;
        }
        let Some(family) = families.last_mut() else { continue };
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            Some((_, kind)) => family.kind = kind,
            None => family.samples.extend(sample(line)),
        }
    }
    families
}

/// `name{label="value",...} number`.
fn sample(line: &str) -> Option<SampleDocument<'_>> {
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while let Some((label, value)) = rest.split_once("=\"") {
            let (value, behind) = unescaped(value)?;
            labels.insert(label, value);
            rest = behind;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let text = rest.trim();
    let whole = text.parse::<u64>().ok().map(Value::from);
    let number = || text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::from);
    // JSON has no infinity and no NaN.
    let value = whole.or_else(number).unwrap_or_else(|| Value::from(text));
    Some(SampleDocument { name, labels, value })
}

/// A label's value without its escapes, and what follows its closing quote.
fn unescaped(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_zones_are_taken_from_a_scrape() {
        assert!(crate::metrics::ALL.iter().any(|metric| metric.name == ZONE_QUERIES));
        let text = "# HELP anyns_zone_queries_total q\n# TYPE anyns_zone_queries_total counter\n\
                    anyns_zone_queries_total{pop=\"x\",zone=\"a.example.\"} 32\nanyns_zone_queries_total{pop=\"x\",zone=\"other\"} 16\n\
                    # HELP b b\n# TYPE b gauge\nb{zone=\"c.\"} 1\n";
        let expected = [("a.example.".to_owned(), 32), ("other".to_owned(), 16)];
        assert_eq!(queries_of_zones(text), BTreeMap::from(expected));
    }

    #[test]
    fn a_scrape_becomes_a_document() {
        let text = "# HELP a_total What, and why\n# TYPE a_total counter\na_total{pop=\"x\",why=\"a \\\"b\\\", \\\\ {c}\\n\"} 18446744073709551615\n\
                    a_total 0.25\n# HELP b b\n# TYPE b histogram\nb_bucket{le=\"+Inf\"} 3\nb_sum NaN\n";
        let document = serde_json::to_value(families(text)).unwrap();
        let expected = serde_json::json!([
            {"name": "a_total", "type": "counter", "help": "What, and why", "samples": [
                {"name": "a_total", "labels": {"pop": "x", "why": "a \"b\", \\ {c}\n"}, "value": u64::MAX},
                {"name": "a_total", "labels": {}, "value": 0.25},
            ]},
            {"name": "b", "type": "histogram", "help": "b", "samples": [
                {"name": "b_bucket", "labels": {"le": "+Inf"}, "value": 3},
                {"name": "b_sum", "labels": {}, "value": "NaN"},
            ]},
        ]);
        assert_eq!(document, expected);
    }
}
