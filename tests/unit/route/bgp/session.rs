//! Whole sessions over loopback sockets, with a neighbor that misbehaves as told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use rustbgpd_wire::notification::cease_subcode;
use rustbgpd_wire::{
    Afi, Capability, EXTENDED_MAX_MESSAGE_LEN, Message, NotificationCode, OpenMessage, PathAttribute,
    RouteRefreshMessage, Safi, UpdateMessage, decode_message, encode_message,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::*;
use super::{services, settings, wanted};
use crate::route::driver::{Driver, Observed, Preference, SessionState, Started, Wanted};
use crate::route::service::{Community, LargeCommunity, Service};

/// Far more than any step takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);
const US: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const THEM: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// A speaker at work and the listening end of its neighbor.
struct Lab {
    listener: TcpListener,
    /// Where the speaker awaits its neighbor.
    speaker: SocketAddr,
    started: Started,
    wanted: watch::Sender<Wanted>,
    stop: CancellationToken,
    control: BgpControl,
    settings: BgpSettings,
    services: Vec<Service>,
}

impl Lab {
    async fn new(mode: Mode, change: impl FnOnce(&mut BgpSettings)) -> Self {
        // A small window from the start, soon full when nobody reads.
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        socket.bind((THEM, 0).into()).unwrap();
        let listener = socket.listen(8).unwrap();
        let free = TcpListener::bind((US, 0)).await.unwrap().local_addr().unwrap();
        let mut settings = settings(65_001);
        settings.listen_port = free.port();
        settings.hold_time = Duration::from_secs(3);
        let neighbor = &mut settings.neighbors[0];
        neighbor.local_address = US;
        neighbor.address = THEM;
        neighbor.port = listener.local_addr().unwrap().port();
        neighbor.mode = mode;
        change(&mut settings);
        let mut services = services();
        // Large UPDATEs, so that buffers fill when nobody reads.
        services[0].communities = (0..64).map(Community).collect();
        services[0].large_communities = (0..64).map(|n| LargeCommunity(n, n, n)).collect();
        let (wanted, receiver) = watch::channel(wanted(&services, Preference::Normal));
        let stop = CancellationToken::new();
        let driver = BgpDriver::new(settings.clone(), services.clone()).unwrap();
        let control = driver.control();
        let started = driver.start(receiver, stop.clone());
        Self { listener, speaker: free, started, wanted, stop, control, settings, services }
    }

    /// Changes the settings while the speaker runs; what that does, in words.
    fn change(&mut self, change: impl FnOnce(&mut BgpSettings, &mut Vec<Service>)) -> String {
        change(&mut self.settings, &mut self.services);
        self.control.change(self.settings.clone(), self.services.clone()).unwrap().to_string()
    }

    /// The connection that the speaker opens.
    async fn accept(&self) -> Peer {
        let (stream, from) = patient(self.listener.accept()).await.unwrap();
        assert_eq!(from.ip(), US, "every connection leaves from the local address");
        Peer { stream }
    }

    /// A connection to the speaker, which may not listen yet.
    async fn connect(&self, from: IpAddr) -> Peer {
        let attempt = async {
            loop {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(SocketAddr::new(from, 0)).unwrap();
                if let Ok(stream) = socket.connect(self.speaker).await {
                    return Peer { stream };
                }
                tokio::task::yield_now().await;
            }
        };
        patient(attempt).await
    }

    async fn observe(&mut self, what: impl FnMut(&Observed) -> bool) -> Observed {
        patient(self.started.observed.wait_for(what)).await.unwrap().clone()
    }
}

/// The neighbor's end of a connection.
struct Peer {
    stream: TcpStream,
}

impl Peer {
    async fn send(&mut self, message: &Message) {
        self.stream.write_all(&encode_message(message).unwrap()).await.unwrap();
    }

    /// The next message; `None` at the end.
    async fn receive(&mut self) -> Option<Message> {
        let mut header = [0; 19];
        patient(self.stream.read_exact(&mut header)).await.ok()?;
        let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
        let mut octets = header.to_vec();
        octets.resize(length, 0);
        patient(self.stream.read_exact(&mut octets[19..])).await.ok()?;
        Some(decode_message(&mut octets.into(), EXTENDED_MAX_MESSAGE_LEN).unwrap())
    }

    async fn open(&mut self, identifier: Ipv4Addr) {
        let families = [Afi::Ipv4, Afi::Ipv6];
        let mut capabilities: Vec<Capability> =
            families.map(|afi| Capability::MultiProtocol { afi, safi: Safi::Unicast }).into();
        capabilities.push(Capability::FourOctetAs { asn: 65_001 });
        let open =
            OpenMessage { version: 4, my_as: 65_001, hold_time: 3, bgp_identifier: identifier, capabilities };
        self.send(&Message::Open(open)).await;
    }

    /// Takes the speaker's OPEN, which must not promise what would keep routes to a dead POP.
    async fn expect_open(&mut self) {
        let Some(Message::Open(open)) = self.receive().await else { panic!("no OPEN") };
        let graceful = |capability: &Capability| {
            matches!(capability, Capability::GracefulRestart { .. } | Capability::LongLivedGracefulRestart(_))
        };
        assert!(!open.capabilities.iter().any(graceful));
        assert_eq!(open.hold_time, 3);
    }

    async fn establish(&mut self, identifier: Ipv4Addr) {
        self.expect_open().await;
        self.open(identifier).await;
        self.send(&Message::Keepalive).await;
        assert_eq!(self.receive().await, Some(Message::Keepalive));
    }

    /// Reads on until the UPDATE that must come; anything but a KEEPALIVE before it is a fault.
    async fn expect_update(&mut self) -> UpdateMessage {
        loop {
            match self.receive().await {
                Some(Message::Update(update)) => return update,
                Some(Message::Keepalive) => self.send(&Message::Keepalive).await,
                other => panic!("no UPDATE but {other:?}"),
            }
        }
    }

    /// Reads on until the NOTIFICATION that must come.
    async fn expect_notification(&mut self) -> (NotificationCode, u8) {
        loop {
            match self.receive().await {
                Some(Message::Notification(notification)) => {
                    return (notification.code, notification.subcode);
                }
                Some(_) => {}
                None => panic!("closed without a NOTIFICATION"),
            }
        }
    }
}

async fn patient<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

const LOWER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 0);
const HIGHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CEASE_COLLISION: (NotificationCode, u8) =
    (NotificationCode::Cease, cease_subcode::CONNECTION_COLLISION_RESOLUTION);

