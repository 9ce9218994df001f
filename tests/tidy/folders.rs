//! Sub-folders of a module: which may name which, as a table in the module's `mod.rs` says.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Crate, Module};

/// Which other folders each folder names, in modules that have several. What a folder takes from the files beside the folders is
/// not limited: the table says which task builds on which.
pub(crate) fn edges(sources: &BTreeMap<Module, String>) -> BTreeMap<(String, String), BTreeSet<String>> {
    let all = Crate::new(sources);
    let is_folder = |top: &str, part: &str| {
        sources.keys().any(|module| matches!(module.as_slice(), [a, b, _, ..] if a == top && b == part))
    };
    let mut edges: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for module in sources.keys() {
        let [top, folder, ..] = module.as_slice() else { continue };
        let others =
            || sources.keys().filter(|other| other.first() == Some(top) && other.get(1) != Some(folder));
        let has_others = others().any(|other| other.get(1).is_some_and(|part| is_folder(top, part)));
        if !is_folder(top, folder) || !has_others {
            continue;
        }
        let named = edges.entry((top.clone(), folder.clone())).or_default();
        for other in all.imported(module) {
            match other.get(1) {
                Some(part) if part != folder && is_folder(top, part) => drop(named.insert(part.clone())),
                _ => {}
            }
        }
    }
    edges
}

/// The rows of the table of folders in a module's `mod.rs`.
pub(crate) fn table(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = text.lines().skip_while(|line| !line.starts_with("//! | folder |"));
    let rows =
        rows.take_while(|line| line.starts_with("//! |")).filter_map(|line| line.strip_prefix("//! | `"));
    let row = |line: &str| {
        let (folder, may) = line.split_once("` | ").expect("two columns");
        (folder.to_owned(), may.split('`').skip(1).step_by(2).map(str::to_owned).collect())
    };
    rows.map(row).collect()
}
