//! Why a command to the publisher fails.

use std::io;
use std::path::PathBuf;

use crate::wire::{Name, Serial};
use crate::zone::ZoneFault;

use crate::publish::accept::Refused;
use crate::publish::fault::{Fault, shown};
use crate::zonefile;

/// Why the publisher does not start.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A relative path, and no current directory.
    #[error("cannot make the configured paths absolute: {source}")]
    CurrentDirectory {
        /// What the system said.
        source: io::Error,
    },
    /// Another process uses the state directory.
    #[error(transparent)]
    State(#[from] StoreError),
    /// A thread does not start.
    #[error("cannot start a thread of the publisher: {source}")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

/// Why an offered version is not in service.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The zone does not come from primaries.
    #[error("{zone} is not configured to come from primaries")]
    NotConfigured {
        /// The zone.
        zone: Name,
    },
    /// A record holds what no record of its type can hold.
    #[error("{zone}: the record of {owner} cannot be right: {fault}")]
    Value {
        /// The zone.
        zone: Name,
        /// The record's owner.
        owner: Name,
        /// What is wrong.
        fault: Box<zonefile::FileFault>,
    },
    /// The version may not replace the one that is served, or cannot be kept.
    #[error("{fault}")]
    NotServed {
        /// Why.
        fault: Box<Fault>,
    },
    /// What the state directory has of the zone cannot be read at this moment: it may be offered again.
    #[error("{fault}; the version is judged when that can be read")]
    Unread {
        /// Why.
        fault: Box<Fault>,
    },
    /// The publisher panicked, or the thread that judged the version does not come back.
    #[error("judging the version came to no end, see the log; what is served stays")]
    Lost,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why new settings are not taken; the old ones stay.
#[derive(Debug, thiserror::Error)]
pub enum ReconfigureError {
    /// A relative path, and no current directory.
    #[error("cannot make the configured paths absolute: {source}")]
    CurrentDirectory {
        /// What the system said.
        source: io::Error,
    },
    /// The state directory is another one.
    #[error("the state directory cannot change while the server runs: restart it")]
    StateDirectory,
    /// The publisher panicked.
    #[error("the publisher panicked, see its log; what is served stays")]
    Panicked,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why a zone is not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// No such zone.
    #[error("{zone} is not served here")]
    NoSuchZone {
        /// The zone.
        zone: Name,
    },
    /// Its file is there: it would come back at once.
    #[error("the file of {zone} is still there: delete {path} first")]
    FilePresent {
        /// The zone.
        zone: Name,
        /// The file.
        path: PathBuf,
    },
    /// It takes updates: what is served is in no file.
    #[error(
        "{zone} takes updates, and what is served of it is in no file: keep it with `anyns zone export {zone}`, then take its [[zone]] out of the \
         configuration and reload"
    )]
    TakesUpdates {
        /// The zone.
        zone: Name,
    },
    /// It comes from primaries, by the configuration or a catalog.
    #[error(
        "{zone} comes from a primary: take it out of the configuration, or out of its catalog at the primary"
    )]
    FromPrimaries {
        /// The zone.
        zone: Name,
    },
    /// Its state cannot be deleted, so a restart would bring it back.
    #[error("cannot delete the state of {zone}, so a restart would bring it back: {source}")]
    State {
        /// The zone.
        zone: Name,
        /// What the system said.
        source: io::Error,
    },
    /// The publisher panicked.
    #[error("the publisher panicked, see its log; what is served stays")]
    Panicked,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why a zone is not held, or is held on.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// No such zone.
    #[error("no zone with such a name is known here")]
    NoSuchZone,
    /// It is not held.
    #[error("no zone with such a name is held")]
    NotHeld,
    /// A restart would not know of it.
    #[error("cannot keep which zones are held, so nothing has changed: {source}")]
    NotKept {
        /// What the system said.
        source: io::Error,
    },
    /// The publisher has ended, or panicked.
    #[error("the publisher has stopped, or panicked: see the log")]
    Stopped,
}

