//! RFC 9471: glue.

use anyns::answer::TransportKind;

use crate::world::*;

#[test]
fn section_3_all_in_domain_glue_then_sibling_glue() {
    let lines = format!(
        "{APEX}foo NS ns1.foo\nfoo NS ns.bar\nfoo NS ns\nfoo NS ns.test.\nbar NS ns.bar\nns1.foo A 192.0.2.1\n\
         ns1.foo AAAA 2001:db8::1\nns.bar A 192.0.2.2\n"
    );
    each(&world(&[("example.", &lines)]), &query("www.foo.example.", "A"), |response| {
        assert_eq!(response.section(1).len(), 4);
        // In-domain first, so that it is sibling glue that does not fit.
        assert_eq!(
            response.section(2)[..2],
            ["ns1.foo.example. 3600 A 192.0.2.1", "ns1.foo.example. 3600 AAAA 2001:db8::1"]
        );
        let mut rest = response.section(2)[2..].to_vec();
        rest.sort();
        assert_eq!(rest, ["ns.bar.example. 3600 A 192.0.2.2", "ns.example. 3600 A 192.0.2.53"]);
    });
}

fn servers(count: usize, below: &str) -> String {
    let line = |n| format!("foo NS n{n}{below}\nn{n}{below} A 192.0.2.{n}\nn{n}{below} AAAA 2001:db8::{n}\n");
    (0..count).map(line).collect()
}

#[test]
fn section_3_1_in_domain_glue_that_does_not_fit_sets_tc() {
    let world = world(&[("example.", &format!("{APEX}{}", servers(20, ".foo")))]);
    each(&world, &query("www.foo.example.", "A"), |response| match response.transport {
        TransportKind::Udp => assert!(response.tc() && response.octets.len() <= 512 && !response.aa()),
        _ => assert_eq!((response.tc(), response.section(2).len()), (false, 40)),
    });
}

#[test]
fn section_3_2_sibling_glue_that_does_not_fit_is_left_out() {
    let world = world(&[("example.", &format!("{APEX}bar NS n0.bar\n{}", servers(16, ".bar")))]);
    each(&world, &query("www.foo.example.", "A"), |response| {
        assert!(!response.tc());
        assert_eq!(response.section(1).len(), 16);
        assert!(response.section(2).len() >= 2);
        let all = response.section(2).len() == 32;
        assert_eq!(all, response.transport == TransportKind::Tcp);
    });
}
