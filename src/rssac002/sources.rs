//! The sources of a day: registers of HyperLogLog, merged over workers, estimated, and kept in a file beside the document, because an
//! estimate cannot be gone on from. Text in, text out.
//!
//! ```text
//! registers: 1
//! service: as112.example
//! start-period: 2026-11-29T00:00:00Z
//! ipv4: AAEAAgAA...     (4096 registers of an octet each, in base 64)
//! ipv6: ...
//! ipv6-aggregate: ...
//! ```
//!
//! Registers of several instances are merged by their maxima: the estimate from them counts a source once that came to several instances.

use data_encoding::BASE64;

use crate::telemetry::{Counters, MOST_RANK, SOURCE_REGISTERS};

use super::day::Day;

/// The fields of `unique-sources`, in the order of the kinds.
pub(super) const SOURCES: [&str; 3] = ["num-sources-ipv4", "num-sources-ipv6", "num-sources-ipv6-aggregate"];

/// The kinds as the file of registers has them.
const KINDS: [&str; SOURCES.len()] = ["ipv4", "ipv6", "ipv6-aggregate"];

/// The registers of each kind of source, in the order of [`SOURCES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sources([Vec<u8>; SOURCES.len()]);

impl Default for Sources {
    fn default() -> Self {
        Self(std::array::from_fn(|_| vec![0; SOURCE_REGISTERS]))
    }
}

/// The text is not a file of registers that anyns wrote for this service and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has no registers of this service and day")]
pub(super) struct RegistersError;

impl Sources {
    /// Takes what the workers have noted since the last time.
    pub(super) fn take(&mut self, counters: &Counters) {
        for daily in counters.all_daily() {
            daily.sources.take(self.0.each_mut().map(Vec::as_mut_slice));
        }
    }

    /// Adds the sources of another one; those that both have count once.
    pub(super) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *own = (*own).max(*other);
        }
    }

    /// How many sources there are of each kind, about.
    pub(super) fn estimates(&self) -> [u64; SOURCES.len()] {
        self.0.each_ref().map(|registers| estimate(registers))
    }

    /// The file that keeps them.
    pub(super) fn write(&self, service: &str, day: Day) -> String {
        let mut text = head(service, day);
        for (kind, registers) in KINDS.iter().zip(&self.0) {
            text.push_str(&format!("{kind}: {}\n", BASE64.encode(registers)));
        }
        text
    }

    /// The registers in such a file.
    pub(super) fn read(text: &str, service: &str, day: Day) -> Result<Self, RegistersError> {
        let mut lines = text.strip_prefix(&head(service, day)).ok_or(RegistersError)?.lines();
        let mut sources = Self::default();
        for (kind, registers) in KINDS.iter().zip(&mut sources.0) {
            let line = lines.next().and_then(|line| line.strip_prefix(kind)?.strip_prefix(": "));
            let read = BASE64.decode(line.ok_or(RegistersError)?.as_bytes()).map_err(|_| RegistersError)?;
            if read.len() != SOURCE_REGISTERS || read.iter().any(|rank| *rank > MOST_RANK) {
                return Err(RegistersError);
            }
            *registers = read;
        }
        if lines.next().is_some() { Err(RegistersError) } else { Ok(sources) }
    }
}

fn head(service: &str, day: Day) -> String {
    format!("registers: 1\nservice: {service}\nstart-period: {}\n", day.start())
}

/// The number of sources that such registers come from (the improved raw estimator of Ertl, "New cardinality estimation algorithms for
/// HyperLogLog sketches", 2017, section 4: exact enough from no source on, without a table).
fn estimate(registers: &[u8]) -> u64 {
    let mut ranks = [0_u32; MOST_RANK as usize + 1];
    for register in registers {
        if let Some(count) = ranks.get_mut(usize::from(*register)) {
            *count += 1;
        }
    }
    let [empty, between @ .., full] = ranks;
    let many = registers.len() as f64;
    let mut z = many * tau(1.0 - f64::from(full) / many);
    for count in between.iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += many * sigma(f64::from(empty) / many);
    (many * many / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
}

/// x + Σ x^(2^k) 2^(k-1): what the registers without a source stand for.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut factor, mut sum) = (share, 1.0, share);
    loop {
        power *= power;
        let before = sum;
        sum += power * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3: what the registers with the highest rank stand for.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut root, mut factor, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        root = root.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::UNIX_EPOCH;

    use super::*;

    /// What two workers note: of this range of IPv4 addresses and /64 each, every network with two addresses.
    fn of(range: std::ops::Range<u32>) -> Sources {
        let counters = Counters::new(2).with_daily_statistics();
        for number in range {
            let [one, other] = counters.all_daily() else { panic!("two workers") };
            one.note_udp(Ipv4Addr::from_bits(number).into(), 40, 40);
            other.note_tcp(Ipv4Addr::from_bits(number).into(), 40, 40);
            for host in 1..=2 {
                let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(number) << 64) | host);
                one.note_tcp(address.into(), 40, 40);
            }
        }
        let mut sources = Sources::default();
        sources.take(&counters);
        sources
    }

    fn is_near(estimate: u64, exact: u64) -> bool {
        // Four standard errors.
        estimate.abs_diff(exact) as f64 <= 4.0 * 0.01625 * exact as f64 + 0.5
    }

    #[test]
    fn estimates_are_near_the_exact_numbers_over_the_whole_range() {
        assert_eq!(Sources::default().estimates(), [0; 3]);
        for exact in [1, 2, 10, 100, 1000, 5000, 20_000, 200_000] {
            let [ipv4, ipv6, networks] = of(0..exact).estimates();
            let exact = u64::from(exact);
            assert!(is_near(ipv4, exact) && is_near(networks, exact), "{exact}: {ipv4}, {networks}");
            assert!(is_near(ipv6, 2 * exact), "{exact}: {ipv6}");
        }
        // Registers that are all at their end are a number, too.
        assert!(estimate(&vec![MOST_RANK; SOURCE_REGISTERS]) > 1 << 60);
    }

    #[test]
    fn a_source_of_several_instances_counts_once() {
        let (mut one, other, both) = (of(0..30_000), of(20_000..60_000), of(0..60_000));
        one.merge(&other);
        assert_eq!(one, both, "exactly the registers of one instance");
    }

    #[test]
    fn registers_are_read_as_they_were_written() {
        let (day, sources) = (Day::of(UNIX_EPOCH), of(0..500));
        let text = sources.write("as112.example", day);
        assert_eq!(Sources::read(&text, "as112.example", day), Ok(sources));
        let longer = format!("{text}x\n");
        let rank = text.replacen("ipv4: ", "ipv4: ////", 1);
        for (text, service) in [
            (&text[..], "other.example"),
            ("", "as112.example"),
            (&longer, "as112.example"),
            (&rank, "as112.example"),
        ] {
            assert_eq!(Sources::read(text, service, day), Err(RegistersError), "{service}");
        }
    }
}
