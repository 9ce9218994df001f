//! How many sources of queries there are, in fixed memory however many there are: one worker's registers of HyperLogLog (Flajolet, Fusy,
//! Gandouet and Meunier, 2007).
//!
//! A source is hashed. The first bits of the hash choose a register, which keeps the highest rank that it saw: the place of the first bit
//! that is set in the rest of the hash. The reader merges the registers of all workers by their maxima, which gives exactly the registers
//! that one worker would have, and estimates the number from them. No address can be read from a register. Never allocates.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The bits of a hash that choose the register.
const INDEX_BITS: u32 = 12;

/// Registers of one kind of source: the standard error of the estimate is 1.04 / √4096, which is 1.6 %.
pub const SOURCE_REGISTERS: usize = 1 << INDEX_BITS;

/// The highest rank that a register can have: no bit of the rest of the hash is set.
pub const MOST_RANK: u8 = (u64::BITS - INDEX_BITS + 1) as u8;

/// Registers of one kind of source: 4 KiB.
#[derive(Debug)]
struct Registers(Box<[AtomicU8]>);

impl Default for Registers {
    fn default() -> Self {
        Self((0..SOURCE_REGISTERS).map(|_| AtomicU8::new(0)).collect())
    }
}

impl Registers {
    /// Notes the hash of a source.
    fn note(&self, hash: u64) {
        let index = (hash >> (u64::BITS - INDEX_BITS)) as usize;
        // A set bit below the rest ends the count of zeros where all of the rest is zero.
        let rest = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1));
        let rank = rest.leading_zeros() as u8 + 1;
        if let Some(register) = self.0.get(index)
            && register.load(Relaxed) < rank
        {
            register.store(rank, Relaxed);
        }
    }

    /// Takes the registers into `merged` and leaves them empty. A source that is noted meanwhile counts before or afterwards.
    fn take(&self, merged: &mut [u8]) {
        for (register, merged) in self.0.iter().zip(merged) {
            if register.load(Relaxed) > 0 {
                *merged = register.swap(0, Relaxed).max(*merged);
            }
        }
    }
}

/// The registers of one worker, for each kind of source. The worker alone notes; the reader alone empties.
#[derive(Debug, Default)]
pub struct SourceRegisters {
    ipv4: Registers,
    ipv6: Registers,
    /// IPv6 sources by /64.
    ipv6_networks: Registers,
}

impl SourceRegisters {
    /// Notes the source of a query. Only the worker calls it.
    pub fn note(&self, source: IpAddr) {
        match source.to_canonical() {
            IpAddr::V4(address) => self.ipv4.note(mixed(u64::from(address.to_bits()))),
            IpAddr::V6(address) => {
                let bits = address.to_bits();
                let network = mixed((bits >> 64) as u64);
                self.ipv6_networks.note(network);
                self.ipv6.note(mixed(network ^ bits as u64));
            }
        }
    }

    /// Takes what was noted since the last call into these registers: of IPv4, IPv6 and IPv6 by /64.
    pub fn take(&self, [ipv4, ipv6, ipv6_networks]: [&mut [u8]; 3]) {
        self.ipv4.take(ipv4);
        self.ipv6.take(ipv6);
        self.ipv6_networks.take(ipv6_networks);
    }
}

/// Every bit of the result depends on every bit of the number, and different numbers have different results (the finalizer of Stafford,
/// variant 13, as splitmix64 has it).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(registers: &SourceRegisters) -> [Vec<u8>; 3] {
        let mut taken: [Vec<u8>; 3] = std::array::from_fn(|_| vec![0; SOURCE_REGISTERS]);
        let [ipv4, ipv6, networks] = &mut taken;
        registers.take([ipv4, ipv6, networks]);
        taken
    }

    fn set(registers: &[u8]) -> usize {
        registers.iter().filter(|rank| **rank > 0).count()
    }

    #[test]
    fn ranks_are_the_places_of_the_first_set_bit() {
        let registers = Registers::default();
        for (hash, index, rank) in
            [(1 << 51, 0, 1), (1 << 50, 0, 2), (0, 0, MOST_RANK), (u64::MAX, 4095, 1), (1 << 52 | 1, 1, 52)]
        {
            registers.note(hash);
            assert_eq!(registers.0[index].load(Relaxed), rank, "{hash:x}");
        }
        registers.note(1 << 51);
        assert_eq!(registers.0[0].load(Relaxed), MOST_RANK, "a register keeps its highest rank");
    }

    #[test]
    fn a_source_counts_once_and_networks_count_apart() {
        let registers = SourceRegisters::default();
        let addresses =
            ["192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"];
        addresses.iter().for_each(|address| registers.note(address.parse().unwrap()));
        let [ipv4, ipv6, networks] = taken(&registers);
        assert_eq!((set(&ipv4), set(&ipv6), set(&networks)), (1, 3, 2));
        assert!(taken(&registers).iter().all(|registers| set(registers) == 0), "they were emptied");
    }
}
