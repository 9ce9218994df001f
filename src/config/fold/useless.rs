//! Warnings of what `[transfer]`, `[[canary]]` and `[[key]]` say that never has the effect which it should have.

use std::net::IpAddr;

use toml::Spanned;

use crate::transfer::secondary::PrimaryServer;
use crate::transfer::tsig::Keys;

use super::super::fault::Faults;
use super::super::spec::{CatalogSpec, Spec};
use super::or_default;
use super::transfer::Transfers;
use crate::publish::Settings;

/// Zones of which one kind of warning is given: a generator makes the same mistake in all of them.
const MOST_ZONES: usize = 10;

/// Warns of secrets that are easily guessed.
fn warn_of_keys(spec: &Spec, keys: &Keys, faults: &mut Faults<'_>) {
    for key in keys.iter() {
        let Some(octets) = key.short_secret() else { continue };
        let place = spec.key.iter().find(|one| {
            one.as_ref()
                .name
                .parse::<crate::wire::Name>()
                .is_ok_and(|name| name.to_lowercase() == *key.name())
        });
        let (name, algorithm) = (key.name(), key.algorithm());
        let message = format!(
            "the secret of the key {name} has {octets} octets, and can be guessed: {algorithm} wants {} (RFC 2104 section 3)",
            algorithm.octets()
        );
        faults.warning(place.map(Spanned::span), "key.secret", message);
    }
}

/// Warns of canaries that can never prove a version, and of primaries that are listed twice.
pub(super) fn warn_of_transfers(spec: &Spec, transfers: &Transfers, faults: &mut Faults<'_>) {
    warn_of_keys(spec, &transfers.secondary.keys, faults);
    warn_of_canaries(spec, transfers, faults);
    warn_of_two_catalogs(spec, faults);
    let mut left = MOST_ZONES;
    // Catalogs are among them.
    for zone in &transfers.secondary.zones {
        let (name, primaries) = (&zone.name, &zone.primaries);
        let Some(twice) = listed_twice(primaries).filter(|_| left > 0) else { continue };
        left -= 1;
        let message = format!(
            "{name} has the primary {} twice: a second one helps if it is another server",
            twice.address
        );
        let named = spec.zone.iter().map(|zone| &zone.name).chain(spec.catalog.iter().map(|it| &it.name));
        let place = named
            .into_iter()
            .find(|text| text.as_ref().parse().is_ok_and(|it: crate::wire::Name| it == *name));
        faults.warning(place.map(Spanned::span), "primaries", message);
    }
}

/// Warns of a catalog that is followed, whose changes those hear of, too, who follow the one that is made here.
fn warn_of_two_catalogs(spec: &Spec, faults: &mut Faults<'_>) {
    let made = spec.catalog.iter().find(|catalog| catalog.produce);
    let Some(made) = made.filter(|_| !spec.transfer.notify.is_empty()) else { return };
    let is_told = |catalog: &&CatalogSpec| !catalog.produce && catalog.notify.is_none();
    for catalog in spec.catalog.iter().filter(is_told) {
        let (name, made) = (catalog.name.as_ref(), made.name.as_ref());
        let message = format!(
            "transfer.notify is told of the catalog {name}, too: a server there that follows {made} alone refuses that, and the status stays degraded; \
             if none follows {name}, give that notify = []"
        );
        faults.warning(Some(catalog.name.span()), "catalog.notify", message);
    }
}

/// The first that is asked in the same way as one before it.
fn listed_twice(primaries: &[PrimaryServer]) -> Option<&PrimaryServer> {
    primaries.iter().enumerate().find_map(|(index, one)| {
        let is_same = |other: &&PrimaryServer| other.address == one.address && other.key == one.key;
        primaries.get(..index)?.iter().find(is_same)
    })
}

