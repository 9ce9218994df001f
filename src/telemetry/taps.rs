//! One query in some, with its response, from a worker to the thread that writes dnstap and the query log.
//!
//! The worker copies them into a record that it takes from a bounded queue and gives to another; the reader gives records back. All
//! records are made at the start: a worker never allocates, waits or wakes anybody for a sample, and one that finds no record counts
//! it as dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::SystemTime;

use crossbeam_queue::ArrayQueue;

use super::counting::count;

/// Records of one worker: with one look at them each 20 ms they carry some thousand samples a second, in half a megabyte.
const RECORDS: usize = 64;

/// Octets of a query that are copied: as many as a worker takes of a datagram. A longer one is no sample.
const QUERY: usize = 4096;

/// Octets of a response that are copied: the largest over UDP. Of a longer one the query alone is the sample.
const RESPONSE: usize = 4096;

/// How a message came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TapTransport {
    /// UDP.
    #[default]
    Udp,
    /// TCP.
    Tcp,
    /// DNS over TLS (RFC 7858).
    Dot,
    /// DNS over HTTPS (RFC 8484).
    Doh,
    /// DNS over QUIC (RFC 9250).
    Doq,
}

impl TapTransport {
    /// As metrics call it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Dot => "dot",
            Self::Doh => "doh",
            Self::Doq => "doq",
        }
    }
}

/// A query and its response.
#[derive(Clone, Debug)]
pub struct SampledMessage {
    /// How it came.
    pub transport: TapTransport,
    /// The client; port 0 where it is not known.
    pub client: SocketAddr,
    /// The address that was asked, where it is known.
    pub server: Option<SocketAddr>,
    /// When the response was made; the query came some microseconds before.
    pub at: SystemTime,
    query: Vec<u8>,
    response: Vec<u8>,
}

impl SampledMessage {
    fn empty() -> Self {
        Self {
            transport: TapTransport::Udp,
            client: SocketAddr::from(([0, 0, 0, 0], 0)),
            server: None,
            at: SystemTime::UNIX_EPOCH,
            query: Vec::with_capacity(QUERY),
            response: Vec::with_capacity(RESPONSE),
        }
    }

    /// The query as it came.
    pub fn query(&self) -> &[u8] {
        &self.query
    }

    /// The response; empty if it was too long for the record.
    pub fn response(&self) -> &[u8] {
        &self.response
    }
}

/// The way from one worker to the reader.
#[derive(Clone, Debug)]
pub struct Tap {
    shared: Arc<TapQueues>,
}

#[derive(Debug)]
struct TapQueues {
    one_in: u64,
    /// Messages until now; the worker alone writes it.
    messages: AtomicU64,
    free: ArrayQueue<Box<SampledMessage>>,
    full: ArrayQueue<Box<SampledMessage>>,
    dropped: AtomicU64,
}

impl Tap {
    /// A tap that takes one message in `one_in`; 0 counts as 1.
    pub fn new(one_in: u32) -> Self {
        let (free, full) = (ArrayQueue::new(RECORDS), ArrayQueue::new(RECORDS));
        for _ in 0..RECORDS {
            let _ = free.push(Box::new(SampledMessage::empty()));
        }
        let (messages, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            shared: Arc::new(TapQueues { one_in: u64::from(one_in.max(1)), messages, free, full, dropped }),
        }
    }

    /// Whether the message at hand is a sample. Only the worker calls it, once a message.
    pub fn is_due(&self) -> bool {
        let message = self.shared.messages.load(Relaxed).wrapping_add(1);
        self.shared.messages.store(message, Relaxed);
        message.is_multiple_of(self.shared.one_in)
    }

    /// Takes a sample. Only the worker calls it; never waits.
    pub fn take(
        &self,
        (query, response): (&[u8], &[u8]),
        transport: TapTransport,
        (client, server): (SocketAddr, Option<SocketAddr>),
    ) {
        let room = (query.len() <= QUERY).then(|| self.shared.free.pop()).flatten();
        let Some(mut record) = room else { return count(&self.shared.dropped) };
        record.transport = transport;
        (record.client, record.server) = (client, server);
        record.at = SystemTime::now();
        record.query.clear();
        record.query.extend_from_slice(query);
        record.response.clear();
        if response.len() <= RESPONSE {
            record.response.extend_from_slice(response);
        }
        // There is room: there are no more records than that.
        let _ = self.shared.full.push(record);
    }

    /// Hands one sample to `read`, if there is any; whether there was. Only the reader calls it.
    pub fn read(&self, read: impl FnOnce(&SampledMessage)) -> bool {
        let Some(record) = self.shared.full.pop() else { return false };
        read(&record);
        let _ = self.shared.free.push(record);
        true
    }

    /// Samples that found no record.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_that_nobody_reads_are_dropped_and_counted() {
        let tap = Tap::new(2);
        let client = "192.0.2.1:53".parse().unwrap();
        for query in 0..200_u8 {
            if tap.is_due() {
                tap.take((&[query], &[0; 5000]), TapTransport::Udp, (client, None));
            }
        }
        assert_eq!(tap.dropped(), 100 - RECORDS as u64);
        let mut first = Vec::new();
        while tap.read(|sample| first.push(sample.query()[0])) {}
        assert_eq!((first.len(), &first[..3]), (RECORDS, &[1, 3, 5][..]));
        tap.take((&[9], &[8]), TapTransport::Tcp, (client, Some(client)));
        assert!(tap.read(|sample| {
            assert_eq!(
                (sample.query(), sample.response(), sample.server),
                (&[9][..], &[8][..], Some(client))
            );
        }));
    }
}
