//! What tests measure is seen: each line is printed, and `tests/run` prints all of them once more at its end.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Prints a line; adds it to the file named by `ANYNS_TEST_TABLE`, if there is one.
pub fn tell(line: &str) {
    println!("{line}");
    let Some(file) = std::env::var_os("ANYNS_TEST_TABLE") else { return };
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    written.expect("the file of the table can be written");
}
