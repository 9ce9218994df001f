//! Files of one module that import each other, directly or over others: neither can be read without the other.

use std::collections::{BTreeMap, BTreeSet};

/// The path of a module below the crate: `["zone", "entry"]`.
pub(crate) type Module = Vec<String>;

/// What a file imports: whether it is exported again, and the path as it is written.
type Use = (bool, Vec<String>);

/// What every file of the crate imports and exports.
pub(crate) struct Crate {
    uses: BTreeMap<Module, Vec<Use>>,
    /// The paths that stand in the code itself, such as `super::check::check(...)`.
    named: BTreeMap<Module, Vec<Vec<String>>>,
    /// What a module exports from elsewhere: the name, and where it comes from.
    exports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

/// The groups of files that reach each other by their imports, within each top module. `sources` has the code of every file.
pub(crate) fn cycles(sources: &BTreeMap<Module, String>) -> Vec<String> {
    let all = Crate::new(sources);
    let edges: BTreeMap<&Module, BTreeSet<Module>> =
        all.uses.keys().map(|module| (module, all.imported(module))).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|module| (*module, reachable(module, &edges))).collect();
    let mut groups = BTreeSet::new();
    for (module, others) in &reached {
        let back = |other: &&&Module| reached.get(**other).is_some_and(|back| back.contains(*module));
        let group: BTreeSet<String> = others.iter().filter(back).map(|other| other.join("/")).collect();
        if !group.is_empty() {
            groups.insert(group);
        }
    }
    groups.into_iter().map(|group| group.into_iter().collect::<Vec<_>>().join(", ")).collect()
}

fn reachable<'e>(from: &Module, edges: &'e BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<&'e Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in edges.get(module).into_iter().flatten() {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

impl Crate {
    pub(crate) fn new(sources: &BTreeMap<Module, String>) -> Self {
        let uses = sources.iter().map(|(module, code)| (module.clone(), uses(code))).collect();
        let named = sources.iter().map(|(module, code)| (module.clone(), named(code))).collect();
        let mut all = Self { uses, named, exports: BTreeMap::new() };
        let mut exports = BTreeMap::new();
        for (module, uses) in &all.uses {
            let exported = uses.iter().filter(|(is_export, _)| *is_export);
            let from = exported.filter_map(|(_, path)| all.absolute(module, path));
            let named = from.filter_map(|path| Some((path.last()?.clone(), path)));
            exports.insert(module.clone(), named.collect());
        }
        all.exports = exports;
        all
    }

    /// The imports of a file, exports included, as paths from the crate's root.
    pub(crate) fn imports(&self, module: &Module) -> Vec<Vec<String>> {
        let uses = self.uses.get(module).into_iter().flatten();
        uses.filter_map(|(_, path)| self.absolute(module, path)).collect()
    }

    /// The files of the same top module that a file imports from, or names in its code. What it exports again is the module's face, not its own need.
    pub(crate) fn imported(&self, module: &Module) -> BTreeSet<Module> {
        let own = self.uses.get(module).into_iter().flatten().filter(|(is_export, _)| !is_export);
        let named = self.named.get(module).into_iter().flatten();
        let paths = own.map(|(_, path)| path).chain(named).filter_map(|path| self.absolute(module, path));
        let files = paths.filter_map(|path| self.file_of(&path, 0));
        files.filter(|file| file != module && file.first() == module.first()).collect()
    }

    /// A path from the crate's root; `None` for another crate.
    pub(crate) fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (base, rest) = (Vec::new(), path.get(1..)?),
            "self" => rest = path.get(1..)?,
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = rest.get(1..)?;
                }
            }
            child => {
                let inner = [base.as_slice(), &[child.to_owned()]].concat();
                self.uses.get(&inner)?;
            }
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// The file that defines what a path names, through what modules export again.
    pub(crate) fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (0..=path.len())
            .rev()
            .find(|length| path.get(..*length).is_some_and(|it| self.uses.contains_key(it)))?;
        let module = path.get(..length)?.to_vec();
        let name = path.get(length);
        let export = name.and_then(|name| self.exports.get(&module)?.get(name));
        match export {
            Some(from) if depth < 6 => {
                let rest = path.get(length + 1..).unwrap_or_default();
                self.file_of(&[from.as_slice(), rest].concat(), depth + 1)
            }
            _ => Some(module),
        }
    }
}

