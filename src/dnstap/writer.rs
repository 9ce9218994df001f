//! The task that empties the taps (1x): to the collector while it takes messages, to the log, and to the count of client prefixes. It goes on
//! while it waits for the collector, which may hang: a tap has room for some samples only.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, UnixStream};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::catchment::{Catchment, Recorder};
use crate::handoff::Reader;
use crate::telemetry::{Beat, Counters, SampledMessage};

use super::frames::{self, Control};
use super::message::{self, Kind};
use super::query_log::QueryLog;
use super::settings::{Settings, Target};

/// How often the taps are emptied: their records last for some thousand samples a second.
const TICK: Duration = Duration::from_millis(20);

/// Samples of one worker that are taken at one tick: as many as its tap has records.
const MAX_SAMPLES_OF_TICK: usize = 64;

/// Octets that wait at most while the collector takes what came before.
const MOST_WAITING: usize = 1 << 20;

/// How long a collector may take for the handshake and to take what is written.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it may take at the end to say that it has everything: a planned stop waits for it.
const FINISH: Duration = Duration::from_millis(500);

/// How long what is sent over TCP may stay without an acknowledgement: a host that is gone says nothing else.
#[cfg(native)]
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Octets of a reader that are taken at one look; it has nothing to say before the end.
const HEARD: usize = 512;

/// The first pause before a connection is tried again, doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);

/// A collector that is back waits at most so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Octets of an ACCEPT frame at most, with what comes before it.
const MOST_ACCEPT: usize = 520;

/// What was written and what was not.
#[derive(Clone, Debug, Default)]
pub struct DnstapCounts {
    written: Arc<AtomicU64>,
    dropped: Arc<AtomicU64>,
    log_dropped: Arc<AtomicU64>,
}

impl DnstapCounts {
    /// dnstap messages that the collector's socket took.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// dnstap messages that no collector took.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// Samples that the query log left out, because its second had records enough.
    #[must_use]
    pub fn log_dropped(&self) -> u64 {
        self.log_dropped.load(Relaxed)
    }
}

/// Empties the taps.
pub struct DnstapWriter {
    settings: Settings,
    counters: Counters,
    counts: DnstapCounts,
    beat: Beat,
    stream: Option<Box<dyn Stream>>,
    /// When the collector is tried next, and the pause after that.
    retry: (Instant, Duration),
    log: QueryLog,
    catchment: Option<Recorder>,
    frames: Vec<u8>,
    /// The messages of a write that goes on. One that is cut off leaves a part of a frame behind: the connection ends with it.
    under_way: u64,
    /// The messages in `frames` that wait for the end of that write.
    waiting: u64,
}

