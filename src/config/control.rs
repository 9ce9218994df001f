//! Only the admin socket of a configuration file, whatever else is in the file: an operator may be editing it, and the running
//! anyns must be reachable all the same.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::ConfigError;
use super::file;
use super::fold::{service_socket, usual_socket};
use super::include;

/// The admin socket that the file names, or the usual one where it names none. Faults elsewhere in the file do not matter; in
/// a file that is no TOML the line of the socket is looked for.
pub fn control_socket(file: Option<&Path>) -> Result<PathBuf, ConfigError> {
    let Some(file) = file else { return Ok(usual_socket()) };
    let failed = |reason: String| ConfigError::ControlSocket {
        path: file.to_owned(),
        reason,
        usual: service_socket(),
    };
    let octets =
        file::read_octets(file).map_err(|error| failed(format!("cannot read the configuration: {error}")))?;
    let text = String::from_utf8_lossy(&octets);
    let mut socket = socket_in(&text);
    for included in include::readable(file, &text) {
        socket = match socket {
            Ok(None) => socket_in(&included),
            other => other,
        };
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    match socket {
        Ok(Some(socket)) => Ok(folder.join(socket)),
        Ok(None) => Ok(usual_socket()),
        Err(reason) => Err(failed(reason.to_owned())),
    }
}

/// What one file says.
fn socket_in(text: &str) -> Result<Option<String>, &'static str> {
    // So `anyns status` is quick, however many zones the file lists.
    if !file::may_have(text, "control") {
        return Ok(None);
    }
    match text.parse::<Table>() {
        Ok(table) => socket_of(table.get("control")),
        Err(_) => socket_of_broken(text),
    }
}

/// What the section says.
fn socket_of(control: Option<&Value>) -> Result<Option<String>, &'static str> {
    match control {
        None => Ok(None),
        Some(Value::Table(section)) => match section.get("socket") {
            None => Ok(None),
            Some(Value::String(socket)) => Ok(Some(socket.clone())),
            Some(_) => Err("control.socket is no string"),
        },
        Some(_) => Err("control is no section"),
    }
}

/// The same for a file that is no TOML: each line of the section is read for itself, in the three ways to write the key.
fn socket_of_broken(text: &str) -> Result<Option<String>, &'static str> {
    let mut section = String::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            let header = line.trim_start_matches('[').split([']', '#']).next().unwrap_or_default();
            section = header.trim().to_owned();
            continue;
        }
        let key: String = line.split('=').next().unwrap_or_default().split_whitespace().collect();
        let names_it = match section.as_str() {
            "control" => key == "socket",
            "" => key == "control.socket" || key == "control",
            _ => false,
        };
        if names_it {
            let alone = line.parse::<Table>().map_err(|_| "the line of control.socket cannot be read")?;
            return match section.as_str() {
                "control" => socket_of(Some(&Value::Table(alone))),
                _ => socket_of(alone.get("control")),
            };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_whatever_else_is_in_the_file() {
        let table = [
            ("[control]\nsocket = \"/run/a.sock\"\n", Ok("/run/a.sock")),
            ("[control]\nsocket = \"a.sock\" # here\ngroup = 7\n[zonez]\nx = 1\n", Ok("FOLDER/a.sock")),
            ("control.socket = 'a.sock'\n", Ok("FOLDER/a.sock")),
            ("[pop]\nname = \n[control]\nsocket = \"/run/a.sock\"\n", Ok("/run/a.sock")),
            (
                "[serve\n[[zone]]\nsocket = \"/no\"\n [ control ] # it\n\n  socket='/run/a.sock'\n",
                Ok("/run/a.sock"),
            ),
            ("control = { socket = \"/run/a.sock\" }\n[pop\n", Ok("/run/a.sock")),
            ("[control]\nsocket = \"/run/a.sock\"\n[control]\nsocket = \"/run/b.sock\"\n", Ok("/run/a.sock")),
            ("\u{0}[pop\n", Ok("USUAL")),
            ("", Ok("USUAL")),
            ("[control]\ngroup = \"dns\"\n", Ok("USUAL")),
            ("[control]\nsocket = 7\n", Err("control.socket is no string")),
            ("control = 7\n", Err("control is no section")),
            ("[control]\nsocket = \"/run/a\n", Err("the line of control.socket cannot be read")),
        ];
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("anyns.toml");
        for (text, expected) in table {
            std::fs::write(&file, text).unwrap();
            let found = control_socket(Some(&file));
            match expected {
                Ok("USUAL") => assert_eq!(found.unwrap(), usual_socket(), "{text}"),
                Ok(path) => {
                    let path = path.replace("FOLDER", directory.path().to_str().unwrap());
                    assert_eq!(found.unwrap(), Path::new(&path), "{text}");
                }
                Err(reason) => {
                    let error = found.unwrap_err().to_string();
                    assert!(error.contains(reason) && error.contains("--socket"), "{text}: {error}");
                }
            }
        }
        let absent = control_socket(Some(&directory.path().join("absent"))).unwrap_err().to_string();
        assert!(absent.contains("absent: ") && absent.contains("--socket"), "{absent}");
    }
}
