//! What commands print: lines or, with `--json`, one document. Colours only on a terminal, and not with `NO_COLOR`.
//!
//! A command with a document of its own prints it with [`print_document`]. The lines of every other command are kept while
//! `--json` is given and become the document `{"exit_code", "errors", "warnings", "lines"}` at its end. So do the errors of a command
//! that ends before it has a document; they are text on standard error, too.
//!
//! Every text to standard output goes through [`write_out`]: what cannot be written makes the exit code 1, because what was printed is
//! incomplete then; a closed pipe is no fault, because its reader has what it wants.
//!
//! No control character reaches a terminal but line breaks and tabs: names of files, answers of peers and what a program says may
//! have any.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::control::printable_lines;
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

/// Why standard output takes nothing more.
static OUTPUT_ERROR: Mutex<Option<io::Error>> = Mutex::new(None);

/// From now on, lines are kept for a document.
pub(super) fn keep_lines() {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept::default());
}

/// Prints to standard output.
pub(super) fn print_line(text: &str) {
    let text = text.trim_end();
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        return kept.add(text);
    }
    write_out(format!("{}\n", shown(text, has_colours())).as_bytes());
}

/// Writes to standard output; whether more may follow. After an error nothing is written any more: what follows a gap would look whole.
/// [`finish`] tells the error.
pub(super) fn write_out(octets: &[u8]) -> bool {
    let mut failed = OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        let mut output = io::stdout().lock();
        *failed = output.write_all(octets).and_then(|()| output.flush()).err();
    }
    failed.is_none()
}

/// Takes an error of standard output that another writer met.
pub(super) fn keep_output_error(error: io::Error) {
    OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
}

/// Prints to standard error.
pub(super) fn print_note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "anyns: {}", shown(text, false));
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
    let text = text.trim_end();
    let text = if io::stdout().is_terminal() { printable_lines(text) } else { text.to_owned() };
    write_out((text + "\n").as_bytes());
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

/// Prints the document of the lines and errors that were kept. What the command ends with: something is wrong where its output was not
/// written.
pub(super) fn finish(exit: Exit) -> Exit {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(mut kept) = kept {
        kept.exit_code = exit.code();
        if let Ok(text) = document_text(&kept) {
            write_out((text + "\n").as_bytes());
        }
    }
    let failed = OUTPUT_ERROR.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        None => exit,
        Some(error) => {
            print_note(&format!("cannot write to standard output: {error}; what was printed is incomplete"));
            if exit == Exit::DONE { Exit::WRONG } else { exit }
        }
    }
}

/// Whether standard output is a terminal that may be coloured (<https://no-color.org>).
pub(super) fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
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
