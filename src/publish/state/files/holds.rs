//! Zones that an operator holds at the version that is served, over restarts.
//!
//! A file `held-zones`, replaced whole and synced: an operator who was told that a zone is held can count on it. The line `held-zones 2`
//! is followed by lines `ZONE SECONDS REASON`, and the line `end` comes last. Where the file cannot be read, every zone is held: a line
//! `* SECONDS REASON` says so, and a line `! 0 ZONE` that an operator let a zone go since. A file that cannot be read is never
//! overwritten: it stays as `held-zones.damaged`. Older builds wrote the lines of the zones alone, so that no line was no hold: a mark in
//! the database says that this build has taken their file over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::clock::{at_unix, unix_seconds};
use crate::publish::state::files::aside::free_place;
use crate::sys::files::{Durability, replace};
use crate::wire::Name;

/// The mark in the database that the file has a head and an end, if there is one.
pub(in crate::publish) const MARK: &str = HEAD;
/// The file in the state directory.
pub(in crate::publish) const FILE: &str = "held-zones";
/// Its first line and its last one.
const HEAD: &str = "held-zones 2";
const END: &str = "end";
/// In the place of a zone's name: all zones, and one that is held no longer.
const ALL: &str = "*";
const RELEASED: &str = "!";
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::publish) struct Holds {
    zones: BTreeMap<Name, Hold>,
    /// Every other zone is held, too: which ones were held could not be read.
    all: Option<Hold>,
    /// The zones that an operator let go since.
    released: BTreeSet<Name>,
}

/// A file of holds that cannot be read.
#[derive(Debug)]
pub(in crate::publish) struct DamagedHolds {
    /// What can be read of it.
    pub(in crate::publish) readable: Holds,
    /// What is wrong.
    pub(in crate::publish) error: String,
    /// Whether it has no octet: older builds left it so when the last hold ended.
    pub(in crate::publish) is_empty: bool,
}

impl DamagedHolds {
    /// Nothing of it can be read.
    pub(in crate::publish) fn unread(error: impl ToString) -> Self {
        Self { readable: Holds::default(), error: error.to_string(), is_empty: false }
    }
}

impl Hold {
    /// From now on; the reason becomes one line of bounded length.
    pub(in crate::publish) fn new(reason: &str) -> Self {
        let reason: String =
            reason.chars().map(|it| if it.is_control() { ' ' } else { it }).take(MOST_REASON).collect();
        Self { reason: reason.trim().into(), since: SystemTime::now() }
    }

    fn line(&self, what: &str) -> String {
        format!("{what} {} {}\n", unix_seconds(self.since), self.reason)
    }
}

impl Holds {
    /// Why a zone is held; `None` if it is not.
    pub(in crate::publish) fn get(&self, zone: &Name) -> Option<&Hold> {
        let as_all = || self.all.as_ref().filter(|_| !self.released.contains(zone));
        self.zones.get(zone).or_else(as_all)
    }

    /// Why every zone is held for which no operator has said otherwise; `None` if that is not so.
    pub(in crate::publish) fn all(&self) -> Option<&Hold> {
        self.all.as_ref()
    }

    /// The zones that an operator holds by name.
    pub(in crate::publish) fn named(&self) -> impl Iterator<Item = &Name> {
        self.zones.keys()
    }

    /// Holds a zone.
    pub(in crate::publish) fn insert(&mut self, zone: Name, hold: Hold) {
        self.released.remove(&zone);
        self.zones.insert(zone, hold);
    }

    /// Holds every zone.
    pub(in crate::publish) fn insert_all(&mut self, hold: Hold) {
        self.all.get_or_insert(hold);
    }

    /// Lets a zone go; false if it was not held.
    pub(in crate::publish) fn remove(&mut self, zone: &Name) -> bool {
        let was_held = self.get(zone).is_some();
        self.zones.remove(zone);
        if was_held && self.all.is_some() {
            self.released.insert(zone.clone());
        }
        was_held
    }

    /// Ends that every zone is held, if an operator has let each of these go, or holds it by name. `count`: how many they are.
    pub(in crate::publish) fn end_all<'z>(
        &mut self,
        count: usize,
        mut zones: impl Iterator<Item = &'z Name>,
    ) {
        let is_said = |zone: &Name| self.released.contains(zone) || self.zones.contains_key(zone);
        if self.released.len() + self.zones.len() >= count && zones.all(is_said) {
            (self.all, self.released) = (None, BTreeSet::new());
        }
    }

    /// Takes in a line; false if it cannot be read.
    fn read_line(&mut self, line: &str) -> bool {
        let mut words = line.splitn(3, ' ');
        let (Some(what), Some(since)) = (words.next(), words.next()) else { return false };
        let rest = words.next().unwrap_or_default();
        let Some(since) = since.parse().ok().and_then(at_unix) else { return false };
        let hold = Hold { reason: rest.into(), since };
        match what {
            ALL => self.all = Some(hold),
            RELEASED => match rest.parse() {
                Ok(zone) => drop(self.released.insert(zone)),
                Err(_) => return false,
            },
            zone => match zone.parse() {
                Ok(zone) => drop(self.zones.insert(zone, hold)),
                Err(_) => return false,
            },
        }
        true
    }
}

/// The zones that were held when the file was written; none without a file.
pub(in crate::publish) fn read(directory: &Path) -> Result<Holds, DamagedHolds> {
    let unread = |error: io::Error| DamagedHolds::unread(error);
    let file = match File::open(directory.join(FILE)) {
        Err(error) if is_absent(&error) => return Ok(Holds::default()),
        other => other.map_err(unread)?,
    };
    let mut octets = Vec::new();
    io::Read::take(file, MOST_OCTETS).read_to_end(&mut octets).map_err(unread)?;
    parse(&octets)
}

