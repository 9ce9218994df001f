//! `[[canary]]`: secondaries that have each version of some zones before all others.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use toml::Spanned;

use crate::control::ZoneFilter;
use crate::fleet::{self, FleetPop};
use crate::telemetry::with_causes;
use crate::transfer::canary::{CanaryRules, WhenUnreachable};
use crate::transfer::secondary::PrimaryServer;
use crate::transfer::settings::{PeerSpec, servers};
use crate::transfer::tsig::Keys;

use super::super::canary_spec::{CanarySpec, WhenUnreachableSpec};
use super::super::check;
use super::super::fault::Faults;
use super::super::spec::Spec;
use super::super::values::Period;
use super::{peer_below, period_or};

/// A version without faults for a week has none.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// A restart of a secondary and its transfer take longer than less.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// Secondaries of a group: each is asked for each zone.
const MOST_SECONDARIES: usize = 64;

/// Secondaries that have each version of some zones before all others.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryGroup {
    /// Its name, in the status and in the log.
    pub name: String,
    /// The group: where each is asked for its serial. One that asks from this address is of the group.
    pub secondaries: Vec<PrimaryServer>,
    /// Of each secondary who tells how well it is; of one without it the serial alone is checked.
    pub pops: Vec<Option<FleetPop>>,
    /// Which zones.
    pub zones: Vec<ZoneFilter>,
    /// How long, and what happens when the group cannot be reached.
    pub rules: CanaryRules,
}

impl CanaryGroup {
    /// Whether versions of a zone go to this group first; of several groups the first counts.
    pub fn covers(&self, zone: &str) -> bool {
        self.zones.iter().any(|filter| filter.takes(zone, true))
    }

    /// Whether the secondary with this address is of the group.
    pub fn has(&self, client: IpAddr) -> bool {
        self.secondaries.iter().any(|secondary| secondary.address.ip().to_canonical() == client)
    }
}

/// The groups; what is wrong is told, and left out.
pub(super) fn fold_canaries(
    spec: &Spec,
    keys: &Keys,
    fleet: &fleet::Settings,
    faults: &mut Faults<'_>,
) -> Vec<CanaryGroup> {
    let mut names = BTreeSet::new();
    let mut groups = Vec::new();
    for (index, canary) in spec.canary.iter().enumerate() {
        let name =
            canary.name.as_ref().map_or_else(|| format!("canary{}", index + 1), |it| it.as_ref().clone());
        let span = canary.name.as_ref().map_or_else(|| canary.secondaries.span(), Spanned::span);
        if let Some(name) = &canary.name {
            check::label(name, "canary.name", faults);
        }
        if !names.insert(name.clone()) {
            let message = format!("two [[canary]] are named {name:?}; give each a name of its own");
            faults.error(Some(span), "canary.name", message);
        }
        check_canary(spec, canary, faults);
        let listed = canary.secondaries.as_ref();
        let peers: Vec<PeerSpec> =
            listed.iter().map(|one| peer_below(faults.folder(), &one.peer())).collect();
        let pops = pops(canary, fleet, faults);
        match servers("canary.secondaries", &peers, keys, &fleet.sources) {
            Ok(secondaries) => {
                warn_of_untold(spec, canary, &secondaries, faults);
                groups.push(group(name, canary, (secondaries, pops)));
            }
            Err(found) => found.iter().for_each(|fault| {
                faults.error(Some(canary.secondaries.span()), fault.key(), with_causes(fault));
            }),
        }
    }
    groups
}

/// Who tells how well each secondary is.
fn pops(canary: &CanarySpec, fleet: &fleet::Settings, faults: &mut Faults<'_>) -> Vec<Option<FleetPop>> {
    let listed = canary.secondaries.as_ref().iter();
    let found = listed.map(|secondary| {
        let name = secondary.pop.as_ref()?;
        let pop = fleet.pops.iter().find(|pop| pop.name == *name);
        if pop.is_none() {
            let message = format!("no [[fleet.pop]] is named {name:?}; list the POP there with its url");
            faults.error(Some(canary.secondaries.span()), "canary.secondaries", message);
        }
        pop.cloned()
    });
    found.collect()
}

fn group(
    name: String,
    canary: &CanarySpec,
    (secondaries, pops): (Vec<PrimaryServer>, Vec<Option<FleetPop>>),
) -> CanaryGroup {
    let default = CanaryRules::default();
    let zones: Vec<ZoneFilter> = match canary.zones.is_empty() {
        true => vec![ZoneFilter::All],
        false => canary.zones.iter().map(|text| ZoneFilter::parse(text)).collect(),
    };
    let rules = CanaryRules {
        time: period_or(&canary.time, default.time),
        patience: period_or(&canary.patience, default.patience),
        when_unreachable: match canary.when_unreachable {
            WhenUnreachableSpec::Hold => WhenUnreachable::Hold,
            WhenUnreachableSpec::Release => WhenUnreachable::Release,
        },
    };
    CanaryGroup { name, secondaries, pops, zones, rules }
}

