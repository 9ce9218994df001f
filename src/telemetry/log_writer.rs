//! The thread that writes the log (1x), behind a bounded queue without a lock.
//!
//! Finished lines flow in from every thread; octets flow out to standard error. A reader of standard error that reads nothing (a
//! stuck journal) blocks this thread alone: the queue fills, further records are dropped and counted, and the thread's [`Beat`]
//! stops, which the status reports. A record that cannot be written (a full disk) is counted as dropped, too. Never blocks or locks in a
//! thread that logs.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::Relaxed};
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
/// Stands for an error without a number of the system: EIO.
const UNKNOWN_ERROR: i32 = 5;
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
    /// The error of the system because of which the last record was not written; 0: it was written.
    error: AtomicI32,
    stop: AtomicBool,
    beat: Beat,
}

/// Starts the thread.
pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<(Logs, Lines)> {
    let shared = Arc::new(LogQueue {
        queue: ArrayQueue::new(LINES),
        dropped: AtomicU64::new(0),
        error: AtomicI32::new(0),
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

    /// Why the last record was not written, if it was not.
    pub fn failure(&self) -> impl Fn() -> Option<io::Error> + Send + Sync + use<> {
        let shared = self.shared.clone();
        move || Some(shared.error.load(Relaxed)).filter(|code| *code != 0).map(io::Error::from_raw_os_error)
    }

    /// A count of the records that were dropped: the queue was full, or they could not be written.
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
                self.note(output.write_all(&line).and_then(|()| output.flush()));
            }
            self.beat.beat();
            let dropped = self.dropped.load(Relaxed);
            // An error of the log cannot be logged: the record of it would be dropped, too, and have another one made.
            let is_written = self.error.load(Relaxed) == 0;
            if dropped > told && is_written && told_at.elapsed() >= REPORT {
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

    /// What became of a record.
    fn note(&self, written: io::Result<()>) {
        let error = written.err().map_or(0, |error| error.raw_os_error().unwrap_or(UNKNOWN_ERROR));
        self.error.store(error, Relaxed);
        if error != 0 {
            self.dropped.fetch_add(1, Relaxed);
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
    fn records_that_cannot_be_written_are_counted_and_make_no_others() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (logs, mut lines) = start(full).unwrap();
        let (dropped, failure) = (logs.dropped(), logs.failure());
        for _ in 0..3 {
            lines.write_all(b"a record\n").unwrap();
        }
        logs.finish(PATIENCE);
        assert_eq!(dropped(), 3);
        assert_eq!(failure().unwrap().kind(), io::ErrorKind::StorageFull);
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