/// Whether there is no file, or no directory for it.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parse(octets: &[u8]) -> Result<Holds, DamagedHolds> {
    let text = String::from_utf8_lossy(octets);
    let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
    let mut lines: Vec<&str> = text.lines().collect();
    let mut error = None;
    if lines.first() == Some(&HEAD) {
        lines.remove(0);
        if lines.last() == Some(&END) {
            lines.pop();
        } else {
            error = Some("its end is missing".to_owned());
        }
    } else if lines.is_empty() {
        error = Some("it is empty".to_owned());
    }
    let mut readable = Holds::default();
    for line in lines {
        // A reason may have the character itself.
        let is_cut = !is_text && line.contains(char::REPLACEMENT_CHARACTER);
        if is_cut || !readable.read_line(line) {
            error.get_or_insert_with(|| "a line cannot be read".to_owned());
        }
    }
    match error {
        None => Ok(readable),
        Some(error) => Err(DamagedHolds { readable, error, is_empty: octets.is_empty() }),
    }
}

/// Replaces the file. One that cannot be read is kept beside it.
pub(in crate::publish) fn write(directory: &Path, holds: &Holds) -> io::Result<()> {
    let path = directory.join(FILE);
    if read(directory).is_err() {
        let aside = free_place(directory, FILE);
        fs::hard_link(&path, &aside).or_else(|_| fs::copy(&path, &aside).map(drop))?;
    }
    take_over(directory, holds)
}

/// Replaces the file, whatever is in it.
pub(in crate::publish) fn take_over(directory: &Path, holds: &Holds) -> io::Result<()> {
    let mut text = format!("{HEAD}\n");
    text.extend(holds.all.iter().map(|hold| hold.line(ALL)));
    text.extend(holds.released.iter().map(|zone| format!("{RELEASED} 0 {zone}\n")));
    text.extend(holds.zones.iter().map(|(zone, hold)| hold.line(&zone.to_string())));
    text.push_str(END);
    text.push('\n');
    replace(&directory.join(FILE), Durability::Synced, |file| file.write_all(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn zones_stay_held_with_their_reasons() {
        let directory = tempfile::tempdir().unwrap();
        let read = || read(directory.path());
        assert_eq!(read().unwrap(), Holds::default());
        let mut holds = Holds::default();
        holds.insert(name("a.example."), Hold::new("until\nMonday, see 12"));
        holds.insert(name("\\032b.example."), Hold::new("\u{fffd}"));
        write(directory.path(), &holds).unwrap();
        let found = read().unwrap();
        assert!(found.named().eq(holds.named()));
        assert_eq!(&*found.get(&name("a.example.")).unwrap().reason, "until Monday, see 12");
        assert!(found.remove_of("a.example.").named().eq([&name("\\032b.example.")]));
        write(directory.path(), &Holds::default()).unwrap();
        assert_eq!(read().unwrap(), Holds::default(), "none is held, and that is whole");
    }

    impl Holds {
        fn remove_of(mut self, zone: &str) -> Self {
            assert!(self.remove(&name(zone)));
            self
        }
    }

    #[test]
    fn the_lines_of_an_older_build_are_read() {
        let holds = parse(b"a.example. 5 x y\nb.example. 6 \n").unwrap();
        assert!(holds.named().eq([&name("a.example."), &name("b.example.")]));
    }

    #[test]
    fn every_cut_of_a_file_is_damage_and_so_is_every_octet_that_is_no_text() {
        let directory = tempfile::tempdir().unwrap();
        let mut holds = Holds::default();
        holds.insert(name("a.example."), Hold::new("why"));
        write(directory.path(), &holds).unwrap();
        let whole = fs::read(directory.path().join(FILE)).unwrap();
        // Without the last end of line it is whole.
        for length in 0..whole.len() - 1 {
            assert!(parse(&whole[..length]).is_err(), "{length} octets of {}", whole.len());
        }
        for at in 0..whole.len() - 1 {
            let mut octets = whole.clone();
            octets[at] = 0xff;
            assert!(parse(&octets).is_err(), "octet {at}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_kept_beside_and_all_are_held_until_an_operator_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let (path, aside) = (directory.path().join(FILE), directory.path().join("held-zones.damaged"));
        let (a, b) = (name("a.example."), name("b.example."));
        fs::write(&path, "nonsense\na.example. 5 x y\n").unwrap();
        let DamagedHolds { readable: mut holds, error, .. } = read(directory.path()).unwrap_err();
        assert_eq!(error, "a line cannot be read");
        assert!(holds.named().eq([&a]), "what can be read stays known");
        holds.insert_all(Hold::new("unread"));
        write(directory.path(), &holds).unwrap();
        assert_eq!(fs::read_to_string(&aside).unwrap(), "nonsense\na.example. 5 x y\n");
        let mut holds = read(directory.path()).unwrap();
        assert_eq!([&a, &b].map(|zone| &*holds.get(zone).unwrap().reason), ["x y", "unread"]);
        assert!(holds.remove(&b) && !holds.remove(&b));
        write(directory.path(), &holds).unwrap();
        let mut holds = read(directory.path()).unwrap();
        assert!(holds.get(&b).is_none() && holds.get(&a).is_some() && holds.all().is_some());
        holds.end_all(3, [&a, &b, &name("c.")].into_iter());
        assert!(holds.all().is_some(), "nobody has spoken of c.");
        holds.end_all(2, [&a, &b].into_iter());
        assert!(holds.all().is_none() && holds.get(&a).is_some() && holds.get(&name("c.")).is_none());
        assert!(!directory.path().join("held-zones.damaged-2").exists());
    }
}
