//! Where the deciding task's facts come from: receivers of what the other parts publish.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::health::Health;
use crate::policy::{Facts, Operator};
use crate::publish::Report;
use crate::serve;
use crate::wire::Name;

use super::facts;

/// The receivers, and what health is told in return.
pub(super) struct Sources {
    pub(super) report: watch::Receiver<Arc<Report>>,
    pub(super) serve_facts: watch::Receiver<serve::Facts>,
    pub(super) lost_addresses: watch::Receiver<Vec<IpAddr>>,
    pub(super) health: Health,
    /// The zones to probe, for health.
    pub(super) zones: watch::Sender<Arc<[Name]>>,
    /// The report that health was told of.
    pub(super) told: Arc<Report>,
}

impl Sources {
    /// This moment's facts.
    pub(super) fn gather(&mut self, required: &[Name], operator: Operator) -> Facts {
        let report = self.report.borrow_and_update().clone();
        self.tell_health(&report);
        let serving = self.serve_facts.borrow_and_update().clone();
        let lost_addresses = self.lost_addresses.borrow_and_update().clone();
        let probes = self.health.probes.borrow_and_update().clone();
        facts::gather(&report, required, &serving, &lost_addresses, &probes, operator)
    }

    /// Returns when any fact has changed. A fact whose source is gone changes no more.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            Ok(()) = self.report.changed() => {}
            Ok(()) = self.serve_facts.changed() => self.health.kick(),
            Ok(()) = self.lost_addresses.changed() => self.health.kick(),
            Ok(()) = self.health.probes.changed() => {}
            else => std::future::pending().await,
        }
    }

    fn tell_health(&mut self, report: &Arc<Report>) {
        // There may be hundreds of thousands of zones, and a decision comes often.
        if Arc::ptr_eq(&self.told, report) {
            return;
        }
        self.told = report.clone();
        self.zones.send_if_modified(|zones| {
            let served = facts::probed_zones(report);
            let differs = **zones != *served;
            if differs {
                *zones = served.into();
            }
            differs
        });
    }
}