/// A connection to a collector.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl std::fmt::Debug for DnstapWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnstapWriter").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl DnstapWriter {
    /// A writer that is still to be run, for the taps of these counters.
    #[must_use]
    pub fn new(settings: Settings, counters: Counters) -> Self {
        let now = Instant::now();
        let own = || settings.sources.iter().chain(&settings.service_addresses).copied();
        let catchment = settings.catchments.then(|| Recorder::new(settings.one_in, own(), now));
        let counts = DnstapCounts::default();
        Self {
            log: QueryLog::new(settings.full_addresses, now, counts.log_dropped.clone()),
            catchment,
            settings,
            counters,
            counts,
            beat: Beat::new("dnstap"),
            stream: None,
            retry: (now, PAUSE),
            frames: Vec::new(),
            under_way: 0,
            waiting: 0,
        }
    }

    /// The heartbeat of [`run`](Self::run).
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// What was written and what was not.
    #[must_use]
    pub fn counts(&self) -> DnstapCounts {
        self.counts.clone()
    }

    /// Where the prefixes of clients are told, if they are counted.
    #[must_use]
    pub fn catchment(&self) -> Option<Reader<Catchment>> {
        self.catchment.as_ref().map(Recorder::reader)
    }

    /// Runs until it is dropped; may be run again after a panic. Needs a tokio runtime with time and I/O.
    pub async fn run(&mut self) {
        self.count_cut_off();
        let beat = self.beat.clone();
        tokio::select! {
            () = self.write_always() => {}
            () = beat.keep_beating() => {}
        }
    }

    async fn write_always(&mut self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.hear();
            self.connect(Instant::now()).await;
            let samples = self.take(Instant::now());
            self.write(samples).await;
        }
    }

    /// Connects, if there is a collector, no connection, and it is time.
    async fn connect(&mut self, now: Instant) {
        let Some(target) = self.settings.target.clone() else { return };
        if self.stream.is_some() || now < self.retry.0 {
            return;
        }
        let sources = self.settings.sources.clone();
        let mut opened = pin!(timeout(PATIENCE, open(&target, &sources)));
        let mut ticks = interval(TICK);
        let opened = loop {
            tokio::select! {
                biased;
                opened = &mut opened => break opened,
                _ = ticks.tick() => self.empty_taps(Instant::now(), false),
            }
        };
        match opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                tracing::info!(%target, "dnstap messages go to the collector");
                (self.stream, self.retry.1) = (Some(stream), PAUSE);
            }
            Err(error) => self.lose(&error),
        }
    }

    /// Writes what still waits, says that it was the last, and waits until the collector has it, but not for long. For a stop in order.
    pub async fn finish(&mut self) {
        self.count_cut_off();
        let end = async {
            let messages = self.take(Instant::now());
            self.write(messages).await;
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let mut stop = Vec::new();
            frames::control(Control::Stop, &mut stop);
            stream.write_all(&stop).await?;
            let mut input = Vec::new();
            // Any control frame, of which FINISH is the only one that may come.
            while frames::accept(&input).is_none() && input.len() < MOST_ACCEPT {
                if stream.read_buf(&mut input).await? == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
            }
            Ok(())
        };
        let ended = timeout(FINISH, end).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = ended {
            tracing::warn!(%error, "the collector may miss the last dnstap messages");
        }
        self.count_cut_off();
        self.stream = None;
    }

    /// Looks whether the collector has closed the connection: a write notices that only after it was taken for sent.
    fn hear(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        let mut octets = [0; HEARD];
        match stream.read(&mut octets).now_or_never() {
            None => {}
            Some(Ok(0)) => self.lose(&io::ErrorKind::UnexpectedEof.into()),
            Some(Ok(_)) => tracing::debug!("the collector said something before the end"),
            Some(Err(error)) => self.lose(&error),
        }
    }

    /// Gives up the connection, and waits a while before the next.
    fn lose(&mut self, error: &io::Error) {
        let target = self.settings.target.as_ref().map(Target::to_string).unwrap_or_default();
        let pause = self.retry.1;
        tracing::warn!(target, %error, pause_ms = pause.as_millis() as u64, "dnstap messages are dropped: the collector does not take them");
        (self.stream, self.retry) = (None, (Instant::now() + pause, (pause * 2).min(LONGEST_PAUSE)));
    }

    /// Takes what waits in the taps; how many dnstap messages that makes.
    fn take(&mut self, now: Instant) -> u64 {
        self.frames.clear();
        self.empty_taps(now, self.stream.is_some());
        std::mem::take(&mut self.waiting)
    }

    /// Takes what waits in the taps; makes messages of it where the collector takes some, and there is room.
    fn empty_taps(&mut self, now: Instant, connected: bool) {
        let (mut messages, mut lost) = (0, 0);
        let Self { frames, log, catchment, settings, .. } = self;
        for tap in self.counters.taps() {
            let mut take = |sample: &SampledMessage| {
                if let Some(recorder) = catchment {
                    recorder.note(sample.client.ip());
                }
                let is_own = settings.is_own(sample.client.ip());
                if settings.query_log {
                    log.write(sample, is_own, now);
                }
                if connected && frames.len() < MOST_WAITING {
                    messages += encode(sample, (&settings.identity, is_own), frames);
                } else if settings.target.is_some() {
                    lost += kinds(sample).count() as u64;
                }
            };
            for _ in 0..MAX_SAMPLES_OF_TICK {
                if !tap.read(&mut take) {
                    break;
                }
            }
        }
        self.counts.dropped.fetch_add(lost, Relaxed);
        if let Some(recorder) = catchment {
            recorder.publish(now);
        }
        self.waiting += messages;
    }

    /// Writes the frames that were made, and those that are made meanwhile.
    async fn write(&mut self, mut messages: u64) {
        while messages > 0 {
            let Some(mut stream) = self.stream.take() else { return };
            self.under_way = messages;
            let mut octets = std::mem::take(&mut self.frames);
            let written = {
                let mut written = pin!(timeout(PATIENCE, stream.write_all(&octets)));
                let mut ticks = interval(TICK);
                loop {
                    tokio::select! {
                        biased;
                        written = &mut written => break written,
                        _ = ticks.tick() => self.empty_taps(Instant::now(), true),
                    }
                }
            };
            self.under_way = 0;
            if self.waiting == 0 {
                // Its memory is used again.
                octets.clear();
                self.frames = octets;
            }
            match written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(()) => {
                    self.counts.written.fetch_add(messages, Relaxed);
                    self.stream = Some(stream);
                    messages = std::mem::take(&mut self.waiting);
                }
                Err(error) => {
                    let lost = messages + std::mem::take(&mut self.waiting);
                    self.counts.dropped.fetch_add(lost, Relaxed);
                    return self.lose(&error);
                }
            }
        }
    }

    /// Counts the messages of a write that was cut off, and those that waited for its end.
    fn count_cut_off(&mut self) {
        let lost = std::mem::take(&mut self.under_way) + std::mem::take(&mut self.waiting);
        self.counts.dropped.fetch_add(lost, Relaxed);
    }
}

