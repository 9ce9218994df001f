//! QUIC connections whose packets reach a server that does not know them: a reset that the client believes comes from a server
//! with the same key alone; otherwise the client waits for the idle timeout.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyns::serve::{Engine, TcpSettings, Transport};
use anyns::wire::RecordType;
use quinn::ConnectionError;
use tokio::net::UdpSocket;
use tokio::sync::watch;

use crate::clients::{over_doq, quic};
use crate::server::{Server, query};

/// The idle timeout of the servers.
const IDLE: Duration = Duration::from_secs(2);

/// Hands the datagrams of one client to a server, and back: a router whose route changes. Gone when dropped.
struct Router {
    address: SocketAddr,
    route: watch::Sender<SocketAddr>,
    task: tokio::task::JoinHandle<()>,
}

impl Router {
    async fn to(server: SocketAddr) -> Self {
        let outside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = outside.local_addr().unwrap();
        let (route, current) = watch::channel(server);
        let task = tokio::spawn(async move {
            let inside = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (mut client, mut out, mut back) = (address, [0; 2048], [0; 2048]);
            loop {
                tokio::select! {
                    Ok((octets, from)) = outside.recv_from(&mut out) => {
                        client = from;
                        let to = *current.borrow();
                        inside.send_to(&out[..octets], to).await.unwrap();
                    }
                    Ok((octets, _)) = inside.recv_from(&mut back) => {
                        outside.send_to(&back[..octets], client).await.unwrap();
                    }
                }
            }
        });
        Self { address, route, task }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn key(directory: &Path, first: u8) -> PathBuf {
    let path = directory.join(format!("{first}.reset"));
    std::fs::write(&path, (0..32).map(|index| first + index).collect::<Vec<u8>>()).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// How a connection with a server of the one key ends when its packets reach a server of the other key, and after how long.
async fn moved(one: Option<PathBuf>, other: Option<PathBuf>) -> (ConnectionError, Duration) {
    let start = |key| {
        let bounds = TcpSettings { idle: IDLE, ..TcpSettings::default() };
        Arc::new(Server::with_reset_key(Engine::Native, bounds, key))
    };
    let (one, other) = (start(one), start(other));
    let router = Router::to(one.at(Transport::Doq)).await;
    let (_endpoint, connection) = quic(router.address, &one.certificate(), "doq").await.unwrap();
    let small = query("www.example.", RecordType::A);
    over_doq(&connection, &small).await.unwrap();
    router.route.send(other.at(Transport::Doq)).unwrap();
    let asked = Instant::now();
    assert!(over_doq(&connection, &small).await.is_err(), "nobody answers on it");
    (connection.close_reason().unwrap(), asked.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_the_same_key_resets_a_connection_and_no_other_one_can() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (key(directory.path(), 1), key(directory.path(), 101));
    let (end, took) = moved(Some(one.clone()), Some(one.clone())).await;
    assert!(matches!(end, ConnectionError::Reset), "{end:?}");
    assert!(took < IDLE, "{took:?}");
    println!("the same key: reset after {took:?}");
    for (one, other) in [(Some(one.clone()), Some(other)), (Some(one), None), (None, None)] {
        let (end, took) = moved(one, other).await;
        assert!(matches!(end, ConnectionError::TimedOut | ConnectionError::ApplicationClosed(_)), "{end:?}");
        println!("another key: given up after {took:?}");
    }
}
