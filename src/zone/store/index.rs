//! From a hash to the place of a node: a hash table in pages, which versions of a zone share.
//!
//! A slot holds 32 bits of the hash and the place. The hash's upper bits choose the page, its lower bits a run of eight
//! slots, one cache line, in which the search begins; it goes on to the next line only where that is full, and ends at
//! an empty slot. A change copies the pages it touches. The caller compares names: a tag alone proves nothing.

use crate::sys::memory::{Block, Shared};

use crate::zone::store::blocks::NodeId;

/// Slots of a page, in a table of more than one: 32 KiB, so that a change copies little.
const PAGE: usize = 4096;
/// Slots of a cache line.
const LINE: usize = 8;
/// A table is made with this many names for sixteen slots, and made anew when a page is this full.
const LOAD: usize = 10;
const FULL: usize = 14;

/// The table.
#[derive(Clone, Debug)]
pub(in crate::zone) struct Index {
    /// All pages as they were made, one after the other: where a page is follows from its number, so that a search need not
    /// wait for a table of pages first.
    made: Shared,
    /// How many slots of each page are taken.
    taken: Vec<u32>,
    /// Slots of each page less one; a power of two less one.
    mask: usize,
    /// Bit n of all: page n was changed since, and is in `changed`.
    is_changed: Vec<u64>,
    /// By its number each page that was changed; empty if none was.
    changed: Vec<Option<Shared>>,
}

impl Index {
    /// An empty table with room for this many names.
    pub(in crate::zone) fn with_room(names: usize) -> Self {
        let (count, slots) = Self::size(names);
        Self::of(Block::zeroed(count * slots), slots, vec![0; count])
    }

    /// How many pages of how many slots this many names get.
    fn size(names: usize) -> (usize, usize) {
        let slots = (names * 16).div_ceil(LOAD).max(LINE);
        if slots <= PAGE { (1, slots.next_power_of_two()) } else { (slots.div_ceil(PAGE), PAGE) }
    }

    /// Pages of so many slots each, one after the other in a block.
    fn of(block: Block, slots: usize, taken: Vec<u32>) -> Self {
        let is_changed = vec![0; taken.len().div_ceil(64)];
        Self { made: Shared::new(block), taken, mask: slots - 1, is_changed, changed: Vec::new() }
    }

    /// A table of these tags and places, which must be different.
    pub(in crate::zone) fn build(names: impl ExactSizeIterator<Item = (u32, NodeId)>) -> Self {
        let (count, slots) = Self::size(names.len());
        let mut block = Block::zeroed(count * slots);
        let (mut taken, mut left) = (vec![0_u32; count], Vec::new());
        for (tag, place) in names {
            let page = page_of(tag, count);
            let Some(room) = block.words_mut().get_mut(page * slots..(page + 1) * slots) else { continue };
            if put(room, tag, place) {
                taken.get_mut(page).into_iter().for_each(|taken| *taken += 1);
            } else {
                left.push((tag, place));
            }
        }
        let mut index = Self::of(block, slots, taken);
        // Hashes spread so evenly that no page runs over; if one does, the table grows.
        left.into_iter().for_each(|(tag, place)| index.insert(tag, place));
        index
    }

    /// Shows `is_it` the places whose tag is this one, until it takes one; the name that is looked for is among them, if it
    /// is there.
    #[inline]
    pub(in crate::zone) fn find<T>(&self, tag: u32, mut is_it: impl FnMut(NodeId) -> Option<T>) -> Option<T> {
        match search(self.line(tag)?, tag, &mut is_it) {
            Search::Full => self.find_behind(tag, &mut is_it),
            Search::Found(found) => Some(found),
            Search::Missing => None,
        }
    }

    /// Goes on behind the first line, which is full.
    #[cold]
    fn find_behind<T>(&self, tag: u32, is_it: &mut impl FnMut(NodeId) -> Option<T>) -> Option<T> {
        let (lines, _) = self.page(page_of(tag, self.taken.len())).as_chunks();
        let start = (tag as usize & self.mask) / LINE;
        for step in 1..lines.len() {
            match search(lines.get((start + step) & (lines.len() - 1))?, tag, is_it) {
                Search::Full => {}
                Search::Found(found) => return Some(found),
                Search::Missing => return None,
            }
        }
        None
    }

