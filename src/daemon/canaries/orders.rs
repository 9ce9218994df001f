//! What the task does about orders of operators.

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

    /// The zones that an operator names, of those that a group covers and that are served.
    fn named(&self, zones: &[String]) -> Result<Vec<Name>, String> {
        if zones.is_empty() {
            return Err("no zone is named".to_owned());
        }
        let mut named = Vec::new();
        for text in zones {
            let filter = ZoneFilter::parse(text);
            let before = named.len();
            for (name, entry) in &self.entries.zones {
                let is_well = self
                    .entries
                    .waiting
                    .get(name)
                    .is_none_or(|waiting| waiting.state != CanaryState::Overdue && !waiting.is_withheld);
                if filter.takes(&name.to_string(), is_well) && entry.group < self.groups.len() {
                    named.push(name.clone());
                }
            }
            if named.len() == before {
                return Err(format!(
                    "{text}: no zone of a [[canary]] has this name and is served; see `anyns status`"
                ));
            }
        }
        Ok(named)
    }

    async fn release_by_order(&mut self, zones: &[String]) -> Result<String, String> {
        let named = self.named(zones)?;
        let published = self.context.published.load();
        let mut released = Vec::new();
        for name in named {
            let Some(served) = published.zone(&name).cloned() else { continue };
            if self.entries.waiting.get(&name).is_some() {
                self.released.insert(name.clone(), (served, ReleaseReason::Ordered));
                released.push(name);
            }
        }
        if released.is_empty() {
            return Err("nothing waits: all secondaries may have what is served already".to_owned());
        }
        self.carry_out().await;
        let of = listed(&released);
        Ok(match self.unkept.is_empty() {
            true => format!("{of}: all secondaries get the newest version now"),
            false => format!(
                "{of}: all secondaries get the newest version now; a restart may hold it back again, because the state directory cannot be written"
            ),
        })
    }

    async fn halt_by_order(&mut self, zones: &[String]) -> Result<String, String> {
        let named = self.named(zones)?;
        let kept = |name: &Name| {
            let entry = self.entries.zones.get(name)?;
            Some((name.clone(), Some(KeptRelease { is_halted: true, is_unhealthy: false, ..entry.kept() })))
        };
        let rows: Vec<_> = named.iter().filter_map(kept).collect();
        let is_kept = self.context.publisher.keep_releases(rows).await;
        let is_kept =
            is_kept.map_err(|error| format!("cannot keep which zones are halted, so none is: {error}"))?;
        for name in &named {
            if let Some(entry) = self.entries.zones.get_mut(name) {
                entry.machine.halt();
                entry.stopped = None;
                self.unkept.remove(name);
                tracing::warn!(zone = %name, "no newer version goes to all secondaries, by order");
            }
            self.released.remove(name);
            self.entries.settle(name, &self.groups, std::time::Instant::now());
        }
        let of = listed(&named);
        let until = if is_kept {
            "also over a restart, until"
        } else {
            "until a restart, because there is no zones.state-directory, or"
        };
        Ok(format!("{of}: nothing newer goes to all secondaries, {until}: anyns zone release"))
    }
}

/// Names of zones in a sentence.
fn listed(names: &[Name]) -> String {
    match names.len() {
        count if count > MOST_NAMES => format!("{count} zones"),
        _ => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
