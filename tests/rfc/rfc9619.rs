//! RFC 9619: a query has one question; any other number is FORMERR.

use crate::world::*;

#[test]
fn section_4_two_questions_are_formerr() {
    let world = world(&[("example.", APEX)]);
    let one = query("example.", "SOA");
    for (count, questions) in [(0, 0), (2, 2), (3, 3), (255, 1)] {
        let mut octets = one[..12].to_vec();
        octets[5] = count;
        for _ in 0..questions {
            octets.extend_from_slice(&one[12..]);
        }
        each(&world, &octets, |response| {
            assert_eq!((response.rcode(), response.aa()), (1, false), "{count} {questions}");
            assert!(response.message.answers.is_empty());
        });
    }
}