    /// The line in which the search for a tag begins.
    #[inline]
    pub(in crate::zone) fn line(&self, tag: u32) -> Option<&[u64; LINE]> {
        let (number, line) = (page_of(tag, self.taken.len()), (tag as usize & self.mask) / LINE);
        if self.is_changed(number) {
            return self.page(number).as_chunks().0.get(line);
        }
        self.made.words().as_chunks().0.get(number * ((self.mask + 1) / LINE) + line)
    }

    /// The slots of a page.
    fn page(&self, number: usize) -> &[u64] {
        if self.is_changed(number) {
            return self.changed.get(number).and_then(Option::as_ref).map_or(&[], Shared::words);
        }
        let slots = self.mask + 1;
        self.made.words().get(number * slots..(number + 1) * slots).unwrap_or(&[])
    }

    fn is_changed(&self, number: usize) -> bool {
        !self.changed.is_empty()
            && self.is_changed.get(number / 64).is_some_and(|bits| bits >> (number % 64) & 1 != 0)
    }

    /// All pages.
    fn pages(&self) -> impl Iterator<Item = &[u64]> {
        (0..self.taken.len()).map(|number| self.page(number))
    }

    /// The slots of a page, to be changed: a copy of them, if another version has them too.
    fn own(&mut self, number: usize) -> &mut [u64] {
        let slots = self.mask + 1;
        if self.taken.len() == 1 && self.made.words_mut().is_none() {
            self.made = copy(self.made.words());
        }
        if !self.is_changed(number) && self.made.words_mut().is_some() {
            let words = self.made.words_mut().unwrap_or_default();
            return words.get_mut(number * slots..(number + 1) * slots).unwrap_or_default();
        }
        self.changed.resize(self.taken.len(), None);
        let mut page = self.changed.get_mut(number).and_then(Option::take);
        if page.as_mut().is_none_or(|page| page.words_mut().is_none()) {
            page = Some(copy(page.as_ref().map_or_else(|| self.page(number), Shared::words)));
        }
        if let Some(bits) = self.is_changed.get_mut(number / 64) {
            *bits |= 1 << (number % 64);
        }
        let Some(place) = self.changed.get_mut(number) else { return &mut [] };
        *place = page;
        place.as_mut().and_then(Shared::words_mut).unwrap_or_default()
    }

    /// Whether it is large: more than one page.
    pub(in crate::zone) fn is_paged(&self) -> bool {
        self.taken.len() > 1
    }

    /// Adds a name.
    pub(in crate::zone) fn insert(&mut self, tag: u32, place: NodeId) {
        let number = page_of(tag, self.taken.len());
        let taken = self.taken.get(number).copied().map_or(0, |taken| taken as usize);
        if (taken + 1) * 16 > (self.mask + 1) * FULL {
            self.grow();
            return self.insert(tag, place);
        }
        let added = put(self.own(number), tag, place);
        self.taken.get_mut(number).into_iter().for_each(|taken| *taken += u32::from(added));
    }

    /// Puts another place in the slot of a name.
    pub(in crate::zone) fn replace(&mut self, tag: u32, old: NodeId, new: NodeId) {
        self.change(tag, old, Some(new));
    }

    /// Takes a name out.
    pub(in crate::zone) fn remove(&mut self, tag: u32, old: NodeId) {
        self.change(tag, old, None);
    }

    fn change(&mut self, tag: u32, old: NodeId, new: Option<NodeId>) {
        let slots = self.mask + 1;
        let number = page_of(tag, self.taken.len());
        let room = self.own(number);
        let (start, mask) = (tag as usize & (slots - 1) & !(LINE - 1), slots - 1);
        let places = (0..slots).map(|step| (start + step) & mask);
        let Some(found) = places.into_iter().find(|at| room.get(*at) == Some(&slot(tag, old))) else {
            return;
        };
        match (room.get_mut(found), new) {
            (Some(word), Some(new)) => *word = slot(tag, new),
            _ => {
                // An empty slot would hide what went past it: the page is filled again.
                let kept: Vec<u64> =
                    room.iter().copied().filter(|word| *word != 0 && *word != slot(tag, old)).collect();
                room.fill(0);
                for word in kept {
                    put(room, (word >> 32) as u32, NodeId((word as u32).wrapping_sub(1)));
                }
                self.taken.get_mut(number).into_iter().for_each(|taken| *taken -= 1);
            }
        }
    }

