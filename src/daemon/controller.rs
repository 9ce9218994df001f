//! What the deciding task (1x, on the thread "decide") owns.
//!
//! That is everything that an order may change, so there is no lock. The task never blocks and never writes: what takes time (a reload)
//! runs as a task of its own, logs leave through a queue. Each turn ends with a beat, which renews the lease of what is announced;
//! a turn comes at every change of a fact and at least every [`Beat::PERIOD`].

use crate::daemon::deciding::Deciding;
use crate::daemon::orders::order_state::OrderState;
use crate::daemon::reload::configured::Configured;
use crate::daemon::zone_control::ZoneControl;

/// What the controller holds.
pub(super) struct Controller {
    pub(super) configured: Configured,
    pub(super) orders: OrderState,
    pub(super) zones: ZoneControl,
    pub(super) deciding: Deciding,
}
