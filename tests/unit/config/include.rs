//! Included files: their order, and what may be wrong with them.

use std::fs;
use std::path::Path;

use super::super::{ConfigError, control_socket, fleet, load};
use super::*;

const MAIN: &str =
    "include = \"conf.d/*.toml\"\n[pop]\nname = \"ams1\"\nmanagement-addresses = [\"127.0.0.1\"]\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("conf.d")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// What is said of these files, with paths below their folder.
fn said(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let said = match load(Some(&folder.path().join("anyns.toml"))) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    said.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn the_files_are_one_configuration() {
    let files = [
        ("anyns.toml", MAIN),
        ("conf.d/10-zones.toml", "\u{feff}# zones\n[[zone]]\nname = \"b.example\"\nfile = \"b.zone\"\n"),
        ("conf.d/20-more.toml", "[[zone]]\nname = \"a.example\"\nfile = \"a.zone\""),
        (
            "conf.d/30-control.toml",
            "[control]\nsocket = \"run/a.sock\"\n[serve]\nlisten = [\"127.0.0.1:5301\"]\n",
        ),
        ("conf.d/.hidden.toml", "not toml"),
        ("conf.d/40-old.toml~", "not toml"),
        ("conf.d/empty.toml", ""),
    ];
    let folder = folder(&files);
    let main = folder.path().join("anyns.toml");
    let config = load(Some(&main)).unwrap().config;
    let zones: Vec<_> =
        config.publish.zones.iter().map(|zone| zone.file.clone().unwrap().to_path_buf()).collect();
    // In the order of the zones, and relative to the folder of the main one.
    assert_eq!(zones, ["a.zone", "b.zone"].map(|name| folder.path().join(name)));
    assert_eq!(control_socket(Some(&main)).unwrap(), folder.path().join("run/a.sock"));
    // A file more and a file less, as a reload sees them.
    fs::remove_file(folder.path().join("conf.d/10-zones.toml")).unwrap();
    fs::write(folder.path().join("conf.d/25.toml"), "[[zone]]\nname = \"c.example\"\nfile = \"c.zone\"\n")
        .unwrap();
    let config = load(Some(&main)).unwrap().config;
    let zones: Vec<_> =
        config.publish.zones.iter().map(|zone| zone.file.clone().unwrap().to_path_buf()).collect();
    assert_eq!(zones, ["a.zone", "c.zone"].map(|name| folder.path().join(name)));
}

#[test]
fn a_list_of_patterns_is_read_in_its_order_and_each_file_once() {
    let main = MAIN.replace("\"conf.d/*.toml\"", "[\"conf.d/b.toml\", \"conf.d/*.toml\"]");
    let zone = |name: &str| format!("[[zone]]\nname = \"{name}.example\"\nfile = \"{name}.zone\"\n");
    let folder =
        folder(&[("anyns.toml", &main), ("conf.d/a.toml", &zone("a")), ("conf.d/b.toml", &zone("b"))]);
    let sources = gather(&folder.path().join("anyns.toml"), &main).unwrap();
    assert_eq!(sources.count(), 3);
    assert!(sources.text().find("b.example").unwrap() < sources.text().find("a.example").unwrap());
}

#[test]
fn each_fault_names_its_file_and_line() {
    let table: &[(&str, &[&str])] = &[
        ("[serve]\nport = \"x\"\n", &["conf.d/a.toml:2:8: serve.port: "]),
        ("\n[serve]\nportt = 1\n", &["conf.d/a.toml:3:1: serve.portt: there is no key \"portt\""]),
        ("[serve\nport = 1\n", &["conf.d/a.toml:1:", "not closed by ]"]),
        ("# zones\nport = 1\n", &["conf.d/a.toml:2:1: port: an included file begins with a [section]"]),
        ("include = \"x\"\n", &["conf.d/a.toml:1:1: include: an included file begins with a [section]"]),
        ("[zone.x]\ny = 1\n", &["conf.d/a.toml:1:2: zone: the file has a part of a [[zone]]"]),
        (
            "[pop]\nname = \"b\"\n",
            &["conf.d/a.toml:1:2:", "\"pop\" stands here a second time", "anyns.toml:2"],
        ),
    ];
    for (text, expected) in table {
        let said = said(&[("anyns.toml", MAIN), ("conf.d/a.toml", text), ("conf.d/b.toml", "[log]\n")]);
        for piece in *expected {
            assert!(said.contains(piece), "{text:?}: {said}");
        }
    }
}

#[test]
fn what_stands_a_second_time_names_the_place_of_the_first() {
    let pop = "[[fleet.pop]]\nname = \"a\"\nurl = \"http://127.0.0.1:1\"\n";
    for (first, second, place) in [
        // The section [pop] of the main file is another thing than the key of [fleet].
        (
            pop,
            "[fleet]\npop = []\n",
            "conf.d/b.toml:2:1: \"pop\" stands here a second time; it may stand once; the first is in conf.d/a.toml:1",
        ),
        ("[fleet]\npop = []\n", "[pop]\nname = \"x\"\n", "the first is in anyns.toml:2"),
        (
            "[web]\ntoken-files = []\n",
            "# web\n[web]\n",
            "conf.d/b.toml:2:2: \"web\" stands here a second time; it may stand once; the first is in conf.d/a.toml:1",
        ),
    ] {
        let said = said(&[("anyns.toml", MAIN), ("conf.d/a.toml", first), ("conf.d/b.toml", second)]);
        assert!(said.contains(place), "{place} in {said}");
    }
}

#[test]
fn the_faults_of_all_files_are_told_in_their_order() {
    let said = said(&[
        ("anyns.toml", &MAIN.replace("ams1", "a b")),
        ("conf.d/a.toml", "[serve]\nport = \"x\"\n"),
        ("conf.d/b.toml", "[bgp]\nlocal-as = \"x\"\n"),
    ]);
    let files: Vec<_> = said.lines().map(|line| line.split(':').next().unwrap()).collect();
    assert!(files.contains(&"conf.d/a.toml") && files.contains(&"conf.d/b.toml"), "{said}");
    let mut sorted = files.clone();
    sorted.sort_by_key(|file| (file.starts_with("conf.d"), *file));
    assert_eq!(files, sorted, "{said}");
}

#[test]
fn a_pattern_that_cannot_be_is_told() {
    let table = [
        ("\"absent.toml\"", "anyns.toml:1:11: include: there is no file absent.toml"),
        ("\"conf.d/**/x.toml\"", "has **"),
        ("\"conf.d/[.toml\"", "is no pattern of files"),
        ("7", "include: 7; allowed is "),
        ("[\"conf.d/*.toml\", 7]", "7; allowed is "),
        ("\"conf.d\"", "conf.d: it is included, but it is no regular file"),
    ];
    for (pattern, expected) in table {
        let said = said(&[("anyns.toml", &MAIN.replace("\"conf.d/*.toml\"", pattern))]);
        assert!(said.contains(expected), "{pattern}: {said}");
    }
}

#[test]
fn too_many_files_are_not_read() {
    let folder = folder(&[("anyns.toml", MAIN)]);
    for number in 0..=MOST_FILES {
        fs::write(folder.path().join(format!("conf.d/{number}.toml")), "").unwrap();
    }
    let error = gather(&folder.path().join("anyns.toml"), MAIN).unwrap_err();
    assert!(
        matches!(&error, ConfigError::Invalid { .. }) && error.to_string().contains("more than 1000 files")
    );
    assert!(gather(Path::new("anyns.toml"), "[pop]\n").is_ok());
}

#[test]
fn the_fleet_is_read_from_the_included_files_too() {
    const POP: &str = "[[fleet.pop]]\nname = \"NAME\"\nurl = \"http://198.51.100.10:9533\"\n";
    let files = [
        ("anyns.toml", "include = \"conf.d/*.toml\"\n[zonez]\n"),
        ("conf.d/fleet.toml", &POP.replace("NAME", "ams1")),
        ("conf.d/more.toml", &POP.replace("NAME", "fra1")),
        ("conf.d/pop.toml", "[pop]\nmanagement-addresses = [\"198.51.100.11\"]\n"),
    ];
    let folder = folder(&files);
    let main = folder.path().join("anyns.toml");
    let settings = fleet(&main).unwrap();
    let names: Vec<&str> = settings.pops.iter().map(|pop| pop.name.as_str()).collect();
    assert_eq!(names, ["ams1", "fra1"]);
    assert_eq!(settings.sources, ["198.51.100.11".parse::<std::net::IpAddr>().unwrap()]);
    // A fault names its own file and line.
    for (text, place) in [
        ("[[fleet.pop]]\nname = 7\n", "conf.d/more.toml:2:8: "),
        ("[[fleet.pop]]\nname = \"b\"\nurl = \"ftp://b\"\n", "conf.d/more.toml:3:7: fleet.pop.url: "),
        ("[[fleet.pop\n", "conf.d/more.toml:1:"),
    ] {
        fs::write(folder.path().join("conf.d/more.toml"), text).unwrap();
        let error = fleet(&main).unwrap_err().to_string();
        assert!(error.contains(place), "{text}: {error}");
    }
}
