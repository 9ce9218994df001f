//! Names of types: unique within a top module, and never two of one name in the same file.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Crate, Module};

/// Names that every module may give to its own: they are read with the module before them (`serve::Settings`).
const QUALIFIED: &[&str] = &["Facts", "Settings", "SettingsError"];

/// The types of one name within a top module. `sources` has the code of every file.
pub(crate) fn twice_in_a_module(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (module, code) in sources {
        let Some(top) = module.first() else { continue };
        for name in declared(code) {
            found.entry((top.clone(), name)).or_default().push(module.join("/"));
        }
    }
    let twice = found.into_iter().filter(|(_, files)| files.len() > 1);
    let faults = twice.map(|((top, name), files)| format!("{top} {name}: {}", files.join(", ")));
    faults.collect()
}

/// The files that see types of one name from different files: their own, imported, or behind the name of a module.
pub(crate) fn seen_together(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let all = Crate::new(sources);
    let declared: BTreeMap<&Module, BTreeSet<String>> =
        sources.iter().map(|(module, code)| (module, declared(code).into_iter().collect())).collect();
    let mut faults = Vec::new();
    for (module, code) in sources {
        let mut seen: BTreeMap<String, BTreeSet<Module>> = BTreeMap::new();
        let mut see = |path: &[String]| {
            let Some((name, file)) = path.last().zip(all.file_of(path, 0)) else { return };
            if declared.get(&file).is_some_and(|names| names.contains(name)) {
                seen.entry(name.clone()).or_default().insert(file);
            }
        };
        for name in declared.get(module).into_iter().flatten() {
            see(&[module.as_slice(), std::slice::from_ref(name)].concat());
        }
        let imports = all.imports(module);
        imports.iter().for_each(|path| see(path));
        for path in qualified(code) {
            let imported = imports.iter().find(|import| import.last() == path.first());
            let path = match imported {
                Some(import) => Some([import.as_slice(), path.get(1..).unwrap_or_default()].concat()),
                None => all.absolute(module, &path),
            };
            if let Some(path) = path {
                see(&path);
            }
        }
        for (name, files) in seen {
            if files.len() > 1 && !QUALIFIED.contains(&name.as_str()) {
                let files: Vec<String> = files.iter().map(|file| file.join("/")).collect();
                faults.push(format!("{} sees {name}: {}", module.join("/"), files.join(", ")));
            }
        }
    }
    faults
}

/// The types that a file declares, its tests left out.
fn declared(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in without_tests(code).lines() {
        let line = line.strip_prefix("pub").map_or(line, |rest| {
            rest.trim_start()
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(')'))
                .map_or(rest, |(_, rest)| rest)
        });
        let mut words = line.split(|character: char| !is_name(character)).filter(|word| !word.is_empty());
        let starts_here = !line.starts_with("    ") && !line.starts_with('/');
        if let (true, Some("struct" | "enum" | "union" | "trait" | "type")) = (starts_here, words.next())
            && let Some(name) = words.next()
        {
            found.push(name.to_owned());
        }
    }
    found
}

/// The paths of two parts and more that end in a type, as they are written: `host::OwnSocket`.
fn qualified(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let path = |word: &str| word.split("::").map(str::to_owned).collect::<Vec<_>>();
    let words = without_tests(code).split(|character: char| !is_name(character) && character != ':');
    for word in words.filter(|word| word.contains("::")) {
        let parts = path(word.trim_matches(':'));
        // A path into a type (`host::OwnSocket::new`) ends at the type for us.
        let length = parts.iter().position(|part| part.starts_with(char::is_uppercase));
        if let Some(length) = length.filter(|length| *length > 0) {
            found.push(parts.into_iter().take(length + 1).collect());
        }
    }
    found
}

fn without_tests(code: &str) -> &str {
    code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn types_of_one_name_are_found() {
    let sources = |c: &str| {
        let files = [
            ("a", "pub mod b;\npub use b::T;"),
            ("a/b", "pub struct T;"),
            ("d", "pub(crate) enum T {"),
            ("c", c),
        ];
        let module = |path: &str| path.split('/').map(str::to_owned).collect();
        files.into_iter().map(|(path, code)| (module(path), code.to_owned())).collect()
    };
    let fault = ["c sees T: a/b, d"];
    assert_eq!(seen_together(&sources("use crate::a::T;\nuse crate::d::T as U;")), fault);
    assert_eq!(seen_together(&sources("use crate::{a, d};\nfn f(_: a::T) -> d::T {")), fault);
    assert_eq!(seen_together(&sources("use crate::a;\nfn f(_: a::T) -> crate::d::T {")), fault);
    assert_eq!(seen_together(&sources("use crate::a::T;\nuse crate::a::b;\nfn f(_: b::T)")), [""; 0]);
    assert_eq!(seen_together(&sources("use crate::a::T;\nstruct T;")), ["c sees T: a/b, c"]);
    let mut twice: BTreeMap<Module, String> = sources("struct T;");
    twice.insert(vec!["c".to_owned(), "e".to_owned()], "type T = u8;\nstruct U;".to_owned());
    assert_eq!(twice_in_a_module(&twice), ["c T: c, c/e"]);
}
