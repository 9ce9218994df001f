//! anyns with its shipped defaults: the limiter is in the path and exempts nobody, counters and probes are on. Only the
//! limit is raised, because the load comes from one address: nothing would be measured but refusals.

use std::fmt::Write;

use super::{Setup, write};

/// The zones are those of a directory; `sections` are added to the configuration.
pub(super) fn command(setup: &Setup<'_>, socket_affinity: bool, dnssec: &str, sections: &str) -> Vec<String> {
    let zones = format!("directory = \"{}\"\n", setup.world.directory.display());
    run(setup, (&zones, sections), socket_affinity, dnssec)
}

/// Each zone is named in the configuration, as the peers' configurations name theirs.
pub(super) fn command_with_list(setup: &Setup<'_>) -> Vec<String> {
    let mut list = String::new();
    for zone in &setup.world.zones {
        let (name, file) = (&zone.origin, zone.path.display());
        // Writing to a string does not fail.
        let _ = write!(list, "[[zone]]\nname = \"{name}\"\nfile = \"{file}\"\n");
    }
    run(setup, ("", &list), false, "warn")
}

/// Zones of a file system that can be stopped (`crate::beside`).
pub(super) fn hanging(setup: &Setup<'_>) -> String {
    let mut list = String::new();
    for number in 0..crate::beside::HANGING {
        let origin = format!("{}.test", crate::zones::label(b'z', crate::beside::seed(number), 0));
        let file = setup.home.join(format!("hung/{number}/{origin}.zone"));
        // Writing to a string does not fail.
        let _ = write!(list, "[[zone]]\nname = \"{origin}\"\nfile = \"{}\"\n", file.display());
    }
    list
}

/// The page, its API and dnstap of one message in a hundred (`crate::observers`).
pub(super) fn observed(setup: &Setup<'_>) -> String {
    let page = crate::observers::page_of(([127, 0, 0, 1], setup.port).into());
    format!(
        "[web]\nlisten = [\"{page}\"]\n[samples]\none-in = 100\ndnstap = \"unix:{}\"\n",
        setup.home.join("dnstap").display()
    )
}

/// The same, with OTLP and RSSAC002.
pub(super) fn reported(setup: &Setup<'_>) -> String {
    let receiver = std::fs::read_to_string(setup.home.join("receiver")).expect("the receiver has an address");
    format!(
        "{}[otlp]\nendpoint = \"http://{receiver}\"\n[rssac002]\ndirectory = \"{}\"\nservice = \"bench.example\"\n",
        observed(setup),
        setup.home.join("rssac002").display()
    )
}

fn run(
    setup: &Setup<'_>,
    (directory, sections): (&str, &str),
    socket_affinity: bool,
    dnssec: &str,
) -> Vec<String> {
    let (home, port) = (setup.home.display(), setup.port);
    // What is logged is what is sent.
    let level = if sections.contains("[otlp]") { "info" } else { "warn" };
    let text = format!(
        "[pop]\nname = \"bench\"\nmanagement-addresses = [\"127.0.0.1\"]\n[log]\nlevel = \"{level}\"\n\
         [serve]\nengine = \"native\"\nport = {port}\nsocket-affinity = {socket_affinity}\n\
         [rate-limit]\nqueries-per-second = 10000000\nburst = 10000000\n\
         [zones]\n{directory}state-directory = \"{home}/state\"\ndnssec = \"{dnssec}\"\n\
         [[service]]\nprefix = \"127.0.0.1/32\"\naddresses = [\"127.0.0.1\"]\n\
         [route]\ndriver = \"dry-run\"\n[control]\nsocket = \"{home}/control\"\n{sections}"
    );
    let config = write(setup, "anyns.toml", &text);
    [env!("CARGO_BIN_EXE_anyns"), "run", "--config", &config].map(str::to_owned).to_vec()
}
