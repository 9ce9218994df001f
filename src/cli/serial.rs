//! A zone's serial, as it is typed in.

/// A serial (RFC 1982 section 7): 32 bits.
pub(super) fn serial(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("a serial is a number from 0 to {}", u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_serial_says_what_would_be_one() {
        assert_eq!(serial("2026113001"), Ok(2_026_113_001));
        for text in ["", "x", "-1", "4294967296", "1.5"] {
            assert_eq!(serial(text).unwrap_err(), "a serial is a number from 0 to 4294967295", "{text}");
        }
    }
}
