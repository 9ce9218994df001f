//! Keys whose octet order is the canonical order of names (RFC 4034 section 6.1).
//!
//! A key holds the labels below the apex in lower case, the rightmost first, each closed by a zero octet. Zero and
//! one are escaped inside a label as `01 01` and `01 02`, so that zero only ends labels. The key of an ancestor is a
//! prefix of the keys below it; the apex has the empty key.

use crate::wire::LookupName;

/// The most octets of a key: each of at most 254 octets escaped, each of at most 127 labels closed.
pub(in crate::zone) const MAX_KEY: usize = 512;

/// A key on the stack.
pub(in crate::zone) struct Key {
    octets: [u8; MAX_KEY],
    length: usize,
}

impl Key {
    /// The key of `name` in a zone whose apex has `apex_labels` labels and is an ancestor of `name` or the same.
    pub(in crate::zone) fn new(name: &LookupName, apex_labels: usize) -> Self {
        let mut key = Self { octets: [0; MAX_KEY], length: 0 };
        for index in (0..name.label_count().saturating_sub(apex_labels)).rev() {
            key.push_label(name.label(index));
        }
        key
    }

    /// The key of a name that is given without its apex, in any case.
    pub(in crate::zone) fn of_relative(owner: &[u8]) -> Self {
        let mut key = Self { octets: [0; MAX_KEY], length: 0 };
        let mut starts = [0_u8; 128];
        let (mut position, mut labels) = (0, 0);
        while let (Some(length), Some(start)) = (owner.get(position), starts.get_mut(labels)) {
            *start = position as u8;
            position += 1 + usize::from(*length);
            labels += 1;
        }
        for start in starts.iter().take(labels).rev() {
            let rest = owner.get(usize::from(*start)..).unwrap_or(&[]);
            let length = rest.first().copied().map_or(0, usize::from);
            key.push_label(rest.get(1..=length).unwrap_or(&[]));
        }
        key
    }

    fn push_label(&mut self, label: &[u8]) {
        for octet in label.iter().map(u8::to_ascii_lowercase) {
            match octet {
                0 | 1 => {
                    self.push(1);
                    self.push(octet + 1);
                }
                _ => self.push(octet),
            }
        }
        self.push(0);
    }

    /// The key's octets.
    pub(in crate::zone) fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or(&[])
    }

    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
            self.length += 1;
        }
    }
}

/// Shows a label of a key, its zero included, as it is in a name in lower case.
pub(in crate::zone) fn with_label<T>(label: &[u8], show: impl FnOnce(&[u8]) -> T) -> T {
    let label = label.strip_suffix(&[0]).unwrap_or(label);
    if !label.contains(&1) {
        return show(label);
    }
    let (mut plain, mut length, mut escaped) = ([0; 64], 0, false);
    for &octet in label {
        if octet == 1 && !escaped {
            escaped = true;
            continue;
        }
        if let Some(place) = plain.get_mut(length) {
            *place = octet - u8::from(escaped);
            length += 1;
        }
        escaped = false;
    }
    show(plain.get(..length).unwrap_or(&[]))
}

/// How many labels a key has.
pub(in crate::zone) fn labels(key: &[u8]) -> usize {
    key.iter().filter(|&&octet| octet == 0).count()
}

/// How many labels two keys share, counted from the apex.
pub(in crate::zone) fn shared_labels(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).filter(|(a, _)| **a == 0).count()
}

/// Where the label after `start` ends, its zero counted.
pub(in crate::zone) fn label_end(key: &[u8], start: usize) -> usize {
    let rest = key.get(start..).unwrap_or(&[]);
    rest.iter().position(|&octet| octet == 0).map_or(key.len(), |zero| start + zero + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Name;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Name> {
        let octet = prop_oneof![Just(0_u8), Just(1), Just(2), Just(b'a'), Just(b'A'), Just(b'b'), Just(255)];
        let label = prop::collection::vec(octet, 1..4);
        prop::collection::vec(label, 0..5).prop_map(|labels| {
            let mut wire: Vec<u8> = Vec::new();
            for label in labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            Name::from_wire(&wire).unwrap()
        })
    }

    proptest! {
        #[test]
        fn order_of_keys_is_order_of_names(a in name(), b in name()) {
            let (key_a, key_b) = (Key::new(&LookupName::from(&a), 0), Key::new(&LookupName::from(&b), 0));
            prop_assert_eq!(key_a.as_octets().cmp(key_b.as_octets()), a.cmp(&b));
            prop_assert_eq!(key_b.as_octets().starts_with(key_a.as_octets()), b.is_at_or_below(&a));
            prop_assert_eq!(labels(key_a.as_octets()), a.label_count());
            let relative = a.as_wire().strip_suffix(&[0]).unwrap();
            let of_relative = Key::of_relative(relative);
            prop_assert_eq!(of_relative.as_octets(), key_a.as_octets());
            let mut end = 0;
            for label in a.labels().collect::<Vec<_>>().into_iter().rev() {
                let start = end;
                end = label_end(key_a.as_octets(), end);
                with_label(&key_a.as_octets()[start..end], |plain| assert!(plain.eq_ignore_ascii_case(label)));
            }
        }
    }
}
