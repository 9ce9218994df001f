//! The Debian package in a fresh Debian that systemd boots: install, edit, start, ask; upgrade and remove under load while another
//! POP announces; purge. Only in the full run: it takes minutes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::container::Container;
use crate::support::anyns::{BOUND, PROGRAM};
use crate::support::pop::{self, RATE, ZONE};
use crate::support::process::must;
use crate::support::skip::{has_programs, is_full_run};
use crate::support::stream::{Record, Stream};
use crate::support::table::tell;
use crate::support::wait::{wait_for, wait_until};
use crate::support::world::{PREFIXES, Route, SERVICE, World, service};
use crate::support::zones;

/// The versions of the package: the later one is the upgrade.
const VERSIONS: [&str; 2] = ["0.1.0-1", "0.1.0-2"];
const CONFIG: &str = "/etc/anyns/anyns.toml";
const ZONE_FILE: &str = "/var/lib/anyns/zones/example.org.zone";
/// What the package asks beside what a minimal Debian has, and what the test asks with.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,bind9-dnsutils,iproute2,man-db,bash-completion,fish,zsh";
/// A stop with the drain of the shipped configuration, a start, a session and the route back.
const MOVED: Duration = Duration::from_secs(60);

#[test]
fn it_is_installed_used_upgraded_and_removed() {
    // The full run alone: it makes a Debian.
    if !is_full_run()
        || !has_programs(
            "the Debian package",
            &["debootstrap", "systemd-nspawn", "cargo-deb", "gzip", "nsenter", "setpriv", "strip"],
        )
    {
        return;
    }
    let directory = tempfile::tempdir_in("/var/tmp").expect("a directory");
    // Debug information would be most of the package, and most of the time to make it.
    let program = directory.path().join("anyns");
    must(Command::new("strip").arg("-o").arg(&program).arg(PROGRAM));
    let packages = VERSIONS.map(|version| packed(&program, directory.path(), version));
    let root = debian(directory.path());
    for (package, version) in packages.iter().zip(VERSIONS) {
        std::fs::copy(package, root.join(format!("var/anyns-{version}.deb"))).expect("copied");
    }
    let world = World::new(Route::Direct, 9);
    let mut container = Container::boot(&world.a.space, &root, directory.path().join("console.log"));
    installed(&container);
    used(&container);
    let mut other = pop::at_site(&world, &world.b, Route::Direct, "");
    other.start(&world.lab);
    announced(&container, &world);
    upgraded(&container, &world);
    removed(&container, &world);
    container.kill();
}

/// Makes the package of the program under test; its file.
fn packed(program: &Path, directory: &Path, version: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/debian/build");
    let output = directory.join(version);
    must(Command::new(script).arg(program).arg(&output).arg("--fast").env("ANYNS_DEB_VERSION", version));
    let files: Vec<PathBuf> =
        std::fs::read_dir(output).expect("it was made").map(|entry| entry.expect("a file").path()).collect();
    assert_eq!(files.len(), 1, "one package: {files:?}");
    files.into_iter().next().expect("a package")
}

/// A fresh Debian of the release of this machine.
fn debian(directory: &Path) -> PathBuf {
    let root = directory.join("root");
    let script = "set -euo pipefail; . /etc/os-release; \
        mirror=$(apt-cache policy | sed -nE \"s|^ *[0-9]+ (https?://[^ ]+) $VERSION_CODENAME/main .*|\\1|p\" | head -1); \
        exec debootstrap --variant=minbase --include=$1 \"$VERSION_CODENAME\" \"$2\" \"$mirror\"";
    must(Command::new("bash").args(["-c", script, "bash", PACKAGES]).arg(&root));
    root
}

/// Installs the first version: what is there then, and what runs.
fn installed(container: &Container) {
    container.must(&["apt-get", "install", "-y", &format!("/var/anyns-{}.deb", VERSIONS[0])]);
    assert_eq!(container.must(&["systemctl", "is-enabled", "anyns"]).trim(), "enabled");
    let runs = container.run(&["systemctl", "is-active", "--quiet", "anyns"]).status.success();
    assert!(!runs, "it runs before its config was edited");
    let owners = container.must(&["stat", "-c", "%U:%G %a", "/etc/anyns", "/var/lib/anyns/zones"]);
    assert_eq!(owners, "root:anyns 750\nanyns:anyns 755\n");
    let listed = container.must(&["ls", "/usr/share/man/man1"]);
    let pages: Vec<&str> = listed.split_whitespace().filter_map(|name| name.strip_suffix(".1.gz")).collect();
    let pages: Vec<&str> = pages.into_iter().filter(|name| name.starts_with("anyns")).collect();
    assert!(pages.contains(&"anyns") && pages.contains(&"anyns-zone-accept"), "{pages:?}");
    for page in &pages {
        let output = container.run(&["man", "--warnings", "-P", "cat", page]);
        let text = String::from_utf8_lossy(&output.stdout).replace(['\u{8}'], "");
        assert!(output.status.success() && text.contains("SYNOPSIS"), "{page}: {text}");
        let warnings = String::from_utf8_lossy(&output.stderr);
        assert_eq!(warnings, "", "{page}");
    }
    completes(container);
    tell(&format!("package: installed; {} manual pages, completions of three shells", pages.len()));
}

