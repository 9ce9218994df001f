//! What only metrics tell, and what is observed of it between scrapes: the ages of facts, the totals of busy zones.

use std::time::Duration;

use crate::metrics::{ExportFacts, SampleFacts};
use crate::telemetry::{CertificateValidity, Freshness};

use crate::daemon::status::zones::busy_zones::BusyTable;

/// What a part tells at this moment; never blocks.
type MetricSource<T> = Box<dyn FnMut() -> T + Send>;

/// What only metrics tell.
#[derive(Default)]
pub(in crate::daemon) struct MetricSources {
    /// How often each source of facts was checked, by its name.
    pub(in crate::daemon) checks: Vec<(&'static str, MetricSource<u64>)>,
    /// Log records that were dropped.
    pub(in crate::daemon) log_dropped: Option<MetricSource<u64>>,
    /// Connections to the page that found no place.
    pub(in crate::daemon) web_refused: Option<MetricSource<u64>>,
    /// When the certificate of the page is valid.
    pub(in crate::daemon) web_certificate: Option<MetricSource<Option<CertificateValidity>>>,
    /// The same of the most urgent certificate that the page shows to other POPs.
    pub(in crate::daemon) fleet_certificate: Option<MetricSource<Option<CertificateValidity>>>,
    /// dnstap messages that were written, and those that nobody took.
    pub(in crate::daemon) samples: Option<MetricSource<SampleFacts>>,
    /// Log records and spans that an OpenTelemetry receiver got, and those that nobody got.
    pub(in crate::daemon) exported: Option<MetricSource<ExportFacts>>,
}

/// What is observed between scrapes.
#[derive(Debug, Default)]
pub(in crate::daemon::status) struct MetricWatch {
    /// In the order of the sources.
    pub(in crate::daemon::status) facts: Vec<(Freshness, Duration)>,
    pub(in crate::daemon::status) busy: BusyTable,
}

impl MetricWatch {
    /// Takes the counts of checks as they are at this run time.
    pub(in crate::daemon::status) fn observe(&mut self, sources: &mut MetricSources, at: Duration) {
        self.facts.resize(sources.checks.len(), Default::default());
        for ((_, count), (freshness, age)) in sources.checks.iter_mut().zip(&mut self.facts) {
            *age = freshness.observe(count(), at);
        }
    }
}
