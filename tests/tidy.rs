//! Style kept by a test: who names whom, what is dead, what is too long.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

#[path = "tidy/folders.rs"]
mod folders;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/names.rs"]
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// No file of code may be longer: a longer one does two things.
const MOST_LINES: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `directory` with one of these extensions, as paths relative to the repository.
fn files(directory: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![root().join(directory)]);
    while let Some(directory) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.expect("a directory entry").path()) {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            if path.is_dir() {
                open.push(path);
            } else if extensions.contains(&extension) {
                found.push(path.strip_prefix(root()).expect("inside").to_path_buf());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The code of a file: without comments at the start or the end of a line.
fn code(path: &Path) -> String {
    let text = read(path);
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn fail_on(what: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{what}:\n  {}", faults.join("\n  "));
}

/// The table in `src/lib.rs`: a module and the modules it may name; `None` stands for all.
fn table() -> BTreeMap<String, Option<BTreeSet<String>>> {
    let text = read(Path::new("src/lib.rs"));
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let row = |line: &str| {
        let (module, may) = line.split_once("` | ").expect("two columns");
        let named = may.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (module.to_owned(), if may.starts_with("everything") { None } else { Some(named) })
    };
    rows.map(row).collect()
}

/// The top modules that this code names as `crate::x` or in `crate::{x, y}`.
fn named_modules(code: &str) -> BTreeSet<String> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            named.insert(rest.chars().take_while(|character| is_name(*character)).collect());
            continue;
        };
        let (mut depth, mut word, mut first) = (0, String::new(), true);
        for character in group.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    named.insert(std::mem::take(&mut word));
                    first = true;
                }
                character if depth == 0 && first && is_name(character) => word.push(character),
                ':' if depth == 0 => first = false,
                _ => {}
            }
        }
        named.insert(word);
    }
    named.remove("");
    named
}

#[test]
fn modules_name_only_what_the_table_allows() {
    let table = table();
    assert!(table.len() > 10, "the table in src/lib.rs is not where this test looks: {table:?}");
    let mut faults = Vec::new();
    for path in files("src", &["rs"]) {
        let module =
            path.iter().nth(1).and_then(|part| part.to_str()).unwrap_or_default().trim_end_matches(".rs");
        if matches!(module, "lib" | "main" | "build") {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            faults.push(format!("{}: the module {module} is not in the table", path.display()));
            continue;
        };
        for named in named_modules(&code(&path)).iter().filter(|named| table.contains_key(*named)) {
            let allowed = allowed.as_ref().is_none_or(|allowed| allowed.contains(named)) || named == module;
            if !allowed || (module == "daemon" && named == "cli") {
                faults.push(format!("{}: {module} may not name {named}", path.display()));
            }
        }
    }
    fail_on("module edges outside the table in src/lib.rs", &faults);
}

/// The code of every file of `src` but tests, by its module.
fn sources() -> BTreeMap<imports::Module, String> {
    let module = |path: &Path| -> imports::Module {
        let parts =
            path.with_extension("").iter().skip(1).map(|part| part.to_string_lossy().into_owned()).collect();
        let parts: Vec<String> = parts;
        parts.into_iter().filter(|part| part != "mod").collect()
    };
    let is_test =
        |path: &PathBuf| path.with_extension("").iter().any(|part| part.to_string_lossy().ends_with("tests"));
    let sources = files("src", &["rs"]).into_iter().filter(|path| !is_test(path));
    sources.map(|path| (module(&path), code(&path))).collect()
}

#[test]
fn no_two_files_of_a_module_import_each_other() {
    fail_on("files that import each other", &imports::cycles(&sources()));
}

#[test]
fn folders_name_only_what_the_table_above_them_allows() {
    let mut faults = Vec::new();
    for ((parent, folder), named) in folders::edges(&sources()) {
        let page = format!("src/{parent}/mod.rs");
        let table = folders::table(&read(Path::new(&page)));
        let Some(allowed) = table.get(&folder) else {
            faults.push(format!(
                "{page}: the folder {folder} is not in the table of folders; it names {named:?}"
            ));
            continue;
        };
        let outside = named.difference(allowed).map(|other| format!("{page}: {folder} may not name {other}"));
        faults.extend(outside);
    }
    fail_on("edges of folders outside the table in their mod.rs", &faults);
}

#[test]
fn types_have_names_of_their_own() {
    let mut sources = sources();
    // The same functions and types as in host/linux, for other platforms.
    sources.retain(|module, _| !module.iter().any(|part| part == "portable"));
    fail_on("two types of one name in a module", &names::twice_in_a_module(&sources));
    fail_on("files that see two types of one name", &names::seen_together(&sources));
}

#[test]
fn every_module_of_the_table_exists() {
    let missing = table().into_keys().filter(|module| !root().join("src").join(module).is_dir());
    fail_on("in the table but not in src", &missing.collect::<Vec<_>>());
}

