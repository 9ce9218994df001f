//! Serial number arithmetic (RFC 1982).

use std::cmp::Ordering;
use std::fmt;

/// The serial of an SOA record: a 32-bit number that wraps around (RFC 1982, SERIAL_BITS = 32).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Serial(pub u32);

impl Serial {
    /// The next serial.
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Compares by RFC 1982 section 3.2; `None` where two serials are 2^31 apart and neither comes first.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        match self.0.wrapping_sub(other.0) {
            0 => Some(Ordering::Equal),
            0x8000_0000 => None,
            ahead if ahead < 0x8000_0000 => Some(Ordering::Greater),
            _ => Some(Ordering::Less),
        }
    }

    /// Whether this serial comes after `other`; false where RFC 1982 leaves it undefined.
    pub fn is_after(self, other: Self) -> bool {
        self.compare(other) == Some(Ordering::Greater)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc1982_section_5_2_examples() {
        assert!(Serial(1).is_after(Serial(0)));
        assert!(Serial(0).is_after(Serial(u32::MAX)));
        assert!(Serial(0x7fff_ffff).is_after(Serial(0)));
        assert_eq!(Serial(0x8000_0000).compare(Serial(0)), None);
        assert!(!Serial(0x8000_0000).is_after(Serial(0)));
        assert_eq!(Serial(7).compare(Serial(7)), Some(Ordering::Equal));
        assert_eq!(Serial(u32::MAX).next(), Serial(0));
    }
}
