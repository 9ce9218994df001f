//! The task that empties the taps (1x): to the collector while it takes messages, to the log, and to the count of client prefixes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
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
        let Some(target) = &self.settings.target else { return };
        if self.stream.is_some() || now < self.retry.0 {
            return;
        }
        let opened = timeout(PATIENCE, open(target, &self.settings.sources)).await;
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
        let (connected, mut messages, mut lost) = (self.stream.is_some(), 0, 0);
        let Self { frames, log, catchment, settings, .. } = self;
        frames.clear();
        for tap in self.counters.taps() {
            let mut take = |sample: &SampledMessage| {
                if let Some(recorder) = catchment {
                    recorder.note(sample.client.ip());
                }
                if settings.query_log {
                    log.write(sample, now);
                }
                if connected {
                    messages += encode(sample, &settings.identity, frames);
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
        messages
    }

    /// Writes the frames that were made.
    async fn write(&mut self, messages: u64) {
        if messages == 0 {
            return;
        }
        let Some(mut stream) = self.stream.take() else { return };
        self.under_way = messages;
        let written = timeout(PATIENCE, stream.write_all(&self.frames)).await;
        self.under_way = 0;
        match written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(()) => {
                self.counts.written.fetch_add(messages, Relaxed);
                self.stream = Some(stream);
            }
            Err(error) => {
                self.counts.dropped.fetch_add(messages, Relaxed);
                self.lose(&error);
            }
        }
    }

    /// Counts the messages of a write that was cut off.
    fn count_cut_off(&mut self) {
        self.counts.dropped.fetch_add(std::mem::take(&mut self.under_way), Relaxed);
    }
}

/// What is told of a sample: the query, and the response if it is there.
fn kinds(sample: &SampledMessage) -> impl Iterator<Item = Kind> + use<> {
    let response = (!sample.response().is_empty()).then_some(Kind::AuthResponse);
    [Kind::AuthQuery].into_iter().chain(response)
}

/// Writes what is told of a sample; how many messages that were.
fn encode(sample: &SampledMessage, identity: &str, output: &mut Vec<u8>) -> u64 {
    let mut messages = 0;
    for kind in kinds(sample) {
        frames::data(output, |output| message::write(sample, kind, identity, output));
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
mod tests {
    use tokio::net::UnixListener;

    use crate::telemetry::TapTransport;

    use super::*;

    fn settings(target: Target, query_log: bool) -> Settings {
        Settings {
            one_in: 1,
            target: Some(target),
            query_log,
            full_addresses: false,
            catchments: false,
            identity: "a".into(),
            sources: Vec::new(),
            service_addresses: Vec::new(),
        }
    }

    fn sample(counters: &Counters) {
        let client = (SocketAddr::from(([192, 0, 2, 1], 53)), None);
        counters.taps()[0].take((&[0; 12], &[0; 12]), TapTransport::Udp, client);
    }

    /// Reads so many octets.
    async fn read(stream: &mut UnixStream, octets: usize) -> Vec<u8> {
        let mut read = vec![0; octets];
        stream.read_exact(&mut read).await.unwrap();
        read
    }

    fn frame(kind: Control) -> Vec<u8> {
        let mut frame = Vec::new();
        frames::control(kind, &mut frame);
        frame
    }

    #[tokio::test]
    async fn a_collector_that_ends_is_noticed_and_one_that_stays_gets_the_last_messages() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dnstap.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let counters = Counters::new(1).with_taps(1);
        let mut writer = DnstapWriter::new(settings(Target::Unix(path), false), counters.clone());
        let counts = writer.counts();
        let begin = async |writer: &mut DnstapWriter| {
            writer.retry.0 = Instant::now();
            let connected = async { writer.connect(Instant::now()).await };
            let accepted = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                assert_eq!(read(&mut stream, frame(Control::Ready).len()).await, frame(Control::Ready));
                stream.write_all(&frame(Control::Accept)).await.unwrap();
                assert_eq!(read(&mut stream, frame(Control::Start).len()).await, frame(Control::Start));
                stream
            };
            tokio::join!(connected, accepted).1
        };
        // It reads what is written, and closes: what comes then is lost, and not written.
        let mut stream = begin(&mut writer).await;
        sample(&counters);
        writer.hear();
        let messages = writer.take(Instant::now());
        writer.write(messages).await;
        assert_eq!((counts.written(), counts.dropped()), (2, 0));
        let length = u32::from_be_bytes(read(&mut stream, 4).await.try_into().unwrap());
        read(&mut stream, length as usize).await;
        drop(stream);
        sample(&counters);
        writer.hear();
        let messages = writer.take(Instant::now());
        writer.write(messages).await;
        assert_eq!((counts.written(), counts.dropped()), (2, 2));
        // The end in order: what waits is written, then STOP; FINISH ends the wait.
        let mut stream = begin(&mut writer).await;
        sample(&counters);
        let reader = async {
            for _ in 0..2 {
                let length = u32::from_be_bytes(read(&mut stream, 4).await.try_into().unwrap());
                assert!(length > 0, "a message");
                read(&mut stream, length as usize).await;
            }
            assert_eq!(read(&mut stream, 12).await, frame(Control::Stop));
            stream.write_all(&frame(Control::Finish)).await.unwrap();
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "closed");
        };
        tokio::join!(writer.finish(), reader);
        assert_eq!((counts.written(), counts.dropped()), (4, 2));
    }

    #[test]
    fn what_is_lost_is_counted_where_it_is_lost() {
        let counters = Counters::new(1).with_taps(1);
        let mut writer =
            DnstapWriter::new(settings(Target::Unix("absent.sock".into()), true), counters.clone());
        let counts = writer.counts();
        let (tap, now) = (&counters.taps()[0], Instant::now());
        let client = (SocketAddr::from(([192, 0, 2, 1], 53)), None);
        for response in [&[0; 12][..], &[0; 5000]] {
            tap.take((&[0; 12], response), TapTransport::Udp, client);
        }
        assert_eq!(writer.take(now), 0, "there is no collector");
        assert_eq!((counts.dropped(), counts.log_dropped()), (3, 0), "a long response is no message");
        for round in 0..5 {
            (0..MAX_SAMPLES_OF_TICK).for_each(|_| tap.take((&[0; 12], &[0; 12]), TapTransport::Udp, client));
            writer.take(now);
            assert_eq!(counts.dropped(), 3 + 2 * MAX_SAMPLES_OF_TICK as u64 * (round + 1));
        }
        assert_eq!(counts.log_dropped(), 2 + 5 * MAX_SAMPLES_OF_TICK as u64 - 200);
        assert_eq!(counts.written(), 0);
    }
}
