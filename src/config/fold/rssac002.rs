//! `[rssac002]`: daily statistics.

use crate::rssac002::Settings;

use super::super::fault::Faults;
use super::super::spec::Spec;
use super::zones::parse_name;
use super::{Pop, path_in};

/// The most characters of a service: those of a domain name.
const MAX_SERVICE_CHARACTERS: usize = 253;

/// `None` where they are not asked for.
pub(super) fn fold_rssac002(spec: &Spec, pop: &Pop, faults: &mut Faults<'_>) -> Option<Settings> {
    let section = spec.rssac002.as_ref()?;
    let service = section.service.as_ref();
    let is_allowed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    // It stands in a YAML document as it is: letters first make it a text there.
    let begins = service.bytes().next().is_some_and(|octet| octet.is_ascii_alphabetic());
    if !begins || service.len() > MAX_SERVICE_CHARACTERS || !service.bytes().all(is_allowed) {
        let message = format!(
            "{service:?}: allowed is a name of letters, digits, dots and hyphens that begins with a letter, such as \"as112.example\""
        );
        faults.error(Some(section.service.span()), "rssac002.service", message);
    }
    let zone = section.zone.as_ref();
    let zone = zone.and_then(|zone| parse_name(zone.as_ref(), zone.span(), "rssac002.zone", faults));
    Some(Settings {
        directory: path_in(faults.folder(), &section.directory),
        service: service.clone(),
        instance: pop.instance.clone(),
        zone,
    })
}
