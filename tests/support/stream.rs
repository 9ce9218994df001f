//! A steady stream of queries from inside a namespace, each of them accounted for.
//!
//! One thread sends at a fixed rate and takes in what comes back, whatever becomes of the answers: a slow or dead
//! server does not slow the stream down, so a gap in the service shows as lost queries. Nothing is sent twice.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::dns::{self, Answer};
use super::lab::Space;
use super::wait::wait_for;

/// How long an answer may take before its query counts as lost; a resolver would have asked again by then.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// How long one exchange over TCP may take, connection included.
const TCP_PATIENCE: Duration = Duration::from_secs(3);

/// A name and a type to ask for.
pub type Question = (String, u16);

/// One query of the stream.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it was sent.
    pub at: Instant,
    /// What was asked: an index into the stream's questions.
    pub question: usize,
    /// What came back and after how long; `None` when nothing did within [`PATIENCE`].
    pub answer: Option<(Duration, Answer)>,
}

/// A running stream.
pub struct Stream {
    stop: Arc<AtomicBool>,
    /// The instance that answered last, for waiting on it.
    last: Arc<Mutex<String>>,
    answered: Arc<AtomicU32>,
    rate: u32,
    thread: Option<JoinHandle<Record>>,
}

/// Everything that a stream asked, in the order it was sent.
#[derive(Debug, Default)]
pub struct Record {
    /// The queries.
    pub asked: Vec<Asked>,
    /// Datagrams that answered no query of ours, came twice, or could not be read.
    pub strays: Vec<String>,
    /// How many answers came after [`PATIENCE`]: their queries count as lost.
    pub late: usize,
}

impl Stream {
    /// Starts asking `server` (port 53) over UDP from `space`, `rate` queries a second, the questions in turn.
    pub fn start(space: &Space, server: IpAddr, rate: u32, questions: Vec<Question>) -> Self {
        Self::start_at(space, SocketAddr::new(server, 53), rate, questions)
    }

    /// The same with a port of its own.
    pub fn start_at(space: &Space, server: SocketAddr, rate: u32, questions: Vec<Question>) -> Self {
        let (stop, last, answered) = (Arc::default(), Arc::default(), Arc::default());
        let (space, shared) = (space.clone(), (Arc::clone(&stop), Arc::clone(&last), Arc::clone(&answered)));
        let thread = std::thread::spawn(move || {
            space.enter();
            run(server, rate, &questions, &shared.0, &shared.1, &shared.2)
        });
        Self { stop, last, answered, rate, thread: Some(thread) }
    }

    /// Waits until `instance` answers and returns how long that took.
    pub fn wait_instance(&self, instance: &str, bound: Duration) -> Duration {
        let what = format!("{instance} answers the stream");
        wait_for(&what, bound, || (*self.last.lock().expect("not poisoned") == instance).then_some(())).1
    }

    /// The instance that answered last; empty before the first answer.
    pub fn last_instance(&self) -> String {
        self.last.lock().expect("not poisoned").clone()
    }

    /// Queries per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// How many queries have been answered.
    pub fn answered(&self) -> u32 {
        self.answered.load(SeqCst)
    }

    /// Waits until `count` more queries have been answered.
    pub fn wait_answers(&self, count: u32, bound: Duration) {
        let from = self.answered.load(SeqCst);
        wait_for(&format!("{count} more answers"), bound, || {
            (self.answered.load(SeqCst).wrapping_sub(from) >= count).then_some(())
        });
    }

