//! The orders that wait for the end of a look.

use tokio::sync::oneshot;

use crate::publish::accept::Digest;
use crate::publish::error::{AcceptError, ReconfigureError, RemoveError};
use crate::publish::work::zone::check_context::Reply;
use crate::wire::{Name, Serial};

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
    Accepted(Name, Digest, Reply<Serial, AcceptError>),
}
