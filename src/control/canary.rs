//! What the status document says of canaries. Times are Unix seconds (UTC).

use serde::{Deserialize, Serialize};

use super::document::document;

document! {
    /// A group of secondaries that has each version of some zones before all others.
    CanaryStatus {
        /// Its name.
        name: String,
        /// Zones whose newest version all secondaries may have.
        released: u64,
        /// Zones whose newest version only the group has.
        trial: u64,
        /// Zones whose newest version only the group has, for longer than it should take.
        overdue: u64,
        /// Zones of which an operator lets no newer version go to the others.
        halted: u64,
        /// Zones of which there is no version for the others: what was released could not be made again after a restart.
        withheld: u64,
        /// Zones that are halted since one of the group became unhealthy: some of those that are halted.
        #[serde(default)]
        stopped: u64,
        /// The secondaries.
        secondaries: Vec<CanarySecondaryStatus>,
    }

    /// A secondary of such a group.
    CanarySecondaryStatus {
        /// Its address and port.
        address: String,
        /// Since when it does not tell its serial; `None` while it does, or is not asked.
        failing_since: Option<u64>,
        /// Why.
        error: Option<String>,
        /// The `[[fleet.pop]]` that tells how well it is; `None`: its serial alone is checked.
        #[serde(default)]
        pop: Option<String>,
        /// What it tells: `good`, `bad`, `unknown` (it does not tell, or takes no queries by order), `not-asked` (its first answer is awaited);
        /// empty without a POP.
        #[serde(default)]
        health: String,
        /// Since when it is `bad` or `unknown`.
        #[serde(default)]
        health_since: Option<u64>,
        /// Why.
        #[serde(default)]
        health_reason: Option<String>,
    }

    /// A zone of which not all secondaries have the newest version, or the next.
    ZoneCanaryStatus {
        /// The group that has it.
        canary: String,
        /// `released`, `trial`, `overdue` or `halted`.
        state: String,
        /// The serial that all secondaries may have.
        released: u32,
        /// Whether that version is not there, so that they get none.
        withheld: bool,
        /// Why it was halted without an order: what is wrong with one of the group since the version came.
        #[serde(default)]
        stopped: Option<String>,
        /// Since when a version waits; `None` if none does.
        since: Option<u64>,
        /// Those of the group that do not serve the newest version.
        lacking: Vec<String>,
    }
}
