//! `[[catalog]]`: catalogs that are followed, and catalogs that are made here (RFC 9432).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use crate::catalog::RemovalLimit;
use crate::control::ZoneFilter;
use crate::telemetry::with_causes;
use crate::transfer::secondary::{OnExpiry, SecondaryZone};
use crate::transfer::settings::{OnExpirySpec, SettingsFault, ZoneTransferSpec, secondary_zone};
use crate::transfer::tsig::Keys;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{CatalogSpec, GroupSpec, Spec, span_of};
use super::{key_of, or_default, peer_below, period_or};

/// What nobody missed for a year is not missed.
const LONGEST_KEEP: Duration = Duration::from_secs(366 * 86_400);

/// What the file says of catalogs.
#[derive(Clone, Debug, Default)]
pub struct Catalogs {
    /// Those whose zones are served here.
    pub followed: Vec<FollowedCatalog>,
    /// Those that are made here.
    pub produced: Vec<ProducedCatalog>,
    /// The zones that the file names one by one: no catalog has them. Empty where no catalog is followed.
    pub configured: Arc<BTreeSet<Name>>,
    /// What becomes of members that expire where no catalog says it.
    pub expired: OnExpiry,
}

/// A catalog whose zones are served here.
#[derive(Clone, Debug)]
pub struct FollowedCatalog {
    /// Its name.
    pub name: Name,
    /// How many members may go at once.
    pub limit: RemovalLimit,
    /// How long what is kept of a removed member stays.
    pub keep: Duration,
    /// How many percent of the members must have come or failed before anything is announced at a start.
    pub ready_percent: u8,
    /// Which zones it may list.
    pub allowed: Vec<ZoneFilter>,
    /// The settings of a member that is in no group with settings of its own; the name is the catalog's.
    pub zones: SecondaryZone,
    /// The settings of members in these groups (RFC 9432 section 4.4.2); of several groups the first counts.
    pub groups: Vec<(Box<[u8]>, SecondaryZone)>,
}

impl FollowedCatalog {
    /// How long what is kept of a removed member stays where nothing is said: a week, in which a removal that was a mistake is noticed.
    pub const DEFAULT_KEEP: Duration = Duration::from_secs(7 * 86_400);

    /// Whether it may list a zone.
    pub fn may_list(&self, zone: &Name) -> bool {
        self.allowed.contains(&ZoneFilter::All) || takes(&self.allowed, &zone.to_string())
    }

    /// The settings of a member.
    pub fn member(&self, name: &Name, groups: &[Box<[u8]>]) -> SecondaryZone {
        let own = self.groups.iter().find(|(group, _)| groups.contains(group));
        let settings = own.map_or(&self.zones, |(_, settings)| settings);
        SecondaryZone { name: name.clone(), ..settings.clone() }
    }
}

/// A catalog that is made here.
#[derive(Clone, Debug)]
pub struct ProducedCatalog {
    /// Its name.
    pub name: Name,
    /// How many members may go at once.
    pub limit: RemovalLimit,
    /// Which of the zones that are served here are listed.
    pub zones: Vec<ZoneFilter>,
    /// Groups, and which zones are in them.
    pub groups: Vec<(String, Vec<ZoneFilter>)>,
    /// Zones that another catalog may take over (RFC 9432 section 4.4.1).
    pub hand_over: BTreeMap<Name, Name>,
}

impl ProducedCatalog {
    /// Whether a zone is listed.
    pub fn lists(&self, zone: &str) -> bool {
        takes(&self.zones, zone)
    }

    /// The groups that a zone is in.
    pub fn groups_of(&self, zone: &str) -> Vec<Box<[u8]>> {
        let groups = self.groups.iter().filter(|(_, zones)| takes(zones, zone));
        groups.map(|(group, _)| group.as_bytes().into()).collect()
    }
}

fn takes(filters: &[ZoneFilter], zone: &str) -> bool {
    filters.iter().any(|filter| filter.takes(zone, true))
}

/// The names of all catalogs.
pub(super) fn names(spec: &Spec) -> impl Iterator<Item = Name> {
    spec.catalog.iter().filter_map(|catalog| catalog.name.as_ref().parse().ok())
}

