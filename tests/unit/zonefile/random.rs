//! Whatever the octets: no panic, and what is read comes back.

use proptest::prelude::*;

use crate::wire::RecordType;

use crate::zonefile::fields::Fields;
use crate::zonefile::lexer::{Entry, Lexer};
use crate::zonefile::rdata;
use crate::zonefile::tests::NS;
use crate::zonefile::tests::SOA;
use crate::zonefile::tests::origin;
use crate::zonefile::tests::read;
use crate::zonefile::tests::written;

/// A zone with a bit of everything, to be mutated.
const SEED: &str = "$TTL 1h\n$ORIGIN sub\na 60 IN A ( 192.0.2.1 ) ; x\n TXT \"a b\" c\\100\n$GENERATE 1-9/2 g${1,3,x} MX \"10 $.\"\n\
    h HTTPS 1 . alpn=\"h2,h3\" port=443\nl LOC 1 N 2 E 3m\np APL 1:10.0.0.0/8\n@ NSEC b A NS TYPE999\n\
    u TYPE300 \\# 2 abcd\ns RRSIG A 8 2 60 20300101000000 20290101000000 1 @ AAAA\n";

/// RDATA back through the words of its text.
fn reread(record_type: RecordType, text: &[u8]) -> Option<Vec<u8>> {
    let mut entry = Entry::default();
    let mut lexer = Lexer::new(text, 0);
    lexer.next_entry(&mut entry).ok()?;
    let origin = origin();
    let mut out = Vec::new();
    rdata::read(record_type, &mut Fields::new(&entry, &origin), &mut out).ok()?;
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn random_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(octets);
    }

    #[test]
    fn a_mutated_zone_never_panics_and_what_is_read_comes_back(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_usize), 0..6),
    ) {
        let mut text = format!("{SOA}{NS}{SEED}").into_bytes();
        for (at, octet, how) in cuts {
            let at = at.index(text.len());
            match how {
                0 => text[at] = octet,
                1 => text.insert(at, b"\"\\();$@\n\r\t .{}=,"[usize::from(octet) % 16]),
                2 if text.len() > 1 => drop(text.remove(at)),
                _ => text.truncate(at.max(10)),
            }
        }
        if let Ok(zone) = read(&text) {
            let out = written(&zone.zone);
            let again = read(&out);
            prop_assert!(again.is_ok(), "{out}\n{:?}", again.err().map(|error| error.to_string()));
            prop_assert_eq!(again.unwrap().digest, zone.digest);
        }
    }

    #[test]
    fn any_rdata_of_any_type_is_written_so_that_it_reads_back(
        number in prop_oneof![0..=70_u16, 99..=109_u16, 256..=265_u16, 32_768..=32_769_u16],
        rdata in prop::collection::vec(prop_oneof![3 => 0..4_u8, 1 => any::<u8>()], 0..40),
    ) {
        let mut text = Vec::new();
        rdata::write(RecordType(number), &rdata, &mut text);
        let shown = String::from_utf8(text.clone()).unwrap();
        match reread(RecordType(number), &text) {
            Some(back) => prop_assert_eq!(back, rdata, "{} {}", RecordType(number), shown),
            // Octets that are no RDATA of a known type are written as RFC 3597 has it, and refused when read.
            None => prop_assert!(shown.starts_with("\\# "), "{} {}", RecordType(number), shown),
        }
    }
}
