//! Zones that an operator holds at the version that is served, over restarts.
//!
//! A file `held-zones` of lines `ZONE SECONDS REASON`, replaced whole and synced: an operator who was told that a zone is held can
//! count on it. A line that cannot be read is left out and told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::clock::{at_unix, unix_seconds};
use crate::sys::files::{Durability, replace};
use crate::wire::Name;

/// The file in the state directory.
const FILE: &str = "held-zones";
/// The most characters of a reason: a line of a terminal or two.
const MOST_REASON: usize = 200;
/// The most octets of the file that are read: 100,000 zones with reasons.
const MOST_OCTETS: u64 = 64 << 20;

/// Why a zone is held, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::publish) struct Hold {
    /// The operator's reason, one line; empty if nobody said one.
    pub(in crate::publish) reason: Box<str>,
    /// When it was ordered.
    pub(in crate::publish) since: SystemTime,
}

/// The zones that are held.
pub(in crate::publish) type Holds = BTreeMap<Name, Hold>;

impl Hold {
    /// From now on; the reason becomes one line of bounded length.
    pub(in crate::publish) fn new(reason: &str) -> Self {
        let reason: String =
            reason.chars().map(|it| if it.is_control() { ' ' } else { it }).take(MOST_REASON).collect();
        Self { reason: reason.trim().into(), since: SystemTime::now() }
    }
}

/// The zones that were held when the file was written; none without a file.
pub(in crate::publish) fn read(directory: &Path) -> io::Result<Holds> {
    let file = match File::open(directory.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holds::new()),
        other => other?,
    };
    let text = io::read_to_string(io::Read::take(file, MOST_OCTETS))?;
    let read = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let (name, since) = (words.next()?.parse().ok()?, at_unix(words.next()?.parse().ok()?)?);
        Some((name, Hold { reason: words.next().unwrap_or_default().into(), since }))
    };
    let mut holds = Holds::new();
    for line in text.lines() {
        match read(line) {
            Some((name, hold)) => drop(holds.insert(name, hold)),
            None => tracing::error!("{FILE}: a line cannot be read, and the zone in it is held no longer"),
        }
    }
    Ok(holds)
}

/// Replaces the file.
pub(in crate::publish) fn write(directory: &Path, holds: &Holds) -> io::Result<()> {
    let mut text = String::new();
    for (name, Hold { reason, since }) in holds {
        let since = unix_seconds(*since);
        text.push_str(&format!("{name} {since} {reason}\n"));
    }
    replace(&directory.join(FILE), Durability::Synced, |file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_stay_held_with_their_reasons() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()).unwrap(), Holds::new());
        let mut holds = Holds::new();
        holds.insert("a.example.".parse().unwrap(), Hold::new("until\nMonday, see 12"));
        holds.insert("\\032b.example.".parse().unwrap(), Hold::new(""));
        write(directory.path(), &holds).unwrap();
        let found = read(directory.path()).unwrap();
        let reasons: Vec<&str> = found.values().map(|hold| &*hold.reason).collect();
        assert_eq!(found.keys().collect::<Vec<_>>(), holds.keys().collect::<Vec<_>>());
        assert!(reasons.contains(&"until Monday, see 12") && reasons.contains(&""), "{reasons:?}");
        std::fs::write(directory.path().join(FILE), "nonsense\na.example. 5 x y\n").unwrap();
        assert_eq!(read(directory.path()).unwrap().len(), 1);
    }
}
