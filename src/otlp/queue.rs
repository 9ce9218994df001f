//! The records that wait, and how many were sent and dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_queue::ArrayQueue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

/// Records that wait at most: some seconds of a busy log, a few MB of memory.
const MAX_QUEUED_RECORDS: usize = 4096;

/// A record.
#[derive(Clone, Debug)]
pub(super) enum Record {
    /// A log record.
    Log(Box<LogRecord>),
    /// A span that has ended.
    Span(Box<Span>),
}

/// The way from the threads that log to the exporter.
#[derive(Clone, Debug)]
pub(super) struct Records(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: ArrayQueue<Record>,
    exported: AtomicU64,
    dropped: AtomicU64,
}

/// How many records became what.
#[derive(Clone, Debug)]
pub struct ExportCounts(Records);

impl Records {
    pub(super) fn new() -> Self {
        let (exported, dropped) = Default::default();
        Self(Arc::new(Shared { queue: ArrayQueue::new(MAX_QUEUED_RECORDS), exported, dropped }))
    }

    /// Puts a record in, or counts it as dropped; never waits.
    pub(super) fn push(&self, record: Record) {
        if self.0.queue.push(record).is_err() {
            self.count_dropped(1);
        }
    }

    /// The next record. Only the exporter calls it.
    pub(super) fn pop(&self) -> Option<Record> {
        self.0.queue.pop()
    }

    /// Counts records that the receiver has taken.
    pub(super) fn count_exported(&self, records: u64) {
        self.0.exported.fetch_add(records, Relaxed);
    }

    /// Counts records that nobody gets.
    pub(super) fn count_dropped(&self, records: u64) {
        self.0.dropped.fetch_add(records, Relaxed);
    }

    pub(super) fn counts(&self) -> ExportCounts {
        ExportCounts(self.clone())
    }
}

impl ExportCounts {
    /// Records that the receiver has taken.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.0.0.exported.load(Relaxed)
    }

    /// Records that found no room, that the receiver refused, or that were left at the end.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.0.dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_without_room_are_counted() {
        let records = Records::new();
        for _ in 0..MAX_QUEUED_RECORDS + 3 {
            records.push(Record::Log(Box::default()));
        }
        assert_eq!(records.counts().dropped(), 3);
        assert_eq!(std::iter::from_fn(|| records.pop()).count(), MAX_QUEUED_RECORDS);
    }
}