/// What a catalog says of its own transfer.
pub(super) fn transfer_of(folder: &Path, catalog: &CatalogSpec) -> ZoneTransferSpec {
    ZoneTransferSpec {
        primaries: catalog.primaries.iter().map(|peer| peer_below(folder, peer)).collect(),
        notify_from: catalog.notify_from.clone(),
        allow_transfer: catalog.allow_transfer.clone(),
        notify: catalog.notify.clone(),
        expired: catalog.expired,
    }
}

/// Checks what can be told without keys: names, and keys of one kind of catalog in the other.
pub(super) fn check_catalogs(spec: &Spec, faults: &mut Faults<'_>) {
    if spec.catalog.is_empty() {
        return;
    }
    let mut seen: BTreeSet<Name> =
        spec.zone.iter().filter_map(|zone| zone.name.as_ref().parse().ok()).collect();
    for catalog in &spec.catalog {
        let text = catalog.name.as_ref();
        let span = || Some(catalog.name.span());
        match text.parse::<Name>() {
            Err(error) => {
                faults.error(span(), "catalog.name", format!("{text:?} is not a zone name: {error}"))
            }
            Ok(name) if !seen.insert(name.clone()) => {
                let message = format!("{name} is there a second time, as a [[zone]] or a [[catalog]]");
                faults.error(span(), "catalog.name", message);
            }
            Ok(_) => {}
        }
        match (catalog.primaries.is_empty(), catalog.produce) {
            (true, false) => {
                let message =
                    format!("{text} has no primaries to come from; or say produce = true to make it here");
                faults.error(span(), "catalog.primaries", message);
            }
            (false, true) => {
                let message =
                    format!("{text} comes from primaries and is made here; a catalog does one of them");
                faults.error(span(), "catalog.produce", message);
            }
            (false, false) if !catalog.hand_over.is_empty() => {
                let message = format!(
                    "{text} comes from primaries, which say who may take over what: hand-over goes to them"
                );
                faults.error(span(), "catalog.hand-over", message);
            }
            (true, true) if spec.transfer.listen.is_empty() && spec.transfer.tls.is_none() => {
                let message =
                    format!("nobody can have {text}: set transfer.listen, where secondaries ask for it");
                faults.error(span(), "catalog.produce", message);
            }
            _ => {}
        }
        percent(&catalog.removal_limit_percent, "catalog.removal-limit-percent", faults);
        percent(&catalog.ready_percent, "catalog.ready-percent", faults);
        if let Some(keep) = catalog.keep_removed.as_ref().filter(|keep| keep.as_ref().0 > LONGEST_KEEP) {
            let text = humantime::format_duration(keep.as_ref().0);
            faults.error(Some(keep.span()), "catalog.keep-removed", format!("{text}; at most 366days"));
        }
        if !catalog.produce && spec.zones.state_directory.is_none() {
            let message =
                "without zones.state-directory a restart serves no zone of it until its primaries answer";
            faults.warning(span(), "catalog.name", message);
        }
    }
}

fn percent(value: &Option<Spanned<u8>>, key: &str, faults: &mut Faults<'_>) {
    if let Some(percent) = value.as_ref().map(Spanned::as_ref).filter(|percent| **percent > 100) {
        faults.error(span_of(value), key, format!("{percent} percent; allowed is 0 to 100"));
    }
}

