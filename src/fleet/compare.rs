//! Which zones have different serials, or other content under the same serial. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::document::PopDocument;
use super::summary::{ZoneDifference, short};
use crate::telemetry::BUCKETS;

/// The most buckets that are looked at at once: with more, the zones are too many to read.
const MOST_BUCKETS: usize = 8;
/// Of those the most in which nothing need be wrong: a POP has not made all digests yet.
const MOST_UNCERTAIN: usize = 2;

/// The sums of a POP by bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct BucketSums {
    /// Over the serials.
    serials: Vec<u64>,
    /// Over the contents that are known.
    contents: Vec<u64>,
    /// Over the serials of the zones whose contents are known.
    made: Vec<u64>,
}

/// What a POP serves of a zone: its name, its serial, and the start of the digest of its content, once that is made; an older anyns does
/// not tell the content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ToldServed(String, u32, #[serde(default)] Option<String>);

/// The buckets that are to be looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Buckets {
    pub(super) asked: Vec<u8>,
    /// Whether zones of others differ, too.
    pub(super) more: bool,
}

/// A serial that is served, and the start of the digest of its content, if that is known.
type Served<'a> = (u32, Option<&'a str>);

impl BucketSums {
    pub(super) fn of(document: &PopDocument) -> Self {
        let PopDocument { digests, contents, made, .. } = document;
        Self { serials: digests.clone(), contents: contents.clone(), made: made.clone() }
    }

    /// Whether there are sums: an older anyns tells none, nor does one that has just begun.
    pub(super) fn is_known(&self) -> bool {
        self.serials.len() == BUCKETS
    }

    /// The sums of these buckets.
    pub(super) fn of_buckets(&self, buckets: &[u8]) -> Vec<[Option<u64>; 3]> {
        let at = |bucket: &u8| {
            let bucket = usize::from(*bucket);
            [&self.serials, &self.contents, &self.made].map(|sums| sums.get(bucket).copied())
        };
        buckets.iter().map(at).collect()
    }

    fn tells_contents(&self) -> bool {
        self.contents.len() == BUCKETS && self.made.len() == BUCKETS
    }
}

impl ToldServed {
    fn parts(&self) -> (&str, Served<'_>) {
        let Self(zone, serial, content) = self;
        (zone, (*serial, content.as_deref()))
    }
}

/// The buckets whose sums differ: those with other content under the same serials first, which no deploy in progress explains. Of those in
/// which nothing need be wrong the first ones from `first` on: the digest of a zone that changes all the time may never be current, and
/// must not hide the others.
pub(super) fn differing_buckets(pops: &[&BucketSums], first: u8) -> Buckets {
    let known: Vec<&BucketSums> = pops.iter().copied().filter(|sums| sums.is_known()).collect();
    let telling: Vec<&BucketSums> = known.iter().copied().filter(|sums| sums.tells_contents()).collect();
    let all = || 0..=u8::MAX;
    let lagging = |bucket: u8| differs(&known, bucket, |sums| &sums.serials);
    let diverging = |bucket: &u8| !lagging(*bucket) && differs(&telling, *bucket, |sums| &sums.contents);
    // Where each digest is made of what is served now.
    let is_made = |bucket: u8| {
        let bucket = usize::from(bucket);
        telling.iter().all(|sums| sums.made.get(bucket) == sums.serials.get(bucket))
    };
    let (certain, mut uncertain): (Vec<u8>, Vec<u8>) =
        all().filter(diverging).partition(|bucket| is_made(*bucket));
    let mut asked: Vec<u8> = certain.into_iter().chain(all().filter(|bucket| lagging(*bucket))).collect();
    let more = asked.len() > MOST_BUCKETS;
    let before = uncertain.partition_point(|bucket| *bucket < first);
    uncertain.rotate_left(before);
    asked.extend(uncertain.into_iter().take(MOST_UNCERTAIN));
    asked.truncate(MOST_BUCKETS);
    Buckets { asked, more }
}

fn differs(pops: &[&BucketSums], bucket: u8, sums: impl Fn(&BucketSums) -> &Vec<u64>) -> bool {
    let at = |pop: &&BucketSums| sums(pop).get(usize::from(bucket)).copied();
    pops.iter().any(|pop| pops.first().is_some_and(|first| at(pop) != at(first)))
}

