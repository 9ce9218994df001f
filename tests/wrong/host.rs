//! Hosts that are wrong: a full disk, a watch queue that overflows, a port in use.

use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::anyns::zone_status;
use crate::support::pop::{Alone, ZONE, deploy, state_directory};
use crate::support::process::must;
use crate::support::wait::wait_for;
use crate::support::world::SERVICE;

/// How long a program that cannot start may take to say so.
const REFUSAL: Duration = Duration::from_secs(20);

/// How long it may take until what could or could not be kept is told: it is tried again with every look.
const DURABLE: Duration = Duration::from_secs(20);

/// How long it may take on a busy machine until a full queue of notifications is heard to its end.
const HEARD: Duration = Duration::from_secs(60);

/// A tiny file system, unmounted when dropped.
struct Tiny(std::path::PathBuf);

impl Tiny {
    fn mount(at: std::path::PathBuf) -> Self {
        must(Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "anyns-lab"]).arg(&at));
        Self(at)
    }

    fn fill(&self) {
        // As much as there is; the error that ends it is the point.
        let _ = std::fs::write(self.0.join("ballast"), vec![0_u8; 1 << 20]);
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn full_disk() {
    let mut alone = Alone::new("");
    // Mounted before the server starts, so that its mount namespace has it too.
    let tiny = Tiny::mount(state_directory(&alone.lab, "alone"));
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    tiny.fill();
    deploy(&alone.zones, ZONE, 2);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
    let (status, _) = wait_for("a fault that it is not durable", DURABLE, || {
        let status = alone.anyns.status()?;
        let faults = zone_status(&status, ZONE)?["faults"].to_string();
        faults.contains("not durable").then_some(status)
    });
    assert_eq!(alone.served_version(ZONE), Some(2), "the new version is on disk in its file: it is served");
    assert!(crate::support::anyns::every_intent(&status, "announce"), "a full disk silences no POP");
    std::fs::remove_file(tiny.0.join("ballast")).expect("room again");
    alone.anyns.must(&["reload"]);
    wait_for("the fault is gone", DURABLE, || {
        let status = alone.anyns.status()?;
        (!zone_status(&status, ZONE)?["faults"].to_string().contains("durable")).then_some(())
    });
    alone.anyns.kill();
}

#[test]
fn full_disk_at_the_first_start() {
    let mut alone = Alone::new("");
    let tiny = Tiny::mount(state_directory(&alone.lab, "alone"));
    tiny.fill();
    alone.anyns.start(&alone.lab);
    alone.anyns.wait_announces();
    assert_eq!(alone.served_version(ZONE), Some(1), "served all the same");
    wait_for("and it says so", DURABLE, || {
        alone.anyns.status()?.to_string().contains("durable").then_some(())
    });
    alone.anyns.kill();
}

#[test]
fn watch_queue_overflows() {
    let mut alone = Alone::running("");
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("the limit");
    let limit: u32 = limit.trim().parse().expect("a number");
    alone.anyns.signal(Signal::SIGSTOP);
    // Two names in turn: the kernel folds an event that is the same as the one before it.
    let names = ["one", "two"].map(|name| alone.zones.join(name));
    for number in 0..limit {
        let name = &names[number as usize % 2];
        std::fs::write(name, "x").expect("written");
        std::fs::remove_file(name).expect("removed");
    }
    deploy(&alone.zones, ZONE, 2);
    alone.anyns.signal(Signal::SIGCONT);
    alone.anyns.wait_zone(ZONE, "served", Some(2));
    assert_eq!(alone.served_version(ZONE), Some(2));
    // The notification that some were lost stands behind all that fitted. A look that those before it asked for may have
    // found the new version already.
    wait_for("the log says that the queue overflowed", HEARD, || {
        alone.anyns.process().output().contains("the watcher's queue overflowed").then_some(())
    });
}

#[test]
fn port_in_use() {
    let mut alone = Alone::new("");
    let _taken = alone.space.inside(|| UdpSocket::bind((SERVICE[0], 53)).expect("the port is free"));
    alone.anyns.start(&alone.lab);
    let status = alone.anyns.process().wait_end(REFUSAL);
    assert!(!status.success(), "it must not run without its socket");
    let log = alone.anyns.process().output();
    assert!(
        log.contains("192.0.2.53:53") && log.to_lowercase().contains("udp"),
        "address and transport: {log}"
    );
    assert!(log.contains("another process"), "and the cause: {log}");
}

#[test]
fn service_address_not_on_the_host() {
    let mut alone = Alone::new("");
    alone.space.ip(&["address", "del", "192.0.2.53/32", "dev", "lo"]);
    alone.anyns.start(&alone.lab);
    let status = alone.anyns.process().wait_end(REFUSAL);
    let log = alone.anyns.process().output();
    assert!(!status.success() && log.contains(SERVICE[0]), "{log}");
}