#[tokio::test]
async fn a_collision_keeps_the_connection_of_the_higher_identifier() {
    for (theirs, outgoing_wins) in [(LOWER, true), (HIGHER, false)] {
        let mut lab = Lab::new(Mode::Both, |_| {}).await;
        let mut outgoing = lab.accept().await;
        let mut incoming = lab.connect(THEM).await;
        outgoing.expect_open().await;
        incoming.expect_open().await;
        outgoing.open(theirs).await;
        assert_eq!(outgoing.receive().await, Some(Message::Keepalive));
        incoming.open(theirs).await;
        let (winner, loser) =
            if outgoing_wins { (&mut outgoing, &mut incoming) } else { (&mut incoming, &mut outgoing) };
        assert_eq!(loser.expect_notification().await, CEASE_COLLISION);
        winner.send(&Message::Keepalive).await;
        lab.observe(|o| {
            o.neighbors[0].session == SessionState::Established && o.neighbors[0].routes.len() == 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_second_connection_does_not_disturb_an_established_session() {
    let mut lab = Lab::new(Mode::Both, |_| {}).await;
    let mut outgoing = lab.accept().await;
    outgoing.establish(HIGHER).await;
    lab.observe(|o| o.neighbors[0].routes.len() == 2).await;
    let mut incoming = lab.connect(THEM).await;
    assert_eq!(incoming.expect_notification().await, CEASE_COLLISION);
    assert_eq!(lab.observe(|_| true).await.neighbors[0].routes.len(), 2);
}

#[tokio::test]
async fn strangers_are_not_spoken_to() {
    let lab = Lab::new(Mode::Passive, |_| {}).await;
    assert_eq!(lab.connect(STRANGER).await.receive().await, None);
    lab.connect(THEM).await.expect_open().await;
}

#[tokio::test]
async fn a_neighbor_that_talks_nonsense_is_told_and_tried_again() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.expect_open().await;
    peer.stream.write_all(&[0; 19]).await.unwrap();
    assert_eq!(peer.expect_notification().await.0, NotificationCode::MessageHeader);
    lab.observe(|o| o.neighbors[0].last_error.is_some()).await;
    lab.accept().await.establish(LOWER).await;
    lab.observe(|o| o.neighbors[0].session == SessionState::Established).await;
}

#[tokio::test]
async fn a_silent_neighbor_is_given_up_and_its_routes_are_gone() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.establish(LOWER).await;
    lab.observe(|o| o.neighbors[0].routes.len() == 2).await;
    assert_eq!(peer.expect_notification().await.0, NotificationCode::HoldTimerExpired);
    let observed = lab.observe(|o| o.neighbors[0].routes.is_empty()).await;
    assert_eq!(observed.neighbors[0].established, 1);
}

/// RFC 9687: it sends, so the hold timer is content, but takes nothing.
#[tokio::test]
async fn a_neighbor_that_takes_nothing_is_given_up() {
    let mut lab =
        Lab::new(Mode::Active, |settings| settings.send_hold_time = Some(Duration::from_secs(4))).await;
    let mut peer = lab.accept().await;
    // One refresh at a time: many asked at once are answered once.
    peer.establish(LOWER).await;
    let refresh = encode_message(&Message::RouteRefresh(RouteRefreshMessage::new(Afi::Ipv4, Safi::Unicast)));
    let refresh = refresh.unwrap();
    let start = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_micros(1000));
    let ask = async {
        while peer.stream.write_all(&refresh).await.is_ok() {
            pace.tick().await;
        }
    };
    patient(ask).await;
    let observed = lab.observe(|o| o.neighbors[0].last_error.is_some()).await;
    let (_, error) = observed.neighbors[0].last_error.clone().unwrap();
    assert!(error.contains("RFC 9687"), "{error}");
    assert!(start.elapsed() >= Duration::from_secs(4));
}

#[tokio::test]
async fn stopping_says_why_and_leaves_nothing() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.establish(LOWER).await;
    lab.observe(|o| o.neighbors[0].routes.len() == 2).await;
    lab.stop.cancel();
    let cease = (NotificationCode::Cease, cease_subcode::ADMINISTRATIVE_SHUTDOWN);
    assert_eq!(peer.expect_notification().await, cease);
    let observed = lab.observe(|o| o.neighbors[0].routes.is_empty()).await;
    patient(&mut lab.started.task).await.unwrap();
    assert_eq!(observed.neighbors[0].last_error, None);
}

