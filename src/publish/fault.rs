//! What can be wrong with a zone or with a source, named; the text is for the operator.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::rfc3339_of;
use crate::wire::{Name, NameError, Serial};
use crate::zone::signatures::SignatureFault;

use crate::publish::accept::{Refused, wrong_signatures};
use crate::zonefile::ReadError;

/// What is wrong with one zone. Whatever it is, a version that is served goes on being served.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Fault {
    /// The file is gone; the zone stays in service until `remove`.
    #[error("{at} is gone; the zone stays in service until: anyns zone remove {zone}", at = shown(path))]
    Vanished {
        /// Where it was.
        path: PathBuf,
        /// The zone.
        zone: Name,
    },
    /// There is no file where the config says.
    #[error("there is no file {at}", at = shown(path))]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// No primary has given the zone yet.
    #[error("no primary has given it yet; `anyns zone status` tells why")]
    NotTransferred,
    /// A zone that lives in the state directory, of which nothing is kept yet.
    #[error("nothing is kept of it yet and it has no file: give its [[zone]] a file once, as the seed")]
    NoSeed,
    /// A zone that lives in the state directory, of which what was kept is damaged.
    #[error(
        "what was kept of it, its updates among it, is damaged and set aside in the state directory, and it has no file: give its [[zone]] a \
         file with its records, and accept that version"
    )]
    StateLost,
    /// The file cannot be looked at.
    #[error("cannot read {at}: {error}", at = shown(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// Something else than a regular file has the name of a zone file.
    #[error("{at} is {kind}; a zone file must be a regular file", at = shown(path))]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What it is, as in "a FIFO".
        kind: &'static str,
    },
    /// Two files for one zone: neither is taken.
    #[error("two files for one zone: {} and {}; leave one", shown(&paths[0]), shown(&paths[1]))]
    TwoFiles {
        /// The first two.
        paths: [PathBuf; 2],
    },
    /// Somebody has the file open for writing; it will be read when it is closed.
    #[error("{at} is being written; it will be read once its writer has closed it", at = shown(path))]
    BeingWritten {
        /// The file.
        path: PathBuf,
    },
    /// The file changed whenever it was read.
    #[error("{at} changed while it was read, {attempts} times; it will be read again", at = shown(path))]
    Unstable {
        /// The file.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
    },
    /// The file is no zone; says file, line and column.
    #[error("{}", one_line(&.0.to_string()))]
    Bad(Arc<ReadError>),
    /// Reading the file, or judging what was read, panicked.
    #[error("reading {at} panicked: {reason}; the served version stays", at = shown(path))]
    Panicked {
        /// The file.
        path: PathBuf,
        /// What the panic said.
        reason: String,
    },
    /// The version may not replace the one in service.
    #[error("{at}: {refused}; to serve it all the same: anyns zone accept {zone} {serial}", at = shown(path))]
    Refused {
        /// The version's file.
        path: PathBuf,
        /// The zone.
        zone: Name,
        /// The version's serial.
        serial: Serial,
        /// Why.
        #[source]
        refused: Refused,
    },
    /// An operator holds the zone at the version that is served.
    #[error("is held at the version that is served since {since}{reason}; `anyns zone unhold {zone}` lets new versions pass",
        since = rfc3339_of(*.since), reason = if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Held {
        /// The zone.
        zone: Name,
        /// Since when.
        since: SystemTime,
        /// Why; empty if nobody said.
        reason: String,
    },
    /// A version that a primary gave may not replace the one in service.
    #[error(
        "version {serial} of the primary {primary}: {refused}; the served version stays, correct the zone there{}",
        kept.as_ref().map_or_else(String::new, |kept| format!("; the refused one is in {}", shown(kept)))
    )]
    RefusedOffer {
        /// The primary.
        primary: SocketAddr,
        /// The version's serial.
        serial: Serial,
        /// Why.
        #[source]
        refused: Refused,
        /// Where it is kept for inspection.
        kept: Option<PathBuf>,
    },
    /// The version was not put in service, because it cannot be kept across a restart.
    #[error("cannot be made durable: {error}; the served version stays")]
    NotDurable {
        /// What the system said.
        error: String,
    },
    /// The version is served, because there was nothing older, but a restart may lose it.
    #[error("is served but not durable: {error}; it will be tried again")]
    ServedNotDurable {
        /// What the system said.
        error: String,
    },
    /// A change of a zone was refused, because it could not be made durable, and nothing could be since.
    #[error(
        "a change of it could not be made durable and was refused: {error}; what is served stays; at each look it is tried whether the state \
         directory takes it again"
    )]
    ChangeNotDurable {
        /// What the system said.
        error: String,
    },
    /// A difference without a state directory.
    #[error(
        "came by a difference and there is no state directory: a restart serves the source's last whole version"
    )]
    DifferenceWithoutState,
    /// A zone that took updates comes from its file now, which says nothing of them.
    #[error(
        "serial {serial} is served, with the updates that led on from {at}, and is in no file: to go on from it, `anyns zone export {zone}` into the \
         file; to leave the updates, give the file a serial after {serial}", at = shown(path))]
    UpdatesInNoFile {
        /// The file.
        path: PathBuf,
        /// The zone.
        zone: Name,
        /// The serial that is served.
        serial: Serial,
    },
    /// The version in the state directory was accepted by an earlier build, and this one knows a rule that it breaks.
    #[error(
        "is served as it was accepted before, but a new version like it would be refused: {problem}; correct it"
    )]
    RefusedToday {
        /// What would be refused.
        problem: String,
    },
    /// DNSSEC signatures of the version that is served are wrong.
    #[error("{}; the zone is served all the same", one_line(&wrong_signatures(*.wrong, .first)))]
    Signatures {
        /// How many.
        wrong: u64,
        /// The first.
        first: Box<SignatureFault>,
    },
    /// The zone above it is served here, and its DS records match none of the keys.
    #[error(
        "the DS records in {above}, which is served here too, match none of its DNSKEY records: resolvers that validate do not take its \
         answers; it is served all the same"
    )]
    Delegation {
        /// The zone above.
        above: Name,
    },
    /// Verifying the signatures of the version that is served panicked.
    #[error("verifying the signatures panicked: {reason}; the zone is served, and verified when it changes")]
    Unverified {
        /// What the panic said.
        reason: String,
    },
    /// The rule `bump` without a state directory.
    #[error("serial = \"bump\" without a state directory: after a restart the serial may go back")]
    BumpWithoutState,
}