/// The settings of all catalogs; what is wrong is told, and left out.
pub(super) fn fold_catalogs(
    spec: &Spec,
    keys: &Keys,
    management: &[IpAddr],
    faults: &mut Faults<'_>,
) -> Catalogs {
    let mut catalogs = Catalogs { expired: spec.transfer.expired.into(), ..Catalogs::default() };
    if spec.catalog.iter().any(|catalog| !catalog.produce) {
        let zones = spec.zone.iter().filter(|zone| zone.file.is_some() || !zone.primaries.is_empty());
        let names = zones.filter_map(|zone| zone.name.as_ref().parse().ok());
        catalogs.configured = Arc::new(names.collect());
    }
    for catalog in &spec.catalog {
        let Ok(name) = catalog.name.as_ref().parse::<Name>() else { continue };
        let default = RemovalLimit::default();
        let limit = RemovalLimit {
            percent: or_default(&catalog.removal_limit_percent, default.percent),
            members: or_default(&catalog.removal_limit, default.members),
        };
        if catalog.produce {
            catalogs.produced.push(produced(&name, limit, catalog, faults));
            continue;
        }
        let folder = faults.folder();
        match followed(&name, limit, (spec, catalog), (keys, management), folder) {
            Ok(catalog) => catalogs.followed.push(catalog),
            // What is wrong with the primaries of the catalog itself is told of its own transfer, too.
            Err(found) => found.iter().for_each(|fault| {
                let (span, key) = (catalog.name.span(), key_of("catalog", fault));
                faults.error_once(Some(span), &key, with_causes(fault));
            }),
        }
    }
    catalogs
}

fn followed(
    name: &Name,
    limit: RemovalLimit,
    (spec, catalog): (&Spec, &CatalogSpec),
    (keys, management): (&Keys, &[IpAddr]),
    folder: &Path,
) -> Result<FollowedCatalog, Vec<SettingsFault>> {
    let zone = |transfer: &ZoneTransferSpec, expired: OnExpirySpec| {
        secondary_zone(name, transfer, expired, keys, management)
    };
    let own = transfer_of(folder, catalog);
    let expired = catalog.expired.unwrap_or(spec.transfer.expired);
    let group = |group: &GroupSpec| -> Result<(Box<[u8]>, SecondaryZone), Vec<SettingsFault>> {
        let primaries = match group.primaries.is_empty() {
            true => own.primaries.clone(),
            false => group.primaries.iter().map(|peer| peer_below(folder, peer)).collect(),
        };
        let notify_from = group.notify_from.clone().unwrap_or_else(|| own.notify_from.clone());
        let transfer = ZoneTransferSpec { primaries, notify_from, ..ZoneTransferSpec::default() };
        let settings = zone(&transfer, group.expired.unwrap_or(expired))?;
        Ok((group.name.as_ref().as_bytes().into(), settings))
    };
    Ok(FollowedCatalog {
        name: name.clone(),
        limit,
        keep: period_or(&catalog.keep_removed, FollowedCatalog::DEFAULT_KEEP),
        ready_percent: or_default(&catalog.ready_percent, 100),
        allowed: filters_or_all(&catalog.zones),
        zones: zone(&own, expired)?,
        groups: catalog.group.iter().map(group).collect::<Result<_, _>>()?,
    })
}

fn filters(texts: &[String]) -> Vec<ZoneFilter> {
    texts.iter().map(|text| ZoneFilter::parse(text)).collect()
}

/// Which zones a catalog has, where nothing is said all.
fn filters_or_all(texts: &[String]) -> Vec<ZoneFilter> {
    if texts.is_empty() { vec![ZoneFilter::All] } else { filters(texts) }
}

fn produced(
    name: &Name,
    limit: RemovalLimit,
    catalog: &CatalogSpec,
    faults: &mut Faults<'_>,
) -> ProducedCatalog {
    let zones = filters_or_all(&catalog.zones);
    let group = |group: &GroupSpec| (group.name.as_ref().clone(), filters(&group.zones));
    let groups = catalog.group.iter().map(group).collect();
    let mut hand_over = BTreeMap::new();
    let mut add = |(zone, to): (&String, &Spanned<String>), span: Range<usize>| match (
        zone.parse::<Name>(),
        to.as_ref().parse::<Name>(),
    ) {
        (Ok(zone), Ok(to)) => drop(hand_over.insert(zone, to)),
        _ => {
            let message = format!("{zone:?} = {:?}: both are names, of a zone and of a catalog", to.as_ref());
            faults.error(Some(span), "catalog.hand-over", message);
        }
    };
    catalog.hand_over.iter().for_each(|entry| add(entry, entry.1.span()));
    ProducedCatalog { name: name.clone(), limit, zones, groups, hand_over }
}
