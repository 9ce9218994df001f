//! What somebody waits for at the keeper, and in which order it is written.
//!
//! Part of [`crate::publish::state::keeper`].

use std::io;
use std::sync::mpsc::SyncSender;

use crate::publish::state::ready::Version;
use crate::publish::state::rows::ZoneRows;
use crate::publish::state::step::Written;
use crate::wire::Name;

/// Where the outcome goes.
pub(in crate::publish) type WriterReply = SyncSender<io::Result<()>>;

/// What somebody waits for.
#[derive(Debug)]
pub(in crate::publish) enum Urgent {
    /// Keep the versions of one zone, the oldest first.
    Keep(Vec<Version>),
    /// Append a step.
    Append(Name, Written),
    /// Forget a zone.
    Forget(Name),
    /// Keep short values of zones.
    Rows(ZoneRows),
}

impl Urgent {
    /// The zone that it writes.
    pub(in crate::publish) fn zone(&self) -> Option<&Name> {
        match self {
            Self::Keep(versions) => versions.last().map(|version| version.zone.origin()),
            Self::Append(zone, _) | Self::Forget(zone) => Some(zone),
            Self::Rows(_) => None,
        }
    }
}

/// Records of a version that is written together with others: a larger one would hold them up.
pub(in crate::publish) const MOST_RECORDS: usize = 10_000;

/// Octets of a step that is written together with others.
const MOST_OCTETS: usize = 1 << 20;

/// What many zones wait for at one time shares a transaction, and so one sync of the disk: otherwise each would wait for those
/// before it. A zone has one thing waited for at a time, so the order between zones does not count.
#[derive(Debug, Default)]
pub(in crate::publish) struct Sorted {
    /// The whole versions of small zones, and who waits for each.
    pub(in crate::publish) versions: Vec<Vec<Version>>,
    pub(in crate::publish) version_replies: Vec<WriterReply>,
    /// Small steps, and who waits for each.
    pub(in crate::publish) steps: Vec<(Name, Written)>,
    pub(in crate::publish) step_replies: Vec<WriterReply>,
    /// Everything else, one after the other.
    pub(in crate::publish) others: Vec<(Urgent, WriterReply)>,
}

impl Sorted {
    /// Sorts what is waited for.
    pub(in crate::publish) fn of(urgent: Vec<(Urgent, WriterReply)>) -> Self {
        let mut sorted = Self::default();
        for (urgent, reply) in urgent {
            match urgent {
                Urgent::Keep(versions)
                    if versions.iter().all(|version| version.zone.record_count() <= MOST_RECORDS) =>
                {
                    sorted.versions.push(versions);
                    sorted.version_replies.push(reply);
                }
                Urgent::Append(zone, step) if step.octets.len() <= MOST_OCTETS => {
                    sorted.steps.push((zone, step));
                    sorted.step_replies.push(reply);
                }
                other => sorted.others.push((other, reply)),
            }
        }
        sorted
    }
}
