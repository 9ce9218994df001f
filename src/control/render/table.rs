//! Rows of cells as aligned text.

use std::fmt::Write;

use super::super::text::{MOST_CHARACTERS, clipped, printable};

pub(in crate::control) type Row = Vec<String>;

/// Two spaces in front and between columns; the last column of a row is not padded. No cell is longer than
/// [`MOST_CHARACTERS`].
pub fn aligned(rows: &[Row]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    let cell = |cell: &String| clipped(&printable(cell), MOST_CHARACTERS);
    let rows: Vec<Row> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    // A lone cell is a remark, not a column.
    for row in rows.iter().filter(|row| row.len() > 1) {
        widths.resize(widths.len().max(row.len()), 0);
        let longer = |(width, cell): (&mut usize, &String)| *width = (*width).max(cell.chars().count());
        widths.iter_mut().zip(row).for_each(longer);
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths.iter().chain(std::iter::repeat(&0))) {
            let _ = write!(line, "  {cell:width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
