//! Whole versions of primaries: judged, and, where one is refused, kept for an operator to inspect or accept.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::publish::accept::{Candidate, Force, Provenance, Terms};
use crate::publish::error::{AcceptError, OfferError};
use crate::publish::fault::Fault;
use crate::publish::settings::SerialRule;
use crate::publish::state::files::refused;
use crate::publish::work::zone::check_context::{Answer, Offer};
use crate::publish::work::zone::entry::{Entry, RefusedOffer};
use crate::publish::work::zone::steps::CheckRun;
use crate::wire::Serial;
use crate::zone::Zone;
use crate::zonefile::{ReadZone, read_zone};

impl CheckRun<'_> {
    /// Judges a version that a primary gave. It is in no file, so it is kept before it is served where it replaces another.
    pub(in crate::publish) fn offered(&mut self, entry: &mut Entry, offer: Offer) {
        let Offer { zone, digest, primary, force, reply } = offer;
        self.restore(entry);
        if let Some(fault) =
            entry.misplaced.clone().filter(|_| entry.waits_for_state() && force != Force::Order)
        {
            // Nothing is known of what it would replace.
            self.effects.answer = Some(Answer::Whole(reply, Err(OfferError::Unread { fault })));
            return;
        }
        entry.misplaced = None;
        let shrink_limit_percent = self.context.settings.shrink_limit_of(self.name);
        let (forced, rule) = (force >= Force::Anew, SerialRule::Strict);
        let (is_anew, is_forked) = (force == Force::Anew, force == Force::Forked);
        let terms = Terms { serial: rule, shrink_limit_percent, forced, is_anew, is_forked, raise: 0 };
        let serial = zone.serial();
        // Versions share what is the same: a copy is cheap.
        let candidate =
            Candidate { zone: zone.clone(), digest, provenance: Provenance::Transfer { primary } };
        if let Err(refused) = self.take(entry, candidate, terms) {
            let kept = self.keep_refused(entry, &zone, Some(primary));
            entry.verdict = Some(Box::new(Fault::RefusedOffer { primary, serial, refused, kept }));
        }
        let outcome = match &entry.verdict {
            Some(fault) => Err(OfferError::NotServed { fault: fault.clone() }),
            None => Ok(()),
        };
        self.effects.answer = Some(Answer::Whole(reply, outcome));
    }

    /// Keeps a version that was refused and is in no file, for an operator to inspect, or, where it is known which primary it came from, to
    /// accept; where, if that could be done.
    pub(in crate::publish) fn keep_refused(
        &self,
        entry: &mut Entry,
        zone: &Zone,
        primary: Option<SocketAddr>,
    ) -> Option<PathBuf> {
        let directory = self.context.state.writer()?.store().directory();
        let serial = zone.serial();
        match refused::keep(directory, zone) {
            Ok((path, octets)) => {
                let offer = |primary| RefusedOffer { serial, primary, path: path.clone(), octets };
                entry.refused_offer = primary.map(offer).map(Box::new);
                Some(path)
            }
            Err(error) => {
                let name = self.name;
                tracing::warn!(zone = %name, %serial, %error, "the refused version cannot be kept for inspection");
                entry.refused_offer = None;
                None
            }
        }
    }

    /// Serves a refused version of a primary, by an operator's order and without a check, if what was kept of it is as it was. The serial
    /// that is served.
    pub(in crate::publish) fn accept_refused(
        &mut self,
        entry: &mut Entry,
        offer: &RefusedOffer,
    ) -> Result<Serial, AcceptError> {
        let zone = self.name.clone();
        if entry.refused_offer.as_deref() != Some(offer) {
            // Another one was judged since the order was given.
            return Err(AcceptError::NothingRefused { zone });
        }
        self.restore(entry);
        let read = read_zone(&offer.path, self.name, &self.context.settings.limits).ok();
        let read = read.filter(|it| it.file_digest == Some(offer.octets) && it.zone.serial() == offer.serial);
        let Some(ReadZone { zone: version, digest, .. }) = read else {
            return Err(AcceptError::NotKept { zone, path: offer.path.clone() });
        };
        entry.misplaced = None;
        let shrink_limit_percent = self.context.settings.shrink_limit_of(self.name);
        let terms = Terms {
            serial: SerialRule::Strict,
            shrink_limit_percent,
            forced: true,
            is_anew: false,
            is_forked: false,
            raise: 0,
        };
        let RefusedOffer { serial, primary, path, .. } = offer.clone();
        let provenance = Provenance::Transfer { primary };
        if let Err(refused) = self.take(entry, Candidate { zone: version, digest, provenance }, terms) {
            entry.verdict =
                Some(Box::new(Fault::RefusedOffer { primary, serial, refused, kept: Some(path) }));
        }
        match &entry.verdict {
            None => Ok(serial),
            Some(fault) => {
                let fault = fault.clone();
                entry.refused_offer = Some(Box::new(offer.clone()));
                Err(AcceptError::StillRefused { fault })
            }
        }
    }
}
