//! The way along a path through its symbolic links. Reads links, and nothing else.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};

/// Links followed in one path; the kernel's own limit (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Goes along a path, links and their targets included, and tells each step before it is taken: the directory, without links, and the
/// name in it. `path` is absolute. A step that breaks ends the way, and nothing is asked of what comes after it.
pub(in crate::publish) fn follow(path: &Path, mut step: impl FnMut(&Path, &OsStr) -> ControlFlow<()>) {
    let mut todo: Vec<OsString> = parts(path).rev().map(|part| part.as_os_str().to_owned()).collect();
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == ".." {
            at.pop();
            continue;
        }
        if step(&at, &name).is_break() {
            return;
        }
        at.push(&name);
        let Ok(target) = fs::read_link(&at) else { continue };
        links += 1;
        if links > MAX_LINKS {
            return;
        }
        at.pop();
        if target.has_root() {
            at = PathBuf::from("/");
        }
        todo.extend(parts(&target).rev().map(|part| part.as_os_str().to_owned()));
    }
}

/// The parts of a path that name something, the deepest last.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = Component<'_>> {
    path.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir))
}
