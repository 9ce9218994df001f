//! Four times what the server can take: overload is not ill health, not one withdrawal may follow.
//!
//! Blasters in the client's namespace send random names of a served zone without waiting for answers. They share the
//! cores with the server; blasters are added until four times as many queries reach the POP as it answers.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::dns;
use crate::support::lab::Space;
use crate::support::pop::{self, ZONE};
use crate::support::skip::is_full_run;
use crate::support::wait::holds_for;
use crate::support::world::{PREFIXES, Route, SERVICE, World};
use crate::timed;

/// The flood of the quick run and of the full one.
const QUICK: Duration = Duration::from_secs(15);
const FULL: Duration = Duration::from_secs(60);
/// With the limiter on: shorter, for the limiter answers few and the ratio is easily had.
const LIMITED: Duration = Duration::from_secs(5);
/// How long the ratio is measured before another blaster is added.
const LOOK: Duration = Duration::from_secs(1);
/// More blasters than this on a small machine change nothing any more.
const MOST_BLASTERS: usize = 24;
/// How many times what the server answers must be offered.
const RATIO: f64 = 4.0;
/// A query that a blaster sends again and again, the first label of its name random.
const NAME_AT: usize = 13;

#[test]
fn flood_without_the_limiter() {
    flood("[rate-limit]\nmode = \"off\"\n", if is_full_run() { FULL } else { QUICK });
}

#[test]
fn flood_with_the_limiter() {
    flood("[rate-limit]\nmode = \"enforce\"\nqueries-per-second = 1000\nburst = 2000\nslip = 2\n", LIMITED);
}

fn flood(limiter: &str, span: Duration) {
    let _turn = timed();
    let world = World::new(Route::Direct, 9);
    let mut a = pop::at_site(&world, &world.a, Route::Direct, &format!("{limiter}\n[serve]\nworkers = 1\n"));
    a.start(&world.lab);
    world.wait_leads_to(&world.a);
    a.wait_announces();
    let (changes, withdrawals) = (world.route_changes().len(), world.upstream.withdrawals("a"));

    let mut blasters = vec![Blaster::start(&world.client, 0), Blaster::start(&world.client, 1)];
    let stays = |span| {
        let before = packets(&world.a.space);
        let what = "the upstream lost a route in the flood";
        holds_for(what, span, || PREFIXES.iter().all(|prefix| world.leads_to(prefix, &world.a)));
        let after = packets(&world.a.space);
        (after.0 - before.0, after.1 - before.1)
    };
    // On a busy machine what was a flood may cease to be one; then it is made stronger, and lasts its time again.
    let (answered, ratio) = loop {
        loop {
            let (offered, answered) = stays(LOOK);
            if offered as f64 >= RATIO * answered as f64 || blasters.len() >= MOST_BLASTERS {
                break;
            }
            blasters.push(Blaster::start(&world.client, blasters.len()));
        }
        let start = Instant::now();
        let (offered, answered) = stays(span);
        let seconds = start.elapsed().as_secs_f64();
        let ratio = offered as f64 / answered.max(1) as f64;
        println!(
            "flood: {} blasters offered {:.0} queries/s for {seconds:.0} s, {:.0} answered/s, ratio {ratio:.1}",
            blasters.len(),
            offered as f64 / seconds,
            answered as f64 / seconds
        );
        if ratio >= RATIO * 0.9 || blasters.len() >= MOST_BLASTERS {
            break (answered, ratio);
        }
        blasters.push(Blaster::start(&world.client, blasters.len()));
    };
    drop(blasters);
    assert!(answered > 0, "it went on answering");
    assert!(ratio >= RATIO * 0.9, "the flood was none: {ratio:.1} times what was answered");
    assert_eq!(world.upstream.withdrawals("a"), withdrawals, "the upstream received a withdrawal");
    assert_eq!(world.route_changes().len(), changes, "{:?}", world.route_changes());
    a.wait_announces();
}

/// Packets received and sent by the POP so far: queries and answers, but for a handful.
fn packets(space: &Space) -> (u64, u64) {
    let text = space.ip(&["-j", "-s", "link", "show", "dev", "wan0"]);
    let links: Value = serde_json::from_str(&text).expect("ip prints JSON");
    let count = |way: &str| links[0]["stats64"][way]["packets"].as_u64().expect("a count");
    (count("rx"), count("tx"))
}

/// A thread that sends as fast as it can.
struct Blaster {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Blaster {
    fn start(space: &Space, number: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (space, ended) = (space.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            space.enter();
            blast(SERVICE[number % 2], &ended);
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Blaster {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn blast(address: &str, stop: &AtomicBool) {
    let any = if address.contains(':') { "::" } else { "0.0.0.0" };
    let socket = UdpSocket::bind((any, 0)).expect("a socket");
    socket.connect((address, 53)).expect("a route");
    let mut message = dns::query(1, &format!("aaaaaaaa.{ZONE}"), dns::A);
    while !stop.load(SeqCst) {
        for octet in &mut message[NAME_AT..NAME_AT + 8] {
            *octet = fastrand::u8(b'a'..=b'z');
        }
        // A full queue on the way is what a flood is about.
        let _ = socket.send(&message);
    }
}