/// Why a refused version does not pass after all.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No such zone.
    #[error("{zone} is not known here")]
    NoSuchZone {
        /// The zone.
        zone: Name,
    },
    /// Nothing was refused that could be accepted.
    #[error("no version of {zone} waits to be accepted")]
    NothingRefused {
        /// The zone.
        zone: Name,
    },
    /// The version that was refused has another serial.
    #[error("the refused version has serial {refused}, not {asked}")]
    OtherSerial {
        /// Its serial.
        refused: Serial,
        /// The serial in the command.
        asked: Serial,
    },
    /// The file changed since the version was refused.
    #[error("the file of {zone} changed since that version was refused: look again")]
    Changed {
        /// The zone.
        zone: Name,
    },
    /// The version of a primary that was refused is not there as it was kept.
    #[error("the refused version of {zone} is not in {} as it was kept: `anyns zone refresh {zone}` has it judged again", shown(.path))]
    NotKept {
        /// The zone.
        zone: Name,
        /// Where it was kept.
        path: PathBuf,
    },
    /// Something that no force helps against.
    #[error("{fault}")]
    StillRefused {
        /// What.
        fault: Box<Fault>,
    },
    /// The publisher panicked.
    #[error("the publisher panicked, see its log; what is served stays")]
    Panicked,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why differences are not applied; the served version stays, and nothing is kept.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// There is nothing to do.
    #[error("no differences of {zone} were given: give at least one")]
    Nothing {
        /// The zone.
        zone: Name,
    },
    /// There is no version that a difference could be to.
    #[error("{zone} is not served here: a whole version must come first")]
    NotServed {
        /// The zone.
        zone: Name,
    },
    /// The zone comes from primaries, and the difference from nobody but an operator: each server would make a version of its own under
    /// the next serial.
    #[error("{zone} comes from a primary, where its serial is made: nothing here may raise it")]
    FromPrimaries {
        /// The zone.
        zone: Name,
    },
    /// The first difference is to another version.
    #[error("{zone} is served with serial {served}, the difference is to {from}: ask for one from {served}")]
    OtherVersion {
        /// The zone.
        zone: Name,
        /// The serial in service.
        served: Serial,
        /// Where the differences begin.
        from: Serial,
    },
    /// One difference does not begin where the one before it ends.
    #[error("a difference of {zone} begins at serial {from}, but the one before it ends at {before}")]
    Gap {
        /// The zone.
        zone: Name,
        /// Where the one before ends.
        before: Serial,
        /// Where it begins.
        from: Serial,
    },
    /// The new serial does not come after the old one (RFC 1982 section 3.2).
    #[error(
        "the difference of {zone} leads from serial {from} to {to}, which does not come after it (RFC 1982)"
    )]
    NotForward {
        /// The zone.
        zone: Name,
        /// The old serial.
        from: Serial,
        /// The new one.
        to: Serial,
    },
    /// Its records were gathered for another zone.
    #[error("the difference of {zone} from serial {from} to {to} has records for the zone {origin}")]
    OtherZone {
        /// The zone.
        zone: Name,
        /// The old serial.
        from: Serial,
        /// The new one.
        to: Serial,
        /// The zone of the records.
        origin: Name,
    },
    /// A deleted record is not there, or what the difference leads to is no zone.
    #[error(
        "the difference of {zone} from serial {from} to {to} does not fit: {}; {} faults in all",
        faults.first().map_or_else(String::new, ToString::to_string),
        faults.len()
    )]
    Unfit {
        /// The zone.
        zone: Name,
        /// The old serial.
        from: Serial,
        /// The new one.
        to: Serial,
        /// What is wrong; at most 100, never none.
        faults: Vec<ZoneFault>,
    },
    /// An added record can never be right, as in a zone file.
    #[error(
        "the difference of {zone} from serial {from} to {to} adds to {owner} what can never be right: {fault}; {more} more such \
         records"
    )]
    Value {
        /// The zone.
        zone: Name,
        /// The old serial.
        from: Serial,
        /// The new one.
        to: Serial,
        /// The owner of the first such record.
        owner: Name,
        /// What is wrong with it.
        fault: Box<zonefile::FileFault>,
        /// How many other records can never be right, either.
        more: usize,
    },
    /// The SOA record after it has another serial (RFC 1995 section 4 has both SOA records in the difference).
    #[error(
        "the difference of {zone} to serial {to} leads to an SOA with {found}: the old SOA must be deleted, the new added"
    )]
    OtherSerial {
        /// The zone.
        zone: Name,
        /// The serial it should be.
        to: Serial,
        /// The serial it is.
        found: Serial,
    },
    /// The new version may not replace the one in service.
    #[error("the differences of {zone} from serial {from} to {to} are refused: {refused}")]
    Refused {
        /// The zone.
        zone: Name,
        /// The serial in service.
        from: Serial,
        /// The new one.
        to: Serial,
        /// Why.
        #[source]
        refused: Refused,
    },
    /// The state directory cannot be written.
    #[error("the differences of {zone} from serial {from} to {to} cannot be made durable: {source}")]
    NotDurable {
        /// The zone.
        zone: Name,
        /// The serial in service.
        from: Serial,
        /// The new one.
        to: Serial,
        /// What the system said.
        source: io::Error,
    },
    /// The publisher panicked.
    #[error("the publisher panicked, see its log; what is served stays")]
    Panicked,
    /// The publisher has ended.
    #[error("the publisher has stopped")]
    Stopped,
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error("another process uses the state directory {path}")]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be made, opened or locked.
    #[error("cannot use the state directory {path}: {source}")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