#[test]
fn hickory_is_named_only_where_it_belongs() {
    let allowed = |path: &Path| {
        path.starts_with("src/health")
            || path.starts_with("src/serve/hickory")
            || path.ends_with("serve/hickory.rs")
            || path.ends_with("cli/which/message.rs")
            // Its tests alone, which want messages that we did not encode.
            || path.ends_with("serve/encrypted/freshness.rs")
    };
    let named =
        files("src", &["rs"]).into_iter().filter(|path| !allowed(path) && code(path).contains("hickory_"));
    fail_on("hickory named outside src/health, src/serve/hickory.rs and src/cli/which", &shown(named));
}

#[test]
fn tls_http_and_quic_are_named_only_by_the_encrypted_transports() {
    let crates = ["rustls", "quinn", "h2::", "h3::", "http::", "hyper"];
    // Transfers over TLS: the configurations stand in one folder, and two files open streams with them. The page and its client
    // speak HTTP, and so does the export of logs; `which` is a client of every transport.
    let allowed = |path: &Path| {
        path.starts_with("src/serve/encrypted")
            || path.starts_with("src/transfer/tls")
            || path.starts_with("src/web")
            || path.starts_with("src/fleet")
            || path.starts_with("src/cli/which")
            || path.ends_with("transfer/primary/connection.rs")
            || path.ends_with("transfer/primary/handle.rs")
            || path.ends_with("otlp/post.rs")
    };
    let names = |path: &PathBuf| {
        let code = code(path);
        code.lines()
            .any(|line| crates.iter().any(|name| line.trim_start().starts_with(&format!("use {name}"))))
            || code.contains("rustls::")
    };
    let named = files("src", &["rs"]).into_iter().filter(|path| !allowed(path) && names(path));
    fail_on(
        "TLS, HTTP or QUIC named outside src/serve/encrypted, src/transfer/tls, src/web, src/fleet, src/otlp/post.rs and src/cli/which",
        &shown(named),
    );
}

#[test]
fn unsafe_stands_only_in_sys_and_says_why() {
    let mut faults = Vec::new();
    for path in files("src", &["rs"]) {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for (index, _) in lines.iter().enumerate().filter(|(_, line)| has_word(line, "unsafe")) {
            let before = lines.get(index.saturating_sub(6)..index).unwrap_or_default();
            let reasoned = before.iter().any(|line| line.contains("// SAFETY:") || line.contains("# Safety"));
            if !path.starts_with("src/sys") || !reasoned {
                faults.push(format!("{}:{}", path.display(), index + 1));
            }
        }
    }
    fail_on("unsafe outside src/sys, or without a SAFETY comment in the six lines before", &faults);
}

fn has_word(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|character: char| !character.is_alphanumeric() && character != '_').any(|found| found == word)
}

#[test]
fn no_file_is_too_long() {
    let code = ["src", "tests"].into_iter().flat_map(|directory| files(directory, &["rs"]));
    let long = code.map(|path| (read(&path).lines().count(), path)).filter(|(lines, _)| *lines > MOST_LINES);
    let faults: Vec<String> =
        long.map(|(lines, path)| format!("{}: {lines} lines", path.display())).collect();
    fail_on("files of more than 500 lines", &faults);
}

#[test]
fn every_file_is_reached_from_a_mod() {
    let mut reached = BTreeSet::from(["src/lib.rs", "src/main.rs", "src/build.rs"].map(PathBuf::from));
    let mut open: Vec<PathBuf> = reached.iter().cloned().collect();
    while let Some(path) = open.pop() {
        let text = code(&path);
        let declared = text.lines().filter_map(|line| {
            let line = line.trim().strip_suffix(';')?;
            let (before, name) =
                line.rsplit_once("mod ").or_else(|| line.strip_prefix("mod ").map(|name| ("", name)))?;
            (before.is_empty() || before.trim_start().starts_with("pub")).then(|| name.trim().to_owned())
        });
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let parent = path.parent().expect("in src");
        let home =
            if matches!(stem, "mod" | "lib" | "main") { parent.to_path_buf() } else { parent.join(stem) };
        for name in declared {
            for file in [home.join(format!("{name}.rs")), home.join(&name).join("mod.rs")] {
                if root().join(&file).exists() && reached.insert(file.clone()) {
                    open.push(file);
                }
            }
        }
    }
    let dead = files("src", &["rs"]).into_iter().filter(|path| !reached.contains(path));
    fail_on("files that no mod reaches", &shown(dead));
}

#[test]
fn every_dependency_says_why() {
    let text = read(Path::new("Cargo.toml"));
    let (mut inside, mut before, mut faults) = (false, "", Vec::new());
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies]");
        } else if inside && line.contains('=') && !line.starts_with('#') && !line.starts_with(' ') {
            // A comment may stand for a group of dependencies on consecutive lines.
            if !before.starts_with('#') && !before.contains('=') {
                faults.push(line.to_owned());
            }
        }
        before = line;
    }
    fail_on("dependencies without a comment", &faults);
}

