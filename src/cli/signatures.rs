//! The signatures of a checked zone: verified with a view of how far that is, then told.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock::{rfc3339, unix_now};
use crate::publish::check_signatures;
use crate::zone::Zone;
use crate::zone::signatures::{Findings, Level, Stage, Validity};

use super::output::print_line;

/// What takes less is not worth a line.
const SHORT: Duration = Duration::from_secs(1);
/// How often the line is written again.
const AGAIN: Duration = Duration::from_millis(200);

/// Verifies and tells; whether a validator would accept the whole zone now.
pub(super) fn check(zone: &Zone) -> bool {
    let mut progress = Progress::new();
    let checked = check_signatures(zone, |done, of| progress.show(done, of));
    progress.end();
    let Some((found, validity)) = checked else { return true };
    print_findings(&found, Level::Wrong, "error");
    print_findings(&found, Level::Time, "error");
    print_findings(&found, Level::Note, "warning");
    let wrong = found.count(Level::Wrong) + found.count(Level::Time);
    let judged = match wrong {
        0 => "no fault".to_owned(),
        1 => "1 fault".to_owned(),
        _ => format!("{wrong} faults"),
    };
    let until = validity.map(until).unwrap_or_default();
    print_line(&format!("signatures of {}: {} verified, {judged}{until}", zone.origin(), found.signatures));
    wrong == 0
}

fn print_findings(found: &Findings, level: Level, word: &str) {
    let told = found.told(level);
    told.iter().for_each(|fault| print_line(&format!("{word}: {fault}")));
    let more = found.count(level) - told.len() as u64;
    if more > 0 {
        print_line(&format!("{word}: and {more} more"));
    }
}

/// Until when all of them are valid.
fn until(validity: Validity) -> String {
    let stage = match validity.stage(unix_now()) {
        Stage::Expired => "the first expired at",
        Stage::Well | Stage::Early => "valid until",
        Stage::Soon => "due to be renewed: valid only until",
    };
    format!(", {stage} {}", rfc3339(validity.expires))
}

/// A line on a terminal's standard error that says how far the verification is.
struct Progress {
    start: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self { start: Instant::now(), shown: None, is_terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, done: usize, of: usize) {
        if !self.is_terminal || self.shown.unwrap_or(self.start).elapsed() < AGAIN {
            return;
        }
        let elapsed = self.start.elapsed();
        if elapsed < SHORT || done == 0 {
            return;
        }
        self.shown = Some(Instant::now());
        let left = elapsed.mul_f64(of.saturating_sub(done) as f64 / done as f64).as_secs_f64().ceil();
        let percent = done * 100 / of.max(1);
        let _ = write!(std::io::stderr(), "\rverifying signatures: {percent} %, about {left:.0} s left   ");
    }

    /// Takes the line away.
    fn end(self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
