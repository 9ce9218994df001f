//! What every transport does with a query: answer, count. No I/O, no allocation, no lock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arc_swap::Cache;

use crate::admission::{Limiter, Verdict};
use crate::answer::{self, Client, Outcome, Transport};
use crate::telemetry::{Counters, WorkerCounters, count};
use crate::zone::{Published, PublishedRef, Snapshot};

/// What a thread that answers queries holds.
pub(super) struct Responder {
    reader: Cache<PublishedRef, Arc<Snapshot>>,
    answers: Arc<answer::Settings>,
    limiter: Option<Arc<Limiter>>,
    counters: Counters,
    set: usize,
}

impl Responder {
    /// A responder that counts in this set of counters.
    pub(super) fn new(
        published: &Arc<Published>,
        answers: Arc<answer::Settings>,
        limiter: Option<Arc<Limiter>>,
        counters: Counters,
        set: usize,
    ) -> Self {
        Self { reader: published.reader(), answers, limiter, counters, set }
    }

    /// The counters.
    pub(super) fn counters(&self) -> Option<&WorkerCounters> {
        self.counters.worker(self.set)
    }

    /// Takes the snapshot that is served now; what is answered until the next call comes from it.
    pub(super) fn refresh(&mut self) -> Answering<'_> {
        Answering {
            snapshot: self.reader.load(),
            answers: &self.answers,
            limiter: self.limiter.as_deref(),
            counters: self.counters.worker(self.set),
            time: seconds(SystemTime::now()),
        }
    }
}

/// Seconds since 1970, the lower 32 bits; 0 if the clock says that it is before.
fn seconds(now: SystemTime) -> u32 {
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

/// How and from where the messages of a connection come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) transport: Transport,
    /// The client's address; behind a load balancer the one that the balancer names.
    pub(super) address: IpAddr,
}

/// Answers queries from one snapshot.
pub(super) struct Answering<'a> {
    snapshot: &'a Snapshot,
    answers: &'a answer::Settings,
    limiter: Option<&'a Limiter>,
    counters: Option<&'a WorkerCounters>,
    /// When it began: the time of day for cookies, exact enough for a batch.
    time: u32,
}

impl Answering<'_> {
    /// Answers a datagram; returns the response's length in `output`, 0 for no response.
    pub(super) fn datagram(&self, query: &[u8], source: IpAddr, now: Instant, output: &mut [u8]) -> usize {
        self.add(|counters| count(&counters.udp_queries));
        let client = self.client(Transport::Udp, source);
        match self.limiter.map_or(Verdict::Answer, |limiter| limiter.check(source, now)) {
            Verdict::Answer => self.answer(query, &client, output),
            Verdict::WouldLimit => {
                self.add(|counters| count(&counters.would_limit));
                self.answer(query, &client, output)
            }
            Verdict::Slip => {
                self.add(|counters| count(&counters.slipped));
                let outcome = answer::truncated(query, &client, self.answers, output);
                self.counted(outcome)
            }
            Verdict::Drop => {
                self.add(|counters| count(&counters.limited));
                0
            }
        }
    }

    /// Answers a message from a connection of any kind; returns the response's length in `output`, 0 for no response.
    pub(super) fn message(&self, query: &[u8], peer: Peer, output: &mut [u8]) -> usize {
        self.add(|counters| {
            count(match peer.transport {
                Transport::Udp => &counters.udp_queries,
                Transport::Tcp => &counters.tcp_queries,
                Transport::Dot => &counters.dot_queries,
                Transport::Doh => &counters.doh_queries,
                Transport::Doq => &counters.doq_queries,
            });
        });
        self.answer(query, &self.client(peer.transport, peer.address), output)
    }

    /// Counts a datagram that deserves no response; returns 0.
    pub(super) fn ignore(&self) -> usize {
        self.add(|counters| {
            count(&counters.udp_queries);
            count(&counters.ignored);
        });
        0
    }

    /// Counts a response that goes out.
    pub(super) fn sent(&self) {
        self.add(|counters| count(&counters.responses));
    }

    fn client(&self, transport: Transport, address: IpAddr) -> Client {
        Client { transport, address, time: self.time }
    }

    fn answer(&self, query: &[u8], client: &Client, output: &mut [u8]) -> usize {
        let outcome = answer::answer(query, client, self.snapshot, self.answers, output);
        self.counted(outcome)
    }

    fn counted(&self, outcome: Outcome) -> usize {
        let Outcome::Reply { length, rcode, truncated } = outcome else {
            self.add(|counters| count(&counters.ignored));
            return 0;
        };
        self.add(|counters| {
            counters.count_rcode(rcode);
            if truncated {
                count(&counters.truncated);
            }
        });
        length
    }

    fn add(&self, add: impl FnOnce(&WorkerCounters)) {
        if let Some(counters) = self.counters {
            add(counters);
        }
    }
}
