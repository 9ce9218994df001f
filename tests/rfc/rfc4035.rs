//! RFC 4035: DS at the parent, RRSIGs with DO. Denial of existence comes later.

use crate::world::*;

fn lines() -> String {
    format!(
        "{APEX}child NS ns.child\nchild DS 1 13 2 {DIGEST}\nchild RRSIG DS 13 2 60 2 1 1 @ CQkJCQ==\nns.child A 192.0.2.9\nplain NS ns\n\
        www A 192.0.2.1\nwww RRSIG A 13 2 60 2 1 1 @ CQkJCQ==\nwww RRSIG NSEC 13 2 60 2 1 1 @ CQkJCQ==\nwww NSEC @ A\n"
    )
}

#[test]
fn section_3_1_4_1_ds_is_answered_by_the_parent() {
    let parent_only = world(&[("example.", &lines())]);
    let both = world(&[("example.", &lines()), ("child.example.", APEX), ("plain.example.", APEX)]);
    for world in [&parent_only, &both] {
        each(world, &query("child.example.", "DS"), |response| {
            assert_eq!((response.rcode(), response.aa()), (0, true));
            assert_eq!(response.section(0).len(), 1);
        });
        expect(world, "plain.example.", "DS", 0, true, [&[], &["example. 300 SOA 1"], &[]]);
    }
    let child_only = world(&[("child.example.", APEX)]);
    expect(&child_only, "child.example.", "DS", 0, true, [&[], &["child.example. 300 SOA 1"], &[]]);
    // The root has no parent.
    let root = world(&[(".", APEX)]);
    expect(&root, ".", "DS", 0, true, [&[], &[". 300 SOA 1"], &[]]);
}

#[test]
fn section_3_1_1_signatures_with_do_only() {
    let world = world(&[("example.", &lines())]);
    let types = |response: &Response| -> Vec<u16> {
        response.message.answers.iter().map(|record| record.record_type().into()).collect()
    };
    each(&world, &query("www.example.", "A"), |response| assert_eq!(types(response), [1]));
    each(&world, &with_do(query("www.example.", "A")), |response| assert_eq!(types(response), [1, 46]));
    each(&world, &query("www.example.", "RRSIG"), |response| assert_eq!(types(response), [46, 46]));
    each(&world, &query("www.example.", "NSEC"), |response| assert_eq!(types(response), [47]));
}

#[test]
fn section_3_1_4_ds_goes_with_a_referral() {
    let world = world(&[("example.", &lines())]);
    each(&world, &with_do(query("www.child.example.", "A")), |response| {
        let types: Vec<u16> = response.message.authorities.iter().map(|r| r.record_type().into()).collect();
        assert_eq!((types, response.aa()), (vec![2, 43, 46], false));
    });
    each(&world, &query("www.child.example.", "A"), |r| assert_eq!(r.message.authorities.len(), 1));
}
