//! When each version that waits was first seen, and which an operator ordered, over restarts.
//!
//! A file `waiting-versions` in the state directory, replaced whole: a line `anyns-waiting 1 WRITTEN`, then lines
//! `ZONE SERIAL SEEN WAITED ORDERED PRIMARY`, times in seconds since 1970, `WAITED` in seconds. `ORDERED` is `ordered` where the version is to
//! be served at once when the hold of its zone ends, else `-`; `PRIMARY` is the address of who gave it. Older builds do not know the last word, and
//! write the fifth only where it is `ordered`. The versions themselves are fetched again. Of the time in which anyns did not run
//! at most ten minutes count as waited, and none if the clock went backwards: a clock that is wrong after a reboot ends no delay.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::clock::{at_unix, unix_seconds};
use crate::sys::files::{Durability, replace};
use crate::wire::{Name, Serial};

use super::machine::Remembered;

/// The file in the state directory.
const FILE: &str = "waiting-versions";
/// The first word, and the version of the format.
const HEAD: [&str; 2] = ["anyns-waiting", "1"];
/// The fifth word of a version that an operator ordered, and of another one.
const ORDERED: &str = "ordered";
const NOT_ORDERED: &str = "-";
/// The most octets of the file that are read: some million versions.
const MOST_OCTETS: u64 = 64 << 20;
/// The most time that counts as waited although anyns did not run: a restart, also of the host.
const MOST_PAUSE: Duration = Duration::from_secs(600);

/// By zone, the versions that wait.
pub(super) type Kept = BTreeMap<Name, Vec<(Serial, Remembered)>>;

/// What was kept, at this time; nothing without a file, and nothing of a format that is not known.
pub(super) fn read(directory: &Path, now: SystemTime) -> io::Result<Kept> {
    let file = match File::open(directory.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::new()),
        other => other?,
    };
    let text = io::read_to_string(io::Read::take(file, MOST_OCTETS))?;
    let mut lines = text.lines();
    let Some(pause) = lines.next().and_then(|head| pause_of(head, now)) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its first line is of no format that is known",
        ));
    };
    let mut kept = Kept::new();
    for line in lines {
        match version_of(line) {
            Some((zone, serial, it)) => {
                let it = Remembered { waited: it.waited + pause, ..it };
                kept.entry(zone).or_default().push((serial, it));
            }
            None => {
                tracing::warn!(line, "{FILE}: a line cannot be read; that version waits from the beginning")
            }
        }
    }
    Ok(kept)
}

/// How long anyns did not run, as far as it counts.
fn pause_of(head: &str, now: SystemTime) -> Option<Duration> {
    let mut words = head.split(' ');
    let is_known = HEAD.iter().all(|word| words.next() == Some(word));
    let written = from_seconds(words.next().filter(|_| is_known)?)?;
    Some(now.duration_since(written).unwrap_or_default().min(MOST_PAUSE))
}

fn version_of(line: &str) -> Option<(Name, Serial, Remembered)> {
    let mut words = line.split(' ');
    let (zone, serial) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let seen = from_seconds(words.next()?)?;
    let waited = Duration::from_secs(words.next()?.parse().ok()?);
    // Nothing can have waited for longer than the longest delay; a wrong number must not overflow a sum.
    let waited = waited.min(super::settings::DelayRules::LONGEST);
    let is_ordered = words.next() == Some(ORDERED);
    let primary = words.next().and_then(|word| word.parse().ok());
    Some((zone, Serial(serial), Remembered { seen, waited, is_ordered, primary }))
}

fn from_seconds(word: &str) -> Option<SystemTime> {
    at_unix(word.parse().ok()?)
}

/// Replaces the file.
pub(super) fn write(directory: &Path, kept: &Kept, now: SystemTime) -> io::Result<()> {
    let mut text = format!("{} {} {}\n", HEAD[0], HEAD[1], unix_seconds(now));
    for (zone, versions) in kept {
        for (Serial(serial), Remembered { seen, waited, is_ordered, primary }) in versions {
            let ordered = if *is_ordered { ORDERED } else { NOT_ORDERED };
            let (seen, waited) = (unix_seconds(*seen), waited.as_secs());
            let primary = primary.map(|primary| format!(" {primary}")).unwrap_or_default();
            text.push_str(&format!("{zone} {serial} {seen} {waited} {ordered}{primary}\n"));
        }
    }
    replace(&directory.join(FILE), Durability::Synced, |file| file.write_all(text.as_bytes()))
}