impl Fault {
    /// Whether it is of a version that is served: it holds nothing up.
    pub(super) fn is_of_served(&self) -> bool {
        matches!(
            self,
            Self::ChangeNotDurable { .. }
                | Self::Delegation { .. }
                | Self::Held { .. }
                | Self::ServedNotDurable { .. }
                | Self::Signatures { .. }
                | Self::UpdatesInNoFile { .. }
                | Self::Unverified { .. }
        )
    }
}

/// The most characters of a message that comes from a file, a path or a system call; several lines of a terminal.
const LINE: usize = 500;
/// The most characters of a path.
const PATH: usize = 300;

/// The text without control characters, cut to a bounded length: file names and zone files are not trusted.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(LINE).flat_map(printable).collect();
    if text.chars().nth(LINE).is_some() {
        line.push_str("...");
    }
    line
}

fn printable(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// A path on one line; of a long one the end, which tells files apart.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    match text.chars().count().checked_sub(PATH) {
        None | Some(0) => one_line(&text),
        Some(more) => one_line(&format!("...{}", text.chars().skip(more).collect::<String>())),
    }
}

/// What is wrong beside any one zone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceFault {
    /// A directory that cannot be read; the zones in it stay.
    #[error("cannot read the directory {at}: {error}; its zones stay as they are", at = shown(path))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A directory that does not answer: its disk, or the network between, hangs.
    #[error("the directory {at} does not answer; its zones stay as they are, and it is looked at when it answers", at = shown(path))]
    Silent {
        /// The directory.
        path: PathBuf,
    },
    /// A `*.zone` file whose name is no domain name.
    #[error("{at}: {error}; the file name without .zone must be the zone's name", at = shown(path))]
    FileName {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: NameError,
    },
    /// A zone that the config names without a file, and no directory holds it either, nor does a catalog list it.
    #[error("no configured directory holds a file for {zone}, and no catalog lists it")]
    NoFile {
        /// The zone.
        zone: Name,
    },
    /// A file in the state directory that cannot be used; it was set aside.
    #[error("what the state directory held is damaged ({error}); it was set aside: {at}", at = shown(path))]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Steps in the state directory that cannot be used, or not all of them; what was wrong is aside, and what comes
    /// before it is served.
    #[error(
        "the steps (journal) of {zone} are damaged ({error}); a copy is aside: {at}; and {zone} is served as of serial {serial}: what came \
         after it must come again", at = shown(path))]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
        /// The zone.
        zone: Name,
        /// The last serial that could be restored.
        serial: Serial,
    },
    /// The state directory cannot be written.
    #[error(
        "the state directory {at} cannot be written: {error}; zone files are served, but nothing new is durable, and bumped \
         serials and differences are refused; make it writable: it is tried again at each look",
        at = shown(path)
    )]
    StateUnwritable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// Which zones an operator holds could not be read, so that all are held.
    #[error(
        "every zone is held at the version that is served since {since}, because {reason}; `anyns zone unhold '*'` lets new versions of \
         all zones pass, `anyns zone unhold ZONE` those of one",
        since = humantime::format_rfc3339_seconds(*.since)
    )]
    AllHeld {
        /// Since when.
        since: SystemTime,
        /// What is wrong with the file that says it.
        reason: String,
    },
    /// A look or a command panicked.
    #[error("the publisher panicked: {reason}; what is served stays, and it looks again soon")]
    Panicked {
        /// What the panic said.
        reason: String,
    },
    /// The file of the state directory was removed or replaced by another one while it was open.
    #[error(
        "the state directory was emptied or replaced while anyns ran: {at} is not the file that was opened; what is served is kept there \
         anew, its history is gone",
        at = shown(path)
    )]
    StateReplaced {
        /// The file.
        path: PathBuf,
    },
    /// The state of a zone cannot be deleted.
    #[error("cannot delete the state of {zone}: {error}")]
    StateRemains {
        /// The zone.
        zone: Name,
        /// What the system said.
        error: String,
    },
}

