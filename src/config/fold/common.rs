//! What the folding of every section needs: defaults, periods, paths and keys.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use crate::config::values::Period;
use crate::transfer::settings::{PeerSpec, SettingsFault};

/// The value, or the default where the key is missing.
pub(in crate::config) fn or_default<T: Clone>(value: &Option<Spanned<T>>, default: T) -> T {
    value.as_ref().map_or(default, |value| value.as_ref().clone())
}

/// The duration, or the default where the key is missing.
pub(in crate::config) fn period_or(value: &Option<Spanned<Period>>, default: Duration) -> Duration {
    value.as_ref().map_or(default, |value| value.as_ref().0)
}

/// A path of the file, relative to the file.
pub(in crate::config) fn path_in(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path)
}

/// The same of a path that may be missing.
pub(in crate::config) fn below(folder: &Path, path: &mut Option<PathBuf>) {
    if let Some(path) = path {
        *path = path_in(folder, path);
    }
}

/// A server with the paths of its TLS relative to the file.
pub(in crate::config) fn peer_below(folder: &Path, peer: &PeerSpec) -> PeerSpec {
    let mut peer = peer.clone();
    if let Some(tls) = &mut peer.tls {
        below(folder, &mut tls.ca_file);
        below(folder, &mut tls.certificate);
        below(folder, &mut tls.key);
    }
    peer
}

/// The key of a fault in the section of this name: a catalog has keys of a zone.
pub(in crate::config) fn key_of(section: &str, fault: &SettingsFault) -> String {
    let key = fault.key();
    key.strip_prefix("zone.").map_or_else(|| key.to_owned(), |key| format!("{section}.{key}"))
}
