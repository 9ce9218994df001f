//! Memory for zones: large blocks on huge pages and out of core dumps, small ones from the heap.
//!
//! Linux frees a dying process's memory before it closes its sockets, and a dump writes it out first; few huge pages
//! go fast, and looking something up in them misses the TLB less.

use std::ptr::NonNull;
use std::sync::Arc;

/// The size of a huge page on the usual platforms; blocks nearly as large are aligned to it.
pub const HUGE_PAGE: usize = 2 << 20;

/// A block of this many octets gets huge pages of its own: little enough is left of the last one.
const LEAST_MAPPED: usize = HUGE_PAGE / 4 * 3;

/// Memory is mapped without a promise of swap space, where the system has such a flag.
#[cfg(native)]
const UNRESERVED: libc::c_int = libc::MAP_NORESERVE;
#[cfg(not(native))]
const UNRESERVED: libc::c_int = 0;

/// Some 64-bit words, all zero at first.
#[derive(Debug)]
pub struct Block {
    start: NonNull<u64>,
    words: usize,
    /// Octets that were mapped, a multiple of [`HUGE_PAGE`]; 0 for memory from the heap.
    mapped: usize,
}

// SAFETY: the memory belongs to this value alone, as a box would.
unsafe impl Send for Block {}
// SAFETY: it is written through `&mut` only.
unsafe impl Sync for Block {}

impl Block {
    /// This many words, each 0. Falls back to the heap where the system maps nothing.
    pub fn zeroed(words: usize) -> Self {
        let large = words * size_of::<u64>() >= LEAST_MAPPED;
        large.then(|| map(words)).flatten().unwrap_or_else(|| {
            let memory: Box<[u64]> = vec![0; words].into();
            let start = NonNull::from(Box::leak(memory)).cast();
            Self { start, words, mapped: 0 }
        })
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
        // SAFETY: that many initialised words are there for as long as this value lives.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// The words, to be changed.
    pub fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: as in `words`, and `&mut self` is the only way to them.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.words) }
    }

    /// The same memory as octets.
    pub fn octets(&self) -> &[u8] {
        octets(self.words())
    }

    /// The same memory as octets, to be changed.
    pub fn octets_mut(&mut self) -> &mut [u8] {
        let words = self.words_mut();
        // SAFETY: as in `octets`; any octets make words, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.mapped == 0 {
            let memory = std::ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.words);
            // SAFETY: this very slice was leaked from a box by `zeroed`, and no reference to it is left.
            drop(unsafe { Box::from_raw(memory) });
            return;
        }
        // SAFETY: this very range was mapped by `map`, and no reference to it is left.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.mapped);
        }
    }
}

/// A part of a block that many may read. It knows where its memory is: reading it waits for nothing in between.
#[derive(Clone, Debug)]
pub struct Shared {
    block: Arc<Block>,
    start: NonNull<u64>,
    words: usize,
}

// SAFETY: it is read through `&`, and written only by who has the block alone (`get_mut`), as an `Arc` is.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// All of a block.
    pub fn new(block: Block) -> Self {
        let (start, words) = (block.start, block.words);
        Self { block: Arc::new(block), start, words }
    }

    /// Some words of it; nothing if it has fewer.
    pub fn part(&self, start: usize, words: usize) -> Self {
        let (from, words) = match start.checked_add(words) {
            // SAFETY: the part begins within this one, or at its end.
            Some(end) if end <= self.words => (unsafe { self.start.add(start) }, words),
            _ => (self.start, 0),
        };
        Self { block: self.block.clone(), start: from, words }
    }

    /// The words.
    #[inline]
    pub fn words(&self) -> &[u64] {
        // SAFETY: these words are a part of the block, which lives as long as this value, and does not move; they are written
        // only while no other value has the block, and then through `&mut` of this one.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }

    /// The same memory as octets.
    #[inline]
    pub fn octets(&self) -> &[u8] {
        octets(self.words())
    }

    /// The words, to be changed; `None` if others share the block.
    pub fn words_mut(&mut self) -> Option<&mut [u64]> {
        Arc::get_mut(&mut self.block)?;
        // SAFETY: as in `words`; no other value has the block, nor can have it while this borrow lasts.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.words) })
    }

    /// The same memory as octets, to be changed; `None` if others share the block.
    pub fn octets_mut(&mut self) -> Option<&mut [u8]> {
        let words = self.words_mut()?;
        // SAFETY: as in `octets`; any octets make words, and the borrow is unique.
        Some(unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) })
    }
}

fn octets(words: &[u64]) -> &[u8] {
    // SAFETY: any octets are octets; the length is that of the words, the alignment less strict.
    unsafe { std::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

fn map(words: usize) -> Option<Block> {
    let mapped = (words * size_of::<u64>()).next_multiple_of(HUGE_PAGE);
    // One huge page more than needed, so that an aligned part can be cut out.
    let whole = mapped + HUGE_PAGE;
    // SAFETY: asks for new memory at any address.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            whole,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | UNRESERVED,
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
            libc::munmap(start.byte_add(mapped), HUGE_PAGE - before);
        }
        advise(start, mapped);
        Some(Block { start: NonNull::new(start.cast())?, words, mapped })
    }
}

/// Asks for huge pages and for no dump. Where the system does neither, memory is merely slower.
///
/// # Safety
///
/// The range must be mapped.
#[cfg(native)]
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
#[cfg(not(native))]
unsafe fn advise(_start: *mut libc::c_void, _octets: usize) {}

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
        // The store closes a block when the next node does not fit, so its blocks are a little smaller than a huge page.
        for octets in [HUGE_PAGE - 100, HUGE_PAGE, HUGE_PAGE + 8] {
            let block = Block::from_octets(&vec![1; octets]);
            assert_eq!(block.octets().as_ptr().align_offset(HUGE_PAGE), 0, "{octets}");
        }
        assert_eq!(Block::from_octets(b"123456789").octets(), b"123456789\0\0\0\0\0\0\0");
        assert!(Block::from_octets(b"").octets().is_empty());
    }

    #[test]
    fn parts_are_written_by_their_only_owner() {
        let mut block = Block::zeroed(10);
        block.words_mut().copy_from_slice(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut whole = Shared::new(block);
        let mut part = whole.part(3, 2);
        assert_eq!(part.words(), [3, 4]);
        assert!(part.words_mut().is_none() && whole.octets_mut().is_none(), "shared");
        for (start, words) in [(10, 0), (9, 2), (11, 0), (usize::MAX, 2)] {
            assert!(whole.part(start, words).words().is_empty());
        }
        drop(whole);
        part.words_mut().unwrap()[1] = 40;
        assert_eq!(part.words(), [3, 40]);
        assert_eq!(part.octets().len(), 16);
    }
}