/// What is told of a sample: the query, and the response if it is there.
fn kinds(sample: &SampledMessage) -> impl Iterator<Item = Kind> + use<> {
    let response = (!sample.response().is_empty()).then_some(Kind::AuthResponse);
    [Kind::AuthQuery].into_iter().chain(response)
}

/// Writes what is told of a sample; how many messages that were.
fn encode(sample: &SampledMessage, (identity, is_own): (&str, bool), output: &mut Vec<u8>) -> u64 {
    let mut messages = 0;
    for kind in kinds(sample) {
        frames::data(output, |output| message::write(sample, kind, (identity, is_own), output));
        messages += 1;
    }
    messages
}

/// Connects and shakes hands.
async fn open(target: &Target, sources: &[IpAddr]) -> io::Result<Box<dyn Stream>> {
    let mut stream: Box<dyn Stream> = match target {
        Target::Unix(path) => Box::new(open_unix(path).await?),
        Target::Tcp(address) => Box::new(open_tcp(*address, sources).await?),
    };
    let mut hello = Vec::new();
    frames::control(Control::Ready, &mut hello);
    stream.write_all(&hello).await?;
    let mut input = Vec::new();
    let accepted = loop {
        if let Some(accepted) = frames::accept(&input) {
            break accepted;
        }
        if input.len() >= MOST_ACCEPT || stream.read_buf(&mut input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    accepted.map_err(io::Error::other)?;
    let mut start = Vec::new();
    frames::control(Control::Start, &mut start);
    stream.write_all(&start).await?;
    Ok(stream)
}

async fn open_unix(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(path).await
}

/// From a management address, never from a service address (rule 7 of the crate); to loopback from loopback.
async fn open_tcp(address: SocketAddr, sources: &[IpAddr]) -> io::Result<tokio::net::TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    let source = sources.iter().find(|source| source.is_ipv4() == address.is_ipv4());
    if let Some(source) = source.filter(|_| !address.ip().is_loopback()) {
        socket.bind(SocketAddr::new(*source, 0))?;
    }
    #[cfg(native)]
    socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    socket.connect(address).await
}

#[cfg(test)]
#[path = "../../tests/unit/dnstap/writer.rs"]
mod tests;
