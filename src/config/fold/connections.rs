//! Bounds of connections, of TCP and of the encrypted transports.

use ipnet::IpNet;
use toml::Spanned;

use crate::serve;

use super::super::fault::Faults;
use super::super::spec::span_of;
use super::super::values::Period;
use super::{or_default, period_or};

/// How many connections, how many of one source, how long one may be silent.
type Connections<'a> = (&'a Option<Spanned<usize>>, &'a Option<Spanned<usize>>, &'a Option<Spanned<Period>>);

/// The bounds of connections, whose keys begin with `prefix`.
pub(super) fn fold_connections(
    prefix: &str,
    given: Connections<'_>,
    exempt: Vec<IpNet>,
    faults: &mut Faults<'_>,
) -> serve::TcpSettings {
    let default = serve::TcpSettings::default();
    let connections = or_default(given.0, default.connections);
    let connections_per_source = or_default(given.1, default.connections_per_source);
    let idle = period_or(given.2, default.idle);
    let checked =
        [(given.0, connections, "connections"), (given.1, connections_per_source, "connections-per-source")];
    for (value, number, key) in checked {
        if !(1..=100_000).contains(&number) {
            let message = format!("{number} connections; allowed is 1 to 100000");
            faults.error(span_of(value), &format!("{prefix}{key}"), message);
        }
    }
    if idle.as_secs() > 3600 || idle.as_millis() < 100 {
        let message = format!("{}; allowed is 100ms to 1h", humantime::format_duration(idle));
        faults.error(span_of(given.2), &format!("{prefix}idle"), message);
    }
    serve::TcpSettings { connections, connections_per_source, idle, exempt, ..default }
}
