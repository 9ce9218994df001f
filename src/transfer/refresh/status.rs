//! The facts about one secondary zone.

use std::time::{Instant, SystemTime};

use crate::wire::Serial;

use super::lineage::Contradiction;

/// What a zone is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing until its next time.
    Idle,
    /// It has asked primaries for the SOA record.
    Asking,
    /// It transfers from this primary.
    Transferring {
        /// Its index.
        primary: usize,
        /// Whether it is the whole zone.
        whole: bool,
    },
}

/// A primary whose serial is behind what is served here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Its index.
    pub primary: usize,
    /// Its serial.
    pub serial: Serial,
    /// Whether its serial went backwards: it told a newer one before, or every primary answers and none has what is served. Otherwise it
    /// may never have had that, and those that had it do not answer.
    pub is_proven: bool,
}

/// What is known about a zone now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The serial that is served.
    pub serial: Option<Serial>,
    /// What it is doing.
    pub phase: Phase,
    /// When it asks by itself next, if it is idle.
    pub due: Instant,
    /// When a primary last answered that it has what is served, or a newer version that was refused.
    pub checked: Option<SystemTime>,
    /// When what is served expires, if no primary answers so again.
    pub expires: Option<Instant>,
    /// Since when no primary has answered so although it was time: for longer than REFRESH.
    pub stale_since: Option<SystemTime>,
    /// Since when every attempt has failed.
    pub failing_since: Option<SystemTime>,
    /// How many attempts in a row have failed.
    pub failures: u32,
    /// The serial that each primary told last.
    pub seen: Vec<Option<Serial>>,
    /// A primary whose serial is older, while no primary that answers has the served one.
    pub behind: Option<Behind>,
    /// A primary that has not answered for EXPIRE, and since when, while another one confirms what is served.
    pub silent: Option<(usize, SystemTime)>,
    /// Two primaries that have other content under one serial.
    pub contradiction: Option<Contradiction>,
    /// The serial of the version that the publisher refused last and that a primary has still: not transferred again.
    pub refused: Option<Serial>,
    /// Since when there is a version that it refuses.
    pub refused_since: Option<SystemTime>,
}