/// The zones that differ, those with other content under the same serial first, then by name; `listings` has what is
/// served in some buckets, and `pops` the place of each POP's list there.
pub(super) fn differences(
    pops: &[(&str, usize)],
    listings: &[Vec<ToldServed>],
    most: usize,
) -> (Vec<ZoneDifference>, bool) {
    let mut zones: BTreeMap<String, Vec<Option<Served<'_>>>> = BTreeMap::new();
    for (index, served) in listings.iter().enumerate() {
        for (zone, served) in served.iter().map(ToldServed::parts) {
            let row = zones.entry(zone.to_ascii_lowercase()).or_insert_with(|| vec![None; listings.len()]);
            if let Some(place) = row.get_mut(index) {
                *place = Some(served);
            }
        }
    }
    let found = zones.into_iter().filter_map(|(zone, row)| {
        let serial = |served: &Option<Served<'_>>| served.map(|(serial, _)| serial);
        let is_lagging = row.iter().any(|served| serial(served) != row.first().and_then(serial));
        let diverged = diverged(&row);
        let pops = || pops.iter().map(|(pop, at)| ((*pop).to_owned(), row.get(*at).copied().flatten()));
        let contents = pops().filter_map(|(pop, served)| {
            let (serial, content) = served?;
            Some((pop, short(content.filter(|_| diverged.contains(&serial))?)))
        });
        let contents: Vec<(String, String)> = contents.collect();
        let serials = pops().map(|(pop, served)| (pop, serial(&served))).collect();
        let zone = short(&zone);
        (is_lagging || !contents.is_empty()).then_some(ZoneDifference { zone, serials, contents })
    });
    let mut found: Vec<ZoneDifference> = found.collect();
    found.sort_by_key(|difference| difference.contents.is_empty());
    let is_cut = found.len() > most;
    found.truncate(most);
    (found, is_cut)
}

