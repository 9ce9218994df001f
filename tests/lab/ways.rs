//! Deploying a changed zone by every way that people use, under a stream of queries: none unanswered, none answered
//! from a mixture of two versions.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::pop::{self, Alone, ZONE};
use crate::support::process::must;
use crate::support::skip::has_programs;
use crate::support::stream::Stream;
use crate::support::world::BOUND;
use crate::support::zones;

/// Versions deployed after the first.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=5;
/// Answers that pass while a slow writer pauses.
const SLOW: u32 = 100;

#[test]
fn an_editor_saves() {
    deploys("an editor's save", |alone, version, _| pop::deploy(&alone.zones, ZONE, version));
}

#[test]
fn a_slow_writer_writes_in_place() {
    deploys("a slow write in place", |alone, version, stream| {
        let text = zones::versioned(ZONE, version);
        let (first, second) = text.split_at(text.len() / 2);
        let mut file = File::create(alone.zones.join(format!("{ZONE}.zone"))).expect("opened");
        file.write_all(first.as_bytes()).expect("written");
        file.sync_all().expect("synced");
        stream.wait_answers(SLOW, BOUND);
        file.write_all(second.as_bytes()).expect("written");
    });
}

#[test]
fn rsync_copies() {
    if !has_programs("deploying by rsync", &["rsync"]) {
        return;
    }
    deploys("rsync", |alone, version, _| {
        let from = alone.lab.subdirectory("rsync-source");
        pop::deploy(&from, ZONE, version);
        let source = format!("{}/", from.display());
        must(Command::new("rsync").args(["-a", "--checksum", "--delete", &source]).arg(&alone.zones));
    });
}

#[test]
fn a_directory_is_moved() {
    deploys("mv of a directory", |alone, version, stream| {
        let new = alone.lab.subdirectory(&format!("new-{version}"));
        pop::deploy(&new, ZONE, version);
        let old = alone.lab.directory().join(format!("old-{version}"));
        std::fs::rename(&alone.zones, old).expect("the old one moved away");
        stream.wait_answers(SLOW, BOUND);
        std::fs::rename(new, &alone.zones).expect("the new one moved in");
    });
}

#[test]
fn git_checks_out() {
    if !has_programs("deploying by git", &["git"]) {
        return;
    }
    deploys("git checkout", |alone, version, _| {
        if version == *VERSIONS.start() {
            make_repository(&alone.zones);
        }
        git(&alone.zones, &["checkout", "-q", &format!("v{version}")]);
    });
}

#[test]
fn a_symlink_is_switched() {
    deploys("a symlink switch", |alone, version, _| {
        let release = alone.lab.subdirectory(&format!("release-{version}"));
        pop::deploy(&release, ZONE, version);
        let link = alone.lab.directory().join("link");
        symlink(&release, &link).expect("a link");
        if version == *VERSIONS.start() {
            // The first switch replaces the directory; an empty place for a moment is part of it.
            std::fs::rename(&alone.zones, alone.lab.directory().join("first")).expect("moved away");
        }
        std::fs::rename(&link, &alone.zones).expect("switched");
    });
}

fn deploys(way: &str, deploy: impl Fn(&Alone, u32, &Stream)) {
    let alone = Alone::running("");
    let stream = alone.stream();
    stream.wait_answers(SLOW, BOUND);
    for version in VERSIONS {
        deploy(&alone, version, &stream);
        alone.anyns.wait_zone(ZONE, "served", Some(version.into()));
        stream.wait_answers(SLOW, BOUND);
    }
    // A broken file changes nothing but the status.
    let broken = format!("{}broken IN A nowhere\n", zones::versioned(ZONE, 99));
    pop::replace(&alone.zones.join(format!("{ZONE}.zone")), &broken);
    alone.anyns.wait_zone(ZONE, "kept", Some((*VERSIONS.end()).into()));
    stream.wait_answers(SLOW, BOUND);
    let record = stream.stop();
    println!("{way}: {}", record.summary());
    assert_eq!(record.lost(), 0, "{way}: queries without an answer");
    assert!(record.strays.is_empty(), "{way}: {:?}", record.strays);
    let mut last = 0;
    for answer in record.answers() {
        last = zones::one_version(answer).unwrap_or_else(|fault| panic!("{way}: {fault}"));
    }
    assert_eq!(last, *VERSIONS.end(), "{way}: the last answer");
}

fn make_repository(directory: &Path) {
    git(directory, &["init", "-q", "-b", "v1"]);
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "-m", "version 1"]);
    // The branches are made in a clone, so that the served directory sees only the checkouts.
    let clone = directory.with_extension("clone");
    git(directory, &["clone", "-q", ".", &clone.display().to_string()]);
    for version in VERSIONS {
        let branch = format!("v{version}");
        git(&clone, &["checkout", "-q", "-b", &branch]);
        pop::deploy(&clone, ZONE, version);
        git(&clone, &["commit", "-q", "-a", "-m", &branch]);
        git(directory, &["fetch", "-q", &clone.display().to_string(), &format!("{branch}:{branch}")]);
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let identity =
        ["-c", "user.name=lab", "-c", "user.email=lab@example.org", "-c", "core.hooksPath=/dev/null"];
    let alone = [("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")];
    must(Command::new("git").current_dir(directory).args(identity).args(arguments).envs(alone));
}
