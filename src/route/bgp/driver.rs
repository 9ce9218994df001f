//! The speaker as a route driver, and what changes it while it runs.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::change::{BgpChanges, BgpConfig};
use super::manager::{Manager, unknown};
use super::sessions::Sessions;
use super::settings::{BgpSettings, SettingsError};
use crate::handoff::Latest;
use crate::route::driver::{Driver, Observed, Started, Wanted};
use crate::route::service::Service;
use crate::telemetry::{Beat, keep_running};

/// The embedded BGP speaker.
#[derive(Clone, Debug)]
pub struct BgpDriver {
    config: Arc<Latest<BgpConfig>>,
}

/// Changes the configuration of a speaker while it runs. Never waits for the speaker.
#[derive(Clone, Debug)]
pub struct BgpControl {
    config: Arc<Latest<BgpConfig>>,
}

impl BgpDriver {
    /// A speaker that announces `services` as wanted.
    ///
    /// # Errors
    /// Every fault that [`BgpSettings::check`] finds.
    pub fn new(settings: BgpSettings, services: Vec<Service>) -> Result<Self, Vec<SettingsError>> {
        settings.check(&services)?;
        let config = BgpConfig { settings: Arc::new(settings), services: services.into() };
        Ok(Self { config: Arc::new(Latest::new(config)) })
    }

    /// What changes this speaker, also after its start.
    #[must_use]
    pub fn control(&self) -> BgpControl {
        BgpControl { config: Arc::clone(&self.config) }
    }
}

impl BgpControl {
    /// Gives the speaker these settings, which it takes within [`Beat::PERIOD`]. Returns what that does to sessions and routes.
    ///
    /// # Errors
    /// Every fault that [`BgpSettings::check`] finds; nothing changes then.
    pub fn change(
        &self,
        settings: BgpSettings,
        services: Vec<Service>,
    ) -> Result<BgpChanges, Vec<SettingsError>> {
        settings.check(&services)?;
        let new = BgpConfig { settings: Arc::new(settings), services: services.into() };
        let changes = self.config.current().changes(&new);
        self.config.publish_if_new(new);
        Ok(changes)
    }
}

impl Driver for BgpDriver {
    fn start(self, wanted: watch::Receiver<Wanted>, stop: CancellationToken) -> Started {
        let now = Instant::now();
        let config = self.config.reader();
        let neighbors = config.load().settings.neighbors.iter().map(|one| unknown(one, now)).collect();
        let (sender, observed) = watch::channel(Observed { neighbors });
        let sessions = Sessions::new(BgpSettings::MOST_NEIGHBORS);
        let (beat, neighbor_beats) = (Beat::new("bgp"), Latest::new(Vec::new()));
        let looks = neighbor_beats.reader();
        let mut manager = Manager {
            config,
            applied: None,
            wanted,
            observed: Arc::new(sender),
            sessions: sessions.clone(),
            beats: neighbor_beats,
            neighbors: Default::default(),
            listeners: Default::default(),
            beat: beat.clone(),
            stop: stop.child_token(),
        };
        let beats = vec![beat.clone()];
        let task = tokio::spawn(async move {
            keep_running(&beat, &mut manager, async |manager| manager.run().await).await;
        });
        Started { observed, task, sessions, beats, neighbor_beats: looks }
    }
}
