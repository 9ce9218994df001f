//! anyns in the labs: its config for a POP of a [`World`](super::world::World), and alone in one namespace.

use std::path::{Path, PathBuf};

use super::anyns::Anyns;
use super::dns::Answer;
use super::lab::{Lab, Space};
use super::stream::{Stream, ask_udp};
use super::world::{PREFIXES, Route, SERVICE, Site, World, service};
use super::zones;

/// The zone that the labs ask for.
pub const ZONE: &str = "example.org";

/// Queries per second of the labs' streams: enough that a gap of some milliseconds costs a query.
pub const RATE: u32 = 500;

/// The hold time that the labs' speakers offer, in seconds.
const HOLD: u32 = 3;

/// anyns at a site of a world; its zone directory is `zones-NAME`, with [`ZONE`] at version 1 in it.
pub fn at_site(world: &World, site: &Site, route: Route, extra: &str) -> Anyns {
    at_site_with_hold(world, site, route, extra, HOLD)
}

/// The same with this BGP hold time in seconds.
pub fn at_site_with_hold(world: &World, site: &Site, route: Route, extra: &str, hold: u32) -> Anyns {
    let zones = zone_directory(world, site);
    deploy(&zones, ZONE, 1);
    let config = site_config(&world.lab, site, route, extra, hold);
    Anyns::new(&world.lab, &site.space, site.name, &config)
}

/// The zone directory of a site.
pub fn zone_directory(world: &World, site: &Site) -> PathBuf {
    world.lab.subdirectory(&format!("zones-{}", site.name))
}

/// The state directory of a site.
pub fn state_directory(lab: &Lab, name: &str) -> PathBuf {
    lab.subdirectory(&format!("state-{name}"))
}

/// Puts a versioned zone into a directory as an editor would: a new file, renamed over the old.
pub fn deploy(directory: &Path, zone: &str, version: u32) {
    replace(&directory.join(format!("{zone}.zone")), &zones::versioned(zone, version));
}

/// Writes a file beside the target and renames it over the target.
pub fn replace(target: &Path, text: &str) {
    let new = target.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, target).expect("renamed");
}

fn site_config(lab: &Lab, site: &Site, route: Route, extra: &str, hold: u32) -> String {
    let [four, six] = site.management;
    let neighbor = match route {
        Route::ThroughBird => {
            "address = \"127.0.0.1\"\nremote-as = 65001\nlocal-address = \"127.0.0.2\"".to_owned()
        }
        Route::Direct => format!("address = \"{}\"\nremote-as = 65000", site.gateway[0]),
    };
    let base = base_config(lab, site.name, [four, six], "bgp", extra);
    format!(
        "{base}\n[bgp]\nlocal-as = 65001\nrouter-id = \"{}\"\nhold-time = \"{hold}s\"\n\n[[bgp.neighbor]]\n{neighbor}\n\
         next-hop-ipv6 = \"{six}\"\n",
        site.router_id()
    )
}

/// The sections that every lab's config shares; `extra` goes in front of them.
pub fn base_config(lab: &Lab, name: &str, management: [&str; 2], driver: &str, extra: &str) -> String {
    let zones = lab.subdirectory(&format!("zones-{name}"));
    let state = state_directory(lab, name);
    let services: String = PREFIXES
        .iter()
        .zip(SERVICE)
        .map(|(prefix, address)| format!("[[service]]\nprefix = \"{prefix}\"\naddresses = [\"{address}\"]\n"))
        .collect();
    let [four, six] = management;
    let own = |section: &str, text: &str| {
        if extra.contains(&format!("[{section}]")) { String::new() } else { format!("[{section}]\n{text}\n") }
    };
    let zones = format!("directory = \"{}\"\nstate-directory = \"{}\"", zones.display(), state.display());
    [
        format!("[pop]\nname = \"{name}\"\ninstance = \"{name}\"\nmanagement-addresses = [\"{four}\", \"{six}\"]\n"),
        services,
        own("zones", &format!("{zones}\nrequired = [\"{ZONE}\"]")),
        own("rate-limit", "mode = \"off\""),
        own("health", "interval = \"200ms\"\ntimeout = \"500ms\""),
        own("policy", "hold-initial = \"0s\"\nhold = \"500ms\"\nhold-max = \"1s\""),
        own("drain", "deprefer = \"1s\"\nquiet = \"1s\"\nlimit = \"10s\""),
        own("route", &format!("driver = \"{driver}\"")),
        extra.to_owned(),
    ]
    .concat()
}

