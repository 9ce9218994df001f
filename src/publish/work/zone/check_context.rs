//! What a check of a zone may use, and what it asks for.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::publish::accept::{Digest, Force};
use crate::publish::difference::{Applied, Difference};
use crate::publish::error::{AcceptError, ApplyError, OfferError};
use crate::publish::fault::SourceFault;
use crate::publish::settings::Settings;
use crate::publish::source::SourceKey;
use crate::publish::source::mounts::MountTable;
use crate::publish::source::unseen::Unseen;
use crate::publish::source::watch::Watch;
use crate::publish::state::directory::StateDirectory;
use crate::publish::state::files::holds::Holds;
use crate::publish::state::store::zone_serials::ZoneSerials;
use crate::publish::state::version::step_source::StepSource;
use crate::publish::state::writer::ready::Version;
use crate::publish::verify::Modes;
use crate::publish::work::zone::entry::RefusedOffer;
use crate::publish::work::zone::zones_below::ZonesBelow;
use crate::wire::Serial;
use crate::zone::{Published, Zone};
use crate::zonefile::FileProgress;

/// What a check of a zone may use.
pub(in crate::publish) struct CheckContext {
    pub(in crate::publish) settings: Arc<Settings>,
    /// How often the settings were replaced: what was judged under others is judged again.
    pub(in crate::publish) settings_generation: u32,
    /// What to do with signatures.
    pub(in crate::publish) modes: Arc<Modes>,
    pub(in crate::publish) state: Arc<StateDirectory>,
    /// The zones that an operator holds.
    pub(in crate::publish) holds: Arc<Holds>,
    /// Which serials zones had before.
    pub(in crate::publish) serials: ZoneSerials,
    pub(in crate::publish) published: Arc<Published>,
    /// Shows the large file that is being read.
    pub(in crate::publish) file_progress: Arc<FileProgress>,
    /// The watches, unless only a reload deploys; knows the writers of files in any case.
    pub(in crate::publish) watch: Option<Watch>,
    pub(in crate::publish) writers: Watch,
    /// Whether a source could not be read whole.
    pub(in crate::publish) partial: bool,
    /// The directories that could not be read.
    pub(in crate::publish) unseen: Arc<Unseen>,
    /// Which paths lead to another file system.
    pub(in crate::publish) mounts: Arc<MountTable>,
    /// Whether the first load goes on: then zones are not announced in the log one by one.
    pub(in crate::publish) first: bool,
}

impl std::fmt::Debug for CheckContext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("CheckContext")
            .field("settings_generation", &self.settings_generation)
            .finish_non_exhaustive()
    }
}

/// Why nothing was done in a check.
#[derive(Debug)]
pub(in crate::publish) enum GivenBack {
    /// The zone is large and was not known to be.
    TooLarge,
    /// It includes files on other file systems: it is to be checked with this group.
    Elsewhere(SourceKey),
}

/// What checks ask for.
#[derive(Debug, Default)]
pub(in crate::publish) struct Effects {
    /// To serve.
    pub(in crate::publish) added: Option<Arc<Zone>>,
    /// The zones to which that may change the delegation.
    pub(in crate::publish) below: ZonesBelow,
    /// To keep in the state directory.
    pub(in crate::publish) kept: Option<Version>,
    /// The configuration does not speak of it any more: to serve and to know no longer.
    pub(in crate::publish) forgotten: bool,
    /// Nothing is known of it: not to be remembered.
    pub(in crate::publish) unknown: bool,
    /// Faults that stay until the process ends.
    pub(in crate::publish) alarms: Vec<SourceFault>,
    /// It could not be made durable, and what waited to be kept may have been put off for it.
    pub(in crate::publish) is_unkept: bool,
    /// That is the entry's [`durability`](super::entry::Entry::durability) now.
    pub(in crate::publish) has_failed: bool,
    /// It was given up while it was being written: what the state directory has is not known.
    pub(in crate::publish) is_unsure: bool,
    /// Who waits for the outcome, and the outcome.
    pub(in crate::publish) answer: Option<Answer>,
}

/// Where the outcome of an offer goes.
pub(in crate::publish) type OfferReply = Reply<(), OfferError>;

/// What is judged instead of a zone's file.
#[derive(Debug)]
pub(in crate::publish) enum Offered {
    /// A whole version.
    Whole(Box<Offer>),
    /// Differences in a row, to the version that is served.
    Differences(OfferedDifferences),
    /// A version of a primary that was refused, and that an operator accepts.
    Refused(Box<RefusedOffer>, Reply<Serial, AcceptError>),
    /// Nothing: no primary has the version any more that was refused.
    Withdrawn,
}

/// Differences in a row.
#[derive(Debug)]
pub(in crate::publish) struct OfferedDifferences {
    pub(in crate::publish) differences: Vec<Difference>,
    /// Who gave them, if that is known. Of an operator's way back nothing but what cannot be is refused.
    pub(in crate::publish) source: Option<StepSource>,
    pub(in crate::publish) reply: Reply<Applied, ApplyError>,
}

/// The outcome of an offer, for who made it.
#[derive(Debug)]
pub(in crate::publish) enum Answer {
    /// Of a whole version.
    Whole(OfferReply, Result<(), OfferError>),
    /// Of differences.
    Differences(Reply<Applied, ApplyError>, Result<Applied, ApplyError>),
    /// Of a refused version that was accepted: the serial that is served.
    Accepted(Reply<Serial, AcceptError>, Result<Serial, AcceptError>),
}

impl Answer {
    /// Whether what a primary offered is served now.
    pub(in crate::publish) fn is_taken(&self) -> bool {
        matches!(self, Self::Whole(_, Ok(())) | Self::Differences(_, Ok(_)) | Self::Accepted(_, Ok(_)))
    }

    /// Tells it; who made the offer may be gone.
    pub(in crate::publish) fn tell(self) {
        match self {
            Self::Whole(reply, outcome) => drop(reply.send(outcome)),
            Self::Differences(reply, outcome) => drop(reply.send(outcome)),
            Self::Accepted(reply, outcome) => drop(reply.send(outcome)),
        }
    }
}

/// Where the outcome of an order goes.
pub(in crate::publish) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// A version that a primary gave.
#[derive(Debug)]
pub(in crate::publish) struct Offer {
    pub(in crate::publish) zone: Zone,
    pub(in crate::publish) digest: Digest,
    pub(in crate::publish) primary: SocketAddr,
    /// Whether it is wanted whatever its serial.
    pub(in crate::publish) force: Force,
    pub(in crate::publish) reply: OfferReply,
}
