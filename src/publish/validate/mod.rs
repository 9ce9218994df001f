//! What an operator asks of a new version, beside what every zone must be: its own digest fits, records are there, a program agrees.
//!
//! A version flows in, a named refusal flows out. Runs on a thread of the pool, for whole versions and for what differences lead
//! to, before the version is kept or served. Never changes a version, never looks at one that an operator forces.
//!
//! | check | costs |
//! | --- | --- |
//! | `must-have` | a lookup for each record |
//! | ZONEMD (RFC 8976 section 4) | a pass over all records, of zones that have such a record |
//! | `validate`, a program | what the program takes, at most its limit, and the zone as text |

pub(in crate::publish) mod delegation;
pub(in crate::publish) mod fault;
mod program;
pub(in crate::publish) mod settings;

pub use fault::ProgramFault;
pub use settings::{NeededRecord, NeededRecordFault, ZoneChecks, Zonemd};

use crate::publish::accept::Refused;
use crate::publish::settings::Settings;
use crate::wire::LookupName;
use crate::zone::{DigestCheck, Zone};

/// Whether a version has what the settings ask for.
pub(in crate::publish) fn validate(zone: &Zone, settings: &Settings) -> Result<(), Refused> {
    check_content(zone, settings)?;
    let (own, all) = (settings.checks.get(zone.origin()), &settings.all_checks);
    match own.and_then(|own| own.program.as_ref()).or(all.program.as_ref()).map(Vec::as_slice) {
        None | Some([]) => Ok(()),
        Some(command) => program::run(command, zone, settings.validate_limit).map_err(Refused::Program),
    }
}

/// Whether it has the records and the digest that they ask for.
fn check_content(zone: &Zone, settings: &Settings) -> Result<(), Refused> {
    let (own, all) = (settings.checks.get(zone.origin()), &settings.all_checks);
    for needed in own.iter().flat_map(|own| &own.must_have) {
        has_records(zone, needed)?;
    }
    if own.and_then(|own| own.zonemd).or(all.zonemd).unwrap_or_default() == Zonemd::Refuse {
        match zone.check_digest() {
            DigestCheck::Wrong(fault) => return Err(Refused::Zonemd(fault)),
            DigestCheck::Unknown => {
                tracing::warn!(zone = %zone.origin(), "the ZONEMD records are of unknown kinds: the content is not verified by them");
            }
            DigestCheck::Absent | DigestCheck::Fits => {}
        }
    }
    Ok(())
}

fn has_records(zone: &Zone, needed: &NeededRecord) -> Result<(), Refused> {
    let NeededRecord { owner, record_type } = needed;
    match zone.find(&LookupName::from(owner)).and_then(|node| node.set(*record_type)) {
        Some(_) => Ok(()),
        None => Err(Refused::LacksRecord { owner: owner.clone(), record_type: *record_type }),
    }
}
