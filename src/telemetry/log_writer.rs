//! The thread that writes the log (1x), behind a bounded queue without a lock.
//!
//! Finished lines flow in from every thread; octets flow out to standard error. A reader of standard error that reads nothing (a
//! stuck journal) blocks this thread alone: the queue fills, further records are dropped and counted, and the thread's [`Beat`]
//! stops, which the status reports. Never blocks or locks in a thread that logs.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use tracing_subscriber::fmt::MakeWriter;

use super::beat::Beat;
use super::supervise::keep_thread_running;

/// Lines that wait at most: some seconds of debug logs, a few MB of memory.
const LINES: usize = 8192;
/// Octets of a line at most; the rest is cut off. A zone's fault or a reason is far shorter.
const LINE: usize = 16 * 1024;
/// Between two reports of dropped records.
const REPORT: Duration = Duration::from_secs(1);

/// The log of this process.
#[derive(Debug)]
pub struct Logs {
    shared: Arc<LogQueue>,
    thread: JoinHandle<()>,
}

/// Where a formatted line goes; one for all threads.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    shared: Arc<LogQueue>,
    writer: Thread,
}

#[derive(Debug)]
struct LogQueue {
    queue: ArrayQueue<Box<[u8]>>,
    dropped: AtomicU64,
    stop: AtomicBool,
    beat: Beat,
}

/// Starts the thread.
pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<(Logs, Lines)> {
    let shared = Arc::new(LogQueue {
        queue: ArrayQueue::new(LINES),
        dropped: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        beat: Beat::new("log"),
    });
    let thread = std::thread::Builder::new().name("log".to_owned()).spawn({
        let shared = shared.clone();
        move || {
            let mut output = output;
            keep_thread_running(&shared.beat, || shared.run(&mut output));
        }
    })?;
    let lines = Lines { shared: shared.clone(), writer: thread.thread().clone() };
    Ok((Logs { shared, thread }, lines))
}

impl Logs {
    /// Whether the thread runs.
    #[must_use]
    pub fn beat(&self) -> Beat {
        self.shared.beat.clone()
    }

    /// A count of the records that were dropped because the queue was full.
    pub fn dropped(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || shared.dropped.load(Relaxed)
    }

    /// Writes what waits and ends the thread; gives up after `patience`.
    pub fn finish(self, patience: Duration) {
        self.shared.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        let end = Instant::now() + patience;
        while !self.thread.is_finished() && Instant::now() < end {
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

impl LogQueue {
    fn run(&self, output: &mut impl Write) {
        let (mut told, mut told_at) = (0, Instant::now());
        loop {
            while let Some(line) = self.queue.pop() {
                self.beat.beat();
                // An error of the log cannot be logged.
                let _ = output.write_all(&line);
            }
            let _ = output.flush();
            self.beat.beat();
            let dropped = self.dropped.load(Relaxed);
            if dropped > told && told_at.elapsed() >= REPORT {
                tracing::warn!(
                    dropped = dropped - told,
                    dropped_in_all = dropped,
                    "log records were dropped"
                );
                (told, told_at) = (dropped, Instant::now());
            }
            if !self.queue.is_empty() {
                continue;
            }
            if self.stop.load(Relaxed) {
                return;
            }
            std::thread::park_timeout(Beat::PERIOD / 2);
        }
    }
}

impl Write for Lines {
    /// Takes a whole line.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let line: Box<[u8]> = match octets.get(..LINE) {
            Some(cut) => [cut, b"...\n"].concat().into(),
            None => octets.into(),
        };
        if self.shared.queue.push(line).is_err() {
            self.shared.dropped.fetch_add(1, Relaxed);
        }
        self.writer.unpark();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn lines_arrive_in_order() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let (logs, mut lines) = start(writer).unwrap();
        for number in 0..1000 {
            writeln!(lines, "{number}").unwrap();
        }
        logs.finish(PATIENCE);
        let mut text = String::new();
        { reader }.read_to_string(&mut text).unwrap();
        // `writeln!` writes a number and its newline apart.
        let numbers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<u32>>());
    }

    #[test]
    fn a_reader_that_stands_still_blocks_nobody_and_drops_are_counted() {
        let (_reader, writer) = UnixStream::pair().unwrap();
        let (logs, mut lines) = start(writer).unwrap();
        let line = [b'x'; 4096];
        for _ in 0..2 * LINES {
            lines.write_all(&line).unwrap();
        }
        assert!(logs.dropped()() > 0);
        let beats = logs.beat().beats();
        logs.finish(Duration::from_millis(50));
        assert!(lines.shared.beat.beats() <= beats + 1, "the thread is blocked in its write");
    }

    #[test]
    fn a_line_is_bounded() {
        let (reader, writer) = UnixStream::pair().unwrap();
        let (logs, mut lines) = start(writer).unwrap();
        let reading = std::thread::spawn(move || {
            let mut octets = Vec::new();
            { reader }.read_to_end(&mut octets).map(|_| octets.len())
        });
        lines.write_all(&vec![b'x'; 10 * LINE]).unwrap();
        logs.finish(PATIENCE);
        assert_eq!(reading.join().unwrap().unwrap(), LINE + 4);
    }
}
