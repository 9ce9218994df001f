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
        /// Since when a version waits; `None` if none does.
        since: Option<u64>,
        /// Those of the group that do not serve the newest version.
        lacking: Vec<String>,
    }
}
