//! Server and client together over a real socket in a directory that vanishes with the test.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use super::super::call;
use super::super::overall::tests::well;
use super::*;
use crate::control::{CatchmentStatus, Status};
use crate::telemetry::keep_running;
use crate::test_support::wait;

const PATIENCE: Duration = Duration::from_secs(20);

/// Answers `status` with the selection in it, and knows one task.
#[derive(Default)]
struct StatusAnswers {
    silent: Option<String>,
    /// Octets of a list of all zones.
    octets: usize,
}

impl Answers for StatusAnswers {
    fn status(&self, selection: &Selection) -> Status {
        let octets = if selection.zones == ZoneFilter::All { self.octets } else { 0 };
        Status { instance: format!("{selection:?}"), pop: "x".repeat(octets), ..well() }
    }

    fn metrics(&self, openmetrics: bool) -> String {
        format!("openmetrics {openmetrics}")
    }

    fn catchment(&self, most: usize) -> Option<CatchmentStatus> {
        let counted = CatchmentStatus { one_in: most as u32, ..CatchmentStatus::default() };
        (most > 0).then_some(counted)
    }

    fn silent(&self, _order: &Request) -> Option<String> {
        self.silent.clone()
    }

    fn test_panic(&self, task: &str) -> Response {
        failed(format!("no task {task}"))
    }
}

/// A server on a thread of its own, as in the daemon.
struct Scene {
    path: PathBuf,
    calls: Receiver<Call>,
    beat: Beat,
    stop: CancellationToken,
    thread: std::thread::JoinHandle<()>,
    _directory: tempfile::TempDir,
}

fn scene() -> Scene {
    scene_with(StatusAnswers::default(), None)
}

fn scene_with(answers: StatusAnswers, group: Option<u32>) -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run/anyns.sock");
    let (server, calls) = open(&Settings { path: path.clone(), group }).unwrap();
    let (beat, stop) = (Beat::new("control"), CancellationToken::new());
    let thread = serve_on_thread(server, answers, beat.clone(), stop.clone());
    Scene { path, calls, beat, stop, thread, _directory: directory }
}

fn serve_on_thread(
    mut server: Server,
    answers: StatusAnswers,
    beat: Beat,
    stop: CancellationToken,
) -> std::thread::JoinHandle<()> {
    let answers: Arc<dyn Answers> = Arc::new(answers);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            keep_running(&beat, &mut server, async |server| server.run(&answers, &beat, &stop).await).await;
            server.close().await;
        });
    })
}

/// Waits for something that can only be seen by looking.
async fn eventually(what: &str, is_so: impl FnMut() -> bool) {
    wait::eventually(what, PATIENCE, is_so).await;
}

fn mode_and_group(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.mode() & 0o777, metadata.gid())
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
        let drain = scene.calls.next().await;
        assert_eq!(drain.request, Request::Drain { reason: "router upgrade".into() });
        drain.reply.send(Response::Done { message: "draining".into(), restart: Vec::new() });
        drop(scene.calls.next().await);
    };
    let client = async {
        let drain = ask_scene(&scene.path, Request::Drain { reason: "router upgrade".into() }).await.unwrap();
        assert_eq!(drain, Response::Done { message: "draining".into(), restart: Vec::new() });
        let dropped = ask_scene(&scene.path, Request::Reload {}).await.unwrap();
        assert_eq!(dropped, Response::Failed { message: "anyns is going down".into() });
    };
    timeout(PATIENCE, async { tokio::join!(daemon, client) }).await.unwrap();
}

