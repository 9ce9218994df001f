//! `[rate-limit]`.

use std::num::NonZeroU32;

use ipnet::IpNet;
use toml::Spanned;

use crate::admission::{Mode, Settings, SettingsError};

use super::super::fault::Faults;
use super::super::spec::{RateLimitMode, Spec, span_of};
use super::{Pop, or_default};

pub(super) fn fold_rate_limit(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> Settings {
    let section = &spec.rate_limit;
    let default = Settings::default();
    let rate = &section.queries_per_second;
    let queries_per_second =
        positive(rate, default.queries_per_second, "rate-limit.queries-per-second", faults);
    // A burst follows a rate that is set: two seconds' worth, as the default.
    let twice = queries_per_second
        .map_or(default.burst, |rate| rate.saturating_mul(NonZeroU32::MIN.saturating_add(1)));
    let burst = positive(&section.burst, twice, "rate-limit.burst", faults);
    let own = pop.management_addresses.iter().map(|address| IpNet::from(*address));
    let exempt = section.exempt.as_ref().map(|exempt| exempt.as_ref().clone()).unwrap_or_default();
    let settings = Settings {
        mode: match section.mode {
            RateLimitMode::Enforce => Mode::Enforce,
            RateLimitMode::DryRun => Mode::DryRun,
            RateLimitMode::Off => Mode::Off,
        },
        // One that cannot be is noted above.
        queries_per_second: queries_per_second.unwrap_or(default.queries_per_second),
        burst: burst.unwrap_or(default.burst),
        ipv4_prefix_length: or_default(&section.ipv4_prefix_length, default.ipv4_prefix_length),
        ipv6_prefix_length: or_default(&section.ipv6_prefix_length, default.ipv6_prefix_length),
        slip: or_default(&section.slip, default.slip),
        // The POP's own probes are never limited, or a limit would look like ill health.
        exempt: exempt.into_iter().chain(own).collect(),
        table_slots: or_default(&section.table_slots, default.table_slots),
    };
    for fault in settings.faults() {
        let (span, key) = match fault {
            SettingsError::Ipv4PrefixLength(_) => {
                (span_of(&section.ipv4_prefix_length), "ipv4-prefix-length")
            }
            SettingsError::Ipv6PrefixLength(_) => {
                (span_of(&section.ipv6_prefix_length), "ipv6-prefix-length")
            }
            SettingsError::TableSlots(_) => (span_of(&section.table_slots), "table-slots"),
            SettingsError::Exempt(_) => (span_of(&section.exempt), "exempt"),
        };
        faults.error(span, &format!("rate-limit.{key}"), fault.to_string());
    }
    settings
}

fn positive(
    value: &Option<Spanned<u32>>,
    default: NonZeroU32,
    key: &str,
    faults: &mut Faults<'_>,
) -> Option<NonZeroU32> {
    let Some(value) = value else { return Some(default) };
    let number = NonZeroU32::new(*value.as_ref());
    if number.is_none() {
        faults.error(
            Some(value.span()),
            key,
            "0 would answer nobody; allowed is 1 to 4294967295, or mode = \"off\"",
        );
    }
    number
}
