//! The texts of a configuration's files, joined into one, and the way back: which file and line an octet belongs to.
//! Does no I/O.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// A file's part of the joined text.
#[derive(Debug)]
struct Piece {
    file: PathBuf,
    /// The octet of the joined text that it begins with.
    start: usize,
}

/// The main file, then those that it includes, in their order.
#[derive(Debug)]
pub(super) struct Sources {
    text: String,
    first: Piece,
    included: Vec<Piece>,
}

impl Sources {
    /// One file.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        Self { text: text.to_owned(), first: Piece { file: file.to_owned(), start: 0 }, included: Vec::new() }
    }

    /// Adds the text of an included file behind a line break of its own.
    pub(super) fn add(&mut self, file: &Path, text: &str) {
        self.text.push('\n');
        self.included.push(Piece { file: file.to_owned(), start: self.text.len() });
        // A byte order mark is allowed at the beginning only.
        self.text.push_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    }

    /// The joined text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The main file: relative paths in each of the files begin at its folder.
    pub(super) fn main(&self) -> &Path {
        &self.first.file
    }

    /// Where the value of this key stands, such as `transfer.listen`; of one that is not there, its section. Parses the whole text.
    pub(super) fn span_of(&self, key: &str) -> Option<Range<usize>> {
        let (table, _) = DeTable::parse_recoverable(&self.text);
        let (mut inner, mut span) = (Some(table.get_ref()), None);
        for part in key.split('.') {
            let Some(value) = inner.and_then(|table| table.get(part)) else { break };
            span = Some(value.span());
            inner = match value.get_ref() {
                DeValue::Table(table) => Some(table),
                _ => None,
            };
        }
        span
    }

    /// How many files there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        1 + self.included.len()
    }

    /// The number of the file in reading order, its name, and the line and the column in it, from 1.
    pub(super) fn place(&self, octet: usize) -> (usize, &Path, usize, usize) {
        let number = self.included.iter().take_while(|piece| piece.start <= octet).count();
        let piece = number.checked_sub(1).and_then(|index| self.included.get(index)).unwrap_or(&self.first);
        let before = self.text.get(piece.start..octet).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        (number, &piece.file, before.matches('\n').count() + 1, column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_where_its_value_does() {
        let sources = Sources::new(Path::new("main"), "[a]\nb = 5\n[a.c]\nd = [\n  7 ]\n");
        let at = |key| sources.span_of(key).map(|span| &sources.text()[span]);
        assert_eq!(
            [at("a.b"), at("a.c.d"), at("x"), at("a.b.y")],
            [Some("5"), Some("[\n  7 ]"), None, Some("5")]
        );
        let line = |key| sources.place(sources.span_of(key).unwrap().start).2;
        assert_eq!([line("a.nothing"), line("a.c.nothing")], [1, 3]);
    }

    #[test]
    fn an_octet_belongs_to_a_file_and_a_line() {
        let mut sources = Sources::new(Path::new("main"), "a\nb");
        sources.add(Path::new("one"), "");
        sources.add(Path::new("two"), "\u{feff}cü\nd\n");
        assert_eq!(sources.text(), "a\nb\n\ncü\nd\n");
        let place = |piece: &str| {
            let (number, file, line, column) = sources.place(sources.text().find(piece).unwrap());
            (number, file.to_str().unwrap().to_owned(), line, column)
        };
        assert_eq!(place("a"), (0, "main".to_owned(), 1, 1));
        assert_eq!(place("b"), (0, "main".to_owned(), 2, 1));
        assert_eq!(place("ü"), (2, "two".to_owned(), 1, 2));
        assert_eq!(place("d"), (2, "two".to_owned(), 2, 1));
    }
}
