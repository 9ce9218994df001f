//! The files that a configuration includes: a main file in, the texts of all files out, in the order in which they are read.
//!
//! `include` is one pattern or a list of them, before the first section of the main file. A pattern is relative to the folder of the
//! main file; `*`, `?` and `[...]` stand for characters within one name, and no wildcard takes a name that begins with a dot. The
//! files are read in the order of the patterns, those of one pattern in the order of their names, each file once. All files
//! together are one configuration: a `[section]` may stand in one of them, a `[[section]]` in each. An included file begins with a
//! section and includes no other.
//!
//! Never reads below a folder that a pattern does not name, and never blocks on a file that is no regular file.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::fault::Faults;
use super::file;
use super::form;
use super::sources::Sources;
use super::words::LISTS;

/// The most files that are included: one for each customer of a large operator. More are zones, which belong into a zone directory.
const MOST_FILES: usize = 1000;

/// The key.
const KEY: &str = "include";

/// The main file and all that it includes; the faults of every included file are told in one error.
pub(super) fn gather(main: &Path, text: &str) -> Result<Sources, ConfigError> {
    let alone = Sources::new(main, text);
    // Whether this host has what the files name is not asked here.
    let mut faults = Faults::new(&alone, false);
    let files = files(main, text, &mut faults);
    faults.finish()?;
    let mut sources = alone;
    let mut wrong = Vec::new();
    for path in files {
        let fragment = match read(&path) {
            Ok(fragment) => fragment,
            Err(ConfigError::Invalid { faults }) => {
                wrong.extend(faults);
                continue;
            }
            Err(other) => return Err(other),
        };
        sources.add(&path, &fragment);
        file::check_length(&path, sources.text().len())?;
    }
    match wrong.is_empty() {
        true => Ok(sources),
        false => Err(ConfigError::Invalid { faults: wrong }),
    }
}

/// The texts of the included files that can be read, for one who looks for a single key whatever else is wrong.
pub(super) fn readable(main: &Path, text: &str) -> Vec<String> {
    let alone = Sources::new(main, text);
    let files = files(main, text, &mut Faults::new(&alone, false));
    files.iter().filter(|path| path.is_file()).filter_map(|path| file::read(path).ok()).collect()
}

/// The files that the patterns of the main file name.
fn files(main: &Path, text: &str, faults: &mut Faults<'_>) -> Vec<PathBuf> {
    if !file::may_have(text, KEY) {
        return Vec::new();
    }
    // The reader of the form reports a main file that is no TOML.
    let (table, _) = DeTable::parse_recoverable(text);
    let Some(include) = table.get_ref().get(KEY) else { return Vec::new() };
    let patterns: Vec<_> = match include.get_ref() {
        DeValue::String(pattern) => vec![(include.span(), pattern.to_string())],
        DeValue::Array(patterns) => {
            let text = |value: &toml::Spanned<DeValue<'_>>| match value.get_ref() {
                DeValue::String(pattern) => Some((value.span(), pattern.to_string())),
                _ => None,
            };
            patterns.iter().filter_map(text).collect()
        }
        // Told by who reads the form.
        _ => Vec::new(),
    };
    let mut found: Vec<PathBuf> = Vec::new();
    for (span, pattern) in patterns {
        match expand(main, &pattern) {
            Ok(paths) => {
                for path in paths {
                    if !found.contains(&path) {
                        found.push(path);
                    }
                }
            }
            Err(message) => faults.error(Some(span.clone()), KEY, message),
        }
        if found.len() > MOST_FILES {
            faults.error(Some(span), KEY, format!("there are more than {MOST_FILES} files; zones by the thousand belong into zones.directory"));
            break;
        }
    }
    found
}

/// The files of one pattern, by name.
fn expand(main: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if pattern.contains("**") {
        return Err(format!("{pattern:?} has **; name each folder, for example \"conf.d/*.toml\""));
    }
    let folder = main.parent().unwrap_or(Path::new(""));
    let whole = match Path::new(pattern).is_absolute() || folder.as_os_str().is_empty() {
        true => pattern.to_owned(),
        false => format!("{}/{pattern}", glob::Pattern::escape(&folder.display().to_string())),
    };
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob::glob_with(&whole, options)
        .map_err(|error| format!("{pattern:?} is no pattern of files: {}", error.msg))?;
    // One more than may be, so that the caller sees that there are more.
    let mut paths: Vec<PathBuf> = paths
        .take(MOST_FILES + 1)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("cannot look into {}: {}", error.path().display(), error.error()))?;
    paths.sort();
    if paths.is_empty() && !pattern.contains(['*', '?', '[']) {
        return Err(format!(
            "there is no file {pattern}; a pattern such as \"conf.d/*.toml\" may match none"
        ));
    }
    Ok(paths)
}

/// The text of one included file, of which everything is right that can be judged without the others.
fn read(path: &Path) -> Result<String, ConfigError> {
    let unfit = |message: String| {
        let alone = Sources::new(path, "");
        let mut faults = Faults::new(&alone, false);
        faults.error(None, "", message);
        faults.finish().map(|_| String::new())
    };
    if !path.is_file() {
        return unfit("it is included, but it is no regular file".to_owned());
    }
    let text = match file::read(path) {
        Ok(text) => text,
        Err(ConfigError::Unreadable { source, .. }) => return unfit(format!("cannot read it: {source}")),
        Err(ConfigError::Unfit { reason, .. }) => return unfit(reason),
        Err(other) => return Err(other),
    };
    let alone = Sources::new(path, &text);
    let mut faults = Faults::new(&alone, false);
    if let Some(table) = form::parse(&alone, &mut faults) {
        check_begin(&text, &mut faults);
        check_lists(table.get_ref(), &mut faults);
    }
    faults.finish()?;
    Ok(text)
}

/// A key before the first section would belong to the last section of the file before.
fn check_begin(text: &str, faults: &mut Faults<'_>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let at = start + line.len() - trimmed.len();
        start += line.len();
        if trimmed.trim().is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if !trimmed.starts_with('[') {
            let key = trimmed.split(['=', ' ', '\t']).next().unwrap_or_default();
            let message = "an included file begins with a [section]; only the main file has keys before one, such as include";
            faults.error(Some(at..at + key.len()), key.trim(), message);
        }
        return;
    }
}

/// A part of a list's entry would belong to the last entry of the file before.
fn check_lists(table: &DeTable<'_>, faults: &mut Faults<'_>) {
    for list in LISTS {
        let Some((key, value)) = table.get_key_value(list) else { continue };
        if matches!(value.get_ref(), DeValue::Table(_)) {
            let message =
                format!("the file has a part of a [[{list}]] without its [[{list}]]: begin with [[{list}]]");
            faults.error(Some(key.span()), list, message);
        }
    }
}

#[cfg(test)]
#[path = "../../tests/unit/config/include.rs"]
mod tests;
