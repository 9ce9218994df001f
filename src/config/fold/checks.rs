//! `zonemd`, `validate` and `must-have` of `[zones]` and `[[zone]]`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::publish::{NeededRecord, Settings, ZoneChecks, Zonemd};
use crate::telemetry::with_causes;
use crate::wire::Name;

use super::super::fault::Faults;
use super::super::spec::{Spec, ZoneSpec, ZonemdSpec, span_of};
use super::period_or;

/// What is asked of the versions of the zones that say something of their own.
pub(super) fn fold_checks(spec: &Spec, faults: &mut Faults<'_>) -> BTreeMap<Name, ZoneChecks> {
    let mut checks = BTreeMap::new();
    // Of a hundred thousand zones most say nothing.
    let says_something =
        |zone: &&ZoneSpec| zone.zonemd.is_some() || zone.validate.is_some() || !zone.must_have.is_empty();
    for zone in spec.zone.iter().filter(says_something) {
        // An invalid name is already reported.
        let Ok(name) = zone.name.as_ref().parse::<Name>() else { continue };
        let mut own = ZoneChecks {
            must_have: Vec::new(),
            zonemd: zone.zonemd.map(zonemd),
            program: zone.validate.clone(),
        };
        for needed in &zone.must_have {
            match NeededRecord::parse(needed.as_ref(), &name) {
                Ok(needed) => own.must_have.push(needed),
                Err(error) => faults.error(Some(needed.span()), "zone.must-have", with_causes(&error)),
            }
        }
        if own != ZoneChecks::default() {
            checks.insert(name, own);
        }
    }
    checks
}

/// How long a program that judges a version may take.
pub(super) fn fold_validate_limit(spec: &Spec, faults: &mut Faults<'_>) -> Duration {
    let limit = period_or(&spec.zones.validate_limit, Settings::DEFAULT_VALIDATE_LIMIT);
    if limit.is_zero() || limit > Settings::LONGEST_VALIDATE_LIMIT {
        let message =
            format!("{}; allowed is more than nothing, and at most 10m", humantime::format_duration(limit));
        faults.error(span_of(&spec.zones.validate_limit), "zones.validate-limit", message);
    }
    limit
}

pub(super) fn zonemd(spec: ZonemdSpec) -> Zonemd {
    match spec {
        ZonemdSpec::Off => Zonemd::Off,
        ZonemdSpec::Refuse => Zonemd::Refuse,
    }
}
