//! The status for other threads: the newest document, and questions about zones with their answers.
//!
//! The status task publishes a [`Feed`] twice a second whether or not anyone reads it; a reader costs it nothing. What the
//! feed does not hold (other zones, the serials of a bucket) is asked for through a bounded queue, and the answer comes back
//! within a limit. Neither side ever waits for a lock of the other.

use std::hash::Hasher;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use siphasher::sip::SipHasher24;
use tokio::time::sleep;

use super::catchment::CatchmentStatus;
use super::selection::Selection;
use super::status::Status;
use crate::handoff::Queue;

/// How many zones the document of a feed lists, those that are not well first: one page.
pub const FEED_ZONES: usize = 20;

/// Into how many buckets zones are put by their names. Two POPs with 300,000 zones that differ in one of them compare 256 numbers and
/// then some 1,200 serials.
pub const BUCKETS: usize = 256;

/// How often it is looked whether an answer is there.
const LOOK: Duration = Duration::from_millis(5);

/// The newest state.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// The document, with [`FEED_ZONES`] zones at most.
    pub status: Status,
    /// Of each bucket the sum of the digests of its zones ([`serial_digest`]): the same in two POPs whose serials are the same.
    pub digests: Vec<u64>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The document with these zones.
    Status(Selection),
    /// The serials of a bucket.
    Serials(u8),
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
    /// Names and serials of the zones that are served.
    Serials(Vec<(String, u32)>),
    /// Which client prefixes reach this POP; `None` if nobody counts them.
    Catchment(Option<Box<CatchmentStatus>>),
    /// The metrics as text.
    Metrics(String),
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

/// The bucket of a zone.
#[must_use]
pub fn bucket(name: &str) -> u8 {
    let [first, ..] = hash(name, None).to_be_bytes();
    first
}

/// The digest of a zone with this serial; `None`: it is not served. The same in every POP and every version of anyns.
#[must_use]
pub fn serial_digest(name: &str, serial: Option<u32>) -> u64 {
    serial.map_or(0, |serial| hash(name, Some(serial)))
}

/// It detects differences; it protects from nobody, so its key is zero.
fn hash(name: &str, serial: Option<u32>) -> u64 {
    let mut hasher = SipHasher24::new();
    match name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        false => hasher.write(name.as_bytes()),
        true => hasher.write(name.to_ascii_lowercase().as_bytes()),
    }
    if let Some(serial) = serial {
        hasher.write_u8(0);
        hasher.write(&serial.to_be_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ZoneFilter;
    use crate::handoff::queue;

    #[test]
    fn digests_tell_serials_apart_and_letters_of_names_not() {
        assert_eq!(serial_digest("A.example.", Some(1)), serial_digest("a.EXAMPLE.", Some(1)));
        assert_ne!(serial_digest("a.example.", Some(1)), serial_digest("a.example.", Some(2)));
        assert_ne!(serial_digest("a.example.", Some(1)), serial_digest("b.example.", Some(1)));
        assert_eq!(serial_digest("a.example.", None), 0);
        assert_eq!(bucket("A.example."), bucket("a.example."));
        // Fixed: POPs of different versions compare them.
        assert_eq!((bucket("example.org."), serial_digest("example.org.", Some(7))), FIXED);
    }

    const FIXED: (u8, u64) = (250, 961_820_786_242_823_727);

    #[tokio::test]
    async fn a_question_is_answered_or_says_who_did_not() {
        let (queue, mut receiver) = queue(1).unwrap();
        let limit = Duration::from_secs(20);
        let wanted = Wanted::Status(Selection { zones: ZoneFilter::Bad, most: Some(1) });
        let answer = async {
            let inquiry: Inquiry = receiver.next().await;
            assert_eq!(inquiry.wanted, Wanted::Serials(7));
            inquiry.answer(Given::Serials(vec![("a.".to_owned(), 1)]));
        };
        let (given, ()) = tokio::join!(inquire(&queue, Wanted::Serials(7), limit), answer);
        assert_eq!(given, Ok(Given::Serials(vec![("a.".to_owned(), 1)])));
        let silent = inquire(&queue, wanted.clone(), Duration::ZERO).await;
        assert_eq!(silent, Err(InquiryError::Silent(Duration::ZERO)));
        assert_eq!(inquire(&queue, wanted, limit).await, Err(InquiryError::Busy));
    }
}
