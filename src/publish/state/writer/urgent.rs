//! What somebody waits for at the state writer, and in which order it is written.
//!
//! Part of [`crate::publish::state::writer`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::publish::state::files::holds::Holds;
use crate::publish::state::version::step::Written;
use crate::publish::state::writer::ready::Version;
use crate::publish::state::writer::rows::ZoneRows;
use crate::telemetry::pulse::WAIT;
use crate::wire::Name;

/// What has become of something that somebody waits for.
mod stage {
    /// It is not begun.
    pub(super) const WAITS: u8 = 0;
    /// It is being written.
    pub(super) const BEGUN: u8 = 1;
    /// The outcome is told.
    pub(super) const TOLD: u8 = 2;
    /// Nobody waits any more, and who did said that nothing is kept.
    pub(super) const GIVEN_UP: u8 = 3;
}

/// Where the outcome goes: the state writer's end.
#[derive(Debug)]
pub(in crate::publish) struct WriterReply {
    stage: Arc<AtomicU8>,
    outcome: SyncSender<io::Result<()>>,
}

/// The end of the one who waits.
#[derive(Debug)]
pub(in crate::publish) struct WriterAnswer {
    stage: Arc<AtomicU8>,
    outcome: Receiver<io::Result<()>>,
}

/// Both ends.
pub(in crate::publish) fn writer_reply() -> (WriterReply, WriterAnswer) {
    let (stage, (told, outcome)) = (Arc::new(AtomicU8::new(stage::WAITS)), sync_channel(1));
    (WriterReply { stage: stage.clone(), outcome: told }, WriterAnswer { stage, outcome })
}

impl WriterReply {
    /// Whether it is still to be written; then its writing begins.
    pub(in crate::publish) fn begin(&self) -> bool {
        self.advance(stage::WAITS, stage::BEGUN)
    }

    /// Whether nobody waits any more.
    pub(in crate::publish) fn is_given_up(&self) -> bool {
        self.stage.load(Ordering::Acquire) == stage::GIVEN_UP
    }

    /// Tells the outcome; false if nobody waits any more: then it is known as one that is not kept.
    pub(in crate::publish) fn tell(self, outcome: io::Result<()>) -> bool {
        self.advance(stage::BEGUN, stage::TOLD) && self.outcome.send(outcome).is_ok()
    }

    fn advance(&self, from: u8, to: u8) -> bool {
        self.stage.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl WriterAnswer {
    /// Waits, with a sign of life every now and then. After `patience` it is given up: what is not begun is not written, and what
    /// is written late is taken back as far as that can be.
    pub(in crate::publish) fn wait(&self, patience: Duration) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match self.outcome.recv_timeout(WAIT.min(patience)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) if start.elapsed() >= patience => {
                    return match self.stage.swap(stage::GIVEN_UP, Ordering::AcqRel) {
                        stage::TOLD => self.outcome.recv().unwrap_or_else(|_| Err(has_ended())),
                        _ => Err(hangs(start.elapsed())),
                    };
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(has_ended()),
            }
        }
    }
}

/// Of a state directory that does not answer.
pub(in crate::publish) fn hangs(elapsed: Duration) -> io::Error {
    let text = format!("the state directory has not answered for {} s", elapsed.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn has_ended() -> io::Error {
    io::Error::other("the thread that keeps zones has ended")
}

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
    /// Keep which zones are held.
    Holds(HoldsChange),
}

/// Which zones are held.
#[derive(Debug)]
pub(in crate::publish) struct HoldsChange {
    pub(in crate::publish) before: Arc<Holds>,
    pub(in crate::publish) after: Arc<Holds>,
}

impl Urgent {
    /// The zone that it writes.
    pub(in crate::publish) fn zone(&self) -> Option<&Name> {
        match self {
            Self::Keep(versions) => versions.last().map(|version| version.zone.origin()),
            Self::Append(zone, _) | Self::Forget(zone) => Some(zone),
            Self::Rows(_) | Self::Holds(_) => None,
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
    /// Versions that waited before one that nobody waits for any more.
    pub(in crate::publish) earlier: Vec<Version>,
    /// Everything else, one after the other.
    pub(in crate::publish) others: Vec<(Urgent, WriterReply)>,
}

impl Sorted {
    /// Sorts what is still waited for, and begins it.
    pub(in crate::publish) fn of(urgent: Vec<(Urgent, WriterReply)>) -> Self {
        let mut sorted = Self::default();
        for (urgent, reply) in urgent {
            if !reply.begin() {
                // The last version was called not durable; those before it are served.
                if let Urgent::Keep(mut versions) = urgent {
                    versions.pop();
                    sorted.earlier.extend(versions);
                }
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PATIENCE: Duration = Duration::ZERO;

    fn forget() -> Urgent {
        Urgent::Forget("a.example.".parse().unwrap())
    }

    #[test]
    fn what_is_given_up_before_it_begins_is_not_written() {
        let (reply, answer) = writer_reply();
        assert_eq!(answer.wait(NO_PATIENCE).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(Sorted::of(vec![(forget(), reply)]).others.is_empty());
        let (reply, _answer) = writer_reply();
        assert_eq!(Sorted::of(vec![(forget(), reply)]).others.len(), 1);
    }

    #[test]
    fn what_is_given_up_while_it_is_written_is_known_as_that() {
        let (reply, answer) = writer_reply();
        assert!(reply.begin() && !reply.begin());
        assert!(answer.wait(NO_PATIENCE).is_err());
        assert!(!reply.tell(Ok(())), "nobody waits any more");
    }

    #[test]
    fn an_outcome_that_is_told_counts_also_if_the_patience_is_over() {
        let (reply, answer) = writer_reply();
        assert!(reply.begin() && reply.tell(Ok(())));
        assert!(answer.wait(NO_PATIENCE).is_ok());
    }
}
