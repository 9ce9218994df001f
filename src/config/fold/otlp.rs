//! `[otlp]`: logs and traces to an OpenTelemetry receiver.

use crate::otlp::{Endpoint, Settings};

use super::super::fault::Faults;
use super::super::spec::Spec;
use super::Pop;

/// `None` where nothing is exported.
pub(super) fn fold_otlp(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> Option<Settings> {
    let text = &spec.otlp.as_ref()?.endpoint;
    let endpoint = match text.as_ref().parse::<Endpoint>() {
        Ok(endpoint) => endpoint,
        Err(error) => {
            faults.error(Some(text.span()), "otlp.endpoint", format!("{:?}: {error}", text.as_ref()));
            return None;
        }
    };
    let address = endpoint.address();
    let mut own = pop.management_addresses.iter();
    if !address.ip().is_loopback() && !own.any(|own| own.is_ipv4() == address.is_ipv4()) {
        let message = format!(
            "{address}: no management address has this family, and nothing leaves from a service address"
        );
        faults.error(Some(text.span()), "otlp.endpoint", message);
    }
    Some(Settings {
        endpoint,
        pop: pop.name.clone(),
        instance: pop.instance.clone(),
        sources: pop.management_addresses.clone(),
    })
}
