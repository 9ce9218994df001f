//! The other POPs, asked every second while somebody looks at a page that shows them, and never otherwise.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::fleet::{self, Clients, Follow, PopClient, PopDocument, Surveyed, alone, clients};
use crate::telemetry::{CertificateValidity, locked};

/// Between the beginnings of two surveys: what happens to a POP shows within twice that.
pub(super) const PERIOD: Duration = Duration::from_secs(1);

/// How long a survey waits for answers: those of slower POPs are part of a later one.
pub(super) const WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether somebody looks.
const LOOK: Duration = Duration::from_millis(100);

/// The POPs of now: a reload may change them.
pub type FleetList = Arc<dyn Fn() -> Arc<fleet::Settings> + Send + Sync>;

/// The surveys.
pub(super) struct FleetWatch {
    list: FleetList,
    /// The list whose files were read, and what was made of it.
    known: Mutex<(Arc<fleet::Settings>, Arc<Clients>)>,
    newest: watch::Sender<Arc<Surveyed>>,
}

impl FleetWatch {
    /// Reads the files of the clients.
    pub(super) fn new(list: FleetList) -> Self {
        let settings = list();
        let clients = Arc::new(clients(&settings));
        Self { list, known: Mutex::new((settings, clients)), newest: watch::Sender::new(Arc::default()) }
    }

    /// Whether there are other POPs.
    pub(super) fn is_alone(&self) -> bool {
        locked(&self.known).0.pops.is_empty()
    }

    /// The clients, as their files were read last.
    pub(super) fn clients(&self) -> Arc<Clients> {
        locked(&self.known).1.clone()
    }

    /// When the certificates are valid that are shown to the POPs.
    pub(super) fn certificates(&self) -> Vec<CertificateValidity> {
        let clients = self.clients();
        let clients = clients.iter().filter_map(|(_, client)| client.as_ref().ok());
        clients.filter_map(PopClient::certificate).collect()
    }

    /// Reads the files of the clients again, on a thread that may block.
    pub(super) async fn read_again(&self) {
        let settings = (self.list)();
        let listed = settings.clone();
        if let Ok(read) = tokio::task::spawn_blocking(move || clients(&listed)).await {
            *locked(&self.known) = (settings, Arc::new(read));
        }
    }

    /// The surveys from now on: as long as it is held, the POPs are asked.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Surveyed>> {
        let mut receiver = self.newest.subscribe();
        receiver.mark_unchanged();
        receiver
    }

    /// Asks the POPs while somebody follows, for ever. `own` tells of this POP where it stands alone, or its name and why it does not.
    pub(super) async fn run(&self, own: impl Fn() -> Result<PopDocument, (String, String)>) {
        let mut pops = Follow::default();
        loop {
            if !Arc::ptr_eq(&locked(&self.known).0, &(self.list)()) {
                self.read_again().await;
            }
            if self.newest.receiver_count() == 0 {
                // What was answered before says nothing to who looks later.
                pops = Follow::default();
                sleep(LOOK).await;
                continue;
            }
            let begun = Instant::now();
            let found = if self.is_alone() {
                Surveyed { report: alone(own().as_ref().map_err(Clone::clone)), settled: true }
            } else {
                pops.turn(&self.clients(), begun + WAIT).await
            };
            self.newest.send_replace(Arc::new(found));
            sleep_until(begun + PERIOD).await;
        }
    }
}
