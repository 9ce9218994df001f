//! The thread that sends records to the receiver (1x).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::time::sleep;

use super::endpoint::Endpoint;
use super::layer::ExportLayer;
use super::message;
use super::post::{PostError, post};
use super::queue::{ExportCounts, Record, Records};
use crate::telemetry::{Beat, keep_beating, keep_running, with_causes};

/// How often the queue is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Records of one batch: some hundred kilobytes.
const BATCH: usize = 512;

/// The first pause before a batch is sent again, doubled up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);

/// A receiver that is back waits at most so long.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What the operator chose about the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the receiver listens.
    pub endpoint: Endpoint,
    /// The POP's name.
    pub pop: String,
    /// The instance's name.
    pub instance: String,
    /// The addresses that connections may come from: the POP's management addresses.
    pub sources: Vec<IpAddr>,
}

/// An export that has begun.
#[derive(Debug)]
pub struct Export {
    records: Records,
    beat: Beat,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Starts the thread; the layer is for the subscriber.
///
/// # Errors
/// No thread or no runtime can be had.
pub fn start(settings: &Settings) -> io::Result<(Export, ExportLayer)> {
    let (records, beat, stop) = (Records::new(), Beat::new("otlp"), Arc::new(AtomicBool::new(false)));
    let mut exporter = Exporter {
        resource: message::resource(&settings.pop, &settings.instance),
        settings: settings.clone(),
        records: records.clone(),
        stop: stop.clone(),
        batch: Batch::default(),
        retry: None,
        is_refused: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let running = beat.clone();
    let run = move || {
        runtime.block_on(async {
            tokio::select! {
                () = keep_running(&running, &mut exporter, async |exporter| exporter.run().await) => {}
                () = keep_beating(running.clone()) => {}
            }
        });
    };
    let thread = std::thread::Builder::new().name("otlp".to_owned()).spawn(run)?;
    let layer = ExportLayer::new(records.clone());
    Ok((Export { records, beat, stop, thread }, layer))
}

impl Export {
    /// Whether the thread runs.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// How many records became what.
    #[must_use]
    pub fn counts(&self) -> ExportCounts {
        self.records.counts()
    }

    /// Sends what waits and ends the thread; gives up after `patience`.
    pub fn finish(self, patience: Duration) {
        self.stop.store(true, Relaxed);
        let end = Instant::now() + patience;
        while !self.thread.is_finished() && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

/// Records that are sent together.
#[derive(Debug, Default)]
struct Batch {
    logs: Vec<LogRecord>,
    spans: Vec<Span>,
}

struct Exporter {
    settings: Settings,
    resource: Resource,
    records: Records,
    stop: Arc<AtomicBool>,
    /// What the receiver has not taken yet.
    batch: Batch,
    /// When it is sent again, and how long the pause after that is.
    retry: Option<(Instant, Duration)>,
    /// Whether the receiver refused the last records: it is said once, because each record about it would be refused, too.
    is_refused: bool,
}

impl Exporter {
    /// Runs until it is told to stop and has tried to send what waits.
    async fn run(&mut self) {
        loop {
            let is_last = self.stop.load(Relaxed);
            if is_last || self.retry.is_none_or(|(at, _)| Instant::now() >= at) {
                while self.fill() && self.send().await {}
            }
            if is_last {
                return;
            }
            sleep(TICK).await;
        }
    }

    /// Takes records into the batch; whether there are any.
    fn fill(&mut self) -> bool {
        while self.batch.logs.len() + self.batch.spans.len() < BATCH {
            match self.records.pop() {
                Some(Record::Log(log)) => self.batch.logs.push(*log),
                Some(Record::Span(span)) => self.batch.spans.push(*span),
                None => break,
            }
        }
        !self.batch.logs.is_empty() || !self.batch.spans.is_empty()
    }

    /// Sends the batch; whether nothing of it is left.
    async fn send(&mut self) -> bool {
        if !self.batch.logs.is_empty() {
            let body = message::logs(&self.resource, self.batch.logs.clone()).encode_to_vec();
            let sent = self.post("/v1/logs", body).await;
            if !self.settle(sent, self.batch.logs.len(), rejected_logs) {
                return false;
            }
            self.batch.logs.clear();
        }
        if !self.batch.spans.is_empty() {
            let body = message::spans(&self.resource, self.batch.spans.clone()).encode_to_vec();
            let sent = self.post("/v1/traces", body).await;
            if !self.settle(sent, self.batch.spans.len(), rejected_spans) {
                return false;
            }
            self.batch.spans.clear();
        }
        if self.retry.take().is_some() {
            tracing::info!(endpoint = %self.settings.endpoint, "the OTLP receiver takes records again");
        }
        true
    }

    async fn post(&self, path: &'static str, body: Vec<u8>) -> Result<Bytes, PostError> {
        post(self.settings.endpoint, &self.settings.sources, path, body).await
    }

    /// Counts what became of these records; whether they are done with.
    fn settle(
        &mut self,
        sent: Result<Bytes, PostError>,
        records: usize,
        rejected: fn(&Bytes) -> u64,
    ) -> bool {
        let records = records as u64;
        match sent {
            Ok(answer) => {
                let rejected = rejected(&answer).min(records);
                self.records.count_exported(records - rejected);
                self.records.count_dropped(rejected);
                self.is_refused = false;
                true
            }
            Err(error) if error.is_passing() => {
                let pause = self.retry.map_or(PAUSE, |(_, pause)| pause);
                if self.retry.is_none() {
                    let (endpoint, error) = (self.settings.endpoint, with_causes(&error));
                    tracing::warn!(%endpoint, error, "the OTLP receiver takes no records: they are sent again");
                }
                let asked = error.retry_after().unwrap_or_default();
                self.retry = Some((Instant::now() + pause.max(asked), (pause * 2).min(LONGEST_PAUSE)));
                false
            }
            Err(error) => {
                if !self.is_refused {
                    let (endpoint, error) = (self.settings.endpoint, with_causes(&error));
                    tracing::warn!(%endpoint, error, "the OTLP receiver refuses records: they are dropped");
                }
                self.is_refused = true;
                self.records.count_dropped(records);
                true
            }
        }
    }
}

/// What waits at the end is nobody's.
impl Drop for Exporter {
    fn drop(&mut self) {
        let left = self.batch.logs.len() + self.batch.spans.len();
        self.records.count_dropped(left as u64);
    }
}

fn rejected_logs(answer: &Bytes) -> u64 {
    let decoded = ExportLogsServiceResponse::decode(answer.clone()).ok();
    let partial = decoded.and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_log_records).unwrap_or(0))
}

fn rejected_spans(answer: &Bytes) -> u64 {
    let decoded = ExportTraceServiceResponse::decode(answer.clone()).ok();
    let partial = decoded.and_then(|answer| answer.partial_success);
    partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}