/// Each shell completes `anyns zo` to `anyns zone`.
fn completes(container: &Container) {
    let bash = ". /usr/share/bash-completion/completions/anyns; COMP_WORDS=(anyns zo); COMP_CWORD=1; _anyns anyns zo anyns; \
        echo \"${COMPREPLY[*]}\"";
    assert_eq!(container.must(&["bash", "-c", bash]), "zone\n");
    let fish = container.must(&["fish", "-c", "complete -C 'anyns zo'"]);
    assert!(fish.starts_with("zone\t") && fish.lines().count() == 1, "{fish}");
    // zsh completes on a terminal alone.
    let zsh = "zmodload zsh/zpty; zpty shell 'PS1= zsh -f -i'; zpty -w shell 'autoload -U compinit; compinit -u; print ready''!'; \
        zpty -r -m shell said '*ready!*'; zpty -w -n shell $'anyns zo\\t'; zpty -r -m shell said '*anyns zone *'; print -r -- $said";
    let said = container.must(&["timeout", "300", "zsh", "-f", "-c", zsh]);
    assert!(said.contains("anyns zone "), "{said}");
}

/// What an operator does first: edits the name, adds a file of sections, checks, starts, asks.
fn used(container: &Container) {
    container.write(ZONE_FILE, &zones::versioned(ZONE, 1));
    edit(container, &[("name = \"pop1\"", "name = \"test1\"")]);
    container.write("/etc/anyns/conf.d/log.toml", "[log]\nlevel = \"debug\"\n");
    container.must(&["anyns", "check", "--config", CONFIG]);
    container.must(&["systemctl", "start", "anyns"]);
    wait_until("it answers", BOUND, || serial(container) == "1");
    let which = container.must(&["anyns", "which", "127.0.0.53", "--zone", "example.org", "--json"]);
    assert!(which.contains("\"nsid\": \"test1\""), "{which}");
    container.must(&["anyns", "status"]);
}

/// Edits the config into that of a POP that speaks with the router, as the site of the lab.
fn announced(container: &Container, world: &World) {
    let [four, six] = world.a.management;
    let services: String = PREFIXES
        .iter()
        .zip(SERVICE)
        .map(|(prefix, address)| format!("[[service]]\nprefix = \"{prefix}\"\naddresses = [\"{address}\"]\n"))
        .collect();
    edit(
        container,
        &[
            ("name = \"test1\"", "name = \"a\""),
            ("[\"127.0.0.1\"]", &format!("[\"{four}\", \"{six}\"]")),
            ("[[service]]\nprefix = \"127.0.0.53/32\"\naddresses = [\"127.0.0.53\"]\n", &services),
            ("driver = \"dry-run\"", "driver = \"bgp\""),
        ],
    );
    // All the load comes from one address.
    let sections = format!(
        "[rate-limit]\nmode = \"off\"\n[policy]\nhold = \"500ms\"\n[bgp]\nlocal-as = 65001\nrouter-id = \"{}\"\nhold-time = \"3s\"\n\
         [[bgp.neighbor]]\naddress = \"{}\"\nremote-as = 65000\nnext-hop-ipv6 = \"{six}\"\n",
        world.a.router_id(),
        world.a.gateway[0]
    );
    container.write("/etc/anyns/conf.d/pop.toml", &sections);
    container.must(&["anyns", "check", "--config", CONFIG]);
    container.must(&["systemctl", "restart", "anyns"]);
    world.wait_offered(&world.a);
    world.wait_offered(&world.b);
    world.wait_leads_to(&world.a);
}

