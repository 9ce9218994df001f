//! What the task does about orders of operators.

use std::collections::BTreeSet;

use crate::control::ZoneFilter;
use crate::publish::KeptRelease;
use crate::transfer::canary::{CanaryState, ReleaseReason};
use crate::wire::Name;

use super::control::CanaryOrder;
use super::task::CanaryTask;

/// Names that an answer tells; of more the number is told.
const MOST_NAMES: usize = 5;

impl CanaryTask {
    pub(super) async fn obey(&mut self, order: CanaryOrder) {
        match order {
            CanaryOrder::Configure(transfers, reply) => {
                self.configure(&transfers);
                let _ = reply.send(());
            }
            CanaryOrder::Release(zones, reply) => {
                let outcome = self.release_by_order(&zones).await;
                self.tell();
                let _ = reply.send(outcome);
            }
            CanaryOrder::Halt(zones, reply) => {
                let outcome = self.halt_by_order(&zones).await;
                self.tell();
                let _ = reply.send(outcome);
            }
        }
    }

    /// The zones that an operator names, of those that a group covers and that are served, each once, and the names that are none of
    /// them: what is meant for the others is not put off for those.
    /// Those that are known otherwise already are no unknown ones.
    fn named(&self, zones: &[String], known: &BTreeSet<Name>) -> Result<Named, String> {
        if zones.is_empty() {
            return Err("no zone is named".to_owned());
        }
        let mut named = Named::default();
        for text in zones {
            let filter = ZoneFilter::parse(text);
            let mut is_known = known.iter().any(|name| filter.takes(&name.to_string(), false));
            for (name, entry) in &self.entries.zones {
                let is_well = self
                    .entries
                    .waiting
                    .get(name)
                    .is_none_or(|waiting| waiting.state != CanaryState::Overdue && !waiting.is_withheld);
                if filter.takes(&name.to_string(), is_well) && entry.group < self.groups.len() {
                    is_known = true;
                    named.zones.insert(name.clone());
                }
            }
            if !is_known {
                named.unknown.push(text.clone());
            }
        }
        match named.zones.is_empty() && known.is_empty() {
            true => Err(named.unknown_text()),
            false => Ok(named),
        }
    }

    async fn release_by_order(&mut self, zones: &[String]) -> Result<String, String> {
        let acknowledged = self.acknowledge(zones);
        let named = self.named(zones, &acknowledged)?;
        let published = self.context.published.load();
        let mut released = Vec::new();
        for name in named.zones.iter().cloned() {
            let Some(served) = published.zone(&name).cloned() else { continue };
            if self.entries.waiting.get(&name).is_some() {
                let version = self.version_of(&served);
                self.released.insert(name.clone(), (served, version, ReleaseReason::Ordered));
                released.push(name);
            }
        }
        let uncovered: Vec<Name> = acknowledged.into_iter().collect();
        let of_uncovered = format!(
            "{}: all secondaries have the newest version already, because no [[canary]] covers it any more",
            listed(&uncovered)
        );
        if released.is_empty() && !uncovered.is_empty() {
            self.carry_out().await;
            return named.outcome(of_uncovered, true);
        }
        if released.is_empty() {
            return named
                .outcome("nothing waits: all secondaries may have what is served already".to_owned(), false);
        }
        self.carry_out().await;
        let of = listed(&released);
        let text = match self.unkept.is_empty() {
            true => format!("{of}: all secondaries get the newest version now"),
            false => format!(
                "{of}: all secondaries get the newest version now; a restart may hold it back again, because the state directory cannot be written"
            ),
        };
        named.outcome(if uncovered.is_empty() { text } else { format!("{text}; {of_uncovered}") }, true)
    }

    async fn halt_by_order(&mut self, zones: &[String]) -> Result<String, String> {
        let named = self.named(zones, &BTreeSet::new())?;
        let kept = |name: &Name| {
            let entry = self.entries.zones.get(name)?;
            Some((name.clone(), Some(KeptRelease { is_halted: true, is_unhealthy: false, ..entry.kept() })))
        };
        let rows: Vec<_> = named.zones.iter().filter_map(kept).collect();
        let is_kept = match self.context.publisher.keep_releases(rows).await {
            Ok(is_kept) => is_kept,
            Err(error) => {
                // The disk may have it late all the same.
                self.keep_again(&named.zones);
                return Err(format!("cannot keep which zones are halted, so none is: {error}"));
            }
        };
        for name in &named.zones {
            if let Some(entry) = self.entries.zones.get_mut(name) {
                entry.machine.halt();
                (entry.stopped, entry.row) = (None, Some(entry.kept()));
                self.unkept.remove(name);
                tracing::warn!(zone = %name, "no newer version goes to all secondaries, by order");
            }
            self.released.remove(name);
            self.settle(name, std::time::Instant::now());
        }
        let all: Vec<Name> = named.zones.iter().cloned().collect();
        let of = listed(&all);
        let until = if is_kept {
            "also over a restart, until"
        } else {
            "until a restart, because there is no zones.state-directory, or"
        };
        let words: Vec<String> = match all.len() > MOST_NAMES {
            true => zones.iter().map(|word| format!("'{word}'")).collect(),
            false => all.iter().map(ToString::to_string).collect(),
        };
        let order = format!("anyns zone release {}", words.join(" "));
        named.outcome(format!("{of}: nothing newer goes to all secondaries, {until}: {order}"), true)
    }
}

/// What names and patterns mean.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    zones: BTreeSet<Name>,
    unknown: Vec<String>,
}

impl Named {
    fn unknown_text(&self) -> String {
        let names = self.unknown.join(", ");
        format!("{names}: no zone of a [[canary]] has this name and is served; see `anyns status`")
    }

    /// What came of an order: not all of it was done where a name is unknown, and what was done is told all the same.
    fn outcome(&self, text: String, is_done: bool) -> Result<String, String> {
        match (self.unknown.is_empty(), is_done) {
            (true, true) => Ok(text),
            (true, false) => Err(text),
            (false, _) => Err(format!("{text}; but {}", self.unknown_text())),
        }
    }
}

/// Names of zones in a sentence.
fn listed(names: &[Name]) -> String {
    match names.len() {
        count if count > MOST_NAMES => format!("{count} zones"),
        _ => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_beside_others_is_a_fault_and_what_was_done_is_told() {
        let named = |unknown: &[&str]| Named {
            zones: ["a.example.".parse().unwrap()].into(),
            unknown: unknown.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(named(&[]).outcome("done".to_owned(), true), Ok("done".to_owned()));
        assert_eq!(named(&[]).outcome("nothing waits".to_owned(), false), Err("nothing waits".to_owned()));
        let told = named(&["b", "c"]).outcome("a.example. is halted".to_owned(), true).unwrap_err();
        assert!(told.starts_with("a.example. is halted; but b, c: no zone of a [[canary]]"), "{told}");
    }
}
