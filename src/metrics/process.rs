//! The process: version, verdict, tasks, facts.

use std::collections::BTreeMap;

use crate::control::{Cause, Status};

use super::exposition::Exposition;
use super::facts::Facts;
use super::table;

pub(super) fn write(text: &mut Exposition, status: &Status, facts: &Facts) {
    text.family(&table::BUILD).row(&[&status.version], 1);
    text.family(&table::CONFIG).row(&[&facts.config_digest], 1);
    text.single(&table::START, status.started);
    text.single(&table::VERDICT, status.overall.verdict.exit_code());
    write_alarms(text, status);
    text.single(&table::DRY_RUN, u8::from(status.dry_run));
    text.single(&table::STOPPING, u8::from(status.stopping));
    let order = match status.operator.order.as_str() {
        "deprefer" => 1,
        "withdraw" => 2,
        _ => 0,
    };
    text.single(&table::DRAINED, order);
    let reload_failed = status.reload.as_ref().is_some_and(|reload| reload.failed);
    text.single(&table::RELOAD_FAILED, u8::from(reload_failed));
    text.single(&table::LOG_DROPPED, facts.log_dropped);
    text.single(&table::SAMPLES_WRITTEN, facts.samples.written);
    text.single(&table::DNSTAP_DROPPED, facts.samples.dropped);
    text.single(&table::QUERY_LOG_DROPPED, facts.samples.log_dropped);
    text.single(&table::SAMPLES_DROPPED, facts.samples.not_taken);
    text.single(&table::OTLP_EXPORTED, facts.exported.exported);
    text.single(&table::OTLP_DROPPED, facts.exported.dropped);
    let mut family = text.family(&table::CERTIFICATE_EXPIRES);
    for certificate in &facts.certificates {
        family.row(&[certificate.purpose], certificate.expires);
    }
    let mut family = text.family(&table::CERTIFICATE_BEGINS);
    for certificate in &facts.certificates {
        family.row(&[certificate.purpose], certificate.not_before);
    }
    text.single(&table::WEB_REFUSED, facts.web_refused);
    let mut family = text.family(&table::TASK_AGE);
    for (task, age) in &facts.task_ages {
        family.row(&[task], age);
    }
    let mut family = text.family(&table::TASK_PANICS);
    for task in &status.tasks {
        family.row(&[&task.name], task.panics);
    }
    let mut family = text.family(&table::FACT_AGE);
    for (fact, age) in &facts.fact_ages {
        family.row(&[fact], age);
    }
}

/// Each cause has a sample, also without alarms: a series that comes and goes is hard to watch.
fn write_alarms(text: &mut Exposition, status: &Status) {
    let mut counts: BTreeMap<Cause, u64> =
        [Cause::Host, Cause::Zones, Cause::Probes, Cause::Routes, Cause::Rest].map(|cause| (cause, 0)).into();
    for complaint in &status.overall.complaints {
        *counts.entry(complaint.cause).or_default() += 1;
    }
    let mut family = text.family(&table::ALARMS);
    for (cause, count) in counts {
        let word = match cause {
            Cause::Host => "host",
            Cause::Zones => "zones",
            Cause::Probes => "probes",
            Cause::Routes => "routes",
            Cause::Rest => "rest",
        };
        family.row(&[word], count);
    }
}
