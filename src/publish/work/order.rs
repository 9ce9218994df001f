//! The orders that wait: for the end of a check, or of a look.

use tokio::sync::oneshot;

use crate::publish::accept::Digest;
use crate::publish::difference::{Applied, Difference};
use crate::publish::error::{AcceptError, ApplyError, ReconfigureError, RemoveError};
use crate::publish::work::check_context::Offer;
use crate::wire::Name;

/// Where the outcome of an order goes.
pub(in crate::publish) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// An order about one zone, which waits while the zone is being checked.
#[derive(Debug)]
pub(in crate::publish) enum Order {
    /// Apply differences.
    Apply(Vec<Difference>, Reply<Applied, ApplyError>),
    /// Judge a version that a primary gave.
    Offer(Box<Offer>),
}

/// What is to be done after a look.
#[derive(Debug)]
pub(in crate::publish) enum Then {
    /// Say that it is over.
    Reloaded(oneshot::Sender<()>),
    /// Say that the settings were taken.
    Reconfigured(Reply<(), ReconfigureError>),
    /// Take a zone out of service whose file is gone.
    Remove(Name, Reply<(), RemoveError>),
    /// Say whether the version with this digest is served.
    Accepted(Name, Digest, Reply<(), AcceptError>),
}
