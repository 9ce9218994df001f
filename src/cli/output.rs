//! What commands print: lines or, with `--json`, one document. Colours only on a terminal, and not with `NO_COLOR`.
//!
//! A command with a document of its own prints it with [`print_document`]. The lines of every other command are kept while
//! `--json` is given and become the document `{"exit_code", "errors", "warnings", "lines"}` at its end. So do the errors of a command
//! that ends before it has a document; they are text on standard error, too.
//!
//! No control character reaches a terminal but line breaks and tabs: names of files, answers of peers and what a program says may
//! have any.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::control::printable_lines;
use crate::sys::files::{Durability, replace};
use crate::telemetry::escape_controls;

use super::exit::Exit;

/// What a command without a document of its own has printed.
#[derive(Debug, Default, Serialize)]
struct Kept {
    exit_code: u8,
    errors: Vec<String>,
    warnings: Vec<String>,
    lines: Vec<String>,
}

impl Kept {
    fn add(&mut self, text: &str) {
        for line in text.lines() {
            match (line.strip_prefix("error: "), line.strip_prefix("warning: ")) {
                (Some(error), _) => self.errors.push(error.to_owned()),
                (None, Some(warning)) => self.warnings.push(warning.to_owned()),
                (None, None) => self.lines.push(line.to_owned()),
            }
        }
    }
}

/// With `--json`: the lines until now.
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// From now on, lines are kept for a document.
pub(super) fn keep_lines() {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept::default());
}

/// Prints to standard output; a closed pipe is no reason to fail.
pub(super) fn print_line(text: &str) {
    let text = text.trim_end();
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        return kept.add(text);
    }
    let text = shown(text, has_colours());
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints to standard error.
pub(super) fn print_note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "anyns: {}", shown(text, false));
}

/// The text as it may be shown on a terminal.
fn shown(text: &str, paints: bool) -> String {
    let text = printable_lines(text);
    if paints { painted(&text) } else { text }
}

/// Prints a document of the command's own, in place of its lines.
pub(super) fn print_document(document: &impl Serialize) -> Result<(), serde_json::Error> {
    print_text(&document_text(document)?);
    Ok(())
}

/// A document as it is printed.
pub(super) fn document_text(document: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(escape_controls)
}

/// Prints a text that is whole in itself, such as a document.
pub(super) fn print_text(text: &str) {
    no_lines();
    let mut output = std::io::stdout().lock();
    let text = text.trim_end();
    let _ = match output.is_terminal() {
        true => writeln!(output, "{}", printable_lines(text)),
        false => writeln!(output, "{text}"),
    };
}

/// Writes a text into a file: whole, or what was there stays.
pub(super) fn write_file(path: &Path, text: &str) -> Result<(), String> {
    let written = replace(path, Durability::NotSynced, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// No lines are kept any longer: the command tells its outcome otherwise.
pub(super) fn no_lines() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// Keeps the error that ends a command for the document.
pub(super) fn keep_error(text: &str) {
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        kept.errors.extend(text.lines().map(str::to_owned));
    }
}

/// Prints the document of the lines and errors that were kept.
pub(super) fn finish(exit: Exit) {
    let Some(mut kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
    kept.exit_code = exit.code();
    if let Ok(text) = document_text(&kept) {
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}

/// Whether standard output is a terminal that may be coloured (<https://no-color.org>).
pub(super) fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Errors in red and warnings in yellow (ECMA-48: SGR).
fn painted(text: &str) -> String {
    let paint = |line: &str| {
        for (word, colour) in [("error:", 31), ("warning:", 33)] {
            if let Some(rest) = line.strip_prefix(word) {
                return format!("\u{1b}[{colour}m{word}\u{1b}[0m{rest}");
            }
        }
        line.to_owned()
    };
    text.split('\n').map(paint).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_a_document() {
        let mut kept = Kept::default();
        kept.add("warning: a\nzone b\nerror: c");
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(text, r#"{"exit_code":0,"errors":["c"],"warnings":["a"],"lines":["zone b"]}"#);
    }

    #[test]
    fn a_terminal_gets_no_control_character_but_our_own() {
        let text = "error: \u{1b}]0;title\u{7}.zone\u{9b}2J\u{7f}\r\n\tnext";
        let plain = "error: \u{fffd}]0;title\u{fffd}.zone\u{fffd}2J\u{fffd}\u{fffd}\n\tnext";
        assert_eq!(shown(text, false), plain);
        assert_eq!(shown(text, true), painted(plain));
        assert_eq!(document_text(&"\u{9b}\u{7f}").unwrap(), r#""\u009b\u007f""#);
    }

    #[test]
    fn only_the_first_word_is_painted() {
        assert_eq!(painted("error: a\nno error: b"), "\u{1b}[31merror:\u{1b}[0m a\nno error: b");
    }
}
