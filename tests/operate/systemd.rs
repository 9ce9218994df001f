//! The unit of `deploy/systemd` under a real systemd: a container boots with the programs of this machine and an empty `/etc`,
//! in a network namespace of the lab. Its watchdog must restart an anyns whose deciding task does not run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::container::{has_ended, inside, nspawn};
use crate::support::anyns::{BOUND, PROGRAM};
use crate::support::pop::{Alone, ZONE};
use crate::support::process::{Process, must, read};
use crate::support::skip::{has_programs, is_full_run, skip};
use crate::support::table::tell;
use crate::support::threads::{Frozen, descendants};
use crate::support::wait::{holds_for, wait_for};

/// How long the container may take to boot and anyns to start.
const BOOT: Duration = Duration::from_secs(60);
/// `WatchdogSec` of the unit.
const WATCHDOG: Duration = Duration::from_secs(10);
/// `RestartSec`, the start itself, and a busy machine.
const RESTART: Duration = Duration::from_secs(20);

#[test]
fn the_watchdog_restarts_it_when_the_deciding_task_is_frozen() {
    let what = "the systemd watchdog";
    if !has_programs(what, &["systemd-nspawn", "/usr/lib/systemd/systemd"]) {
        return;
    }
    let alone = Alone::new("");
    let mut container = boot(&alone);
    let started = || {
        if container.ended().is_some() {
            return Some(None);
        }
        descendants(container.pid(), "anyns").first().copied().map(Some)
    };
    let (Some(first), boot) = wait_for("the container runs anyns", BOOT, started) else {
        // Where containers are forbidden, systemd-nspawn says so and ends.
        return skip(what, container.output().trim());
    };
    wait_for("anyns serves", BOUND, || alone.served_version(ZONE));
    tell(&format!("booted and serving after {boot:.1?}"));
    // It read a secret that is root's and its group's; the members of the group may give orders; a reload is told by its exit code.
    let run = |words: &[&str]| must(&mut inside(&container, words).expect("it runs"));
    assert_eq!(run(&["stat", "-c", "%U:%G %a", "/run/anyns/anyns.sock"]), "anyns:anyns 660\n");
    run(&["systemctl", "reload", "anyns"]);
    run(&["sh", "-c", "echo >/etc/anyns/secret.key"]);
    let mut reload = inside(&container, &["systemctl", "reload", "anyns"]).expect("it runs");
    assert!(!reload.status().expect("systemctl runs").success(), "a reload that fails is told");
    if is_full_run() {
        // Nothing restarts it while all is well.
        let same = || descendants(container.pid(), "anyns") == [first];
        holds_for("it is restarted without a cause", 2 * WATCHDOG, same);
    }
    let (begun, frozen) = (Instant::now(), Frozen::by_name(first, "decide").expect("a deciding thread"));
    let other = || descendants(container.pid(), "anyns").into_iter().find(|process| *process != first);
    wait_for("another process of anyns runs", WATCHDOG + RESTART, other);
    let restarted = begun.elapsed();
    drop(frozen);
    wait_for("anyns serves again", BOUND, || alone.served_version(ZONE));
    tell(&format!("the deciding task frozen: restarted after {restarted:.1?}, WatchdogSec is {WATCHDOG:?}"));
    let inside = descendants(container.pid(), "anyns");
    container.kill();
    let gone = || inside.iter().all(|process| has_ended(*process)).then_some(());
    wait_for("the container is gone", BOUND, gone);
}

/// Boots the container; its unit is that of `deploy`, with the program just built in place of the installed one.
fn boot(alone: &Alone) -> Process {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = alone.lab.subdirectory("container");
    let unit = read(&root.join("deploy/systemd/anyns.service"));
    assert!(unit.contains("WatchdogSec=10s"), "the unit's watchdog is what this test waits for");
    let unit = unit.replace("/usr/local/bin/anyns", "/opt/anyns");
    // As the guide has it: the secret is root's, and anyns's group may read it.
    let unit = unit.replace(
        "\nExecStart=",
        "\nExecStartPre=+/usr/bin/install -m 640 -g anyns /srv/secret /etc/anyns/secret.key\nExecStart=",
    );
    let (unit_file, config) = (directory.join("anyns.service"), directory.join("anyns.toml"));
    let secret = directory.join("secret");
    std::fs::write(&secret, "c2VjcmV0IG9mIGEgdGVzdA==\n").expect("written");
    std::fs::write(&unit_file, unit).expect("written");
    std::fs::write(&config, container_config(alone)).expect("written");
    let bind = |from: &Path, to: &str| format!("--bind-ro={}:{to}", from.display());
    let mut command = nspawn(&alone.space, Path::new("/"));
    command.arg("--volatile=yes");
    command.arg(bind(&PathBuf::from(PROGRAM), "/opt/anyns"));
    command.arg(bind(&unit_file, "/etc/systemd/system/anyns.service"));
    command.arg(bind(&root.join("deploy/debian/sysusers.conf"), "/etc/sysusers.d/anyns.conf"));
    command.arg(bind(&secret, "/srv/secret"));
    command.arg(bind(&config, "/etc/anyns/anyns.toml"));
    command.arg(bind(&alone.zones, "/srv/zones"));
    command.arg("systemd.unit=anyns.service");
    Process::start("container", command, directory.join("container.log"))
}

/// The config of the lab with the paths that the unit gives.
fn container_config(alone: &Alone) -> String {
    let directory = alone.lab.directory();
    let paths = [
        (directory.join("state-alone"), "/var/lib/anyns"),
        (directory.join("alone.sock"), "/run/anyns/anyns.sock"),
        (alone.zones.clone(), "/srv/zones"),
    ];
    let key =
        "[[key]]\nname = \"a.\"\nalgorithm = \"hmac-sha256\"\nsecret-file = \"/etc/anyns/secret.key\"\n";
    let text = read(alone.anyns.config()).replace("[control]\n", "[control]\ngroup = \"anyns\"\n") + key;
    paths.into_iter().fold(text, |text, (from, to)| {
        let from = from.display().to_string();
        assert!(text.contains(&from), "the config names {from}");
        text.replace(&from, to)
    })
}
