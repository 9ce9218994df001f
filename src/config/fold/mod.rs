//! From the file's sections to the modules' settings, one file per group of sections.

mod basics;
mod canary;
mod catalog;
mod checks;
mod common;
mod config;
mod connections;
mod control;
mod fleet;
mod otlp;
mod own;
mod rate_limit;
mod route;
mod rssac002;
mod samples;
mod secrets;
mod serve;
mod tls;
mod transfer;
mod update;
mod useless;
mod web;
mod zones;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use tracing::level_filters::LevelFilter;

use crate::telemetry::{LogFormat, LogSettings, check_level};

use super::check;
use super::fault::Faults;
use super::spec::{LogFormatSpec, RouteDriverSpec, Spec};
use super::values::Period;

pub use basics::{Drain, Pop, RouteDriver};
pub use canary::CanaryGroup;
pub use catalog::{Catalogs, FollowedCatalog, ProducedCatalog};
pub(super) use common::{below, key_of, or_default, path_in, peer_below, period_or};
pub use config::Config;
pub(super) use control::{service_socket, usual_socket};
pub(super) use fleet::fold_fleet;
pub use transfer::{ShownCertificate, Transfers, TransfersAtStart};

/// Folds every section; `None` where some setting cannot be made, each such fault noted in `faults`.
pub(super) fn fold(spec: &Spec, faults: &mut Faults<'_>) -> Option<Config> {
    let pop = fold_pop(spec, faults);
    let service_addresses = spec.service.iter().map(|service| {
        let addresses = service.addresses.as_ref().iter().map(|address| *address.as_ref()).collect();
        (*service.prefix.as_ref(), addresses)
    });
    let service_addresses: Vec<(IpNet, Vec<IpAddr>)> = service_addresses.collect();
    check::addresses(spec, faults);

    let serve = serve::fold_serve(spec, &pop, &service_addresses, faults);
    let rate_limit = rate_limit::fold_rate_limit(spec, &pop, faults);
    catalog::check_catalogs(spec, faults);
    let (publish, required) = zones::fold_zones(spec, faults);
    let fleet = fold_fleet(&spec.fleet, &pop.management_addresses, faults);
    let transfers = transfer::fold_transfers(spec, &pop, &fleet, faults);
    useless::warn_of_transfers(spec, &transfers, faults);
    let health = serve::fold_health(spec, &pop, &service_addresses, &required, faults);
    let policy = route::fold_policy(spec, faults);
    let services = route::fold_services(spec, faults);
    let route = route::fold_route(spec, &pop, &services, faults);
    let answer = serve::fold_answer(spec, &pop, faults);
    let log = fold_log(spec, &pop, faults);
    let control = control::fold_control(spec, faults);
    let web = web::fold_web(spec, &service_addresses, faults);
    let drain = fold_drain(spec, faults);
    let samples = samples::fold_samples(spec, &pop, &service_addresses, faults);
    let rssac002 = rssac002::fold_rssac002(spec, &pop, faults);
    let otlp = otlp::fold_otlp(spec, &pop, faults);
    let lease = route::fold_lease(spec, faults);
    // Every section was looked at: only now may one be missing.
    Some(Config {
        digest: String::new(),
        log,
        answer,
        install_addresses: spec.serve.install_addresses,
        drain,
        control,
        secret_files: secrets::secret_files(spec, faults.folder()),
        web,
        fleet,
        samples,
        rssac002,
        otlp,
        pop,
        serve,
        rate_limit,
        publish: Arc::new(publish),
        transfers,
        required,
        health,
        policy,
        lease,
        services: services?,
        service_addresses,
        route: route?,
    })
}

fn fold_pop(spec: &Spec, faults: &mut Faults<'_>) -> Pop {
    let name = spec.pop.name.as_ref().clone();
    check::label(&spec.pop.name, "pop.name", faults);
    let instance = spec.pop.instance.as_ref().map_or_else(
        || name.clone(),
        |instance| {
            check::label(instance, "pop.instance", faults);
            instance.as_ref().clone()
        },
    );
    let management = spec.pop.management_addresses.as_ref();
    Pop { name, instance, management_addresses: management.iter().map(|address| *address.as_ref()).collect() }
}

/// The module whose records the query log is.
const QUERY_LOG: &str = "anyns::dnstap::query_log";

/// Whether this level has records of the query log, as far as levels without spans tell. What is said of the module counts before what
/// is said of all.
fn logs_queries(level: &str) -> bool {
    let parts = level.split(',').map(str::trim).filter(|part| !part.contains('['));
    let parts = parts.map(|part| part.split_once('=').unwrap_or(("", part)));
    let of_module = parts.filter(|(module, _)| QUERY_LOG.starts_with(module));
    let nearest = of_module.max_by_key(|(module, _)| module.len());
    nearest.is_none_or(|(_, word)| word.parse::<LevelFilter>().is_ok_and(|level| level >= LevelFilter::INFO))
}

fn fold_log(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> LogSettings {
    let format = match spec.log.format {
        LogFormatSpec::Text => LogFormat::Text,
        LogFormatSpec::Json => LogFormat::Json,
    };
    let level = spec.log.level.as_ref().map_or("info", |level| level.as_ref());
    if let Err(error) = check_level(level) {
        faults.error(super::spec::span_of(&spec.log.level), "log.level", error.to_string());
    } else if spec.samples.as_ref().is_some_and(|samples| samples.query_log) && !logs_queries(level) {
        let message = format!(
            "{level:?} leaves out the records of samples.query-log, which have the level info; add \",{QUERY_LOG}=info\""
        );
        faults.warning(super::spec::span_of(&spec.log.level), "log.level", message);
    }
    LogSettings { format, level: level.to_owned(), pop: pop.name.clone(), instance: pop.instance.clone() }
}

fn fold_drain(spec: &Spec, faults: &mut Faults<'_>) -> Drain {
    let all = [
        ("drain.deprefer", &spec.drain.deprefer),
        ("drain.quiet", &spec.drain.quiet),
        ("drain.limit", &spec.drain.limit),
    ];
    for (key, period) in all {
        let Some(period) = period.as_ref().filter(|period| period.as_ref().0 > Drain::LONGEST) else {
            continue;
        };
        let text = humantime::format_duration(period.as_ref().0);
        faults.error(Some(period.span()), key, format!("{text}; at most 1day"));
    }
    // A dry run has no route to wait for: an interactive stop is immediate.
    let waits = spec.route.driver == RouteDriverSpec::Bgp;
    let or = |value: &Option<Spanned<Period>>, default: Duration| {
        period_or(value, if waits { default } else { Duration::ZERO })
    };
    Drain {
        deprefer: or(&spec.drain.deprefer, Drain::DEFAULT_DEPREFER),
        quiet: or(&spec.drain.quiet, Drain::DEFAULT_QUIET),
        limit: or(&spec.drain.limit, Drain::DEFAULT_LIMIT),
    }
}

#[cfg(test)]
mod tests {
    use super::logs_queries;

    #[test]
    fn a_level_that_leaves_out_the_query_log_is_known() {
        for (level, expected) in [
            ("info", true),
            ("debug", true),
            ("warn", false),
            ("WARN", false),
            ("off", false),
            ("warn,anyns::dnstap=info", true),
            ("anyns=warn", false),
            ("info,anyns::dnstap::query_log=error", false),
            ("warn,anyns::health=debug", false),
        ] {
            assert_eq!(logs_queries(level), expected, "{level}");
        }
    }
}
