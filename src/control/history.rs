//! The history of a zone as a document, and as text.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::telemetry::counted;

/// The steps of one zone, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryStatus {
    /// The zone.
    pub zone: String,
    /// The serial of the last version that is kept.
    pub serial: u32,
    /// The serial of the version with which the history began.
    pub began_serial: u32,
    /// When that was, in seconds since 1970.
    pub began_at: u64,
    /// Why nothing is known before it.
    pub began_reason: String,
    /// The steps that are still there.
    pub steps: Vec<StepStatus>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepStatus {
    /// The serial of the version before.
    pub from: u32,
    /// The serial of the version that it led to.
    pub to: u32,
    /// When that was accepted, in seconds since 1970.
    pub accepted_at: u64,
    /// What led to it: `file`, `bump`, `update`, `transfer` (of the whole zone), `difference` (of a transfer, or of somebody who is not
    /// known), `rollback`, or `catalog`.
    pub origin: String,
    /// Who gave it, if it is in no file and that is known: a key, a primary, the version to which an operator went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many records the new version has.
    pub records: usize,
    /// How many octets the step takes of the bound.
    pub octets: usize,
}

/// What differs between versions of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DifferenceStatus {
    /// The zone.
    pub zone: String,
    /// Step by step, oldest first.
    pub steps: Vec<StepRecords>,
    /// How many more records there are than an answer may have.
    pub omitted: usize,
}

/// The records of one step, each as a line of a zone file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecords {
    /// The serial of the version before.
    pub from: u32,
    /// The serial of the version that it led to.
    pub to: u32,
    /// What it deleted.
    pub deleted: Vec<String>,
    /// What it added.
    pub added: Vec<String>,
}

/// The steps of a zone, one a line, the newest last.
pub fn render_history(history: &HistoryStatus) -> String {
    let mut text = format!(
        "{} serial {}; history since {} with serial {} ({})\n",
        history.zone,
        history.serial,
        rfc3339(history.began_at),
        history.began_serial,
        history.began_reason
    );
    for step in &history.steps {
        let StepStatus { from, to, accepted_at, origin, source, records, octets } = step;
        let source = source.as_ref().map_or_else(String::new, |source| format!(" ({source})"));
        let at = rfc3339(*accepted_at);
        // Writing into a string does not fail.
        let _ = writeln!(
            text,
            "{at}  {from} -> {to}  {origin}{source}, {}, step of {}",
            counted(*records, "record"),
            counted(*octets, "octet")
        );
    }
    text
}

/// What differs, as lines that begin with `-` or `+`.
pub fn render_difference(difference: &DifferenceStatus) -> String {
    let mut text = String::new();
    for StepRecords { from, to, deleted, added } in &difference.steps {
        let _ = writeln!(text, "; {} {from} -> {to}", difference.zone);
        for (sign, lines) in [('-', deleted), ('+', added)] {
            for line in lines {
                let _ = writeln!(text, "{sign} {line}");
            }
        }
    }
    if difference.steps.is_empty() {
        let _ = writeln!(text, "; {} no difference", difference.zone);
    }
    if difference.omitted > 0 {
        let _ = writeln!(text, "; {}", counted(difference.omitted, "more record"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_and_difference_are_lines() {
        let step = StepStatus {
            from: 1,
            to: 2,
            accepted_at: 0,
            origin: "file".into(),
            source: None,
            records: 3,
            octets: 99,
        };
        let update = StepStatus {
            from: 2,
            to: 3,
            origin: "update".into(),
            source: Some("key upd.".into()),
            ..step.clone()
        };
        let history = HistoryStatus {
            zone: "a.example.".into(),
            serial: 2,
            began_serial: 1,
            began_at: 0,
            began_reason: "the first version that was kept".into(),
            steps: vec![step, update],
        };
        assert_eq!(
            render_history(&history),
            "a.example. serial 2; history since 1970-01-01T00:00:00Z with serial 1 (the first version that was kept)\n\
             1970-01-01T00:00:00Z  1 -> 2  file, 3 records, step of 99 octets\n\
             1970-01-01T00:00:00Z  2 -> 3  update (key upd.), 3 records, step of 99 octets\n"
        );
        let steps = vec![StepRecords { from: 1, to: 2, deleted: vec!["x".into()], added: vec!["y".into()] }];
        let difference = DifferenceStatus { zone: "a.example.".into(), steps, omitted: 1 };
        assert_eq!(render_difference(&difference), "; a.example. 1 -> 2\n- x\n+ y\n; 1 more record\n");
    }
}