#[tokio::test]
async fn when_nobody_wants_anything_any_more_the_session_ends() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.establish(LOWER).await;
    drop(lab.wanted);
    assert_eq!(peer.expect_notification().await.0, NotificationCode::Cease);
    patient(&mut lab.started.task).await.unwrap();
}

/// The routes and the End-of-RIB markers that a session begins with.
async fn expect_beginning(peer: &mut Peer) {
    for _ in 0..4 {
        peer.expect_update().await;
    }
}

#[tokio::test]
async fn changed_attributes_are_told_over_the_session_that_stands() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.establish(LOWER).await;
    expect_beginning(&mut peer).await;
    let said = lab.change(|settings, services| {
        services[0].med = Some(77);
        // None of these is in the OPEN.
        settings.send_hold_time = Some(Duration::from_secs(50));
        settings.neighbors[0].ttl = Ttl::Multihop(9);
        settings.neighbors[0].mode = Mode::Both;
    });
    assert_eq!(said, "192.0.2.0/24 is announced with other attributes");
    let update = peer.expect_update().await.parse(true, false, &[]).unwrap();
    assert!(update.attributes.contains(&PathAttribute::Med(77)), "{update:?}");
    assert_eq!(update.announced.len(), 1, "the other prefix has not changed");
    lab.change(|_, services| drop(services.remove(0)));
    let update = peer.expect_update().await.parse(true, false, &[]).unwrap();
    assert_eq!((update.withdrawn.len(), update.announced.len()), (1, 0));
    let observed = lab.observe(|o| o.neighbors[0].routes.len() == 1).await;
    assert_eq!(observed.neighbors[0].established, 1, "one session all the time");
}

