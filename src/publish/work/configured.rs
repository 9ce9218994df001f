//! The settings that are in force, and what they say of a zone.

use std::sync::Arc;
use std::time::Duration;

use crate::publish::settings::{Deploy, Rules, SerialRule, Settings};
use crate::publish::work::zone::entry::{Entry, Origin};
use crate::wire::Name;

/// No rescan by itself: only a reload deploys.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// The settings that are in force.
#[derive(Debug)]
pub(in crate::publish) struct Configured {
    pub(in crate::publish) settings: Arc<Settings>,
    /// The rule of each zone whose serial has one of its own.
    rules: Rules,
    /// How often the settings were replaced.
    pub(in crate::publish) generation: u32,
}

impl Configured {
    /// The first settings.
    pub(in crate::publish) fn new(settings: Settings) -> Self {
        Self { rules: Rules::new(&settings), settings: Arc::new(settings), generation: 0 }
    }

    /// Takes other settings: another rule or limit may judge the same file otherwise.
    pub(in crate::publish) fn replace(&mut self, settings: Settings) {
        let generation = self.generation + 1;
        *self = Self { generation, ..Self::new(settings) };
    }

    /// The rule for the serial of a zone.
    pub(in crate::publish) fn rule_of(&self, zone: &Name) -> SerialRule {
        self.rules.of(zone)
    }

    /// Where new versions of a zone come from.
    pub(in crate::publish) fn origin_of(&self, zone: &Name, entry: &Entry) -> Origin {
        match () {
            () if self.settings.databases.contains(zone) => Origin::Updates,
            () if self.comes_from_primaries(zone, entry) => Origin::Primaries,
            () => Origin::File,
        }
    }

    /// Whether a zone comes from primaries, by the configuration or a catalog.
    pub(in crate::publish) fn comes_from_primaries(&self, zone: &Name, entry: &Entry) -> bool {
        entry.is_member || self.settings.transferred.contains(zone)
    }

    /// Whether versions of this zone get serials that are in no file: what is served may be ahead of its source.
    pub(in crate::publish) fn makes_serials(&self, zone: &Name) -> bool {
        self.rule_of(zone) == SerialRule::Bump || self.settings.databases.contains(zone)
    }

    /// Whether changes of files are deployed without an order.
    pub(in crate::publish) fn watches(&self) -> bool {
        self.settings.deploy == Deploy::Watch
    }

    /// How long after the end of a rescan the next one begins.
    pub(in crate::publish) fn rescan_pause(&self) -> Duration {
        if self.watches() { self.settings.rescan } else { NEVER }
    }
}