    /// Makes the table anew with room for twice the names.
    fn grow(&mut self) {
        let all: Vec<u64> = self.pages().flatten().copied().filter(|slot| *slot != 0).collect();
        let mut larger = Self::with_room(all.len() * 2 + 1);
        for slot in all {
            larger.insert((slot >> 32) as u32, NodeId((slot as u32).wrapping_sub(1)));
        }
        *self = larger;
    }
}

/// What a line says of a tag.
enum Search<T> {
    Found(T),
    /// It has an empty slot, so what is looked for is nowhere.
    Missing,
    /// What is looked for may be in the next line.
    Full,
}

#[inline]
fn search<T>(line: &[u64; LINE], tag: u32, is_it: &mut impl FnMut(NodeId) -> Option<T>) -> Search<T> {
    for slot in line {
        if *slot == 0 {
            return Search::Missing;
        }
        if (*slot >> 32) as u32 == tag
            && let Some(found) = is_it(NodeId((*slot as u32).wrapping_sub(1)))
        {
            return Search::Found(found);
        }
    }
    Search::Full
}

fn copy(words: &[u64]) -> Shared {
    let mut block = Block::zeroed(words.len());
    block.words_mut().copy_from_slice(words);
    Shared::new(block)
}

/// The slot of a name; never 0, because places are counted from 1 here.
fn slot(tag: u32, place: NodeId) -> u64 {
    u64::from(tag) << 32 | u64::from(place.0.wrapping_add(1))
}

/// The page of a tag: its upper bits scaled to the number of pages.
fn page_of(tag: u32, pages: usize) -> usize {
    ((u64::from(tag) * pages as u64) >> 32) as usize
}

/// Writes a slot into the first empty one on the way of its tag; says whether there was one.
fn put(room: &mut [u64], tag: u32, place: NodeId) -> bool {
    let mask = room.len().wrapping_sub(1);
    let start = tag as usize & mask & !(LINE - 1);
    for step in 0..room.len() {
        if let Some(word) = room.get_mut((start + step) & mask).filter(|word| **word == 0) {
            *word = slot(tag, place);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn places(index: &Index, tag: u32) -> Vec<u32> {
        let mut found = Vec::new();
        index.find(tag, |place| {
            found.push(place.0);
            None::<()>
        });
        found.sort_unstable();
        found
    }

    proptest! {
        /// Against a map, with tags that collide, through growth; the version before a change keeps what it had.
        #[test]
        fn it_is_a_multimap_in_versions(
            first in 0..5000_u32,
            changes in prop::collection::vec((any::<bool>(), 0..64_u32, any::<u32>()), 0..200),
        ) {
            let spread = |number: u32| number.wrapping_mul(0x9e37_79b9);
            let mut model: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            (0..first).for_each(|number| model.entry(spread(number)).or_default().push(number));
            let built: Vec<_> = (0..first).map(|number| (spread(number), NodeId(number))).collect();
            let mut index = Index::build(built.into_iter());
            let before = (index.clone(), model.clone());
            for (step, (add, few, any)) in changes.into_iter().enumerate() {
                let tag = if add { few.wrapping_mul(0x0400_0000) } else { spread(any % first.max(1)) };
                let place = 1_000_000 + step as u32;
                let known = model.entry(tag).or_default();
                if add {
                    index.insert(tag, NodeId(place));
                    known.push(place);
                } else if let Some(old) = known.pop() {
                    if any % 2 == 0 {
                        index.remove(tag, NodeId(old));
                    } else {
                        index.replace(tag, NodeId(old), NodeId(place));
                        known.push(place);
                    }
                }
            }
            for (index, model) in [(&index, &model), (&before.0, &before.1)] {
                for (tag, known) in model {
                    let mut known = known.clone();
                    known.sort_unstable();
                    prop_assert_eq!(places(index, *tag), known);
                }
            }
        }
    }

    #[test]
    fn a_large_table_fills_some_five_eighths() {
        let index =
            Index::build((0..100_000_u32).map(|number| (number.wrapping_mul(0x9e37_79b9), NodeId(number))));
        let slots = index.taken.len() * PAGE;
        assert!((150_000..170_000).contains(&slots), "{slots}");
        assert!((0..100_000_u32).all(|number| places(&index, number.wrapping_mul(0x9e37_79b9)) == [number]));
    }
}
