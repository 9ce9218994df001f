//! A survey of one source: which zones it has, with the watches in place before the last look at it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::publish::fault::{SourceFault, SourceWarning};
use crate::publish::source::scan::{Found, Scan, scan_source};
use crate::publish::source::unseen::Unseen;
use crate::publish::source::watch::Watch;
use crate::publish::source::{SourceKey, ZoneSource};
use crate::sys::priority::CpuSpan;
use crate::wire::Name;

/// Looks before the watches must stay as they are; then the next regular look is the net.
const WATCH_ROUNDS: usize = 4;

/// What one look at a source found.
#[derive(Debug)]
pub(in crate::publish) struct Survey {
    /// The source, as it was when it was looked at.
    pub(in crate::publish) source: ZoneSource,
    /// The zones in canonical order, each with its file or what is wrong with it.
    pub(in crate::publish) zones: Vec<(Name, Found)>,
    /// What is wrong beside any one zone.
    pub(in crate::publish) faults: Vec<SourceFault>,
    /// What is odd and no fault.
    pub(in crate::publish) warnings: Vec<SourceWarning>,
    /// Directories below the source that could not be read, and why.
    pub(in crate::publish) unread: Vec<(PathBuf, String)>,
    /// Directories that could not be read.
    pub(in crate::publish) unseen: Unseen,
    /// Whether the source could not be read whole.
    pub(in crate::publish) partial: bool,
    /// What of it is on other file systems, as sources of their own.
    pub(in crate::publish) mounted: Vec<ZoneSource>,
    /// The directories that hold its files: without links, and as the source names them.
    pub(in crate::publish) directories: BTreeMap<PathBuf, PathBuf>,
    /// The file system that a configured directory is on.
    pub(in crate::publish) device: Option<u64>,
    /// How much CPU time that took.
    pub(in crate::publish) took: Duration,
}

/// Looks at a source, which may block for as long as its disk does. `watch` is told what to watch, unless nothing is to be
/// deployed by itself; `at` is told each directory before it is read.
pub(in crate::publish) fn survey(source: &ZoneSource, watch: Option<&Watch>, at: &dyn Fn(&Path)) -> Survey {
    let span = CpuSpan::begin();
    let mut scan = scan_source(source, at);
    // The files that zones include are watched beside.
    let watch = watch.filter(|_| !matches!(source.key, SourceKey::Included(..)));
    for _ in 0..WATCH_ROUNDS {
        let Some(watch) = watch else { break };
        if !watch.set(&source.key, &scan.watch) {
            break;
        }
        scan = scan_source(source, at);
    }
    let mounted = scan.take_mounted(&source.key);
    let Scan { zones, faults, warnings, unread, unseen, partial, directories, device, .. } = scan;
    let (source, took) = (source.clone(), span.elapsed());
    Survey { source, zones, faults, warnings, unread, unseen, partial, mounted, directories, device, took }
}
