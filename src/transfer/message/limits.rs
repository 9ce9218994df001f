//! How much one transfer may bring.

/// Bounds of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of all messages together.
    pub octets: u64,
    /// Records of all messages together; without it what [`Limits::of_zone`] says.
    pub records: Option<u64>,
    /// Messages.
    pub messages: u64,
    /// Octets that the records of an incremental transfer take in memory: differences are held whole until they are applied, and beyond
    /// this the whole zone, which is compiled as it comes, takes less memory.
    pub difference_octets: u64,
    /// Versions that an incremental transfer leads through: each is made by itself, so that beyond this the whole zone costs less.
    pub steps: usize,
}

/// Records of a zone that nothing is known of: four times .com.
const MOST_RECORDS: u64 = 1 << 31;
/// Times by which a zone may grow at once.
const MOST_GROWTH: u64 = 4;
/// Records that every zone may grow to at once: a zone that is filled for the first time, for instance. They take less than a gigabyte.
const LEAST_RECORDS: u64 = 1 << 22;

impl Default for Limits {
    /// Four times the largest zones in use: .com has some 5e8 records, most have less than 1e6.
    fn default() -> Self {
        Self { octets: 1 << 36, records: None, messages: 1 << 31, difference_octets: 1 << 28, steps: 4096 }
    }
}

impl Limits {
    /// The bounds for a zone of which a version with so many records is served: where nothing else is said it may grow to four times
    /// that, so that a primary which sends records without end fills no more memory than that.
    #[must_use]
    pub fn of_zone(self, served: Option<usize>) -> Self {
        let grown = |served: usize| (served as u64).saturating_mul(MOST_GROWTH).max(LEAST_RECORDS);
        let records = self.records.unwrap_or_else(|| served.map_or(MOST_RECORDS, grown));
        Self { records: Some(records), ..self }
    }

    /// The most records.
    pub(super) fn most_records(&self) -> u64 {
        self.records.unwrap_or(MOST_RECORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_may_grow_to_four_times_what_is_served_unless_the_operator_says_a_number() {
        let of = |records, served| Limits { records, ..Limits::default() }.of_zone(served).most_records();
        let table = [
            (None, None, 1 << 31),
            (None, Some(0), 1 << 22),
            (None, Some(1 << 20), 1 << 22),
            (None, Some(10_000_000), 40_000_000),
            (Some(5), None, 5),
            (Some(5), Some(10_000_000), 5),
        ];
        for (records, served, expected) in table {
            assert_eq!(of(records, served), expected, "{records:?} {served:?}");
        }
    }
}
