//! One zone, as the coordinator keeps it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{at_unix, rfc3339_of, unix_seconds};
use crate::publish::{Force, KeptDivergence, KeptLineage};
use crate::transfer::message::Soa;
use crate::transfer::refresh::{
    Action, Behind, Bounds, Contradiction, DueComparison, Now, Order, Phase, Refresh, Saved,
};
use crate::wire::{Name, RecordType, Serial};
use crate::zone::{Expiry, Zone};

use crate::transfer::secondary::fetch::install_gate::InstallGate;
use crate::transfer::secondary::report::{Diverged, LastTransfer, ZoneReport};
use crate::transfer::secondary::settings::{PrimariesDiffer, SecondaryZone};

/// Rounds that fail before a catalog is given up at a start: with the pauses of 1, 2, 4, 8 and 16 s between them half a minute. A hub
/// that starts again, or a route that comes a little later than this process, takes less.
const MANY_FAILURES: u32 = 6;

/// One zone.
#[derive(Debug)]
pub(in crate::transfer::secondary) struct ZoneEntry {
    pub(in crate::transfer::secondary) settings: SecondaryZone,
    /// `None` until it is known what is served: at a start the publisher may still be about to bring the zone back.
    refresh: Option<Refresh>,
    /// What came before that.
    pub(in crate::transfer::secondary) early: Early,
    /// The news of a version that is not served yet.
    told: Option<VersionNews>,
    /// Another number for each zone, and each time that it got other primaries: what was asked of the old ones is nothing that
    /// the new ones said.
    pub(in crate::transfer::secondary) generation: u64,
    /// Closed when the zone goes.
    pub(in crate::transfer::secondary) gate: Arc<InstallGate>,
    /// When it is in the list of timers.
    pub(in crate::transfer::secondary) armed: Option<Instant>,
    pub(in crate::transfer::secondary) last_error: Option<(SystemTime, String)>,
    pub(in crate::transfer::secondary) last_transfer: Option<LastTransfer>,
    pub(in crate::transfer::secondary) diverged: Option<Diverged>,
    /// Whether the last transfer that it wanted was not begun, because its primary was silent for another one.
    pub(in crate::transfer::secondary) is_paused: bool,
    /// Whether it was a member before, and went.
    pub(in crate::transfer::secondary) is_listed_again: bool,
    /// What the query path was told.
    expiry: Expiry,
    is_stale: bool,
    /// What was logged of primaries with other content under one serial.
    contradiction: Option<(Option<SocketAddr>, Option<SocketAddr>, Serial)>,
    /// What of it is kept over a restart.
    kept: Option<Lasting>,
    /// Whether a version of a primary was refused, and it is not told since that no primary has it any more.
    was_refused: bool,
}

/// When it was checked, the failures since, what is wrong with its primaries, and who has what is served: what is kept of it over a restart.
type Lasting = (Option<SystemTime>, u32, Option<Behind>, Option<Diverged>, Option<KeptLineage>);

/// The news of a version: a NOTIFY, or an SOA response.
#[derive(Clone, Copy, Debug)]
struct VersionNews {
    /// The serial; `None` while a NOTIFY without one is all that is known.
    serial: Option<Serial>,
    at: Instant,
}

/// What came before a zone was known: it counts as soon as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::transfer::secondary) struct Early {
    /// A NOTIFY, with the latest serial that one had.
    notify: Option<Option<Serial>>,
    order: Option<Order>,
}

impl Early {
    /// A NOTIFY came.
    pub(in crate::transfer::secondary) fn note_notify(&mut self, hint: Option<Serial>) {
        let known = self.notify.flatten();
        self.notify = Some(known.filter(|known| hint.is_none_or(|hint| !hint.is_after(*known))).or(hint));
    }

    /// An order came. A whole zone that is ordered comes, whatever is ordered beside it.
    pub(in crate::transfer::secondary) fn note_order(&mut self, order: Order) {
        self.order = self.order.filter(|known| *known == Order::Retransfer).or(Some(order));
    }
}

