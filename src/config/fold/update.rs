//! `database` and `update` of `[[zone]]`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::telemetry::with_causes;
use crate::transfer::tsig::Keys;
use crate::update::{UpdateSettings, policy};
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{Spec, ZoneSpec};

/// The zones that live in the state directory.
pub(super) fn fold_databases(spec: &Spec, faults: &mut Faults<'_>) -> BTreeSet<Name> {
    let mut databases = BTreeSet::new();
    for zone in &spec.zone {
        let span = || Some(zone.name.span());
        let name = zone.name.as_ref();
        let says = zone.database.as_ref().map(|database| *database.as_ref());
        if says == Some(false) && !zone.update.is_empty() {
            let message =
                format!("{name} takes updates, so it lives in the state directory: leave database out");
            faults.error(span(), "zone.database", message);
        }
        if !is_database(zone) {
            continue;
        }
        if !zone.primaries.is_empty() {
            let message = format!("{name} comes from primaries: updates go there");
            faults.error(span(), "zone.update", message);
        }
        if spec.zones.state_directory.is_none() {
            let message = format!("{name} lives in the state directory: set zones.state-directory");
            faults.error(span(), "zone.database", message);
        }
        if !zone.update.is_empty() && spec.transfer.listen.is_empty() && spec.transfer.tls.is_none() {
            let message = format!("{name} takes updates: set transfer.listen, where they arrive");
            faults.error(span(), "zone.update", message);
        }
        databases.extend(name.parse::<Name>());
    }
    databases
}

/// Who may change what.
pub(super) fn fold_updates(spec: &Spec, keys: &Arc<Keys>, faults: &mut Faults<'_>) -> UpdateSettings {
    let mut settings = UpdateSettings { keys: keys.clone(), ..UpdateSettings::default() };
    for zone in spec.zone.iter().filter(|zone| !zone.update.is_empty()) {
        // An invalid name is already reported.
        let Ok(name) = zone.name.as_ref().parse::<Name>() else { continue };
        match policy(&name, &zone.update, keys) {
            Ok(policy) => drop(settings.zones.insert(name, policy)),
            Err(error) => faults.error(Some(zone.name.span()), "zone.update", with_causes(&error)),
        }
    }
    settings
}

fn is_database(zone: &ZoneSpec) -> bool {
    !zone.update.is_empty() || zone.database.as_ref().is_some_and(|database| *database.as_ref())
}
