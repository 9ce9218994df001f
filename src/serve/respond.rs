//! What every transport does with a query: answer, count. No I/O, no allocation, no lock.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Cache;

use crate::admission::{Admission, Limits, WorkerLimiter, WorkerLimits};
use crate::answer::{self, Client, Outcome, PendingAnswer, TransportKind};
use crate::clock::unix_now;
use crate::telemetry::{Counters, DailyStatistics, Tap, TapTransport, WorkerCounters, count, count_many};
use crate::wire::{LookupName, octets};
use crate::zone::{Published, PublishedRef, Snapshot};

use super::intake::IntakeSlot;

/// What a thread that answers queries holds.
pub(super) struct Responder {
    reader: Cache<PublishedRef, Arc<Snapshot>>,
    answers: Arc<answer::Settings>,
    limits: Option<WorkerLimits>,
    counters: Counters,
    set: usize,
    clock: Clock,
    intake: IntakeSlot,
}

impl Responder {
    /// A responder that counts in this set of counters, and is limited as one of this many workers.
    pub(super) fn new(
        published: &Arc<Published>,
        answers: Arc<answer::Settings>,
        limits: Option<(&Limits, usize)>,
        counters: Counters,
        set: usize,
    ) -> Self {
        let limits = limits.map(|(limits, workers)| limits.worker(workers));
        let intake = IntakeSlot::default();
        Self { reader: published.reader(), answers, limits, counters, set, clock: Clock::default(), intake }
    }

    /// The same one, which hands messages that are no queries to who is in this place.
    pub(super) fn with_intake(self, intake: &IntakeSlot) -> Self {
        Self { intake: intake.clone(), ..self }
    }

    /// The counters.
    #[cfg(native)]
    pub(super) fn counters(&self) -> Option<&WorkerCounters> {
        self.counters.worker(self.set)
    }

    /// Counts in this set of counters.
    pub(super) fn add(&self, add: impl FnOnce(&WorkerCounters)) {
        self.counters.add(self.set, add);
    }

    /// Queries that the limiter has dropped so far.
    #[cfg(native)]
    pub(super) fn limited(&self) -> u64 {
        self.counters().map_or(0, |counters| counters.limited.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Takes the snapshot that is served now; what is answered until the next call comes from it, and at this time.
    pub(super) fn refresh(&mut self, now: Instant) -> Answering<'_> {
        Answering {
            snapshot: self.reader.load(),
            answers: &self.answers,
            limiter: self.limits.as_mut().and_then(|limits| limits.at(now)),
            counters: self.counters.worker(self.set),
            tap: self.counters.tap(self.set),
            daily: self.counters.daily(self.set),
            time: self.clock.seconds(now),
            intake: &self.intake,
        }
    }
}

/// The time of day, read again once in a while: cookies count it in seconds, and live for an hour.
#[derive(Debug, Default)]
struct Clock {
    read: Option<(Instant, u32)>,
}

impl Clock {
    /// How old a reading may be; the time of day may be set by this much later.
    const AGE: Duration = Duration::from_millis(500);

    /// Seconds since 1970, the lower 32 bits; 0 if the clock says that it is before.
    fn seconds(&mut self, now: Instant) -> u32 {
        match self.read {
            Some((read, seconds)) if now.saturating_duration_since(read) < Self::AGE => seconds,
            _ => {
                let seconds = unix_now() as u32;
                self.read = Some((now, seconds));
                seconds
            }
        }
    }
}

/// How and from where the messages of a connection come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    transport: TransportKind,
    address: IpAddr,
    /// The address that it asked, where that is known.
    server: Option<SocketAddr>,
}

impl Peer {
    /// `address`: the client's; behind a load balancer the one that the balancer names. A dual-stack socket tells an IPv4 address
    /// v4-mapped; the client is one of IPv4 all the same.
    pub(super) fn new(transport: TransportKind, address: IpAddr) -> Self {
        Self { transport, address: address.to_canonical(), server: None }
    }

    /// The same one, which asked this address: the local one of the connection, or the one that a load balancer names.
    pub(super) fn asking(self, server: Option<SocketAddr>) -> Self {
        let server = server.map(|server| SocketAddr::new(server.ip().to_canonical(), server.port()));
        Self { server, ..self }
    }

    /// The client's address, never v4-mapped.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }
}

/// Answers queries from one snapshot.
pub(super) struct Answering<'a> {
    snapshot: &'a Snapshot,
    answers: &'a answer::Settings,
    limiter: Option<&'a mut WorkerLimiter>,
    counters: Option<&'a WorkerCounters>,
    /// Where samples go.
    tap: Option<&'a Tap>,
    /// Where sizes and sources of messages are counted.
    daily: Option<&'a DailyStatistics>,
    /// When it began: the time of day for cookies, exact enough for a batch.
    time: u32,
    intake: &'a IntakeSlot,
}

