//! The thread `web`: the page and the API, if configured. Nothing waits for it.

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::control::{Cause, Feed, Inquiry, without_numbers};
use crate::handoff::{Queue, Reader};
use crate::telemetry::{Beat, CertificateValidity, keep_running};
use crate::web::{FleetList, HistoryLookup, Sources, WebServer};

use crate::daemon::DaemonError;
use crate::daemon::status::{OtherAlarm, Source};
use crate::daemon::thread::Thread;

/// The server before it runs, its beat, and what is wrong with it.
pub(super) struct Web {
    server: WebServer,
    beat: Beat,
    trouble: Reader<Vec<String>>,
}

impl Web {
    /// Reads the credentials; `None` where the page is off.
    pub(super) fn prepare(
        config: &Config,
        feed: Reader<Feed>,
        inquiries: Queue<Inquiry>,
        fleet: FleetList,
        history: HistoryLookup,
    ) -> Result<Option<Self>, DaemonError> {
        let Some(settings) = config.web.clone() else { return Ok(None) };
        let (server, trouble) = WebServer::new(Sources { settings, fleet, feed, inquiries, history })?;
        Ok(Some(Self { server, beat: Beat::new("web"), trouble }))
    }

    /// Its heartbeat.
    pub(super) fn beat(&self) -> Beat {
        self.beat.clone()
    }

    /// What is wrong with it.
    pub(super) fn alarms(&self) -> Source<Vec<OtherAlarm>> {
        let trouble = self.trouble.clone();
        Box::new(move || {
            let alarm = |message: &String| OtherAlarm {
                kind: format!("web {}", without_numbers(message)),
                cause: Cause::Rest,
                message: message.clone(),
            };
            trouble.load().iter().map(alarm).collect()
        })
    }

    /// How many connections found no place.
    pub(super) fn refused(&self) -> Source<u64> {
        let refusals = self.server.refusals();
        Box::new(move || refusals.all())
    }

    /// When its certificate is valid.
    pub(super) fn certificate_validity(&self) -> Source<Option<CertificateValidity>> {
        let validity = self.server.certificate_validity();
        Box::new(move || *validity.load())
    }

    /// The same of the most urgent certificate that it shows to other POPs.
    pub(super) fn fleet_certificate_validity(&self) -> Source<Option<CertificateValidity>> {
        let validity = self.server.fleet_certificate_validity();
        Box::new(move || *validity.load())
    }

    /// Starts the thread.
    pub(super) fn start(self) -> Result<Thread, DaemonError> {
        let Self { mut server, beat, .. } = self;
        Thread::start("web", CancellationToken::new(), move || async move {
            keep_running(&beat, &mut server, async |server| server.run(&beat).await).await;
        })
    }
}