    /// Stops sending, waits for the answers that are under way, and hands over the record.
    pub fn stop(mut self) -> Record {
        self.stop.store(true, SeqCst);
        let thread = self.thread.take().expect("stopped once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Record {
    /// How many were not answered in time.
    pub fn lost(&self) -> usize {
        self.asked.iter().filter(|asked| asked.answer.is_none()).count()
    }

    /// Every answer.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.asked.iter().filter_map(|asked| asked.answer.as_ref().map(|(_, answer)| answer))
    }

    /// How many answers each instance gave.
    pub fn instances(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for answer in self.answers() {
            *counts.entry(answer.instance.clone()).or_default() += 1;
        }
        counts
    }

    /// The longest span in which no query that was sent got an answer.
    pub fn longest_gap(&self) -> Duration {
        let answered = self.asked.iter().filter(|asked| asked.answer.is_some()).map(|asked| asked.at);
        let times: Vec<Instant> = answered.collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// One line for the test's output.
    pub fn summary(&self) -> String {
        let (sent, lost, late, gap) = (self.asked.len(), self.lost(), self.late, self.longest_gap());
        let instances = self.instances();
        format!(
            "{sent} queries, {lost} lost ({late} of them late), longest gap {gap:.1?}, answered by {instances:?}"
        )
    }
}

/// One exchange over UDP from the calling thread's namespace; `None` when nothing comes back in time.
pub fn ask_udp(server: SocketAddr, name: &str, record_type: u16) -> Option<Answer> {
    let socket = open(server).ok()?;
    let id = 0x5353;
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    socket.send(&dns::query(id, name, record_type)).ok()?;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    dns::parse(buffer.get(..length)?).ok().filter(|answer| answer.id == id)
}

/// One exchange over TCP (RFC 7766) from the calling thread's namespace; `None` when it fails.
pub fn ask_tcp(server: SocketAddr, name: &str, record_type: u16) -> Option<Answer> {
    let mut stream = TcpStream::connect_timeout(&server, TCP_PATIENCE).ok()?;
    stream.set_read_timeout(Some(TCP_PATIENCE)).expect("a timeout can be set");
    let query = dns::query(0x5354, name, record_type);
    let mut framed = u16::try_from(query.len()).ok()?.to_be_bytes().to_vec();
    framed.extend_from_slice(&query);
    stream.write_all(&framed).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    dns::parse(&message).ok()
}

fn open(server: SocketAddr) -> std::io::Result<UdpSocket> {
    let local: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind((local, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

fn run(
    server: SocketAddr,
    rate: u32,
    questions: &[Question],
    stop: &AtomicBool,
    last: &Mutex<String>,
    answered: &AtomicU32,
) -> Record {
    let socket = open(server).expect("a route to the server");
    socket.set_nonblocking(true).expect("a socket can be made nonblocking");
    let step = Duration::from_secs(1) / rate;
    let mut record = Record::default();
    let mut next = Instant::now();
    while !stop.load(SeqCst) {
        if Instant::now() >= next {
            send(&socket, questions, &mut record);
            next += step;
            continue;
        }
        if readable(&socket, next) {
            receive(&socket, &mut record, last, answered);
        }
    }
    let end = Instant::now() + PATIENCE;
    while record.lost() > 0 && Instant::now() < end {
        if readable(&socket, end) {
            receive(&socket, &mut record, last, answered);
        }
    }
    record
}

fn send(socket: &UdpSocket, questions: &[Question], record: &mut Record) {
    let number = record.asked.len();
    let question = number % questions.len();
    let (name, record_type) = &questions[question];
    record.asked.push(Asked { at: Instant::now(), question, answer: None });
    // A refused or unroutable query counts as sent and lost; the error of an earlier one may show here.
    let message = dns::query(number as u16, name, *record_type);
    if socket.send(&message).is_err() {
        let _ = socket.send(&message);
    }
}

fn readable(socket: &UdpSocket, until: Instant) -> bool {
    let timeout = TimeSpec::from_duration(until.saturating_duration_since(Instant::now()));
    let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    ppoll(&mut sockets, Some(timeout), None).is_ok_and(|ready| ready > 0)
}

fn receive(socket: &UdpSocket, record: &mut Record, last: &Mutex<String>, answered: &AtomicU32) {
    let mut buffer = [0; 4096];
    let length = match socket.recv(&mut buffer) {
        Ok(length) => length,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return,
        // An ICMP error: the query it belongs to stays unanswered.
        Err(_) => return,
    };
    let answer = match dns::parse(&buffer[..length]) {
        Ok(answer) => answer,
        Err(error) => return record.strays.push(error.to_string()),
    };
    let Some(asked) = find(&mut record.asked, answer.id) else {
        return record.strays.push(format!("answers no query: {answer:?}"));
    };
    let took = asked.at.elapsed();
    if took > PATIENCE {
        record.late += 1;
        return;
    }
    last.lock().expect("not poisoned").clone_from(&answer.instance);
    answered.fetch_add(1, SeqCst);
    asked.answer = Some((took, answer));
}

/// The unanswered query with this ID: the IDs count up and wrap around, the latest is meant.
fn find(asked: &mut [Asked], id: u16) -> Option<&mut Asked> {
    let newest = asked.len().checked_sub(1)?;
    let back = usize::from((newest as u16).wrapping_sub(id));
    let candidate = asked.get_mut(newest.checked_sub(back)?)?;
    candidate.answer.is_none().then_some(candidate)
}
