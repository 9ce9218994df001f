//! What all connections share; locked on the thread `web` alone, and never across a wait.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::fleet_watch::FleetWatch;
use super::samples::{RateSample, Samples};
use super::timeline::{RouteChange, Timeline};
use crate::control::{
    CatchmentStatus, Feed, Given, HistoryStatus, Inquiry, InquiryError, Selection, ServedZone, Status,
    Wanted, ZoneFilter, inquire,
};
use crate::handoff::{Queue, Reader};
use crate::telemetry::{Beat, Freshness, RunTime, locked};

/// A feed that is older says nothing of now: six documents are missing.
const STALE: Duration = Duration::from_secs(3);

/// How long the thread `control` may take for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Looks up the steps of a zone that are kept, or says why there are none. Blocks as a disk does.
pub type HistoryLookup = Arc<dyn Fn(&str) -> Result<HistoryStatus, String> + Send + Sync>;

/// What all connections share.
pub(super) struct State {
    feed: Reader<Feed>,
    inquiries: Queue<Inquiry>,
    pub(super) fleet: FleetWatch,
    /// One walk over all names of zones at a time: some hundred thousand take the thread `control` some ten milliseconds.
    walks: Semaphore,
    history: HistoryLookup,
    /// One look at a time: a disk that hangs costs one thread.
    lookups: Arc<Semaphore>,
    seen: Mutex<Seen>,
}

/// What was seen of the feed.
struct Seen {
    newest: Arc<Feed>,
    documents: u64,
    time: RunTime,
    freshness: Freshness,
    age: Duration,
    samples: Samples,
    timeline: Timeline,
}

impl State {
    pub(super) fn new(
        feed: Reader<Feed>,
        inquiries: Queue<Inquiry>,
        fleet: FleetWatch,
        history: HistoryLookup,
    ) -> Self {
        let seen = Seen {
            newest: feed.load(),
            documents: 0,
            time: RunTime::new(Instant::now()),
            freshness: Freshness::default(),
            age: Duration::ZERO,
            samples: Samples::default(),
            timeline: Timeline::default(),
        };
        let (walks, lookups) = (Semaphore::new(1), Arc::new(Semaphore::new(1)));
        Self { feed, inquiries, fleet, walks, history, lookups, seen: Mutex::new(seen) }
    }

    /// Follows the feed, for ever.
    pub(super) async fn observe(&self) {
        let mut ticks = tokio::time::interval(Beat::PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (now, feed) = (Instant::now(), self.feed.load());
            let mut seen = locked(&self.seen);
            let seen = &mut *seen;
            if !Arc::ptr_eq(&seen.newest, &feed) {
                seen.documents += 1;
                seen.samples.observe(&feed.status, feed.latency, now);
                seen.timeline.observe(&feed.status);
                seen.newest = feed;
            }
            let at = seen.time.advance(now);
            seen.age = seen.freshness.observe(seen.documents, at);
        }
    }

    /// The newest document; the seconds since the last one if that is too old.
    pub(super) fn feed(&self) -> Result<Arc<Feed>, u64> {
        let feed = self.feed.load();
        let age = locked(&self.seen).age;
        let is_there = feed.status.now != 0;
        if age < STALE && is_there { Ok(feed) } else { Err(age.as_secs()) }
    }

    /// The name of this POP, as far as it was ever told.
    pub(super) fn pop_name(&self) -> String {
        self.feed.load().status.pop.clone()
    }

    /// The rates of now.
    pub(super) fn newest_rates(&self) -> RateSample {
        locked(&self.seen).samples.newest()
    }

    /// The rates of the last minutes.
    pub(super) fn rates(&self) -> Vec<RateSample> {
        locked(&self.seen).samples.all()
    }

    /// What became of the routes after this number.
    pub(super) fn changes(&self, after: u64) -> Vec<RouteChange> {
        locked(&self.seen).timeline.after(after)
    }

    /// The document with these zones.
    pub(super) async fn status(&self, zones: ZoneFilter, most: usize) -> Result<Box<Status>, InquiryError> {
        let _walk = match zones {
            ZoneFilter::Pattern(_) => self.walks.acquire().await.ok(),
            ZoneFilter::All | ZoneFilter::Bad | ZoneFilter::Name(_) => None,
        };
        let wanted = Wanted::Status(Selection { zones, most: Some(most) });
        match inquire(&self.inquiries, wanted, ANSWER_LIMIT).await? {
            Given::Status(status) => Ok(status),
            Given::Serials(_) | Given::Metrics(_) | Given::Catchment(_) => Err(InquiryError::Busy),
        }
    }

    /// What is served of the zones in these buckets.
    pub(super) async fn serials(&self, buckets: Vec<u8>) -> Result<Vec<ServedZone>, InquiryError> {
        let _walk = self.walks.acquire().await.ok();
        match inquire(&self.inquiries, Wanted::Serials(buckets), ANSWER_LIMIT).await? {
            Given::Serials(serials) => Ok(serials),
            Given::Status(_) | Given::Metrics(_) | Given::Catchment(_) => Err(InquiryError::Busy),
        }
    }

    /// The steps of a zone that are kept, or why there are none.
    pub(super) async fn history(&self, zone: String) -> Result<HistoryStatus, String> {
        let look = async {
            let place = self.lookups.clone().acquire_owned().await.map_err(|error| error.to_string())?;
            let history = self.history.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let found = history(&zone);
                drop(place);
                found
            });
            looked.await.map_err(|error| error.to_string())?
        };
        let silent = |_| Err(format!("the state directory did not answer within {ANSWER_LIMIT:?}"));
        tokio::time::timeout(ANSWER_LIMIT, look).await.unwrap_or_else(silent)
    }

    /// Which client prefixes reach this POP, at most so many of each family; `None` if nobody counts them.
    pub(super) async fn catchment(&self, most: usize) -> Result<Option<Box<CatchmentStatus>>, InquiryError> {
        match inquire(&self.inquiries, Wanted::Catchment(most), ANSWER_LIMIT).await? {
            Given::Catchment(catchment) => Ok(catchment),
            Given::Status(_) | Given::Serials(_) | Given::Metrics(_) => Err(InquiryError::Busy),
        }
    }

    /// The text for a scraper.
    pub(super) async fn metrics(&self, openmetrics: bool) -> Result<String, InquiryError> {
        match inquire(&self.inquiries, Wanted::Metrics { openmetrics }, ANSWER_LIMIT).await? {
            Given::Metrics(text) => Ok(text),
            Given::Status(_) | Given::Serials(_) | Given::Catchment(_) => Err(InquiryError::Busy),
        }
    }
}
