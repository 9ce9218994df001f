//! One question to all POPs again and again: one that is slow keeps its last answer meanwhile and delays no other one.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::survey::{Clients, MOST_DOCUMENT};
use crate::telemetry::with_causes;

/// How long one answer may take: POPs of one service are up to 300 ms apart, and a lost packet costs a second or more.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// How old the last answer of a POP is, and the answer or why there is none; `None` before the first one.
pub type LastAnswer<'a, T> = Option<(Duration, Result<&'a T, &'a String>)>;

/// The rounds.
#[derive(Debug)]
pub struct Rounds<T> {
    /// Who is asked.
    names: Vec<String>,
    asking: JoinSet<(usize, Instant, Result<T, String>)>,
    pops: Vec<Asked<T>>,
}

#[derive(Debug)]
struct Asked<T> {
    /// Whether an answer is awaited.
    waits: bool,
    last: Option<(Instant, Result<T, String>)>,
}

impl<T: 'static> Default for Rounds<T> {
    fn default() -> Self {
        Self { names: Vec::new(), asking: JoinSet::new(), pops: Vec::new() }
    }
}

impl<T: DeserializeOwned + Send + 'static> Rounds<T> {
    /// Asks each POP of which no answer is awaited; done when all have answered, or at `until`.
    pub async fn turn(&mut self, clients: &Arc<Clients>, path: &str, until: Instant) {
        if !self.names.iter().eq(clients.iter().map(|(name, _)| name)) {
            let names = clients.iter().map(|(name, _)| name.clone()).collect();
            *self = Self { names, ..Self::default() };
            self.pops.resize_with(clients.len(), || Asked { waits: false, last: None });
        }
        // One that has answered since the last turn is asked in this one.
        while let Some(done) = self.asking.try_join_next() {
            self.take(done);
        }
        for (index, pop) in self.pops.iter_mut().enumerate().filter(|(_, pop)| !pop.waits) {
            let (clients, path) = (clients.clone(), path.to_owned());
            pop.waits = true;
            self.asking.spawn(async move {
                let answer = ask(&clients, index, &path).await;
                (index, Instant::now(), answer)
            });
        }
        while let Ok(Some(done)) = timeout_at(until, self.asking.join_next()).await {
            self.take(done);
        }
    }

    fn take(&mut self, done: Result<(usize, Instant, Result<T, String>), JoinError>) {
        match done {
            Ok((index, at, answer)) => {
                if let Some(pop) = self.pops.get_mut(index) {
                    *pop = Asked { waits: false, last: Some((at, answer)) };
                }
            }
            // A panic: whose it was is not known, so all are asked again.
            Err(_) => {
                self.asking.abort_all();
                self.pops.iter_mut().for_each(|pop| pop.waits = false);
            }
        }
    }

    /// The last answers, in the order of the POPs.
    pub fn answers(&self) -> impl Iterator<Item = LastAnswer<'_, T>> {
        let last = self.pops.iter().map(|pop| pop.last.as_ref());
        last.map(|last| last.map(|(at, answer)| (at.elapsed(), answer.as_ref())))
    }
}

async fn ask<T: DeserializeOwned>(clients: &Clients, index: usize, path: &str) -> Result<T, String> {
    match clients.get(index) {
        Some((_, Ok(client))) => {
            let answer = client.document(path, MOST_DOCUMENT, ANSWER_LIMIT).await;
            answer.map_err(|error| with_causes(&error))
        }
        Some((_, Err(error))) => Err(with_causes(error)),
        None => Err("it is not listed any more".to_owned()),
    }
}