#[test]
fn tests_wait_for_events() {
    let faults = files("tests", &["rs"]).into_iter().chain(files("src", &["rs"]));
    let faults = faults.filter(|path| !path.ends_with("support/wait.rs") && !path.ends_with("tidy.rs"));
    let faults = faults.filter(|path| code(path).contains("thread::sleep"));
    fail_on("a thread sleeps; wait in tests/support/wait.rs for something that can be seen", &shown(faults));
    // The server itself may sleep on tokio; its tests may not.
    let sleeps = |code: &str| code.contains("sleep(") || code.contains("sleep_until(");
    let tests = files("tests", &["rs"]).into_iter().filter(|path| {
        let is_allowed = SLEEPING_TESTS.iter().any(|(allowed, _)| path == Path::new(allowed));
        !is_allowed && !path.ends_with("tidy.rs") && sleeps(&code(path))
    });
    let units = files("src", &["rs"]).into_iter().filter(|path| {
        code(path).split_once("#[cfg(test)]\nmod tests {").is_some_and(|(_, tests)| sleeps(tests))
    });
    fail_on("a test sleeps on tokio; wait in tests/support/wait.rs", &shown(tests.chain(units)));
}

/// The tests that sleep, and why.
const SLEEPING_TESTS: &[(&str, &str)] = &[
    ("tests/support/wait.rs", "the pause between two looks"),
    ("tests/bench/difference.rs", "a measurement takes a span of time"),
    ("tests/unit/health/responder.rs", "a server that answers late, which the probes must bear"),
];

#[test]
fn one_alias_decides_which_platform_code_is_compiled() {
    let all = files("src", &["rs"]).into_iter().chain(files("tests", &["rs"]));
    let faults = all.filter(|path| !path.ends_with("src/build.rs") && !path.ends_with("tidy.rs"));
    let faults = faults.filter(|path| code(path).contains("target_os"));
    fail_on("target_os; write cfg(native), which src/build.rs sets", &shown(faults));
}

#[test]
fn skips_are_counted() {
    let all = files("tests", &["rs"]).into_iter().chain(files("src", &["rs"]));
    let spells = ["println!(\"skip", "println!(\"SKIP"];
    // A bench says on its own what it left out.
    let is_exempt = |path: &PathBuf| {
        path.starts_with("tests/bench") || path.ends_with("support/skip.rs") || path.ends_with("tidy.rs")
    };
    let faults = all
        .filter(|path| !is_exempt(path))
        .filter(|path| spells.iter().any(|spell| read(path).contains(spell)));
    fail_on("a skip that is not counted; call skip() of tests/support/skip.rs", &shown(faults));
}

#[test]
fn the_top_level_holds_what_a_reader_expects() {
    let expected =
        ["CHANGELOG.md", "Cargo.lock", "Cargo.toml", "README.md", "deploy", "src", "tests", "zones"];
    let listed = std::process::Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let listed = String::from_utf8(listed.expect("git runs").stdout).expect("names are UTF-8");
    let top: BTreeSet<&str> = listed.lines().filter_map(|path| path.split('/').next()).collect();
    assert!(top.contains("src"), "git lists the files of this checkout");
    let is_odd =
        |name: &&str| !(expected.contains(name) || name.starts_with('.') || name.starts_with("LICENSE-"));
    let odd: Vec<String> = top.into_iter().filter(is_odd).map(str::to_owned).collect();
    fail_on("these belong into a folder, or not into the repository", &odd);
}

#[test]
fn no_file_names_this_machine() {
    // Put together here, so that this file does not hold what it looks for.
    let words =
        [["/roo", "t/"], ["/home", "/"], ["/wor", "k/"], ["registry", ".npmjs"], ["index.", "crates.io"]];
    let words = words.map(|parts| parts.concat());
    let kinds = ["rs", "md", "toml", "zone", "conf", "service", "json", "txt", "sh"];
    let mut paths: Vec<PathBuf> = ["src", "tests", "zones", "deploy"]
        .into_iter()
        .flat_map(|directory| files(directory, &kinds))
        .collect();
    paths.extend(
        ["README.md", "CHANGELOG.md", "Cargo.toml", "tests/run", "tests/portable", ".ci/run"]
            .map(PathBuf::from),
    );
    let mut faults = Vec::new();
    for path in paths {
        let text = read(&path);
        let hits = words.iter().filter(|word| text.contains(word.as_str()));
        faults.extend(hits.map(|word| format!("{}: {word}", path.display())));
    }
    fail_on("absolute paths or registry hosts of one machine", &faults);
}

fn shown(paths: impl Iterator<Item = PathBuf>) -> Vec<String> {
    paths.map(|path| path.display().to_string()).collect()
}
