//! `[control]`: where the admin socket is, and who may open it.

use std::path::PathBuf;

use crate::control::Settings;
use crate::sys::user;

use super::super::fault::Faults;
use super::super::spec::Spec;
use super::path_in;

pub(super) fn fold_control(spec: &Spec, faults: &mut Faults<'_>) -> Settings {
    let socket = spec.control.socket.as_ref();
    let path = socket.map_or_else(usual_socket, |socket| path_in(faults.folder(), socket));
    let group = spec.control.group.as_ref().filter(|_| faults.is_here());
    let group = group.and_then(|group| {
        let message = match user::group_id(group.as_ref()) {
            Ok(Some(id)) => return Some(id),
            Ok(None) => {
                format!("{:?}: this host has no such group; allowed is a group's name", group.as_ref())
            }
            Err(error) => format!("{:?}: the groups of this host cannot be read: {error}", group.as_ref()),
        };
        faults.error(Some(group.span()), "control.group", message);
        None
    });
    Settings { path, group }
}

/// The usual place of this user.
pub(in super::super) fn usual_socket() -> PathBuf {
    // A service manager's directory for this service (systemd.exec(5)) comes before the user's own.
    if let Some(directory) = std::env::var_os("RUNTIME_DIRECTORY") {
        return PathBuf::from(directory).join("control.sock");
    }
    if user::is_root() {
        return service_socket();
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    runtime.join("anyns").join("control.sock")
}

/// The usual place of a service.
pub(in super::super) fn service_socket() -> PathBuf {
    PathBuf::from("/run/anyns/control.sock")
}
