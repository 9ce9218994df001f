//! Memory for zones: large blocks on huge pages and out of core dumps, small ones from the heap.
//!
//! Linux frees a dying process's memory before it closes its sockets, and a dump writes it out first; few huge pages
//! go fast, and looking something up in them misses the TLB less.

use std::ptr::NonNull;

/// The size of a huge page on the usual platforms; blocks of at least this size are aligned to it.
pub const HUGE_PAGE: usize = 2 << 20;

/// Some 64-bit words, all zero at first.
#[derive(Debug)]
pub struct Block(Memory);

#[derive(Debug)]
enum Memory {
    Heap(Box<[u64]>),
    Mapped(Mapping),
}

/// A private anonymous mapping.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u64>,
    /// Octets that were mapped, a multiple of [`HUGE_PAGE`].
    octets: usize,
    words: usize,
}

// SAFETY: the mapping belongs to this value alone, as a box would.
unsafe impl Send for Mapping {}
// SAFETY: it is written through `&mut` only.
unsafe impl Sync for Mapping {}

impl Block {
    /// This many words, each 0. Falls back to the heap where the system maps nothing.
    pub fn zeroed(words: usize) -> Self {
        if words * size_of::<u64>() < HUGE_PAGE {
            return Self(Memory::Heap(vec![0; words].into()));
        }
        match Mapping::new(words) {
            Some(mapping) => Self(Memory::Mapped(mapping)),
            None => Self(Memory::Heap(vec![0; words].into())),
        }
    }

    /// A copy of these octets, filled up with zeros to a whole word.
    pub fn from_octets(octets: &[u8]) -> Self {
        let mut block = Self::zeroed(octets.len().div_ceil(size_of::<u64>()));
        for (place, octet) in block.octets_mut().iter_mut().zip(octets) {
            *place = *octet;
        }
        block
    }

    /// The words.
    pub fn words(&self) -> &[u64] {
        match &self.0 {
            Memory::Heap(words) => words,
            // SAFETY: the mapping holds this many initialised words (the kernel zeroes them) for as long as it lives.
            Memory::Mapped(map) => unsafe { std::slice::from_raw_parts(map.start.as_ptr(), map.words) },
        }
    }

    /// The words, to be changed.
    pub fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.0 {
            Memory::Heap(words) => words,
            // SAFETY: as in `words`, and `&mut self` is the only way to them.
            Memory::Mapped(map) => unsafe { std::slice::from_raw_parts_mut(map.start.as_ptr(), map.words) },
        }
    }

    /// The same memory as octets.
    pub fn octets(&self) -> &[u8] {
        let words = self.words();
        // SAFETY: any octets are octets; the length is that of the words, the alignment less strict.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
    }

    /// The same memory as octets, to be changed.
    pub fn octets_mut(&mut self) -> &mut [u8] {
        let words = self.words_mut();
        // SAFETY: as in `octets`; any octets make words, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
    }
}

impl Mapping {
    fn new(words: usize) -> Option<Self> {
        let octets = (words * size_of::<u64>()).next_multiple_of(HUGE_PAGE);
        // One huge page more than needed, so that an aligned part can be cut out.
        let whole = octets + HUGE_PAGE;
        // SAFETY: asks for new memory at any address.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                whole,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return None;
        }
        let before = address.align_offset(HUGE_PAGE);
        // SAFETY: `before` is at most HUGE_PAGE, so the cut-off parts and the aligned one lie in what was just mapped,
        // and nothing refers to them yet.
        unsafe {
            let start = address.byte_add(before);
            if before > 0 {
                libc::munmap(address, before);
            }
            if before < HUGE_PAGE {
                libc::munmap(start.byte_add(octets), HUGE_PAGE - before);
            }
            advise(start, octets);
            Some(Self { start: NonNull::new(start.cast())?, octets, words })
        }
    }
}

/// Asks for huge pages and for no dump. Where the system does neither, memory is merely slower.
///
/// # Safety
///
/// The range must be mapped.
#[cfg(target_os = "linux")]
unsafe fn advise(start: *mut libc::c_void, octets: usize) {
    // SAFETY: the caller's promise; neither advice changes what the memory holds.
    unsafe {
        libc::madvise(start, octets, libc::MADV_HUGEPAGE);
        libc::madvise(start, octets, libc::MADV_DONTDUMP);
    }
}

/// No advice elsewhere.
///
/// # Safety
///
/// None is needed.
#[cfg(not(target_os = "linux"))]
unsafe fn advise(_start: *mut libc::c_void, _octets: usize) {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this very range was mapped by `new`, and nobody can refer to it any more.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_every_size_start_as_zeros_and_keep_what_is_written() {
        for words in [0, 1, 1000, HUGE_PAGE / 8 - 1, HUGE_PAGE / 8, HUGE_PAGE / 8 + 1] {
            let mut block = Block::zeroed(words);
            assert!(block.words().iter().all(|word| *word == 0));
            assert_eq!((block.words().len(), block.octets().len()), (words, words * 8));
            if let Some(last) = block.words_mut().last_mut() {
                *last = u64::from_le_bytes(*b"the last");
                assert!(block.octets().ends_with(b"the last"));
            }
        }
    }

    #[test]
    fn large_blocks_are_aligned_and_small_ones_hold_their_octets() {
        let block = Block::zeroed(HUGE_PAGE / 8);
        assert_eq!(block.octets().as_ptr().align_offset(HUGE_PAGE), 0);
        assert_eq!(Block::from_octets(b"123456789").octets(), b"123456789\0\0\0\0\0\0\0");
        assert!(Block::from_octets(b"").octets().is_empty());
    }
}