#[tokio::test]
async fn a_session_is_reset_for_what_its_open_told_and_comes_back_at_once() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut peer = lab.accept().await;
    peer.establish(LOWER).await;
    lab.observe(|o| o.neighbors[0].routes.len() == 2).await;
    let said = lab.change(|settings, _| settings.router_id = Ipv4Addr::new(10, 0, 0, 7));
    assert!(said.starts_with("the session with ") && said.ends_with(" is reset (router-id)"), "{said}");
    let cease = (NotificationCode::Cease, cease_subcode::OTHER_CONFIGURATION_CHANGE);
    assert_eq!(peer.expect_notification().await, cease);
    let mut peer = lab.accept().await;
    let Some(Message::Open(open)) = peer.receive().await else { panic!("no OPEN") };
    assert_eq!(open.bgp_identifier, Ipv4Addr::new(10, 0, 0, 7));
    peer.open(LOWER).await;
    peer.send(&Message::Keepalive).await;
    lab.observe(|o| o.neighbors[0].established == 2 && o.neighbors[0].routes.len() == 2).await;
}

#[tokio::test]
async fn neighbors_come_and_go_and_the_others_do_not_notice() {
    let mut lab = Lab::new(Mode::Active, |_| {}).await;
    let mut first = lab.accept().await;
    first.establish(LOWER).await;
    expect_beginning(&mut first).await;
    let second = TcpListener::bind((THEM, 0)).await.unwrap();
    let port = second.local_addr().unwrap().port();
    let said = lab.change(|settings, _| {
        let added = Neighbor { port, ..settings.neighbors[0].clone() };
        settings.neighbors.insert(0, added);
    });
    assert_eq!(said, format!("neighbor {THEM}:{port} is added"));
    let (stream, _) = patient(second.accept()).await.unwrap();
    let mut added = Peer { stream };
    added.establish(HIGHER).await;
    expect_beginning(&mut added).await;
    let observed = lab.observe(|o| o.neighbors.len() == 2 && o.neighbors[0].routes.len() == 2).await;
    assert_eq!(observed.neighbors[0].neighbor.to_string(), format!("{THEM}:{port}"), "in the file's order");
    assert_eq!(lab.started.neighbor_beats.load().len(), 2);

    lab.change(|settings, _| drop(settings.neighbors.remove(0)));
    let cease = (NotificationCode::Cease, cease_subcode::PEER_DECONFIGURED);
    assert_eq!(added.expect_notification().await, cease);
    let observed = lab.observe(|o| o.neighbors.len() == 1).await;
    assert_eq!((observed.neighbors[0].established, observed.neighbors[0].routes.len()), (1, 2));
    assert_eq!(lab.started.neighbor_beats.load().len(), 1);

    let said = lab.change(|settings, _| settings.neighbors.clear());
    assert!(said.ends_with("no neighbor is left: nothing is announced"), "{said}");
    assert_eq!(first.expect_notification().await, cease);
    lab.stop.cancel();
    patient(&mut lab.started.task).await.unwrap();
}

#[tokio::test]
async fn a_listener_follows_the_neighbors_that_are_awaited() {
    let mut lab = Lab::new(Mode::Passive, |_| {}).await;
    let mut peer = lab.connect(THEM).await;
    peer.establish(LOWER).await;
    expect_beginning(&mut peer).await;
    lab.change(|settings, _| {
        let added = Neighbor { address: STRANGER, ..settings.neighbors[0].clone() };
        settings.neighbors.push(added);
    });
    lab.observe(|o| o.neighbors.len() == 2).await;
    let mut added = loop {
        // The listener may still be the old one, to which this is a stranger.
        let mut peer = lab.connect(STRANGER).await;
        if let Some(Message::Open(_)) = peer.receive().await {
            break peer;
        }
    };
    added.open(HIGHER).await;
    added.send(&Message::Keepalive).await;
    let observed = lab.observe(|o| o.neighbors[1].routes.len() == 2).await;
    assert_eq!((observed.neighbors[0].established, observed.neighbors[0].routes.len()), (1, 2));
}
