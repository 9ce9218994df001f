//! Counts in sentences.

use std::fmt::Display;

/// `1 zone`, `2 zones`: for words that take an `s`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    let end = if count == N::from(1) { "" } else { "s" };
    format!("{count} {one}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_no_plural() {
        let said = [0_u64, 1, 2].map(|count| counted(count, "zone"));
        assert_eq!(said, ["0 zones", "1 zone", "2 zones"]);
    }
}
