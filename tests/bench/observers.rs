//! Who watches anyns in the scenario `observed`: a scraper, pages, and what takes dnstap and OTLP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::process::Process;
use crate::support::wait::wait_until;

/// Between two scrapes.
const SCRAPE: Duration = Duration::from_secs(1);
/// What an open page listens to.
const PAGES: [&str; 2] = ["/events/fleet", "/events/pop"];
/// How long the collectors may take to listen.
const START: Duration = Duration::from_secs(10);

/// Where the page of the server at this address is: the same port on another address of loopback.
pub(crate) fn page_of(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], address.port()))
}

/// What takes dnstap and OTLP; ended when dropped.
pub(crate) struct Collectors {
    dnstap: Vec<Process>,
    posts: Arc<AtomicU64>,
}

impl Collectors {
    /// Starts them; the directories of the servers are made for the sockets and the address of the receiver.
    pub(crate) fn start(observed: &Path, reported: &Path) -> Self {
        let dnstap = [observed, reported].map(|home| {
            let _ = std::fs::remove_dir_all(home);
            std::fs::create_dir_all(home.join("rssac002")).expect("the server's directory can be made");
            let socket = home.join("dnstap");
            let mut command = Command::new("setpriv");
            command.args([
                "--pdeathsig",
                "KILL",
                "fstrm_capture",
                "-t",
                "protobuf:dnstap.Dnstap",
                "-w",
                "/dev/null",
            ]);
            command.arg("-u").arg(&socket);
            let process = Process::start("fstrm_capture", command, home.join("fstrm_capture.log"));
            wait_until("fstrm_capture listens", START, || socket.exists());
            process
        });
        let receiver = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = receiver.local_addr().expect("it is bound");
        std::fs::write(reported.join("receiver"), address.to_string()).expect("written");
        let posts = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&posts);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in receiver.incoming().flatten() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || take_posts(stream, &counter));
            }
        });
        Self { dnstap: dnstap.into(), posts }
    }

    /// What did not work.
    pub(crate) fn faults(mut self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.posts.load(Relaxed) == 0 {
            faults.push("nothing came over OTLP".to_owned());
        }
        if self.dnstap.iter_mut().any(|process| process.ended().is_some()) {
            faults.push("fstrm_capture ended".to_owned());
        }
        faults
    }
}

/// Answers each request on the connection with an empty success.
fn take_posts(stream: TcpStream, counter: &AtomicU64) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if reader.read_exact(&mut body).is_err() || reader.get_mut().write_all(answer).is_err() {
            return;
        }
        counter.fetch_add(1, Relaxed);
    }
}

/// A scrape each second and open pages, until dropped.
pub(crate) struct Observers {
    stop: Option<Sender<()>>,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Observers {
    /// Begins to watch the server at this address; its pages are open when this returns.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let page = page_of(address);
        let (stop, stopped) = channel();
        let mut threads = vec![std::thread::spawn(move || {
            // So that a round of whole seconds has as many scrapes.
            let mut pause = SCRAPE / 2;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                pause = SCRAPE;
                let mut text = String::new();
                let mut stream = get(page, "/metrics");
                stream.read_to_string(&mut text).expect("the metrics come");
                assert!(text.contains("anyns_queries_total"), "{text}");
            }
        })];
        let streams = PAGES.map(|path| {
            let mut stream = get(page, path);
            let mut first = [0; 12];
            stream.read_exact(&mut first).expect("the page answers");
            assert_eq!(&first, b"HTTP/1.1 200", "{path}");
            let mut reader = stream.try_clone().expect("a socket can be cloned");
            threads.push(std::thread::spawn(move || {
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
            }));
            stream
        });
        Self { stop: Some(stop), streams: streams.into(), threads }
    }
}

impl Drop for Observers {
    fn drop(&mut self) {
        drop(self.stop.take());
        for stream in &self.streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "an observer failed");
        }
    }
}

fn get(page: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(page).expect("the page listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it takes a request");
    stream
}
