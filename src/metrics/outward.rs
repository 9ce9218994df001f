//! What goes out to secondaries, and what comes that changes zones.

use super::exposition::Exposition;
use super::facts::OutwardFacts;
use super::table;

pub(super) fn write(text: &mut Exposition, facts: &OutwardFacts) {
    let mut family = text.family(&table::SENT_TRANSFERS);
    for (kind, result, count) in &facts.transfers {
        family.row(&[kind, result], *count);
    }
    text.single(&table::SENT_OCTETS, facts.octets);
    let mut family = text.family(&table::REFUSED_REQUESTS);
    for (reason, count) in &facts.refusals {
        family.row(&[reason], *count);
    }
    let mut family = text.family(&table::NOTIFIES);
    for target in &facts.targets {
        family.row(&[&target.target, "taken"], target.taken);
        family.row(&[&target.target, "refused"], target.refused);
        family.row(&[&target.target, "unanswered"], target.unanswered);
    }
    let mut family = text.family(&table::NOTIFY_ZONES);
    for target in &facts.targets {
        family.row(&[&target.target, "refused"], target.zones_refused);
        family.row(&[&target.target, "silent"], target.zones_silent);
    }
    let mut family = text.family(&table::UPDATES);
    for (result, count) in &facts.updates {
        family.row(&[result], *count);
    }
    let mut family = text.family(&table::BAD_SIGNATURES);
    for (message, error, count) in &facts.bad_signatures {
        family.row(&[message, error], *count);
    }
}
