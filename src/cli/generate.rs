//! `anyns completions` and `anyns man`: made from the declaration of the command line, so that they say what `--help` says.

use std::path::Path;

use clap_complete::Shell;

use super::exit::Exit;
use super::outcome::Outcome;
use super::output::write_out;

/// Prints the completions of a shell.
pub(super) fn completions(mut command: clap::Command, shell: Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "anyns", &mut text);
    write_out(&text);
    Ok(Exit::DONE)
}

/// Prints the manual page of `anyns`, or writes that and one of each command into a directory.
pub(super) fn man(command: clap::Command, directory: Option<&Path>) -> Outcome {
    match directory {
        Some(directory) => {
            clap_mangen::generate_to(command, directory).map_err(|error| {
                format!("cannot write manual pages into {}: {error}", directory.display())
            })?;
        }
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(command).render(&mut text)?;
            write_out(&text);
        }
    }
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::super::declaration;
    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        declaration().debug_assert();
    }

    #[test]
    fn there_is_a_page_of_each_command() {
        let directory = tempfile::tempdir().unwrap();
        man(declaration(), Some(directory.path())).unwrap();
        for page in ["anyns", "anyns-status", "anyns-zone-list", "anyns-which", "anyns-top"] {
            let text = std::fs::read_to_string(directory.path().join(format!("{page}.1"))).unwrap();
            assert!(text.contains(".SH SYNOPSIS") && text.contains("Exit codes:"), "{page}: {text}");
        }
    }
}
