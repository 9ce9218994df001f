//! Hints to the cache: a reference in, nothing out; the line is likely near when it is read some dozens of instructions
//! later. A hint never faults, never changes what a program computes, and is nothing on a target without one.
//!
//! Worth it where several independent lines are asked for before the first one is read: the worker asks for those of all
//! queries of a batch before it answers any.

/// Octets of a cache line, as far apart as [`read_slice`] asks for; 64 on every CPU that this runs on but Apple's, whose
/// lines of 128 are asked for twice.
pub const LINE: usize = 64;

/// Asks for the first line of a value.
#[inline(always)]
pub fn read<T: ?Sized>(value: &T) {
    hint(std::ptr::from_ref(value).cast());
}

/// Asks for the line in which this octet of a slice lies; nothing if the slice is shorter.
#[inline(always)]
pub fn read_slice(octets: &[u8], offset: usize) {
    if let Some(octet) = octets.get(offset) {
        hint(std::ptr::from_ref(octet));
    }
}

/// Asks for the line in which this element of a slice begins; nothing if the slice is shorter.
#[inline(always)]
pub fn read_element<T>(elements: &[T], index: usize) {
    if let Some(element) = elements.get(index) {
        hint(std::ptr::from_ref(element).cast());
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn hint(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: SSE belongs to every x86-64; the instruction reads nothing that the program sees and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn hint(address: *const u8) {
    // SAFETY: PRFM belongs to every AArch64; it reads nothing that the program sees and faults at no address. It changes
    // neither flags nor the stack.
    unsafe {
        std::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn hint(_: *const u8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_changes_nothing_whatever_it_points_at() {
        let octets: Vec<u8> = (0..=255).collect();
        read(octets.as_slice());
        read(&());
        read::<[u64]>(&[]);
        for offset in [0, 1, 255, 256, usize::MAX] {
            read_slice(&octets, offset);
            read_element(&[0u64; 256], offset);
        }
        assert!(octets.iter().enumerate().all(|(index, octet)| index == usize::from(*octet)));
    }
}
