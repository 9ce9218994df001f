//! The keys of the configuration: the guide's table and the annotated config have each of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::anyns::run_here;

/// Each section with what makes `check` tell its keys: a key that is none, in its place.
const SECTIONS: [(&str, &str); 27] = [
    ("pop", "[pop]\nKEY"),
    ("log", "[log]\nKEY"),
    ("serve", "[serve]\nKEY"),
    ("tls", "[tls]\nKEY"),
    ("rate-limit", "[rate-limit]\nKEY"),
    ("zones", "[zones]\nKEY"),
    ("zone", "[[zone]]\nKEY"),
    ("catalog", "[[catalog]]\nKEY"),
    ("catalog.group", "[[catalog]]\nname = \"a\"\n[[catalog.group]]\nKEY"),
    ("canary", "[[canary]]\nKEY"),
    ("key", "[[key]]\nKEY"),
    ("transfer", "[transfer]\nKEY"),
    ("transfer.tls", "[transfer.tls]\nKEY"),
    ("service", "[[service]]\nKEY"),
    ("health", "[health]\nKEY"),
    ("policy", "[policy]\nKEY"),
    ("drain", "[drain]\nKEY"),
    ("route", "[route]\nKEY"),
    ("bgp", "[bgp]\nKEY"),
    ("bgp.neighbor", "[bgp]\nlocal-as = 1\nrouter-id = \"192.0.2.1\"\n[[bgp.neighbor]]\nKEY"),
    ("control", "[control]\nKEY"),
    ("web", "[web]\nKEY"),
    ("fleet", "[fleet]\nKEY"),
    ("fleet.pop", "[[fleet.pop]]\nKEY"),
    ("samples", "[samples]\nKEY"),
    ("rssac002", "[rssac002]\nKEY"),
    ("otlp", "[otlp]\nKEY"),
];

const NO_KEY: &str = "there is no key \"no-such-key\" here; there are ";

/// The keys that the program takes, by section; those of a section that are sections themselves are left out.
fn keys() -> BTreeMap<&'static str, BTreeSet<String>> {
    let directory = tempfile::tempdir().expect("a directory");
    let told = |text: &str| {
        std::fs::write(directory.path().join("a.toml"), text).expect("written");
        let said = run_here(directory.path(), &["check", "--offline", "--config", "a.toml"]).text;
        let line = said.lines().find_map(|line| Some(line.split_once(NO_KEY)?.1.to_owned()));
        line.unwrap_or_else(|| panic!("no keys are told: {said}"))
    };
    let split = |line: String| line.split(", ").map(str::to_owned).collect::<BTreeSet<String>>();
    let first = split(told("no-such-key = 1\n"));
    let known: BTreeSet<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
    for section in first.iter().filter(|section| *section != "include") {
        assert!(known.contains(section.as_str()), "[{section}] is not looked at by this test");
    }
    let of = |(name, text): (&'static str, &str)| {
        let keys = split(told(&text.replace("KEY", "no-such-key = 1\n")));
        (name, keys.into_iter().filter(|key| !known.contains(format!("{name}.{key}").as_str())).collect())
    };
    SECTIONS.into_iter().map(of).collect()
}

/// The sections of a text in which keys stand between backticks, by the rows of the guide's table.
fn table_rows(guide: &str) -> BTreeMap<String, String> {
    let table = guide.split("| section | keys |").nth(1).expect("the table");
    let rows = table.lines().skip(1).take_while(|line| line.is_empty() || line.starts_with('|'));
    let row = |line: &str| {
        let (name, keys) = line.strip_prefix("| `")?.split_once("` |")?;
        Some((name.trim_matches(['[', ']']).to_owned(), keys.to_owned()))
    };
    rows.filter_map(row).collect()
}

#[test]
fn the_table_of_the_guide_has_every_key() {
    let guide = crate::deployed("README.md");
    let rows = table_rows(&guide);
    for (section, keys) in keys() {
        // These two have no row: the first is shown in a section of the guide, the second has nothing but its list.
        let Some(row) = rows.get(section) else {
            assert!(["transfer.tls", "fleet"].contains(&section), "[{section}] has no row");
            continue;
        };
        let missing: Vec<_> = keys.iter().filter(|key| !row.contains(&format!("`{key}`"))).collect();
        assert!(missing.is_empty(), "[{section}]: the guide's table lacks {missing:?}");
    }
}

#[test]
fn the_annotated_config_has_every_key() {
    let text = crate::deployed("anyns.toml");
    // By section what stands in it, also behind a comment mark.
    let mut sections: BTreeMap<String, String> = BTreeMap::new();
    let mut section = String::new();
    for line in text.lines() {
        let bare = line.trim_start_matches('#').trim_start();
        if bare.starts_with('[') && bare.contains(']') {
            section = bare.split(']').next().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        }
        let known = sections.entry(section.clone()).or_default();
        known.push_str(bare);
        known.push('\n');
    }
    for (section, keys) in keys() {
        let text = sections.get(section).map_or("", String::as_str);
        let has = |key: &str| {
            let beside =
                |before: Option<char>| before.is_none_or(|it| !it.is_ascii_alphanumeric() && it != '-');
            text.match_indices(key).any(|(at, _)| {
                let (before, after) = (&text[..at], &text[at + key.len()..]);
                let is_set = after.starts_with(" =") || after.starts_with([':', ';', ',']);
                beside(before.chars().next_back()) && is_set
            })
        };
        let missing: Vec<_> = keys.iter().filter(|key| !has(key)).collect();
        let is_shown = section != "fleet";
        assert!(missing.is_empty() || !is_shown, "[{section}]: deploy/anyns.toml lacks {missing:?}");
    }
}
