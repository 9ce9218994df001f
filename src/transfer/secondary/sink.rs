//! Where what was transferred goes: the publisher, or what stands in for it in a test.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::publish::{Difference, Force};
use crate::transfer::refresh::Saved;
use crate::wire::{Name, Serial};
use crate::zone::{Expiry, Zone};

/// From where a version came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The primary.
    pub primary: SocketAddr,
    /// Whether the version is wanted whatever its serial.
    pub force: Force,
}

/// Takes versions of zones. Called on threads that may block, several at a time, but of one zone one after the other.
pub trait Sink: Send + Sync + 'static {
    /// The version of a zone that is served.
    fn served(&self, zone: &Name) -> Option<Arc<Zone>>;

    /// Whether versions of a zone came before a restart and are to come again: its primaries are asked at once.
    fn wants_again(&self, _zone: &Name) -> bool {
        false
    }

    /// Nothing that waits of a zone goes into service when this returns: the zone goes, or begins anew.
    fn forget(&self, _zone: &Name) {}

    /// From now on versions of this zone that these servers gave wait, and no others: what waits of others is forgotten, but for what is
    /// being put into service at this moment. Whether another version is the newest here because of that. Never blocks.
    fn only_from(&self, _zone: &Name, _primaries: &[SocketAddr]) -> bool {
        false
    }

    /// Takes a whole version; in service when this returns, or kept until its time has come.
    ///
    /// # Errors
    /// It is not in service.
    fn whole(&self, zone: Zone, origin: Origin) -> Result<(), SinkError>;

    /// Takes differences to the version that is served; what they lead to is in service when this returns.
    ///
    /// # Errors
    /// It is not in service.
    fn differences(&self, zone: &Name, differences: Vec<Difference>, origin: Origin)
    -> Result<(), SinkError>;

    /// Zones have expired, or a primary has ended that; in force when this returns.
    ///
    /// # Errors
    /// It is not in force: it is told again.
    fn expiry(&self, zones: Vec<(Name, Expiry)>) -> Result<(), SinkError>;

    /// No primary of these zones has the version any more that was refused: what is served is the newest, or that primary is asked no more.
    ///
    /// # Errors
    /// It is not known: it is told again.
    fn withdrawn(&self, _zones: Vec<Name>) -> Result<(), SinkError> {
        Ok(())
    }

    /// Keeps the timers of zones over a restart; `None` forgets those of a zone.
    ///
    /// # Errors
    /// They are not kept: they are told again with the next ones.
    fn keep(&self, timers: Vec<(Name, Option<Saved>)>) -> Result<(), SinkError>;
}

/// Why a version is not in service.
#[derive(Debug)]
pub enum SinkError {
    /// The differences are to another version than the one that is served. The whole zone helps.
    NotFitting(Box<dyn Error + Send + Sync>),
    /// A difference is to a serial that is here, but not to its content: a record that is deleted is not there, for instance. The whole
    /// zone helps, and somebody must find out which of both was wrong. The serial is the one that it is to: the served one, or one that
    /// the differences before it led to.
    Diverged(Serial, Box<dyn Error + Send + Sync>),
    /// The version may not replace what is served: it is not asked for again.
    Refused(Box<dyn Error + Send + Sync>),
    /// It could not be kept, or the publisher does not answer: it is tried again later.
    Failed(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for SinkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFitting(_) => "the differences do not fit the version that is served",
            Self::Diverged(..) => "the differences are to other content than there is here",
            Self::Refused(_) => "the version is refused",
            Self::Failed(_) => "the version could not be put into service",
        })
    }
}

impl Error for SinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotFitting(source)
            | Self::Diverged(_, source)
            | Self::Refused(source)
            | Self::Failed(source) => Some(source.as_ref()),
        }
    }
}