fn check_canary(spec: &Spec, canary: &CanarySpec, faults: &mut Faults<'_>) {
    let span = || Some(canary.secondaries.span());
    let count = canary.secondaries.as_ref().len();
    if count == 0 {
        let message =
            "the group is empty; list the addresses of the secondaries that have each version first";
        faults.error(span(), "canary.secondaries", message);
    }
    if count > MOST_SECONDARIES {
        let message = format!("{count} secondaries; at most {MOST_SECONDARIES}");
        faults.error(span(), "canary.secondaries", message);
    }
    if spec.transfer.listen.is_empty() && spec.transfer.tls.is_none() {
        let message = "no secondary can have a zone from here: set transfer.listen, where they ask for it";
        faults.error(span(), "canary.secondaries", message);
    }
    if spec.zones.state_directory.is_none() {
        let message =
            "without zones.state-directory a restart gives the newest version to all secondaries at once";
        faults.warning(span(), "canary.secondaries", message);
    }
    let mut bounded = |key: &str, value: &Option<Spanned<Period>>, least: Duration, allowed: &str| {
        let Some(value) = value else { return };
        let period = value.as_ref().0;
        if !(least..=LONGEST).contains(&period) {
            let message = format!("{}; allowed is {allowed}", humantime::format_duration(period));
            faults.error(Some(value.span()), key, message);
        }
    };
    bounded("canary.time", &canary.time, Duration::ZERO, "0s to 7days");
    bounded("canary.patience", &canary.patience, LEAST_PATIENCE, "1s to 7days");
}