/// What has changed and is to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::transfer::secondary) struct Changed {
    /// What the query path must know.
    pub(in crate::transfer::secondary) expiry: Option<Expiry>,
    /// Its timers are other than the ones that are kept.
    pub(in crate::transfer::secondary) timers: bool,
    /// A divergence has begun or is resolved, or another primary gave what is served: that is to be kept at once.
    pub(in crate::transfer::secondary) diverged: bool,
    /// No primary has the version any more that was refused, and what is served is confirmed.
    pub(in crate::transfer::secondary) withdrawn: bool,
    /// Whether a version of a primary is refused.
    pub(in crate::transfer::secondary) refused: bool,
}

impl ZoneEntry {
    pub(in crate::transfer::secondary) fn new(settings: SecondaryZone, generation: u64) -> Self {
        Self {
            settings,
            refresh: None,
            early: Early::default(),
            told: None,
            generation,
            gate: Arc::default(),
            armed: None,
            last_error: None,
            last_transfer: None,
            diverged: None,
            is_paused: false,
            is_listed_again: false,
            expiry: Expiry::Current,
            is_stale: false,
            contradiction: None,
            kept: None,
            was_refused: false,
        }
    }

    /// Whether it is known what is served.
    pub(in crate::transfer::secondary) fn is_known(&self) -> bool {
        self.refresh.is_some()
    }

    /// This is served, or nothing; of a version that was kept, `saved` tells when it was checked. What is to be done at once.
    pub(in crate::transfer::secondary) fn begin(
        &mut self,
        bounds: Bounds,
        served: Option<Soa>,
        saved: Option<Saved>,
        now: Now,
    ) -> Option<Action> {
        let primaries = self.settings.primaries.len();
        self.diverged = saved.filter(|_| served.is_some()).and_then(diverged_of);
        let refresh = Refresh::new(bounds, primaries, served, saved, now, fastrand::Rng::new());
        let refresh = self.refresh.insert(refresh);
        if let Some(lineage) = saved.and_then(|saved| saved.lineage) {
            refresh.restore_lineage(lineage, &self.settings.addresses());
        }
        if self.is_listed_again {
            refresh.set_listed_again(now);
        }
        let Early { notify, order } = std::mem::take(&mut self.early);
        let ordered = order.and_then(|order| refresh.ordered(order));
        // Behind an order it is taken when that is carried out.
        ordered.or(notify.and_then(|hint| refresh.notified(None, hint)))
    }

    /// A primary tells of a version, by a NOTIFY with its serial or without, or by an SOA response. What is served is no news.
    pub(in crate::transfer::secondary) fn note_told(&mut self, serial: Option<Serial>, now: Now) {
        let served = self.refresh.as_ref().and_then(|refresh| refresh.status(now).serial);
        let is_news = match (serial, served) {
            (Some(serial), Some(served)) => serial.is_after(served),
            _ => true,
        };
        self.told = match self.told {
            // The SOA response to a NOTIFY without a serial.
            Some(told) if told.serial.is_none() => {
                is_news.then_some(VersionNews { serial: serial.or(told.serial), at: told.at })
            }
            Some(told) if !is_news || serial.zip(told.serial).is_none_or(|(new, old)| !new.is_after(old)) => {
                Some(told)
            }
            _ => is_news.then_some(VersionNews { serial, at: now.instant }),
        };
    }

    /// A version is in service: how long ago it was told of first, if that was before this time.
    pub(in crate::transfer::secondary) fn take_told(
        &mut self,
        serial: Serial,
        begun: Instant,
        now: Now,
    ) -> Duration {
        let told = self.told.take();
        // The news of a later version is of one that has not come.
        self.told = told.filter(|told| told.serial.is_some_and(|told| told.is_after(serial)));
        let told = told.filter(|told| told.serial.is_none_or(|told| told == serial));
        let first = told.map_or(begun, |told| told.at.min(begun));
        now.instant.saturating_duration_since(first)
    }

