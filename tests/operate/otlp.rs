//! Logs and traces over OTLP to a receiver that decodes them, that refuses them for a while, and that is gone.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::support::anyns::{Anyns, BOUND};
use crate::support::dns::SOA;
use crate::support::lab::{Lab, Space};
use crate::support::pop::{HUB_KEY, ZONE, base_config, deploy, hub_and_pop};
use crate::support::stream::ask_udp;
use crate::support::wait::{wait_for, wait_until};
use crate::support::world::Site;

const RECEIVER: &str = "198.18.1.1:4318";
const POP: &str = "198.18.1.2";
const TRANSFERRED: &str = "otlp.test";

/// What a receiver got.
#[derive(Debug, Default)]
struct Got {
    logs: Vec<LogRecord>,
    spans: Vec<Span>,
    resources: Vec<Vec<KeyValue>>,
    peers: Vec<IpAddr>,
    refused: usize,
}

/// A receiver of OTLP over HTTP on a thread; ends when dropped.
struct Receiver {
    got: Arc<Mutex<Got>>,
    /// What it answers with; it takes what it answers with 200.
    status: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    space: Space,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    fn start(space: &Space) -> Self {
        let listener = space.inside(|| TcpListener::bind(RECEIVER)).expect("bound");
        let (got, status, stop) =
            (Arc::<Mutex<Got>>::default(), Arc::new(AtomicU16::new(200)), Arc::<AtomicBool>::default());
        let shared = (got.clone(), status.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let (got, status, stop) = shared;
            for stream in listener.incoming() {
                if stop.load(Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    take(stream, &got, status.load(Relaxed));
                }
            }
        });
        Self { got, status, stop, space: space.clone(), thread: Some(thread) }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Relaxed);
    }

    fn look<T>(&self, look: impl FnOnce(&Got) -> T) -> T {
        look(&self.got.lock().expect("no panic"))
    }

    /// The first log record that is wanted.
    fn wait_log(&self, what: &str, wanted: impl Fn(&LogRecord) -> bool) -> LogRecord {
        wait_for(what, BOUND, || self.look(|got| got.logs.iter().find(|log| wanted(log)).cloned())).0
    }

    fn wait_span(&self, name: &str) -> Span {
        wait_for(name, BOUND, || self.look(|got| got.spans.iter().find(|span| span.name == name).cloned())).0
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        // It waits for a connection.
        let _ = self.space.inside(|| TcpStream::connect(RECEIVER));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads one request and answers it.
fn take(mut stream: TcpStream, got: &Mutex<Got>, status: u16) {
    stream.set_read_timeout(Some(BOUND)).expect("a timeout");
    let (mut text, mut chunk) = (Vec::new(), vec![0; 65_536]);
    let (head, length) = loop {
        let Ok(read @ 1..) = stream.read(&mut chunk) else { return };
        text.extend_from_slice(&chunk[..read]);
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&text[..end]).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        let length: usize =
            field("content-length: ").and_then(|length| length.parse().ok()).expect("a length");
        assert_eq!(field("content-type: ").as_deref(), Some("application/x-protobuf"), "{head}");
        if text.len() >= end + 4 + length {
            break (head, length);
        }
    };
    let body = &text[text.len() - length..];
    let mut got = got.lock().expect("no panic");
    if matches!(status, 200 | 202) {
        got.peers.push(stream.peer_addr().expect("a peer").ip());
        match head.split(' ').take(2).collect::<Vec<_>>()[..] {
            ["post", "/v1/logs"] => {
                for resource in ExportLogsServiceRequest::decode(body).expect("protobuf").resource_logs {
                    got.resources.push(resource.resource.expect("a resource").attributes);
                    got.logs.extend(resource.scope_logs.into_iter().flat_map(|scope| scope.log_records));
                }
            }
            ["post", "/v1/traces"] => {
                for resource in ExportTraceServiceRequest::decode(body).expect("protobuf").resource_spans {
                    got.resources.push(resource.resource.expect("a resource").attributes);
                    got.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
                }
            }
            _ => panic!("{head}"),
        }
    } else {
        got.refused += 1;
    }
    let _ = stream.write_all(
        format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
    );
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let attribute = attributes.iter().find(|attribute| attribute.key == key)?;
    match attribute.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn body(log: &LogRecord) -> &str {
    match log.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        _ => "",
    }
}