/// A secondary that is told of no change learns of a version when its own timer ends.
fn warn_of_untold(spec: &Spec, canary: &CanarySpec, secondaries: &[PrimaryServer], faults: &mut Faults<'_>) {
    let of_zones = spec.zone.iter().filter_map(|zone| zone.notify.as_ref());
    let of_catalogs = spec.catalog.iter().filter_map(|catalog| catalog.notify.as_ref());
    let told: Vec<&PeerSpec> = of_zones.chain(of_catalogs).flatten().chain(&spec.transfer.notify).collect();
    let is_told = |address: IpAddr| {
        let text = |peer: &&PeerSpec| {
            let bare = peer.address.parse::<IpAddr>().ok();
            bare.or_else(|| Some(peer.address.parse::<std::net::SocketAddr>().ok()?.ip()))
        };
        told.iter().filter_map(text).any(|one| one == address)
    };
    for secondary in secondaries.iter().filter(|secondary| !is_told(secondary.address.ip())) {
        let message = format!(
            "{} is told of no change, so a version waits until it asks by itself: add it to transfer.notify",
            secondary.address.ip()
        );
        faults.warning(Some(canary.secondaries.span()), "canary.secondaries", message);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::{Loaded, parse};
    use super::*;

    fn read(text: &str) -> Result<Loaded, String> {
        let base = "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
                    state-directory = \"state\"\n[serve]\nlisten = [\"127.0.0.1:53\"]\n[[key]]\nname = \"hub.\"\n\
                    algorithm = \"hmac-sha256\"\nsecret = \"c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=\"\n";
        parse(Path::new("etc/anyns.toml"), &format!("{base}{text}")).map_err(|error| error.to_string())
    }

    const SENDS: &str =
        "[transfer]\nlisten = [\"198.51.100.10\"]\nnotify = [{ address = \"198.51.100.8:5300\" }]\n";

    #[test]
    fn groups_have_secondaries_zones_and_times() {
        let text = format!(
            "{SENDS}[[canary]]\nname = \"first\"\nsecondaries = [{{ address = \"198.51.100.8\", key = \"hub.\" }}]\n\
             zones = [\"*.org\", \"example.net\"]\ntime = \"2m\"\npatience = \"1h\"\nwhen-unreachable = \"release\"\n\
             [[canary]]\nsecondaries = [{{ address = \"198.51.100.9:5353\" }}]\n"
        );
        let loaded = read(&text).unwrap();
        let warnings: Vec<String> = loaded.warnings.iter().map(|warning| warning.message.clone()).collect();
        let warnings: Vec<String> =
            warnings.into_iter().filter(|warning| !warning.contains("may have no zone")).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("198.51.100.9 is told of no change"), "{warnings:?}");
        let [first, second] = &loaded.config.transfers.canaries[..] else { panic!("two groups") };
        assert_eq!((first.name.as_str(), second.name.as_str()), ("first", "canary2"));
        let addresses = |group: &CanaryGroup| group.secondaries[0].address.to_string();
        assert_eq!([addresses(first), addresses(second)], ["198.51.100.8:53", "198.51.100.9:5353"]);
        assert!(first.covers("a.org.") && first.covers("Example.net.") && !first.covers("example.com."));
        assert!(second.covers("example.com."), "without zones: all of them");
        let of_group = |address: &str| first.has(address.parse().unwrap());
        assert!(of_group("198.51.100.8") && !of_group("198.51.100.9"));
        let rules = CanaryRules {
            time: Duration::from_secs(120),
            patience: Duration::from_secs(3600),
            when_unreachable: WhenUnreachable::Release,
        };
        assert_eq!((first.rules, second.rules), (rules, CanaryRules::default()));
        // Another time is another group.
        let other = read(&text.replace("2m", "3m")).unwrap().config.transfers.canaries;
        assert!(other[0] != *first && other[1] == *second);
    }

    #[test]
    fn a_secondary_names_who_tells_how_well_it_is() {
        let text = |token: &str| {
            format!(
                "{SENDS}[[fleet.pop]]\nname = \"ams1\"\nurl = \"http://198.51.100.8:9533\"\ntoken-file = \"{token}\"\n\
                 [[canary]]\nsecondaries = [{{ address = \"198.51.100.8\", pop = \"ams1\" }}, {{ address = \"198.51.100.9\" }}]\n"
            )
        };
        let group = |token: &str| read(&text(token)).unwrap().config.transfers.canaries.remove(0);
        let found = group("t");
        let told = |pop: &Option<FleetPop>| pop.as_ref().map(|pop| pop.url.to_string());
        let pops: Vec<_> = found.pops.iter().map(told).collect();
        assert_eq!(pops, [Some("http://198.51.100.8:9533".to_owned()), None]);
        // Another way to ask the POP is another group.
        assert!(found == group("t") && found != group("u"));
    }

    #[test]
    fn faults_name_the_key_and_what_would_be_right() {
        let one = |rest: &str| format!("{SENDS}[[canary]]\n{rest}\n");
        let good = "secondaries = [{ address = \"198.51.100.8\" }]\n";
        for (text, words) in [
            (one(""), "canary.secondaries: the key is missing"),
            (one("secondaries = []"), "canary.secondaries: the group is empty; list the addresses"),
            (one("secondaries = [{ address = \"hub\" }]"), "\"hub\" is not an address"),
            (
                one("secondaries = [{ address = \"198.51.100.8\", key = \"x.\" }]"),
                "no [[key]] defines the key x.",
            ),
            (one("secondaries = [{ address = \"2001:db8::1\" }]"), "has no address of its family"),
            (
                one("secondaries = [{ address = \"198.51.100.8\", pop = \"ams1\" }]"),
                "no [[fleet.pop]] is named \"ams1\"",
            ),
            (one(&format!("{good}time = \"8days\"")), "canary.time: 8days; allowed is 0s to 7days"),
            (one(&format!("{good}patience = \"0s\"")), "canary.patience: 0s; allowed is 1s to 7days"),
            (one(&format!("{good}when-unreachable = \"wait\"")), "allowed is \"hold\" or \"release\""),
            (one(&format!("{good}zone = [\"a\"]")), "\"zones\" may be meant"),
            (one(&format!("name = \"a b\"\n{good}")), "canary.name"),
            (
                one(&format!("name = \"a\"\n{good}[[canary]]\nname = \"a\"\n{good}")),
                "two [[canary]] are named \"a\"",
            ),
            (format!("[[canary]]\n{good}"), "set transfer.listen"),
            (format!("{SENDS}[canary]\n{good}"), "[[canary]]"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(words), "{words} in {error}");
        }
    }

    #[test]
    fn without_a_state_directory_a_restart_releases_and_that_is_told() {
        let text = "[pop]\nname = \"a\"\nmanagement-addresses = [\"198.51.100.10\"]\n[zones]\ndirectory = \"zones\"\n\
                    [serve]\nlisten = [\"127.0.0.1:53\"]\n";
        let canary = "[[canary]]\nsecondaries = [{ address = \"198.51.100.8\" }]\n";
        let loaded = parse(Path::new("etc/anyns.toml"), &format!("{text}{SENDS}{canary}")).unwrap();
        assert!(
            loaded.warnings.iter().any(|warning| warning.message.contains("without zones.state-directory"))
        );
    }
}
