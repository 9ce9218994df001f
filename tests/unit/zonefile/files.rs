//! Files that are none, and includes.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::zonefile::Limits;
use crate::zonefile::ReadError;
use crate::zonefile::ReadZone;
use crate::zonefile::read_zone;
use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::is_apex;
use crate::zonefile::tests::origin;

fn read(path: &Path) -> Result<ReadZone, ReadError> {
    read_zone(path, &origin(), &Limits::default())
}

/// Writes files in a new directory and reads the first of them.
fn read_files(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<ReadZone, ReadError>) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let outcome = read(&directory.path().join(files[0].0));
    (directory, outcome)
}

fn fault(files: &[(&str, &str)]) -> String {
    let (directory, outcome) = read_files(files);
    outcome.unwrap_err().to_string().replace(&format!("{}/", directory.path().display()), "")
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = directory.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let cases = [
        (fifo.as_path(), "is a FIFO, expected a regular file"),
        (socket.as_path(), "is a socket, expected a regular file"),
        (directory.path(), "is a directory, expected a regular file"),
        (Path::new("/dev/zero"), "is a device, expected a regular file"),
    ];
    for (path, expected) in cases {
        let error = read(path).unwrap_err().to_string();
        assert_eq!(error, format!("{} {expected}", path.display()));
    }
    let missing = directory.path().join("missing");
    let error = read(&missing).unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
    assert_eq!(error.files, [missing]);
}

#[test]
fn includes_are_relative_to_their_file_and_change_neither_origin_nor_owner() {
    let zone = format!(
        "{SOA}o 1 A 192.0.2.1\n$INCLUDE sub/a inner\n A 192.0.2.2\np A 192.0.2.3\n$INCLUDE \"sub/a\"\n{NS}"
    );
    let (directory, outcome) = read_files(&[
        ("zone", &zone),
        ("sub/a", "x A 192.0.2.4\n$ORIGIN deep\n$INCLUDE b\n"),
        ("sub/b", "y A 192.0.2.5\n"),
    ]);
    let zone = outcome.unwrap();
    let mut owners: Vec<String> = zone
        .zone
        .records()
        .filter(|record| !is_apex(record))
        .map(|record| record.owner.to_string())
        .collect();
    owners.sort();
    assert_eq!(
        owners,
        [
            "o.example.org.",
            "o.example.org.",
            "p.example.org.",
            "x.example.org.",
            "x.inner.example.org.",
            "y.deep.example.org.",
            "y.deep.inner.example.org."
        ]
    );
    let files = ["zone", "sub/a", "sub/b"].map(|name| directory.path().join(name));
    assert_eq!(zone.files, files);
}

#[test]
fn faults_in_includes_name_the_included_file() {
    let zone = format!("{SOA}$INCLUDE a\n$INCLUDE missing\n");
    let (directory, outcome) = read_files(&[("zone", &zone), ("a", "\nx FOO\n")]);
    let base = format!("{}/", directory.path().display());
    let error = outcome.unwrap_err();
    let shown: Vec<String> = error.faults.iter().map(|one| one.to_string().replace(&base, "")).collect();
    assert!(shown[0].starts_with("a:2:3: found `FOO`"), "{shown:?}");
    assert!(shown[1].starts_with("zone:3:10: cannot read missing: "), "{shown:?}");
    assert!(error.to_string().ends_with("; and 1 more fault"), "{error}");
    let (_directory, outcome) = read_files(&[("zone", &zone), ("a", "x 1 A 192.0.2.1\n")]);
    assert_eq!(outcome.unwrap_err().files.len(), 3, "a watcher waits for the missing file, too");
}

#[test]
fn cycles_depth_and_escapes_are_refused() {
    assert_eq!(
        fault(&[("zone", "$INCLUDE a\n"), ("a", "$INCLUDE zone\n")]),
        "a:1:10: zone is already being read: an include cycle, expected a file that is not above this one"
    );
    let deep: Vec<(String, String)> =
        (0..12).map(|n| (format!("f{n}"), format!("$INCLUDE f{}\n", n + 1))).collect();
    let deep: Vec<(&str, &str)> = deep.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(fault(&deep), "f8:1:10: includes are nested deeper than 8, expected less");
    assert!(fault(&[("zone", "$INCLUDE /etc/passwd\n")]).contains("zone:1:10: /etc/passwd is outside "));
    assert!(fault(&[("d/zone", "$INCLUDE ../x\n"), ("x", "")]).contains("d/zone:1:10: x is outside "));
    assert!(fault(&[("zone", "$INCLUDE a/../../x\n")]).contains(" is outside "));
    assert!(fault(&[("zone", "$INCLUDE .\n")]).contains("is a directory"));
    let many = "$INCLUDE a\n".repeat(1_001);
    assert_eq!(
        fault(&[("zone", &many), ("a", "")]),
        "zone:1001:10: more than 1000 files are included, expected less"
    );
}

#[test]
fn size_and_record_bounds_hold_for_all_files_together() {
    let (zone, included) = (format!("{SOA}$INCLUDE a\n$INCLUDE a\n{NS}"), "x 1 A 192.0.2.1\n");
    let (directory, outcome) = read_files(&[("zone", &zone), ("a", included)]);
    outcome.unwrap();
    let path = directory.path().join("zone");
    let limits = Limits { octets: (zone.len() + 2 * included.len() - 1) as u64, ..Limits::default() };
    let error = read_zone(&path, &origin(), &limits).unwrap_err().to_string();
    assert!(error.contains("zone:3:10: ") && error.contains("makes the zone's files larger than"), "{error}");
    let limits = Limits { records: 2, ..Limits::default() };
    let error = read_zone(&path, &origin(), &limits).unwrap_err().to_string();
    assert!(error.contains("a:1:1: the zone has more than 2 records, expected less"), "{error}");
}

#[test]
fn further_include_roots_let_zones_share_files() {
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| directory.path().join(path);
    fs::create_dir_all(at("zones/d")).unwrap();
    fs::create_dir(at("more")).unwrap();
    fs::create_dir(at("moreover")).unwrap();
    for (name, owner) in
        [("zones/shared", "x"), ("more/keys", "y"), ("zones/d/own", "z"), ("moreover/no", "w")]
    {
        fs::write(at(name), format!("{owner} 1 A 192.0.2.1\n")).unwrap();
    }
    let path = at("zones/d/zone");
    let text = format!("{SOA}{NS}$INCLUDE ../shared\n$INCLUDE {}\n$INCLUDE own\n", at("more/keys").display());
    fs::write(&path, text).unwrap();
    let limits = Limits { include_roots: vec![at("zones"), at("zones/../more/.")], ..Limits::default() };
    assert_eq!(read_zone(&path, &origin(), &limits).unwrap().zone.record_count(), 5);
    // A root is a directory and not the beginning of a name; `..` does not lead out of it.
    for outside in ["../../moreover/no", "../shared/../../moreover/no", "/etc/passwd", "../.."] {
        fs::write(&path, format!("{SOA}{NS}$INCLUDE {outside}\n")).unwrap();
        let error = read_zone(&path, &origin(), &limits).unwrap_err().to_string();
        assert!(error.contains("zone:3:10: ") && error.contains(" is outside "), "{error}");
        assert!(
            error.contains("and outside 2 more directories") && error.contains("zones.include-roots"),
            "{error}"
        );
    }
}