/// A metric of the POP.
fn metric(pop: &Anyns, name: &str) -> u64 {
    let text = pop.must(&["metrics"]);
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

#[test]
fn logs_and_traces_arrive_and_a_receiver_that_is_gone_costs_nothing_else() {
    let mut lab = Lab::new();
    let (hub_space, pop_space) = hub_and_pop(&mut lab);
    let receiver = Receiver::start(&hub_space);
    for name in ["hub", "pop"] {
        deploy(&lab.subdirectory(&format!("zones-{name}")), ZONE, 1);
    }
    deploy(&lab.subdirectory("zones-hub"), TRANSFERRED, 1);
    let base = base_config(&lab, "hub", ["198.18.1.1", "2001:db8:1::1"], "dry-run", "");
    let text_of_hub = format!(
        "{base}[transfer]\nlisten = [\"198.18.1.1:5353\"]\nallow = [{{ from = \"{POP}/32\", keys = [\"hub.\"] }}]\n{HUB_KEY}"
    );
    let otlp = format!("[otlp]\nendpoint = \"http://{RECEIVER}\"\n");
    let base = base_config(&lab, "pop", [POP, "2001:db8:1::2"], "dry-run", &otlp);
    let text_of_pop = format!(
        "{base}{HUB_KEY}[[zone]]\nname = \"{TRANSFERRED}\"\nprimaries = [{{ address = \"198.18.1.1:5353\", key = \"hub.\" }}]\n"
    );
    let mut hub = Anyns::new(&lab, &hub_space, "hub", &text_of_hub);
    let mut pop = Anyns::new(&lab, &pop_space, "pop", &text_of_pop);
    hub.start(&lab);
    hub.wait_zone(TRANSFERRED, "served", Some(1));
    pop.start(&lab);
    pop.wait_announces();
    // A transfer is a span, and the log tells of it.
    let transfer = receiver.wait_span("transfer");
    assert_eq!(text(&transfer.attributes, "zone"), Some(&format!("{TRANSFERRED}.")[..]), "{transfer:?}");
    assert!(transfer.end_time_unix_nano > transfer.start_time_unix_nano && transfer.trace_id.len() == 16);
    let log = receiver.wait_log("the transfer", |log| body(log) == "zone transferred");
    assert_eq!((log.severity_number, log.severity_text.as_str()), (9, "INFO"));
    assert!(
        text(&log.attributes, "target").is_some_and(|target| target.starts_with("anyns::transfer")),
        "{log:?}"
    );
    // Who tells, and from where.
    receiver.look(|got| {
        let resource = &got.resources[0];
        let told = ["service.name", "service.instance.id", "anyns.pop"].map(|key| text(resource, key));
        assert_eq!(told, [Some("anyns"), Some("pop"), Some("pop")]);
        let own: IpAddr = POP.parse().expect("an address");
        assert!(
            got.peers.iter().all(|peer| *peer == own),
            "not from the management address: {:?}",
            got.peers
        );
    });
    // What is logged inside of a span names it.
    pop.must(&["reload"]);
    let span = receiver.wait_span("reload");
    let log = receiver.wait_log("the reload", |log| {
        body(log) == "reload" || text(&log.attributes, "message") == Some("reload")
    });
    assert_eq!((&log.trace_id, &log.span_id), (&span.trace_id, &span.span_id), "{log:?}");
    wait_until("they are counted", BOUND, || metric(&pop, "anyns_otlp_records_total") > 3);
    assert_eq!(metric(&pop, "anyns_otlp_dropped_total"), 0);
    // A receiver that is busy for a while loses nothing.
    receiver.answers(503);
    let reloads = || receiver.look(|got| got.spans.iter().filter(|span| span.name == "reload").count());
    pop.must(&["reload"]);
    wait_until("it is refused and sent again", BOUND, || receiver.look(|got| got.refused) > 1);
    assert_eq!(reloads(), 1);
    // A gateway may take records with 202.
    receiver.answers(202);
    wait_until("it arrives", BOUND, || reloads() == 2);
    receiver
        .wait_log("the trouble is told", |log| body(log).starts_with("the OTLP receiver takes no records"));
    assert_eq!(metric(&pop, "anyns_otlp_dropped_total"), 0);
    // One that refuses the records for good loses them, counted, and says so once.
    receiver.answers(400);
    pop.must(&["reload"]);
    wait_until("the records are dropped", BOUND, || metric(&pop, "anyns_otlp_dropped_total") > 0);
    receiver.answers(200);
    // The last records leave at a planned stop.
    let before = receiver.look(|got| got.logs.len());
    pop.signal(Signal::SIGTERM);
    pop.process().wait_end(BOUND);
    wait_until("the last records arrive", BOUND, || receiver.look(|got| got.logs.len()) > before);
    // Without a receiver everything else is as always.
    drop(receiver);
    pop.start(&lab);
    pop.wait_announces();
    pop.must(&["reload"]);
    assert!(pop_space.inside(|| ask_udp(Site::service(0), ZONE, SOA)).is_some());
    assert!(pop.status().is_some_and(|status| status["overall"]["verdict"] == "ok"), "{:?}", pop.status());
    let log = std::fs::read_to_string(lab.log_file("pop")).expect("a log");
    assert!(log.contains("the OTLP receiver takes no records") && !log.contains("transfer{"), "{log}");
}
