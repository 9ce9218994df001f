//! Sub-folders: which may name which of those beside them, as a table in the `mod.rs` above them says.

use std::collections::{BTreeMap, BTreeSet};

use crate::imports::{Crate, Module};

/// Which folders beside it each folder names, wherever a module or a folder of it has several. What a folder takes from the files beside
/// the folders is not limited: the table says which task builds on which. The key is the path of the parent, and the folder.
pub(crate) fn edges(sources: &BTreeMap<Module, String>) -> BTreeMap<(String, String), BTreeSet<String>> {
    let all = Crate::new(sources);
    let folders = folders(sources);
    let mut edges: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for module in sources.keys() {
        let imported = all.imported(module);
        for depth in 1..module.len() {
            let (parent, below) = module.split_at(depth);
            let (Some(folder), Some(siblings)) = (below.first(), folders.get(parent)) else { continue };
            if siblings.len() < 2 || !siblings.contains(folder) {
                continue;
            }
            let named = edges.entry((parent.join("/"), folder.clone())).or_default();
            let others = imported.iter().filter_map(|other| other.strip_prefix(parent)?.first());
            named.extend(others.filter(|other| *other != folder && siblings.contains(*other)).cloned());
        }
    }
    edges
}

/// The folders in each module and in each folder.
fn folders(sources: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<String>> {
    let mut folders: BTreeMap<Module, BTreeSet<String>> = BTreeMap::new();
    for module in sources.keys() {
        for depth in 1..module.len().saturating_sub(1) {
            let (parent, below) = module.split_at(depth);
            folders.entry(parent.to_vec()).or_default().extend(below.first().cloned());
        }
    }
    folders
}

/// The rows of the table of folders in a `mod.rs`.
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

#[test]
fn the_edges_of_folders_are_found_at_each_depth() {
    let files = [
        ("m/a/x", "use crate::m::b::y::Y;"),
        ("m/b/y", "use crate::m::c;"),
        ("m/c", ""),
        ("m/b/in/p", "use crate::m::b::out::q::Q;\nuse crate::m::a::x::X;"),
        ("m/b/out/q", "fn q() { crate::m::c::c() }"),
        ("n/only/z", "use crate::m::a::x::X;"),
    ];
    let module = |path: &str| path.split('/').map(str::to_owned).collect();
    let sources = files.into_iter().map(|(path, code)| (module(path), code.to_owned())).collect();
    let edges = edges(&sources);
    let shown: Vec<String> =
        edges.iter().map(|((parent, folder), named)| format!("{parent} {folder} {named:?}")).collect();
    let expected = ["m a {\"b\"}", "m b {\"a\"}", "m/b in {\"out\"}", "m/b out {}"];
    assert_eq!(shown, expected);
}