/// anyns alone in one namespace, the service addresses on its loopback, the route gate in dry run.
pub struct Alone {
    /// The server.
    pub anyns: Anyns,
    /// Its namespace.
    pub space: Space,
    /// Where it reads zones.
    pub zones: PathBuf,
    /// All of it.
    pub lab: Lab,
}

impl Alone {
    /// The lab with [`ZONE`] at version 1 in the zone directory; nothing runs yet. Sections in `extra` replace the
    /// usual ones.
    pub fn new(extra: &str) -> Self {
        let mut lab = Lab::new();
        let space = lab.space("alone");
        let management = ["198.18.1.2", "2001:db8:1::2"];
        for address in ["192.0.2.53/32", "2001:db8:53::53/128", "198.18.1.2/32", "2001:db8:1::2/128"] {
            space.ip(&["address", "add", address, "dev", "lo"]);
        }
        let zones = lab.subdirectory("zones-alone");
        deploy(&zones, ZONE, 1);
        let config = base_config(&lab, "alone", management, "dry-run", extra);
        let anyns = Anyns::new(&lab, &space, "alone", &config);
        Self { anyns, space, zones, lab }
    }

    /// The same, started and announcing.
    pub fn running(extra: &str) -> Self {
        let mut alone = Self::new(extra);
        alone.anyns.start(&alone.lab);
        alone.anyns.wait_announces();
        alone
    }

    /// A steady stream of the versioned questions over IPv4.
    pub fn stream(&self) -> Stream {
        Stream::start(&self.space, service(0), RATE, zones::questions(ZONE))
    }

    /// Asks over UDP; `None` when nothing comes back.
    pub fn ask(&self, name: &str, record_type: u16) -> Option<Answer> {
        self.space.inside(|| ask_udp(Site::service(0), name, record_type))
    }

    /// The version of a zone that is served now: what its TXT records say.
    pub fn served_version(&self, zone: &str) -> Option<u32> {
        let answer = self.ask(&format!("version.{zone}"), super::dns::TXT)?;
        zones::one_version(&answer).ok()
    }
}

/// The secret of the key `hub.` (HMAC-SHA-256) between a hub and its POPs, in base 64.
pub const HUB_SECRET: &str = "c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=";

/// `[[key]]` of the key `hub.`.
pub const HUB_KEY: &str = "[[key]]\nname = \"hub.\"\nalgorithm = \"hmac-sha256\"\nsecret = \"c2VjcmV0IG9mIHRoZSBodWIgYW5kIHRoZSBQT1A=\"\n";

/// Puts the service addresses on the loopback of a host.
pub fn add_service_addresses(space: &Space) {
    for address in SERVICE {
        let length = if address.contains(':') { 128 } else { 32 };
        space.ip(&["address", "add", &format!("{address}/{length}"), "dev", "lo"]);
    }
}

/// A hub (198.18.1.1) and a POP (198.18.1.2) on one link; both have the service addresses.
pub fn hub_and_pop(lab: &mut Lab) -> (Space, Space) {
    let (hub_space, pop_space) = (lab.space("hub"), lab.space("pop"));
    lab.link(
        (&hub_space, "wan", &["198.18.1.1/24", "2001:db8:1::1/64"]),
        (&pop_space, "wan", &["198.18.1.2/24", "2001:db8:1::2/64"]),
    );
    for space in [&hub_space, &pop_space] {
        add_service_addresses(space);
    }
    (hub_space, pop_space)
}
