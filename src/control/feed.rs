//! The status for other threads: the newest document, and questions about zones with their answers.
//!
//! The status task publishes a [`Feed`] twice a second whether or not anyone reads it; a reader costs it nothing. What the
//! feed does not hold (other zones, the serials of a bucket) is asked for through a bounded queue, and the answer comes back
//! within a limit. Neither side ever waits for a lock of the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use tokio::time::sleep;

use super::catchment::CatchmentStatus;
use super::selection::Selection;
use super::status::Status;
use crate::handoff::Queue;
use crate::telemetry::LatencyTotals;

/// How many zones the document of a feed lists, those that are not well first: one page.
pub const FEED_ZONES: usize = 20;

/// How often it is looked whether an answer is there.
const LOOK: Duration = Duration::from_millis(5);

/// Octets of the digest of a zone's content that tell it from others.
pub const CONTENT_OCTETS: usize = 8;

/// The newest state.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// The document, with [`FEED_ZONES`] zones at most.
    pub status: Status,
    /// Of each bucket the sum of the digests of its zones ([`serial_digest`](crate::telemetry::serial_digest)): the same in two POPs whose
    /// serials are the same.
    pub digests: Vec<u64>,
    /// Of each bucket the sum over the contents of its zones, as far as their digests are made.
    pub contents: Vec<u64>,
    /// Of each bucket the sum of the digests of those of its zones that are in `contents`: where it is that in `digests`, none is missing.
    pub made: Vec<u64>,
    /// How long queries were in the workers since the start.
    pub latency: LatencyTotals,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The document with these zones.
    Status(Selection),
    /// What is served of the zones in these buckets.
    Serials(Vec<u8>),
    /// Which client prefixes reach this POP, at most so many of each family.
    Catchment(usize),
    /// The metrics; as OpenMetrics, or in Prometheus's text format.
    Metrics {
        /// Which of the two.
        openmetrics: bool,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// The document.
    Status(Box<Status>),
    /// The zones that are served.
    Serials(Vec<ServedZone>),
    /// Which client prefixes reach this POP; `None` if nobody counts them.
    Catchment(Option<Box<CatchmentStatus>>),
    /// The metrics as text.
    Metrics(String),
}

/// What is served of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedZone {
    /// Its name.
    pub name: String,
    /// Its serial.
    pub serial: u32,
    /// The start of the digest of its content, once it is made: [`CONTENT_OCTETS`], in hexadecimal digits.
    pub content: Option<String>,
}

/// One question and the way back.
#[derive(Debug)]
pub struct Inquiry {
    /// What is asked.
    pub wanted: Wanted,
    slot: Arc<ArrayQueue<Given>>,
}

impl Inquiry {
    /// Answers it; never blocks.
    pub fn answer(self, given: Given) {
        // The slot has room for one, and this is the only one.
        let _ = self.slot.push(given);
    }
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InquiryError {
    /// Others wait.
    #[error("too many questions wait for the thread control; ask again")]
    Busy,
    /// The status task does not answer.
    #[error("the thread control did not answer within {0:?}")]
    Silent(Duration),
}

/// Asks the status task; done after `limit` at the latest.
///
/// # Errors
/// The queue is full, or no answer came.
pub async fn inquire(queue: &Queue<Inquiry>, wanted: Wanted, limit: Duration) -> Result<Given, InquiryError> {
    let slot = Arc::new(ArrayQueue::new(1));
    queue.push(Inquiry { wanted, slot: slot.clone() }).map_err(|_| InquiryError::Busy)?;
    let begun = Instant::now();
    loop {
        match slot.pop() {
            Some(given) => return Ok(given),
            None if begun.elapsed() >= limit => return Err(InquiryError::Silent(limit)),
            None => sleep(LOOK).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ZoneFilter;
    use crate::handoff::queue;

    #[tokio::test]
    async fn a_question_is_answered_or_says_who_did_not() {
        let (queue, mut receiver) = queue(1).unwrap();
        let limit = Duration::from_secs(20);
        let zone = || ServedZone { name: "a.".to_owned(), serial: 1, content: None };
        let wanted = Wanted::Status(Selection { zones: ZoneFilter::Bad, most: Some(1) });
        let answer = async {
            let inquiry: Inquiry = receiver.next().await;
            assert_eq!(inquiry.wanted, Wanted::Serials(vec![7]));
            inquiry.answer(Given::Serials(vec![zone()]));
        };
        let (given, ()) = tokio::join!(inquire(&queue, Wanted::Serials(vec![7]), limit), answer);
        assert_eq!(given, Ok(Given::Serials(vec![zone()])));
        let silent = inquire(&queue, wanted.clone(), Duration::ZERO).await;
        assert_eq!(silent, Err(InquiryError::Silent(Duration::ZERO)));
        assert_eq!(inquire(&queue, wanted, limit).await, Err(InquiryError::Busy));
    }
}