/// What is odd in a source of zones and no fault: nothing that is or was served is concerned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SourceWarning {
    /// A directory below a source that cannot be read, and in which no zone is known, such as `lost+found`.
    #[error("cannot read the directory {at}: {error}; no zone is known in it, so it is left out", at = shown(path))]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A file whose name says that it is the copy of another one.
    #[error(
        "{at} has the name of a copy, not of a zone: it is left out; delete it, or give it a zone's name (a space is \\032, \
         parentheses are \\040 and \\041)",
        at = shown(path)
    )]
    Copy {
        /// The file.
        path: PathBuf,
    },
}

impl SourceFault {
    /// Faults kept in a report: more than a person reads, few enough to be nothing.
    pub(super) const MAX_REPORTED: usize = 100;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_of_any_time_is_told() {
        let since = crate::clock::at_unix(1 << 40).unwrap();
        let held = Fault::Held { zone: "a.example.".parse().unwrap(), since, reason: "".into() };
        assert!(held.to_string().contains("since second 1099511627776;"), "{held}");
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        let path = PathBuf::from(format!("/zones/{}\n\u{1b}[2J.zone", "long".repeat(200)));
        let text = Fault::Missing { path }.to_string();
        assert!(
            text.starts_with("there is no file ...") && text.ends_with("long\\n\\u{1b}[2J.zone"),
            "{text}"
        );
        assert!(text.len() < 400, "{text}");
        assert_eq!(one_line("two\r\nlines"), "two\\r\\nlines");
        assert_eq!(one_line(&"x".repeat(501)), "x".repeat(500) + "...");
    }
}