    /// The version that is served was replaced by another way than a transfer, maybe. Of one that was kept, and comes late, `saved` tells
    /// when it was checked.
    pub(in crate::transfer::secondary) fn serves(
        &mut self,
        now: Now,
        served: Option<Soa>,
        saved: Option<Saved>,
    ) {
        let is_confirmed = self.is_confirmed(now);
        let Some(refresh) = &mut self.refresh else { return };
        let serial = |soa: Soa| soa.serial;
        if refresh.status(now).serial != served.map(serial) {
            refresh.serves(now, served);
            if let (Some(soa), Some(saved), false) = (served, saved, is_confirmed) {
                refresh.restore(soa, saved, now);
                if let Some(lineage) = saved.lineage {
                    refresh.restore_lineage(lineage, &self.settings.addresses());
                }
                self.diverged = diverged_of(saved);
            }
        }
    }

    /// Versions that waited are forgotten, and this is what is served.
    pub(in crate::transfer::secondary) fn fell_back(&mut self, now: Now, served: Option<Soa>) {
        if let Some(refresh) = &mut self.refresh {
            refresh.fell_back(now, served);
        }
    }

    /// An operator has named this zone: its primaries are compared soon.
    pub(in crate::transfer::secondary) fn compare_soon(&mut self) {
        if let Some(refresh) = &mut self.refresh {
            refresh.compare_soon();
        }
    }

    /// A primary has other content under this serial than there is here.
    pub(in crate::transfer::secondary) fn note_diverged(&mut self, diverged: Diverged, now: Now) {
        self.diverged = Some(diverged);
        if let Some(refresh) = &mut self.refresh {
            refresh.parted(now);
        }
    }

