//! Server and client together over a real socket in a directory that vanishes with the test.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};

use super::super::overall::tests::well;
use super::super::{call, render};
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

struct Scene {
    path: PathBuf,
    shutdown: CancellationToken,
    server: Server,
    _directory: tempfile::TempDir,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/anyns.sock");
    let shutdown = CancellationToken::new();
    let server = serve(&Settings { path: path.clone(), mode: 0o600 }, shutdown.clone()).unwrap();
    Scene { path, shutdown, server, _directory: directory }
}

async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> T {
    timeout(PATIENCE, tokio::task::spawn_blocking(what)).await.unwrap().unwrap()
}

async fn ask_scene(path: &Path, request: Request) -> Result<Response, ControlError> {
    let path = path.to_path_buf();
    blocking(move || call(&path, &request, PATIENCE)).await
}

#[tokio::test]
async fn a_request_reaches_the_daemon_and_its_answer_the_client() {
    let mut scene = scene();
    let daemon = async {
        let drain = scene.server.calls.recv().await.unwrap();
        assert_eq!(drain.request, Request::Drain { reason: "router upgrade".into() });
        drain.reply.send(Response::Done { message: "draining".into() }).unwrap();
        let status = scene.server.calls.recv().await.unwrap();
        status.reply.send(Response::Status { status: Box::new(well()) }).unwrap();
        drop(scene.server.calls.recv().await.unwrap());
    };
    let client = async {
        let drain = ask_scene(&scene.path, Request::Drain { reason: "router upgrade".into() }).await.unwrap();
        assert_eq!(drain, Response::Done { message: "draining".into() });
        let Response::Status { status } = ask_scene(&scene.path, Request::Status {}).await.unwrap() else {
            panic!()
        };
        assert_eq!(render(&status), render(&well()));
        let dropped = ask_scene(&scene.path, Request::Reload {}).await.unwrap();
        assert_eq!(dropped, Response::Failed { message: "anyns is going down".into() });
    };
    timeout(PATIENCE, async { tokio::join!(daemon, client) }).await.unwrap();
}

#[tokio::test]
async fn only_the_owner_may_and_the_socket_goes_at_the_end() {
    let scene = scene();
    let mode = fs::symlink_metadata(&scene.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(scene.path.parent().unwrap()).unwrap().count(), 1, "nothing but the socket");
    scene.shutdown.cancel();
    timeout(PATIENCE, scene.server.task).await.unwrap().unwrap();
    assert!(!scene.path.exists());
    let gone = ask_scene(&scene.path, Request::Status {}).await.unwrap_err();
    assert!(matches!(gone, ControlError::NotRunning { .. }), "{gone}");
}

#[tokio::test]
async fn an_answer_under_way_survives_the_shutdown() {
    let mut scene = scene();
    let daemon = async {
        let call = scene.server.calls.recv().await.unwrap();
        scene.shutdown.cancel();
        while scene.path.exists() {
            tokio::task::yield_now().await;
        }
        call.reply.send(Response::Done { message: "drained".into() }).unwrap();
    };
    let client = ask_scene(&scene.path, Request::Drain { reason: "end".into() });
    let ((), answer) = timeout(PATIENCE, async { tokio::join!(daemon, client) }).await.unwrap();
    assert_eq!(answer.unwrap(), Response::Done { message: "drained".into() });
    timeout(PATIENCE, scene.server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_living_socket_is_an_error_and_a_dead_one_is_replaced() {
    let scene = scene();
    let settings = Settings { path: scene.path.clone(), mode: 0o660 };
    let error = serve(&settings, CancellationToken::new()).unwrap_err();
    assert!(error.to_string().starts_with("another anyns answers on "), "{error}");
    let stale = scene.path.with_file_name("stale.sock");
    drop(StdListener::bind(&stale).unwrap());
    let shutdown = CancellationToken::new();
    let second = serve(&Settings { path: stale.clone(), mode: 0o660 }, shutdown.clone()).unwrap();
    assert_eq!(fs::symlink_metadata(&stale).unwrap().permissions().mode() & 0o777, 0o660);
    shutdown.cancel();
    timeout(PATIENCE, second.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_in_its_place_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anyns.sock");
    fs::write(&path, "precious").unwrap();
    let error = serve(&Settings { path: path.clone(), mode: 0o600 }, CancellationToken::new()).unwrap_err();
    assert!(matches!(error, ControlError::NotASocket { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn hostile_requests() {
    let scene = scene();
    let say = |octets: Vec<u8>| {
        let path = scene.path.clone();
        blocking(move || {
            let mut stream = StdStream::connect(path).unwrap();
            // The server may hang up on a flood before it has read all of it.
            let _ = stream.write_all(&octets);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8(answer).unwrap()
        })
    };
    let unknown = say(b"{\"request\":\"explode\"}\n".to_vec()).await;
    assert!(unknown.contains("unknown variant `explode`"), "{unknown}");
    let extra = say(b"{\"request\":\"drain\",\"reason\":\"x\",\"force\":true}\n".to_vec()).await;
    assert!(extra.contains("unknown field `force`"), "{extra}");
    let extra = say(b"{\"request\":\"status\",\"force\":true}\n".to_vec()).await;
    assert!(extra.contains("unknown field `force`"), "{extra}");
    assert_eq!(say(b"{\"request\":\"status\"}".to_vec()).await, "", "a line without its end");
    assert_eq!(say(vec![b'['; 200_000]).await, "", "a line without an end");
    assert_eq!(say(b"\xff\n".to_vec()).await.matches("failed").count(), 1);
}

#[tokio::test]
async fn more_clients_than_slots_do_not_shut_out_an_operator_for_good() {
    let mut scene = scene();
    let path = scene.path.clone();
    let idle =
        blocking(move || (0..40).map(|_| StdStream::connect(&path).unwrap()).collect::<Vec<_>>()).await;
    drop(idle);
    let daemon = async {
        let call = scene.server.calls.recv().await.unwrap();
        call.reply.send(Response::Done { message: "undrained".into() }).unwrap();
    };
    let client = ask_scene(&scene.path, Request::Undrain {});
    let ((), answer) = timeout(PATIENCE, async { tokio::join!(daemon, client) }).await.unwrap();
    assert_eq!(answer.unwrap(), Response::Done { message: "undrained".into() });
}

#[tokio::test]
async fn a_server_that_says_nothing_or_nonsense() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mute.sock");
    let listener = StdListener::bind(&path).unwrap();
    let limit = Duration::from_millis(50);
    let error = call(&path, &Request::Status {}, limit).unwrap_err();
    assert!(matches!(error, ControlError::Timeout { .. }), "{error}");
    drop(listener.accept().unwrap());
    let nonsense = blocking(move || {
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 20];
            stream.read_exact(&mut request).unwrap();
            assert_eq!(&request, b"{\"request\":\"status\"}");
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(b"hello\n").unwrap();
        });
        let error = call(&path, &Request::Status {}, PATIENCE).unwrap_err();
        answering.join().unwrap();
        error
    });
    let error = nonsense.await;
    assert!(matches!(error, ControlError::BadAnswer { .. }), "{error}");
}
