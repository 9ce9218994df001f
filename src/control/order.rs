//! An order on its way to the task that carries it out, and the answer on its way back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use tokio::time::sleep;

use super::catchment::CatchmentStatus;
use super::message::{Request, Response};
use super::selection::Selection;
use super::status::Status;
use crate::handoff::Queue;

/// How long an order may take. One that needs the publisher, and the publisher is at work, may take [`LONG_LIMIT`].
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// How long the publisher may work for an order: a reload of very many zones.
const LONG_LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether an answer is there.
const LOOK: Duration = Duration::from_millis(10);

/// What the server asks without waiting for any task.
pub trait Answers: Send + Sync {
    /// The state at this moment.
    fn status(&self, selection: &Selection) -> Status;

    /// The metrics at this moment, in Prometheus's text format or as OpenMetrics.
    fn metrics(&self, openmetrics: bool) -> String;

    /// Which client prefixes reach this POP, at most so many of each family; `None` if nobody counts them.
    fn catchment(&self, most: usize) -> Option<CatchmentStatus>;

    /// Why those who carry out this order give no answer; `None` if they are at work.
    fn silent(&self, order: &Request) -> Option<String>;

    /// Makes a task panic; refused unless the process runs for tests.
    fn test_panic(&self, task: &str) -> Response;
}

/// One request and the way back. A reply that is dropped tells the client that anyns is going down.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Where the answer goes.
    pub reply: Reply,
}

/// The way back of one answer. Never blocks and wakes no thread: the server polls, so a thread that is frozen while it
/// answers stops no other one.
#[derive(Debug)]
pub struct Reply {
    slot: Arc<ArrayQueue<Response>>,
}

impl Reply {
    /// Gives the answer. The client that asked may be gone.
    pub fn send(self, response: Response) {
        let _ = self.slot.push(response);
    }
}

/// Where one answer arrives.
#[derive(Debug)]
struct Pending {
    slot: Arc<ArrayQueue<Response>>,
}

enum Arrival {
    Answer(Response),
    Dropped,
    TooLate,
}

impl Pending {
    async fn wait(&self, until: Instant) -> Arrival {
        loop {
            // Before the slot is read: an answer comes before its reply is dropped.
            let is_dropped = Arc::strong_count(&self.slot) == 1;
            match self.slot.pop() {
                Some(response) => return Arrival::Answer(response),
                None if is_dropped => return Arrival::Dropped,
                None if Instant::now() >= until => return Arrival::TooLate,
                None => sleep(LOOK).await,
            }
        }
    }
}

/// Has an order carried out; the answer, or who did not give one.
pub(super) async fn carry_out(request: Request, calls: &Queue<Call>, answers: &dyn Answers) -> Response {
    let needs_publisher = needs_publisher(&request);
    let slot = Arc::new(ArrayQueue::new(1));
    let (reply, pending) = (Reply { slot: slot.clone() }, Pending { slot });
    if calls.push(Call { request: request.clone(), reply }).is_err() {
        return failed("the task decide takes up no orders: its queue is full".into());
    }
    let begun = Instant::now();
    let mut limit = LIMIT;
    loop {
        match pending.wait(begun + limit).await {
            Arrival::Answer(response) => return response,
            Arrival::Dropped => return failed("anyns is going down".into()),
            Arrival::TooLate => {}
        }
        let silent = answers.silent(&request);
        if needs_publisher && silent.is_none() && limit < LONG_LIMIT {
            limit += LIMIT;
            continue;
        }
        let who = if needs_publisher { "publisher" } else { "decide" };
        let why = silent.map(|silent| format!(" ({silent})")).unwrap_or_default();
        let seconds = limit.as_secs();
        return failed(format!(
            "the task {who} did not answer within {seconds} s{why}; the order may still be carried out"
        ));
    }
}

/// Whether the publisher carries it out; the deciding task only hands it on.
fn needs_publisher(request: &Request) -> bool {
    matches!(
        request,
        Request::Reload {}
            | Request::ZoneRemove { .. }
            | Request::ZoneAccept { .. }
            | Request::ZoneHold { .. }
            | Request::ZoneUnhold { .. }
            | Request::ZoneRollback { .. }
            | Request::ZoneRelease { .. }
            | Request::ZoneHalt { .. }
            | Request::CatalogAccept { .. }
    )
}

pub(super) fn failed(message: String) -> Response {
    Response::Failed { message }
}