    /// Whether a primary has given or confirmed what is served.
    pub(in crate::transfer::secondary) fn is_confirmed(&self, now: Now) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.status(now).checked.is_some())
    }

    /// Whether a version of a primary was refused, or may be being judged.
    pub(in crate::transfer::secondary) fn may_be_refused(&self, now: Now) -> bool {
        let status = self.refresh.as_ref().map(|refresh| refresh.status(now));
        let is_one = |phase| matches!(phase, Phase::Transferring { .. });
        status.is_some_and(|status| status.refused.is_some() || is_one(status.phase))
    }

    /// Whether a NOTIFY began what is under way.
    pub(in crate::transfer::secondary) fn is_hinted(&self) -> bool {
        self.refresh.as_ref().is_some_and(Refresh::is_hinted)
    }

    /// Gives an event to the state machine; what is to be done.
    pub(in crate::transfer::secondary) fn step(
        &mut self,
        event: impl FnOnce(&mut Refresh) -> Option<Action>,
    ) -> Option<Action> {
        self.refresh.as_mut().and_then(event)
    }

    /// Takes what the configuration says now, with the names of keys that have `changed`. Other primaries get the `generation`.
    pub(in crate::transfer::secondary) fn change(
        &mut self,
        settings: SecondaryZone,
        changed: &HashSet<Name>,
        (bounds, generation): (Bounds, u64),
        now: Now,
    ) -> PrimariesDiffer {
        let differ = settings.differ_from(&self.settings, changed);
        let (lineage, addresses) = (self.kept_lineage(), self.settings.addresses());
        self.settings = settings;
        if let Some(refresh) = &mut self.refresh {
            refresh.set_bounds(bounds);
            if differ == PrimariesDiffer::InAddresses {
                let believed = refresh.believed(&addresses);
                refresh.change_primaries(self.settings.primaries.len(), now);
                if let Some(lineage) = lineage {
                    refresh.restore_lineage(lineage, &self.settings.addresses());
                }
                refresh.restore_belief(&believed, &self.settings.addresses());
            }
        }
        if differ == PrimariesDiffer::InAddresses {
            self.generation = generation;
            // What comes from the others is not wanted any more.
            let next = Arc::new(self.gate.next());
            std::mem::replace(&mut self.gate, next).close();
        }
        differ
    }

    /// When it is to be looked at: the next time of the state machine, or the end of what is served.
    pub(in crate::transfer::secondary) fn due(&self, now: Now) -> Option<Instant> {
        let refresh = self.refresh.as_ref()?;
        let expires = refresh.expires().filter(|_| !refresh.is_expired(now));
        [refresh.due(), expires].into_iter().flatten().min()
    }

    /// When what is served expires, once that is known.
    pub(in crate::transfer::secondary) fn expires(&self) -> Option<Instant> {
        self.refresh.as_ref()?.confirmed_expiry()
    }

    /// Looks what has changed since it was last looked at, and says it in the log.
    pub(in crate::transfer::secondary) fn settle(&mut self, now: Now) -> Changed {
        let Some(refresh) = &self.refresh else { return Changed::default() };
        let (zone, is_expired) = (&self.settings.name, refresh.is_expired(now));
        let status = refresh.status(now);
        let expiry = self.settings.expired.when(is_expired);
        let mut changed = Changed::default();
        if expiry != self.expiry {
            changed.expiry = Some(expiry);
            let checked = status.checked.map(rfc3339_of);
            let (error, checked) = (self.error(), checked.unwrap_or_else(|| "never".to_owned()));
            match expiry {
                Expiry::Current => tracing::warn!(%zone, "the zone has not expired any more"),
                Expiry::Stale => {
                    tracing::error!(%zone, checked, error, "the zone has expired: it is served as stale");
                }
                Expiry::Expired => {
                    tracing::error!(%zone, checked, error, "the zone has expired: it is answered SERVFAIL");
                }
            }
            self.expiry = expiry;
        }
        let is_stale = status.stale_since.is_some();
        if is_stale != self.is_stale {
            let serial = status.serial.map_or(0, |Serial(serial)| serial);
            match status.stale_since {
                Some(since) => {
                    let since = rfc3339_of(since);
                    let error = self.error();
                    tracing::warn!(%zone, serial, since, error, "no primary has confirmed what is served for longer than REFRESH: the zone is stale");
                }
                None => {
                    tracing::info!(%zone, serial, "a primary has confirmed it again: the zone is not stale any more")
                }
            }
            self.is_stale = is_stale;
        }
        // By their addresses: other primaries in the list are no other contradiction.
        let address = |primary: usize| self.settings.primaries.get(primary).map(|server| server.address);
        let contradiction =
            status.contradiction.map(|it| (it.giver.and_then(address), address(it.other), it.serial));
        if contradiction != self.contradiction {
            self.log_contradiction(status.contradiction);
            self.contradiction = contradiction;
        }
        let lineage = self.kept_lineage();
        let kept = Some((status.checked, status.failures, status.behind, self.diverged, lineage));
        changed.timers = kept != self.kept && status.serial.is_some() || changed.expiry.is_some();
        changed.diverged = self.kept.is_some_and(|(.., diverged, before)| {
            diverged != self.diverged || before.is_some_and(|before| has_turned(before, lineage))
        });
        self.kept = kept;
        changed.refused = status.refused.is_some();
        if status.phase == Phase::Idle {
            let is_refused = status.refused.is_some();
            changed.withdrawn = self.was_refused && !is_refused && status.failures == 0;
            // A round that fails in between says nothing of what its primaries have.
            self.was_refused = is_refused || (self.was_refused && !changed.withdrawn);
        }
        changed
    }

    /// Says that two primaries have other content under one serial, or that it has ended.
    fn log_contradiction(&self, found: Option<Contradiction>) {
        let zone = &self.settings.name;
        let address = |primary: Option<usize>| {
            let server = primary.and_then(|primary| self.settings.primaries.get(primary));
            server.map_or_else(|| "none of the primaries".to_owned(), |server| server.address.to_string())
        };
        match found {
            Some(Contradiction { giver, other, serial }) => {
                let (giver, primary) = (address(giver), address(Some(other)));
                tracing::error!(%zone, %serial, primary, giver, "the primary has other content under this serial than the one that gave what is served: no differences are taken from it");
            }
            None => {
                tracing::info!(%zone, "no two primaries are known any more to have other content under one serial")
            }
        }
    }

    /// Which primary is to be compared with what is served next.
    pub(super) fn comparison(&self) -> Option<DueComparison> {
        self.refresh.as_ref()?.comparison()
    }

    /// Who has what is served, as it is kept.
    fn kept_lineage(&self) -> Option<KeptLineage> {
        self.refresh.as_ref()?.kept_lineage(&self.settings.addresses())
    }

    fn error(&self) -> &str {
        self.last_error.as_ref().map_or("none is known", |(_, text)| text)
    }

    /// Whether a version is served, or an attempt has failed.
    pub(in crate::transfer::secondary) fn is_tried(&self) -> bool {
        self.refresh.as_ref().is_some_and(Refresh::is_tried)
    }

    /// Whether a version is served, or attempts have failed for some half a minute.
    pub(in crate::transfer::secondary) fn is_tried_often(&self) -> bool {
        let refresh = self.refresh.as_ref();
        refresh.is_some_and(|refresh| refresh.is_served() || refresh.failures() >= MANY_FAILURES)
    }

    /// What is kept over a restart.
    pub(in crate::transfer::secondary) fn save(&self, now: Now) -> Option<Saved> {
        let diverged = self.diverged.map(|it| KeptDivergence {
            primary: it.primary,
            serial: it.serial,
            at: unix_seconds(it.at),
        });
        let lineage = self.kept_lineage();
        self.refresh.as_ref().map(|refresh| Saved { diverged, lineage, ..refresh.save(now) })
    }

    /// The facts; `None` until they are known.
    pub(in crate::transfer::secondary) fn report(&self, now: Now) -> Option<ZoneReport> {
        let refresh = self.refresh.as_ref()?;
        Some(ZoneReport {
            zone: self.settings.name.clone(),
            primaries: self.settings.addresses(),
            status: refresh.status(now),
            is_expired: refresh.is_expired(now),
            expiry: self.expiry,
            last_error: self.last_error.clone(),
            last_transfer: self.last_transfer.clone(),
            diverged: self.diverged,
        })
    }

    /// Whether a transfer from this primary says that no two contents are under one serial any more. An order says that somebody has
    /// looked, and a zone that is listed again is another one. Differences that fit prove that the primary has what is served, which
    /// the one that had other content shows by itself, because that content was taken: with several primaries another one has to.
    pub(in crate::transfer::secondary) fn is_resolved_by(
        &self,
        (primary, force): (SocketAddr, Force),
        whole: bool,
    ) -> bool {
        let Some(diverged) = self.diverged else { return false };
        let is_other = diverged.primary != primary || self.settings.primaries.len() == 1;
        force != Force::No || (!whole && is_other)
    }

    /// Notes why a primary brought nothing.
    pub(in crate::transfer::secondary) fn note_error(&mut self, primary: SocketAddr, text: &str) {
        self.last_error = Some((SystemTime::now(), format!("{primary}: {text}")));
    }
}

/// Whether another primary gave what is served, or another one is known to have other content: a restart that did not know it might take
/// differences that do not fit.
fn has_turned(before: KeptLineage, now: Option<KeptLineage>) -> bool {
    let giver = |it: KeptLineage| it.giver.map(|giver| giver.primary);
    let other = |it: KeptLineage| it.other.filter(|other| !other.is_same);
    let is_other_giver = |now| giver(before).is_some() && giver(before) != giver(now);
    now.is_none_or(|now| is_other_giver(now) || other(before) != other(now))
}

fn diverged_of(saved: Saved) -> Option<Diverged> {
    let KeptDivergence { primary, serial, at } = saved.diverged?;
    Some(Diverged { primary, serial, at: at_unix(at)? })
}

/// The numbers of a zone's SOA record.
pub(in crate::transfer::secondary) fn soa_of(zone: &Zone) -> Option<Soa> {
    Soa::from_rdata(zone.apex().set(RecordType::SOA)?.rdata().next()?)
}
