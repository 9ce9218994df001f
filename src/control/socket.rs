//! The socket file: made so that at no moment anyone can open it who may not, and never taken from a living process.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::sys::{files, user};

use super::ControlError;

/// What the operator chose about the admin socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where it is. The last directory of the path is made if it is missing.
    pub path: PathBuf,
    /// The id of the group whose members may open it, beside anyns's user; `None`: anyns's user alone.
    pub group: Option<u32>,
}

impl Settings {
    /// The permissions of the file.
    fn mode(&self) -> u32 {
        if self.group.is_some() { 0o660 } else { 0o600 }
    }
}

/// Which file it is: device and inode. The path may hold another one by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

impl Identity {
    /// What the path holds.
    pub(super) fn of(path: &Path) -> Option<Self> {
        fs::symlink_metadata(path).ok().map(|metadata| Self(metadata.dev(), metadata.ino()))
    }
}

/// Listens. Binds in a directory of our own first and then moves the socket into place. The stale socket of a dead process is
/// replaced; that of a living one is an error.
pub(super) fn listen(settings: &Settings) -> Result<(UnixListener, Option<Identity>), ControlError> {
    let path = settings.path.as_path();
    let failed = |what| move |source| ControlError::Io { what, path: path.into(), source };
    let directory = directory_of(path);
    match fs::DirBuilder::new().mode(0o755).create(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(failed("make the directory of")(error)),
        _ => Ok(()),
    }?;
    check_owner(path)?;
    check_free(path)?;
    let private = directory.join(format!(".{}-{:08x}", std::process::id(), fastrand::u32(..)));
    fs::DirBuilder::new().mode(0o700).create(&private).map_err(failed("make a directory beside"))?;
    let bound = bind(&private.join("s"), settings);
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    bound
}

fn bind(first: &Path, settings: &Settings) -> Result<(UnixListener, Option<Identity>), ControlError> {
    let failed = |source| ControlError::Io { what: "open", path: settings.path.clone(), source };
    let listener = UnixListener::bind(first).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    if let Some(group) = settings.group {
        let foreign = |source| ControlError::Group { path: settings.path.clone(), group, source };
        chown(first, None, Some(group)).map_err(foreign)?;
    }
    fs::set_permissions(first, fs::Permissions::from_mode(settings.mode())).map_err(failed)?;
    let identity = Identity::of(first);
    fs::rename(first, &settings.path).map_err(failed)?;
    Ok((listener, identity))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// In a directory where every user may make files (/tmp), another user may have made a directory of a name that can be guessed. One
/// that belongs to another user is not used: neither to listen there, nor to talk to a server that does.
///
/// # Errors
/// [`ControlError::ForeignDirectory`].
pub(super) fn check_owner(path: &Path) -> Result<(), ControlError> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else {
        return Ok(());
    };
    let around = directory.parent().filter(|around| !around.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_open = fs::metadata(around).is_ok_and(|around| around.mode() & 0o002 != 0);
    // Not followed: a link of another user may lead anywhere.
    match fs::symlink_metadata(directory) {
        Ok(found) if is_open && found.uid() != user::id() && found.uid() != 0 => {
            Err(ControlError::ForeignDirectory { directory: directory.into(), owner: found.uid() })
        }
        _ => Ok(()),
    }
}

/// Whether a socket may be opened there by this user, as far as that can be told while anyns runs. Changes nothing.
///
/// # Errors
/// Those of a start, but that another process listens there.
pub fn check_place(settings: &Settings) -> Result<(), ControlError> {
    let path = settings.path.as_path();
    check_owner(path)?;
    if let Err(error @ ControlError::NotASocket { .. }) = check_free(path) {
        return Err(error);
    }
    let directory = directory_of(path);
    // A start makes the last directory alone.
    let what = if directory.exists() { "make a file beside" } else { "make the directory of" };
    let place = if directory.exists() { directory } else { directory_of(directory) };
    let failed = |source| ControlError::Io { what, path: path.into(), source };
    let is_there = place.is_dir().then_some(()).ok_or_else(|| ErrorKind::NotFound.into());
    is_there.and_then(|()| files::check_directory(place)).map_err(failed)?;
    match settings.group {
        Some(group) if !user::is_root() && !user::is_in_group(group) => {
            let source = io::Error::from_raw_os_error(libc::EPERM);
            Err(ControlError::Group { path: path.into(), group, source })
        }
        _ => Ok(()),
    }
}

/// Whether an anyns, or another process, listens there, or may do so: this user cannot tell.
pub fn may_be_taken(settings: &Settings) -> bool {
    !matches!(check_free(&settings.path), Ok(()) | Err(ControlError::NotASocket { .. }))
}

/// Whether the path may be taken: nothing there, or a socket that no process listens on.
fn check_free(path: &Path) -> Result<(), ControlError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ControlError::NotASocket { path: path.into() });
    }
    match connect(path) {
        Ok(()) => Err(ControlError::InUse { path: path.into() }),
        // Its queue of connections is full: a process listens.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ControlError::InUse { path: path.into() }),
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        Err(source) => {
            Err(ControlError::Io { what: "tell whether anyone listens on", path: path.into(), source })
        }
    }
}

/// Never blocks, also when the other side accepts nothing.
fn connect(path: &Path) -> io::Result<()> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_another_user_where_every_user_may_make_one_is_not_used() {
        if !user::is_root() {
            // Only root can make a directory of another user.
            return;
        }
        let around = tempfile::tempdir().unwrap();
        let directory = around.path().join("anyns");
        fs::create_dir(&directory).unwrap();
        let settings = Settings { path: directory.join("control.sock"), group: None };
        let table = [(0o1777, 65534, false), (0o1777, 0, true), (0o755, 65534, true)];
        for (mode, owner, is_used) in table {
            fs::set_permissions(around.path(), fs::Permissions::from_mode(mode)).unwrap();
            chown(&directory, Some(owner), None).unwrap();
            let listened = listen(&settings);
            assert_eq!(listened.is_ok(), is_used, "{mode:o} {owner}: {:?}", listened.err());
            drop(listened);
            let _ = fs::remove_file(&settings.path);
            let refused = matches!(
                check_owner(&settings.path),
                Err(ControlError::ForeignDirectory { owner: 65534, .. })
            );
            assert_eq!(refused, !is_used);
        }
    }
}