fn warn_of_canaries(spec: &Spec, transfers: &Transfers, faults: &mut Faults<'_>) {
    let zones = &spec.zones;
    let has_no_history = or_default(&zones.history_steps, Settings::DEFAULT_HISTORY_STEPS) == 0
        || or_default(&zones.history_octets, Settings::DEFAULT_HISTORY_OCTETS) == 0;
    let lists = || transfers.primary.zones.values().chain([&transfers.primary.allowed]);
    let is_allowed = |address: IpAddr| {
        lists().any(|list| list.0.iter().any(|entry| entry.prefix.contains(&address.to_canonical())))
    };
    for (group, canary) in transfers.canaries.iter().zip(&spec.canary) {
        let span = canary.secondaries.span();
        for secondary in group.secondaries.iter().filter(|one| !is_allowed(one.address.ip())) {
            let address = secondary.address.ip();
            let message = format!(
                "{address} may have no zone, so it never proves a version: add it to transfer.allow, or to the allow-transfer of the zones"
            );
            faults.warning(Some(span.clone()), "canary.secondaries", message);
        }
        if has_no_history && zones.state_directory.is_some() {
            let message = "without a history (zones.history-steps, zones.history-octets) the released version cannot be made again after a \
                           restart: all other secondaries hear SERVFAIL until the newest one is released";
            faults.warning(Some(span), "canary.secondaries", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    /// The warnings of a file, but for those of canaries that are told of nothing.
    fn warnings(zones: &str, text: &str) -> Vec<String> {
        let base = format!(
            "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\nstate-directory = \"state\"\n\
             {zones}\n[serve]\nlisten = [\"127.0.0.1:53\"]\n"
        );
        let loaded = parse(Path::new("etc/anyns.toml"), &(base + text)).unwrap();
        let messages = loaded.warnings.iter().map(|warning| warning.message.clone());
        messages.filter(|message| !message.contains("told of no change")).collect()
    }

    #[test]
    fn a_canary_that_may_have_no_zone_or_is_without_a_history_is_told() {
        let text = |allow: &str| {
            format!(
                "[transfer]\nlisten = [\"198.51.100.10\"]\nallow = [{{ from = \"{allow}\" }}]\n[[canary]]\n\
                 secondaries = [{{ address = \"198.51.100.8\" }}]\n"
            )
        };
        let told = warnings("", &text("198.51.100.0/29"));
        assert!(matches!(&told[..], [one] if one.contains("198.51.100.8 may have no zone")), "{told:?}");
        assert_eq!(warnings("", &text("198.51.100.8/29")), Vec::<String>::new());
        let of_zone = "[[zone]]\nname = \"a.test\"\nallow-transfer = [{ from = \"198.51.100.8\" }]\n";
        assert_eq!(warnings("", &(text("198.51.100.0/29") + of_zone)), Vec::<String>::new());
        for key in ["history-steps", "history-octets"] {
            let told = warnings(&format!("{key} = 0"), &text("198.51.100.8"));
            assert!(
                matches!(&told[..], [one] if one.contains("cannot be made again after a restart")),
                "{told:?}"
            );
        }
    }

    #[test]
    fn a_followed_catalog_of_which_those_below_are_told_is_told() {
        let text = |notify: &str, followed: &str| {
            format!(
                "[transfer]\nlisten = [\"198.51.100.10\"]\n{notify}allow = [{{ from = \"198.51.100.8\" }}]\n[[catalog]]\n\
                 name = \"above.test\"\nprimaries = [{{ address = \"198.51.100.1\" }}]\n{followed}[[catalog]]\nname = \"below.test\"\n\
                 produce = true\n"
            )
        };
        let notify = "notify = [{ address = \"198.51.100.8\" }]\n";
        let told = warnings("", &text(notify, ""));
        assert!(matches!(&told[..], [one] if one.contains("give that notify = []")), "{told:?}");
        assert_eq!(warnings("", &text(notify, "notify = []\n")), Vec::<String>::new());
        assert_eq!(warnings("", &text("", "")), Vec::<String>::new());
    }

    #[test]
    fn secrets_that_can_be_guessed_are_told() {
        let key = |algorithm: &str, octets: usize| {
            let secret = data_encoding::BASE64.encode(&vec![7; octets]);
            format!("[[key]]\nname = \"K.\"\nalgorithm = \"{algorithm}\"\nsecret = \"{secret}\"\n")
        };
        for (algorithm, least) in
            [("hmac-sha1", 10), ("hmac-sha256", 16), ("hmac-sha384", 24), ("hmac-sha512", 32)]
        {
            assert_eq!(warnings("", &key(algorithm, least)), Vec::<String>::new());
            let told = warnings("", &key(algorithm, least - 1));
            let words = format!("the secret of the key k. has {} octets", least - 1);
            assert!(matches!(&told[..], [one] if one.contains(&words)), "{told:?}");
        }
    }

    #[test]
    fn a_primary_that_is_listed_twice_is_told() {
        let zone = |second: &str| {
            format!(
                "[[zone]]\nname = \"a.test\"\nprimaries = [{{ address = \"198.51.100.1\" }}, {{ address = \"{second}\" }}]\n"
            )
        };
        let told = warnings("", &zone("198.51.100.1:53"));
        assert!(
            matches!(&told[..], [one] if one.contains("a.test. has the primary 198.51.100.1:53 twice")),
            "{told:?}"
        );
        assert_eq!(warnings("", &zone("198.51.100.1:54")), Vec::<String>::new());
        let catalog = "[[catalog]]\nname = \"c.test\"\nprimaries = [{ address = \"198.51.100.1\" }, { address = \"198.51.100.1\" }]\n";
        let told = warnings("", catalog);
        assert!(matches!(&told[..], [one] if one.contains("c.test. has the primary")), "{told:?}");
    }
}