/// A datagram that is on its way to be answered.
#[derive(Debug)]
pub(super) enum Datagram<'d> {
    /// It gets no response, or there is no datagram.
    Ignored,
    /// The limiter refuses it without a response.
    Dropped,
    /// The limiter refuses it with an empty, truncated response.
    Slipped(&'d [u8]),
    /// It is no query, and somebody may take it.
    Other(&'d [u8]),
    /// It is answered.
    Pending(PendingAnswer<'d>),
}

#[cfg(native)]
impl Datagram<'_> {
    /// See [`PendingAnswer::prefetch`].
    pub(super) fn prefetch(&self) {
        if let Self::Pending(pending) = self {
            pending.prefetch();
        }
    }
}

impl<'a> Answering<'a> {
    /// Says what becomes of a datagram, and begins to answer it ([`answer::begin`]); `name` is room for its QNAME.
    pub(super) fn begin<'d>(
        &mut self,
        query: &'d [u8],
        source: IpAddr,
        name: &'d mut LookupName,
    ) -> Datagram<'d>
    where
        'a: 'd,
    {
        self.count_family(TransportKind::Udp, source);
        match self.limiter.as_mut().map_or(Admission::Answer, |limiter| limiter.check(source)) {
            Admission::Answer => {}
            Admission::WouldLimit => self.add(|counters| count(&counters.would_limit)),
            Admission::Slip => {
                self.add(|counters| count(&counters.slipped));
                return Datagram::Slipped(query);
            }
            Admission::Drop => {
                self.add(|counters| count(&counters.limited));
                return Datagram::Dropped;
            }
        }
        if self.intake.of(query).is_some() {
            return Datagram::Other(query);
        }
        let Some(pending) = answer::begin(query, self.snapshot, name) else { return Datagram::Ignored };
        self.asked(&pending);
        Datagram::Pending(pending)
    }

    /// Answers a datagram; returns the response's length in `output`, 0 for no response.
    pub(super) fn finish(&self, datagram: &Datagram<'_>, source: IpAddr, output: &mut [u8]) -> usize {
        let client = self.client(TransportKind::Udp, source);
        let outcome = match datagram {
            Datagram::Pending(pending) => pending.answer(&client, self.answers, output),
            Datagram::Slipped(query) => answer::truncated(query, &client, self.answers, output),
            Datagram::Other(message) => return self.answer(message, &client, output),
            Datagram::Ignored => Outcome::Ignore,
            Datagram::Dropped => return 0,
        };
        self.counted(outcome)
    }

    /// Counts datagrams that came.
    pub(super) fn received(&self, datagrams: usize) {
        self.add(|counters| count_many(&counters.udp_queries, datagrams as u64));
    }

    /// Answers a message from a connection of any kind; returns the response's length in `output`, 0 for no response.
    pub(super) fn message(&self, query: &[u8], peer: Peer, output: &mut [u8]) -> usize {
        self.add(|counters| {
            count(match peer.transport {
                TransportKind::Udp => &counters.udp_queries,
                TransportKind::Tcp => &counters.tcp_queries,
                TransportKind::Dot => &counters.dot_queries,
                TransportKind::Doh => &counters.doh_queries,
                TransportKind::Doq => &counters.doq_queries,
            });
        });
        self.count_family(peer.transport, peer.address);
        let length = self.answer(query, &self.client(peer.transport, peer.address), output);
        let response = output.get(..length).unwrap_or_default();
        self.sample((query, response), peer.transport, (SocketAddr::new(peer.address, 0), peer.server));
        length
    }

    /// Counts the source and the sizes of a query and its response, where that is asked for, and gives both to the tap, if it is its turn; `addresses`
    /// are the client's and ours.
    pub(super) fn sample(
        &self,
        messages: (&[u8], &[u8]),
        transport: TransportKind,
        addresses: (SocketAddr, Option<SocketAddr>),
    ) {
        if let Some(daily) = self.daily {
            let source = addresses.0.ip();
            match transport {
                TransportKind::Udp => daily.note_udp(source, messages.0.len(), messages.1.len()),
                TransportKind::Tcp => daily.note_tcp(source, messages.0.len(), messages.1.len()),
                TransportKind::Dot | TransportKind::Doh | TransportKind::Doq => {}
            }
        }
        let Some(tap) = self.tap.filter(|tap| tap.is_due()) else { return };
        let transport = match transport {
            TransportKind::Udp => TapTransport::Udp,
            TransportKind::Tcp => TapTransport::Tcp,
            TransportKind::Dot => TapTransport::Dot,
            TransportKind::Doh => TapTransport::Doh,
            TransportKind::Doq => TapTransport::Doq,
        };
        tap.take(messages, transport, addresses);
    }

    /// Counts a response that goes out on a connection.
    pub(super) fn sent(&self, peer: Peer) {
        self.add(|counters| {
            count(&counters.responses);
            if peer.transport == TransportKind::Tcp {
                counters.count_sent(true, peer.address.is_ipv6(), 1);
            }
        });
    }

    fn client(&self, transport: TransportKind, address: IpAddr) -> Client {
        Client { transport, address, time: self.time }
    }

    fn answer(&self, query: &[u8], client: &Client, output: &mut [u8]) -> usize {
        let taken = self.intake.of(query).and_then(|intake| intake.take(query, client.address, output));
        let outcome = match taken {
            Some(length) => {
                let rcode = output.get(..length).and_then(octets::rcode).unwrap_or(0);
                Outcome::Reply { length, rcode, truncated: false }
            }
            None => {
                let mut name = LookupName::root();
                answer::begin(query, self.snapshot, &mut name).map_or(Outcome::Ignore, |pending| {
                    self.asked(&pending);
                    pending.answer(client, self.answers, output)
                })
            }
        };
        self.counted(outcome)
    }

    /// Counts what is asked.
    fn asked(&self, pending: &PendingAnswer<'_>) {
        self.add(|counters| {
            if let Some(record_type) = pending.record_type() {
                counters.count_type(record_type.0);
            }
            if pending.has_cookie() {
                count(&counters.cookies);
            }
            counters.zones.note(|| pending.zone_key());
        });
    }

    /// Counts the query of a client in IPv6.
    fn count_family(&self, transport: TransportKind, address: IpAddr) {
        if address.is_ipv6() {
            self.add(|counters| counters.ipv6_queries.add(transport as usize, 1));
        }
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