/// A newer package is installed while queries come: they go to the other POP meanwhile, and none is lost.
fn upgraded(container: &Container, world: &World) {
    let before = main_process(container);
    let config = container.file(CONFIG);
    let streams = streams(world);
    let moves = world.route_changes().len();
    std::thread::scope(|scope| {
        let package = format!("/var/anyns-{}.deb", VERSIONS[1]);
        let upgrade = scope.spawn(move || container.must(&["apt-get", "install", "-y", &package]));
        let away = streams[0].wait_instance("b", MOVED);
        upgrade.join().expect("it is upgraded");
        tell(&format!("package: upgrade: the other POP answered after {away:.1?}"));
    });
    world.wait_leads_to(&world.a);
    finish("upgrade", streams, "a");
    assert!(world.route_changes().len() >= moves + 2 * PREFIXES.len(), "{:?}", world.route_changes());
    let version = container.must(&["dpkg-query", "-W", "-f", "${Version}", "anyns"]);
    assert_eq!(version, VERSIONS[1]);
    assert_ne!(main_process(container), before, "the upgrade restarted nothing");
    assert_eq!(container.file(CONFIG), config, "the upgrade replaced the config");
    // It takes a new version of a zone.
    container.write(ZONE_FILE, &zones::versioned(ZONE, 2));
    let question = ["dig", "@192.0.2.53", "+short", "+time=2", "+tries=1", ZONE, "SOA"];
    let served = || container.must(&question).contains(" 2 3600 ").then_some(());
    wait_for("the version after the upgrade is served", BOUND, served);
    pop::deploy(&pop::zone_directory(world, &world.b), ZONE, 2);
}

/// The removal stops in order, too; configuration and zones stay, and a purge leaves the zones.
fn removed(container: &Container, world: &World) {
    let streams = streams(world);
    container.must(&["dpkg", "-r", "anyns"]);
    finish("removal", streams, "b");
    assert!(!world.offers_any(&world.a), "its routes stayed");
    let left = container.run(&["sh", "-c", "grep -lsx anyns /proc/[0-9]*/comm"]);
    assert!(!left.status.success(), "it still runs: {}", String::from_utf8_lossy(&left.stdout));
    assert!(container.has(CONFIG) && container.has(ZONE_FILE), "the removal took the config or a zone");
    // Installed again it is not started unasked, and that is said.
    let said = container.must(&["dpkg", "-i", &format!("/var/anyns-{}.deb", VERSIONS[1])]);
    assert!(said.contains("it does not run and serves nothing"), "{said}");
    container.must(&["dpkg", "-P", "anyns"]);
    assert!(
        !container.has(CONFIG) && !container.has("/var/lib/anyns/state"),
        "the purge left config or state"
    );
    assert!(container.has(ZONE_FILE), "the purge took a zone");
}

/// A stream of each family through the router, answered by the POP in the container.
fn streams(world: &World) -> Vec<Stream> {
    let start = |family| Stream::start(&world.client, service(family), RATE, zones::questions(ZONE));
    let streams: Vec<Stream> = [0, 1].map(start).into();
    for stream in &streams {
        stream.wait_instance("a", BOUND);
        stream.wait_answers(RATE, BOUND);
    }
    streams
}

/// Ends the streams once this POP has answered for a while: every query has its answer, and each POP gave some.
fn finish(what: &str, streams: Vec<Stream>, last: &str) {
    for (stream, address) in streams.into_iter().zip(SERVICE) {
        stream.wait_instance(last, MOVED);
        stream.wait_answers(RATE, BOUND);
        let record: Record = stream.stop();
        tell(&format!("package: {what}, {address}: {}", record.summary()));
        assert_eq!(record.lost(), 0, "{what}, {address}");
        assert!(record.strays.is_empty(), "{what}, {address}: {:?}", record.strays);
        let instances: Vec<String> = record.instances().into_keys().collect();
        assert_eq!(instances, ["a", "b"], "{what}, {address}");
        assert_eq!(record.answers().count(), record.asked.len());
        record.answers().for_each(|answer| assert!(zones::one_version(answer).is_ok(), "{answer:?}"));
    }
}

/// The serial that is answered on loopback.
fn serial(container: &Container) -> String {
    let output = container.run(&["dig", "@127.0.0.53", "+short", "+time=2", "+tries=1", ZONE, "SOA"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(2).unwrap_or_default().to_owned()
}

fn main_process(container: &Container) -> String {
    container.must(&["systemctl", "show", "-P", "MainPID", "anyns"])
}

/// Replaces each of these texts in the config; each must be there.
fn edit(container: &Container, changes: &[(&str, &str)]) {
    let text = changes.iter().fold(container.file(CONFIG), |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not in {text}");
        text.replace(from, to)
    });
    container.write(CONFIG, &text);
}
