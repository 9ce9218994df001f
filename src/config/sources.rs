//! The texts of a configuration's files, joined into one, and the way back: which file and line an octet belongs to.
//! Does no I/O.

use std::path::{Path, PathBuf};

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