/// The `use` declarations of a file, its tests left out.
fn uses(code: &str) -> Vec<Use> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut statement: Option<(bool, String)> = None;
    for line in code.lines() {
        let trimmed = line.trim();
        if statement.is_none() {
            let (before, after) = match trimmed.strip_prefix("use ") {
                Some(after) => ("", after),
                None => trimmed.split_once(" use ").unwrap_or(("none", "")),
            };
            let is_export = before.starts_with("pub") && !before.contains(char::is_whitespace);
            if before.is_empty() || is_export {
                statement = Some((is_export, after.to_owned()));
            }
        } else if let Some((_, text)) = &mut statement {
            text.push_str(trimmed);
        }
        if let Some((is_export, text)) = statement.take() {
            match text.split_once(';') {
                Some((tree, _)) => expand(&[], tree, &mut |path| found.push((is_export, path))),
                None => statement = Some((is_export, text)),
            }
        }
    }
    found
}

/// The paths of modules in the code of a file, outside of `use` declarations, comments and tests.
fn named(code: &str) -> Vec<Vec<String>> {
    let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut is_use = false;
    for line in code.lines().map(str::trim) {
        is_use |= line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        if is_use {
            is_use = !line.contains(';');
            continue;
        }
        let code = if line.starts_with("//") || line.starts_with("#[") { "" } else { line };
        let code = code.split(" //").next().unwrap_or_default();
        // Every second part stands between quotation marks.
        for part in code.split('"').step_by(2) {
            paths_in(part, &mut found);
        }
    }
    found
}

/// Adds the paths that begin with the name of a module.
fn paths_in(code: &str, found: &mut Vec<Vec<String>>) {
    let is_part = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let mut before = "";
    for word in code.split(|character: char| !is_part(character)) {
        let is_module = word.starts_with(|first: char| first.is_lowercase() || first == '_');
        // `pub(in crate::zone)` says who may see something.
        if is_module && word.contains("::") && before != "in" {
            let path: Vec<String> =
                word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            found.push(path);
        }
        before = word;
    }
}

/// Every path of a tree such as `a::{b, c::d as e}`.
fn expand(prefix: &[String], tree: &str, found: &mut impl FnMut(Vec<String>)) {
    let (mut depth, mut start) = (0usize, 0);
    let mut branches = Vec::new();
    for (at, character) in tree.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                branches.push(&tree[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&tree[start..]);
    for branch in branches.into_iter().map(str::trim).filter(|branch| !branch.is_empty()) {
        let (path, group) = match branch.split_once('{') {
            Some((path, group)) => (path, group.strip_suffix('}')),
            None => (branch.split(" as ").next().unwrap_or_default(), None),
        };
        let parts = path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
        let inner: Vec<String> = prefix.iter().cloned().chain(parts).collect();
        match group {
            Some(group) => expand(&inner, group, found),
            None => found(inner),
        }
    }
}

#[test]
fn a_cycle_is_found_through_what_a_module_exports() {
    let sources = |a: &str, b: &str| {
        let files =
            [("m", "pub use a::A;\npub use b::{B, C};"), ("m/a", a), ("m/b", b), ("n", "use crate::m::A;")];
        let module = |path: &str| path.split('/').map(str::to_owned).collect();
        files.into_iter().map(|(path, code)| (module(path), code.to_owned())).collect()
    };
    assert_eq!(cycles(&sources("use super::B;", "use crate::m::{\n    A,\n};")), ["m/a, m/b"]);
    assert_eq!(cycles(&sources("use super::{B, C as D};", "use crate::n::A;\nuse std::io;")), [""; 0]);
    assert_eq!(cycles(&sources("fn a() { super::b::c(\"x\") }", "use super::A;")), ["m/a, m/b"]);
    assert_eq!(cycles(&sources("// super::b::c\npub(in crate::m) fn a() {}", "use super::A;")), [""; 0]);
    assert_eq!(
        cycles(&sources(
            "use super::b;",
            "fn x() {}\n#[cfg(test)]\nmod tests {\n    use super::super::A;\n}"
        )),
        [""; 0]
    );
}
