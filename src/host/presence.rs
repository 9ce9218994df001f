//! When an address counts as present on the host. Pure.

/// When an address counts as present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// The host lists it; duplicate detection may not have passed it yet.
    Listed,
    /// The host can send from it.
    Usable,
}