/// Nobody takes a call out of the queue here, as when the deciding task is frozen.
#[tokio::test]
async fn status_needs_nobody_and_an_order_says_who_did_not_answer() {
    let silent = Some("the task decide has sent no heartbeat for 9 s".to_owned());
    let scene = scene_with(StatusAnswers { silent, ..StatusAnswers::default() }, None);
    let drain = ask_scene(&scene.path, Request::Drain { reason: "x".into() });
    let reload = ask_scene(&scene.path, Request::Reload {});
    let status = async {
        let zones = Some("*.org".to_owned());
        let asked = ask_scene(&scene.path, Request::Status { zones, most: Some(20) }).await.unwrap();
        let Response::Status { status } = asked else { panic!("{asked:?}") };
        assert_eq!(status.instance, r#"Selection { zones: Pattern("*.org"), most: Some(20) }"#);
        let Response::Status { status } = ask_scene(&scene.path, Request::status()).await.unwrap() else {
            panic!()
        };
        assert_eq!(status.instance, "Selection { zones: All, most: None }");
    };
    let (drain, reload, ()) = tokio::join!(drain, reload, status);
    for (answer, who) in [(drain, "decide"), (reload, "publisher")] {
        let Response::Failed { message } = answer.unwrap() else { panic!("{who}") };
        let expected = format!(
            "the task {who} did not answer within 5 s (the task decide has sent no heartbeat for 9 s); the order may \
             still be carried out"
        );
        assert_eq!(message, expected);
    }
}

#[tokio::test]
async fn one_zone_does_not_wait_for_lists_of_all_zones() {
    // More than the socket holds, so that a list is on its way until somebody reads it.
    let scene = scene_with(StatusAnswers { octets: 8 << 20, ..StatusAnswers::default() }, None);
    let whole = serde_json::to_vec(&Request::status()).unwrap();
    let path = scene.path.clone();
    let lists: Vec<StdStream> = blocking(move || {
        let list = || {
            let mut stream = StdStream::connect(&path).unwrap();
            stream.write_all(&[&whole[..], b"\n"].concat()).unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream
        };
        (0..MAX_WHOLE).map(|_| list()).collect()
    })
    .await;
    let zones = Some("example.org".to_owned());
    let one = ask_scene(&scene.path, Request::Status { zones, most: None }).await.unwrap();
    let Response::Status { status } = one else { panic!("{one:?}") };
    assert_eq!(status.instance, r#"Selection { zones: Name("example.org"), most: None }"#);
    drop(lists);
}

#[tokio::test]
async fn only_the_owner_may_and_the_socket_goes_at_the_end() {
    let scene = scene();
    assert_eq!(mode_and_group(&scene.path).0, 0o600);
    assert_eq!(fs::read_dir(scene.path.parent().unwrap()).unwrap().count(), 1, "nothing but the socket");
    scene.stop.cancel();
    blocking(|| scene.thread.join()).await.unwrap();
    assert!(!scene.path.exists());
    let gone = ask_scene(&scene.path, Request::status()).await.unwrap_err();
    assert!(matches!(gone, ControlError::NotRunning { .. }), "{gone}");
}

#[tokio::test]
async fn a_group_may_if_it_is_named() {
    // Its own group, which every user may give a file to.
    let directory = tempfile::tempdir().unwrap();
    let own = fs::symlink_metadata(directory.path()).unwrap().gid();
    let scene = scene_with(StatusAnswers::default(), Some(own));
    assert_eq!(mode_and_group(&scene.path), (0o660, own));
    ask_scene(&scene.path, Request::status()).await.unwrap();
}

#[tokio::test]
async fn the_file_is_there_again_after_it_was_deleted_or_replaced() {
    let scene = scene();
    let first = Identity::of(&scene.path);
    let is_new = |old: Option<Identity>| {
        let path = scene.path.clone();
        move || Identity::of(&path).is_some() && Identity::of(&path) != old
    };
    fs::remove_file(&scene.path).unwrap();
    eventually("the file is made again", is_new(first)).await;
    ask_scene(&scene.path, Request::status()).await.unwrap();
    // A dead socket in its place, and the whole directory gone.
    fs::remove_file(&scene.path).unwrap();
    drop(StdListener::bind(&scene.path).unwrap());
    let dead = Identity::of(&scene.path);
    eventually("the dead socket is replaced", is_new(dead)).await;
    ask_scene(&scene.path, Request::status()).await.unwrap();
    fs::remove_dir_all(scene.path.parent().unwrap()).unwrap();
    eventually("the directory is made again", is_new(None)).await;
    ask_scene(&scene.path, Request::status()).await.unwrap();
    assert_eq!(mode_and_group(&scene.path).0, 0o600);
}

#[tokio::test]
async fn the_socket_of_another_process_is_left_alone() {
    let scene = scene();
    fs::remove_file(&scene.path).unwrap();
    let other = StdListener::bind(&scene.path).unwrap();
    let identity = Identity::of(&scene.path);
    other.set_nonblocking(true).unwrap();
    // Every look at the file connects.
    eventually("it looked", || other.accept().is_ok()).await;
    eventually("it looked again", || other.accept().is_ok()).await;
    assert_eq!(Identity::of(&scene.path), identity);
    scene.stop.cancel();
    blocking(|| scene.thread.join()).await.unwrap();
    assert_eq!(Identity::of(&scene.path), identity, "nor is it removed at the end");
}

#[tokio::test]
async fn an_answer_under_way_survives_the_shutdown() {
    let mut scene = scene();
    let daemon = async {
        let call = scene.calls.next().await;
        scene.stop.cancel();
        while scene.path.exists() {
            tokio::task::yield_now().await;
        }
        call.reply.send(Response::Done { message: "drained".into(), restart: Vec::new() });
    };
    let client = ask_scene(&scene.path, Request::Drain { reason: "end".into() });
    let ((), answer) = timeout(PATIENCE, async { tokio::join!(daemon, client) }).await.unwrap();
    assert_eq!(answer.unwrap(), Response::Done { message: "drained".into(), restart: Vec::new() });
    blocking(|| scene.thread.join()).await.unwrap();
}

#[tokio::test]
async fn the_server_goes_on_after_a_panic() {
    let scene = scene();
    scene.beat.ask_panic();
    eventually("it panics", || scene.beat.panics() == 1).await;
    ask_scene(&scene.path, Request::status()).await.unwrap();
}

#[tokio::test]
async fn a_living_socket_is_an_error_and_a_dead_one_is_replaced() {
    let scene = scene();
    let error = open(&Settings { path: scene.path.clone(), group: None }).unwrap_err();
    assert!(error.to_string().starts_with("another anyns answers on "), "{error}");
    let stale = scene.path.with_file_name("stale.sock");
    drop(StdListener::bind(&stale).unwrap());
    open(&Settings { path: stale, group: None }).unwrap();
}

#[tokio::test]
async fn a_file_in_its_place_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anyns.sock");
    fs::write(&path, "precious").unwrap();
    let error = open(&Settings { path: path.clone(), group: None }).unwrap_err();
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

/// All slots are held by clients that say nothing; they are hung up on, and the operator's turn comes.
#[tokio::test]
async fn hung_clients_do_not_shut_out_an_operator_for_good() {
    let scene = scene();
    let path = scene.path.clone();
    let hang = move || (0..MAX_CONNECTIONS).map(|_| StdStream::connect(&path).unwrap()).collect::<Vec<_>>();
    let hung = blocking(hang).await;
    let begun = std::time::Instant::now();
    ask_scene(&scene.path, Request::status()).await.unwrap();
    assert!(begun.elapsed() < REQUEST_LIMIT * 2, "{:?}", begun.elapsed());
    drop(hung);
}

#[tokio::test]
async fn a_server_that_says_nothing_or_nonsense() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mute.sock");
    let listener = StdListener::bind(&path).unwrap();
    let limit = Duration::from_millis(50);
    let error = call(&path, &Request::status(), limit).unwrap_err();
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
        let error = call(&path, &Request::status(), PATIENCE).unwrap_err();
        answering.join().unwrap();
        error
    });
    let error = nonsense.await;
    assert!(matches!(error, ControlError::BadAnswer { .. }), "{error}");
}