/// The serials under which POPs serve more than one content.
fn diverged(row: &[Option<Served<'_>>]) -> BTreeSet<u32> {
    let mut contents: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for (serial, content) in row.iter().flatten().filter_map(|(serial, content)| Some((*serial, (*content)?)))
    {
        contents.entry(serial).or_default().insert(content);
    }
    contents.into_iter().filter(|(_, contents)| contents.len() > 1).map(|(serial, _)| serial).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(serials: &[(usize, u64)], contents: &[(usize, u64)], unmade: &[usize]) -> BucketSums {
        let filled = |changes: &[(usize, u64)]| {
            let mut all = vec![7; BUCKETS];
            changes.iter().for_each(|(bucket, sum)| all[*bucket] = *sum);
            all
        };
        let serials = filled(serials);
        let mut made = serials.clone();
        unmade.iter().for_each(|bucket| made[*bucket] = 1);
        BucketSums { serials, contents: filled(contents), made }
    }

    #[test]
    fn buckets_that_differ_are_found_and_a_pop_without_sums_is_left_out() {
        let same = sums(&[], &[], &[]);
        let lags = sums(&[(3, 8), (255, 9)], &[(3, 8), (255, 9)], &[]);
        let of = |pops: &[&BucketSums]| differing_buckets(pops, 0);
        let asked = |asked: &[u8]| Buckets { asked: asked.to_vec(), more: false };
        let silent = BucketSums::default();
        assert_eq!(of(&[]), asked(&[]));
        assert_eq!(of(&[&same, &same, &silent]), asked(&[]));
        assert_eq!(of(&[&same, &silent, &lags, &same]), asked(&[3, 255]));
        // Other content stands first. One that tells no contents is compared by its serials.
        let diverges = sums(&[(3, 8)], &[(3, 8), (9, 9)], &[]);
        assert_eq!(of(&[&same, &diverges]), asked(&[9, 3]));
        let older = BucketSums { contents: Vec::new(), made: Vec::new(), ..lags.clone() };
        assert_eq!(of(&[&same, &older]), asked(&[3, 255]));
        assert_eq!(of(&[&same, &BucketSums { serials: same.serials.clone(), ..older }]), asked(&[]));
    }

    #[test]
    fn where_digests_are_missing_few_buckets_are_looked_at_and_nothing_is_said_to_differ() {
        let same = sums(&[], &[], &[]);
        let all: Vec<usize> = (0..BUCKETS).collect();
        let contents: Vec<(usize, u64)> = all.iter().map(|bucket| (*bucket, 0)).collect();
        let begins = sums(&[], &contents, &all);
        let from = |first, pops: &[&BucketSums]| {
            (differing_buckets(pops, first).asked, differing_buckets(pops, first).more)
        };
        assert_eq!(from(0, &[&same, &begins]), (vec![0, 1], false));
        assert_eq!(from(200, &[&same, &begins]), (vec![200, 201], false), "others in their turn");
        assert_eq!(from(255, &[&same, &begins]), (vec![255, 0], false));
        // But for one whose digests are all made.
        let but_one = sums(&[], &contents, &all[..255]);
        assert_eq!(from(0, &[&same, &but_one]), (vec![255, 0, 1], false));
        let many = sums(&[], &contents, &[]);
        let found = differing_buckets(&[&same, &many], 100);
        assert!(found.more && found.asked == [0, 1, 2, 3, 4, 5, 6, 7], "{found:?}");
    }

    #[test]
    fn pops_with_the_same_sums_in_the_buckets_that_are_asked_are_alike() {
        let (same, other) = (sums(&[], &[], &[]), sums(&[(9, 1)], &[], &[]));
        let older = BucketSums { contents: Vec::new(), made: Vec::new(), ..same.clone() };
        let of = |sums: &BucketSums| (sums.of_buckets(&[3]), sums.of_buckets(&[3, 9]));
        assert!(of(&same).0 == of(&other).0 && of(&same).1 != of(&other).1);
        assert_ne!(of(&same).0, of(&older).0);
    }

    #[test]
    fn zones_that_differ_are_named_those_with_other_content_first() {
        let listing = |zones: &[(&str, u32, &str)]| {
            let zone = |(zone, serial, content): &(&str, u32, &str)| {
                let content = Some((*content).to_owned()).filter(|content| !content.is_empty());
                ToldServed((*zone).to_owned(), *serial, content)
            };
            zones.iter().map(zone).collect::<Vec<_>>()
        };
        let listings = [
            listing(&[("a.", 1, "x"), ("b.", 2, "x"), ("c.", 3, "x"), ("d.", 4, "x"), ("e.", 5, "x")]),
            listing(&[("A.", 1, "x"), ("b.", 1, "y"), ("d.", 4, "y"), ("e.", 5, "")]),
            listing(&[("a.", 1, ""), ("b.", 2, "z"), ("c.", 3, "x"), ("d.", 4, ""), ("e.", 5, "x")]),
        ];
        let pops = ["ams1", "fra1", "sin1"];
        let each = [("ams1", 0), ("fra1", 1), ("sin1", 2)];
        let (found, is_cut) = differences(&each, &listings, 3);
        let row = |zone: &str, serials: [Option<u32>; 3], contents: &[(usize, &str)]| ZoneDifference {
            zone: zone.into(),
            serials: pops.map(str::to_owned).into_iter().zip(serials).collect(),
            contents: contents.iter().map(|(pop, content)| (pops[*pop].into(), (*content).into())).collect(),
        };
        let rows = [
            row("b.", [Some(2), Some(1), Some(2)], &[(0, "x"), (2, "z")]),
            row("d.", [Some(4), Some(4), Some(4)], &[(0, "x"), (1, "y")]),
            row("c.", [Some(3), None, Some(3)], &[]),
        ];
        assert_eq!(found, rows);
        assert!(!is_cut);
        let (found, is_cut) = differences(&each, &listings, 1);
        assert_eq!((found.as_slice(), is_cut), (&rows[..1], true));
        // One list stands for several POPs.
        let (found, _) = differences(&[("sin1", 1), ("ams1", 0), ("fra1", 1)], &listings[..2], 3);
        let serials =
            [("sin1".to_owned(), Some(4)), ("ams1".to_owned(), Some(4)), ("fra1".to_owned(), Some(4))];
        assert_eq!((found[0].zone.as_str(), &found[0].serials[..]), ("d.", &serials[..]));
        let contents = [("sin1", "y"), ("ams1", "x"), ("fra1", "y")];
        assert_eq!(found[0].contents, contents.map(|(pop, content)| (pop.to_owned(), content.to_owned())));
    }

    #[test]
    fn what_is_served_is_read_of_both_versions() {
        let told: Vec<ToldServed> =
            serde_json::from_str(r#"[["a.", 1], ["b.", 2, "0123"], ["c.", 3, null]]"#).unwrap();
        let parts: Vec<_> = told.iter().map(ToldServed::parts).collect();
        assert_eq!(parts, [("a.", (1, None)), ("b.", (2, Some("0123"))), ("c.", (3, None))]);
    }
}
