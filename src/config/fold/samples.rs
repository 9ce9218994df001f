//! `[samples]`: dnstap, the query log and catchments.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::dnstap::{Settings, Target};

use super::super::fault::Faults;
use super::super::spec::Spec;
use super::Pop;

/// `None` where nothing takes samples.
pub(super) fn fold_samples(
    spec: &Spec,
    pop: &Pop,
    service_addresses: &[(IpNet, Vec<IpAddr>)],
    faults: &mut Faults<'_>,
) -> Option<Settings> {
    let section = spec.samples.as_ref()?;
    let target = section.dnstap.as_ref().and_then(|text| match text.as_ref().parse::<Target>() {
        Ok(target) => Some((target, text.span())),
        Err(error) => {
            faults.error(Some(text.span()), "samples.dnstap", format!("{:?}: {error}", text.as_ref()));
            None
        }
    });
    if let Some((Target::Tcp(address), span)) = &target
        && !address.ip().is_loopback()
        && !pop.management_addresses.iter().any(|own| own.is_ipv4() == address.is_ipv4())
    {
        let message = format!(
            "{address}: no management address has this family, and nothing leaves from a service address"
        );
        faults.error(Some(span.clone()), "samples.dnstap", message);
    }
    let one_in = section.one_in.as_ref().map_or(Settings::DEFAULT_ONE_IN, |one_in| {
        if *one_in.as_ref() == 0 {
            faults.error(
                Some(one_in.span()),
                "samples.one-in",
                "0 samples nothing; allowed is 1 (each message) to 4294967295, or leave the section out",
            );
        }
        *one_in.as_ref()
    });
    let target = target.map(|(target, _)| target);
    let catchments = section.catchments.unwrap_or(true);
    (target.is_some() || section.query_log || catchments).then(|| Settings {
        one_in,
        target,
        query_log: section.query_log,
        full_addresses: section.full_addresses,
        catchments,
        identity: pop.instance.clone(),
        sources: pop.management_addresses.clone(),
        service_addresses: service_addresses.iter().flat_map(|(_, addresses)| addresses).copied().collect(),
    })
}
