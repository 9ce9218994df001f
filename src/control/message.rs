//! What is said over the admin socket, and what can go wrong.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CatchmentStatus, DifferenceStatus, HistoryStatus, Status};

/// What an operator asks. On the wire one line: `{"request":"drain","reason":"router upgrade"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state; without arguments the whole of it.
    Status {
        /// Which zones: `bad`, a name, or a pattern with `*` and `?`; without it every zone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zones: Option<String>,
        /// At most this many zones, those that are not well first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<usize>,
    },
    /// The metrics as text.
    Metrics {
        /// As OpenMetrics 1.0; otherwise in Prometheus's text format 0.0.4.
        #[serde(default)]
        openmetrics: bool,
    },
    /// Which client prefixes reach this POP.
    Catchment {
        /// At most this many prefixes of each family, the busiest; without it all that are known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<usize>,
    },
    /// Withdraw in order and stay withdrawn until `Undrain`.
    Drain {
        /// Why, for the log and for `status`.
        reason: String,
    },
    /// End a drain: health decides again.
    Undrain {},
    /// Read the config and the zones again.
    Reload {},
    /// Stop serving a zone, such as one whose file vanished.
    ZoneRemove {
        /// The zone's name.
        zone: String,
    },
    /// Serve a version that was refused for its serial or its size.
    ZoneAccept {
        /// The zone's name.
        zone: String,
        /// The serial of that version, so that no other one is accepted by mistake.
        serial: u32,
    },
    /// Remove the zones of a catalog whose removal waits because they are many.
    CatalogAccept {
        /// The catalog's name.
        catalog: String,
        /// The serial under which they wait, so that no other removals are accepted by mistake.
        serial: u32,
    },
    /// Ask the primaries of a zone now whether they have a newer version.
    ZoneRefresh {
        /// The zone's name; without it, of all zones that come from primaries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Transfer a zone whole from the freshest primary, whatever its serial: the way back after a serial went backwards.
    ZoneRetransfer {
        /// The zone's name; without it, all zones that come from primaries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Serve at once what waits at a last-resort POP.
    ZoneCatchUp {
        /// The zone's name; without it, of all zones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        zone: Option<String>,
    },
    /// Hold a zone at the version that is served: new ones are refused.
    ZoneHold {
        /// The zone's name.
        zone: String,
        /// Why, for the log and for `status`.
        reason: String,
    },
    /// End a hold.
    ZoneUnhold {
        /// The zone's name.
        zone: String,
    },
    /// Serve the content of an earlier version again, under a raised serial.
    ZoneRollback {
        /// The zone's name.
        zone: String,
        /// The serial of that version; without it the one before the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<u32>,
    },
    /// Let all secondaries have the newest version of zones of which canaries have it first.
    ZoneRelease {
        /// Names or patterns with `*` and `?`.
        zones: Vec<String>,
    },
    /// Let no newer version of zones go to all secondaries, until `ZoneRelease`.
    ZoneHalt {
        /// Names or patterns with `*` and `?`.
        zones: Vec<String>,
    },
    /// In what the version that was refused last differs from what is served.
    ZoneDiffRefused {
        /// The zone's name.
        zone: String,
    },
    /// A zone as it is served, as the text of a zone file.
    ZoneExport {
        /// The zone's name.
        zone: String,
    },
    /// The steps of a zone that are kept.
    ZoneHistory {
        /// The zone's name.
        zone: String,
    },
    /// What differs between two versions of a zone.
    ZoneDiff {
        /// The zone's name.
        zone: String,
        /// The serial of the older one; without it the one before the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u32>,
        /// The serial of the newer one; without it the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u32>,
    },
    /// Make a task panic at its next heartbeat. A hook for tests: refused unless the process runs with
    /// `ANYNS_TEST_HOOKS=1`.
    TestPanic {
        /// The task's name, as the status lists it.
        task: String,
    },
}

impl Request {
    /// The whole state.
    pub fn status() -> Self {
        Self::Status { zones: None, most: None }
    }
}

/// The answer. On the wire one line: `{"response":"done","message":"draining"}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Response {
    /// It is done, or on its way.
    Done {
        /// What was done.
        message: String,
        /// The sections of the configuration that have changed where only a restart takes them over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        restart: Vec<String>,
    },
    /// It was not done, or not all of it: the message says what was done all the same; without that nothing has changed.
    Failed {
        /// Why, and what would be right.
        message: String,
    },
    /// A zone.
    Zone {
        /// The text of a zone file (RFC 1035 section 5).
        text: String,
    },
    /// The metrics.
    Metrics {
        /// In the format that was asked for.
        text: String,
    },
    /// Which client prefixes reach this POP.
    Catchment {
        /// The document.
        catchment: Box<CatchmentStatus>,
    },
    /// The steps of a zone.
    History {
        /// The document.
        history: Box<HistoryStatus>,
    },
    /// What differs between versions.
    Difference {
        /// The document.
        difference: Box<DifferenceStatus>,
    },
    /// The whole state.
    Status {
        /// The document.
        status: Box<Status>,
    },
}

/// Why the admin socket cannot be opened or a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No socket, or no process listens on it.
    #[error("no anyns answers on {path}: is it running, and is this its control socket?", path = path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// This user may not open the socket.
    #[error("no permission for {path}: run as anyns's user, as a member of control.group, or as root", path = path.display())]
    Permission {
        /// The socket.
        path: PathBuf,
    },
    /// The process may not give the socket to the group.
    #[error(
        "cannot give {path} to the group of control.group, whose number is {group}: the user that anyns runs as must be a member of it; add \
         the user (in a unit of systemd: SupplementaryGroups=), or name one of its groups",
        path = path.display()
    )]
    Group {
        /// The socket.
        path: PathBuf,
        /// The id of the group.
        group: u32,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No whole answer in time.
    #[error("anyns did not answer on {path} within {limit:?}", path = path.display())]
    Timeout {
        /// The socket.
        path: PathBuf,
        /// The limit.
        limit: Duration,
    },
    /// An invalid answer: another version of anyns, or another program.
    #[error("what came from {path} is no answer of this version of anyns", path = path.display())]
    BadAnswer {
        /// The socket.
        path: PathBuf,
        /// Where it went wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Another process serves this socket.
    #[error("another anyns answers on {path}: stop it, or choose another control socket", path = path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// The path holds something that is no socket.
    #[error("{path} is no socket: remove it, or choose another control socket", path = path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The directory of the socket belongs to another user, in a place where every user may make one.
    #[error(
        "the directory {directory} belongs to the user {owner}: a user who may make files around it may have made it to listen in \
         for anyns; name another socket with socket in [control]",
        directory = directory.display()
    )]
    ForeignDirectory {
        /// The directory.
        directory: PathBuf,
        /// The id of the user that it belongs to.
        owner: u32,
    },
    /// Anything else the system says.
    #[error("cannot {what} {path}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}
