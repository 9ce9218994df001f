//! RFC 4343: case does not matter and is kept.

use crate::world::*;

#[test]
fn the_question_comes_back_octet_by_octet() {
    let world = world(&[("eXample.", &format!("{APEX}WWW A 192.0.2.1\n"))]);
    for name in ["www.example.", "WwW.eXaMpLe.", "WWW.EXAMPLE."] {
        let octets = query(name, "A");
        each(&world, &octets, |response| {
            assert_eq!(response.octets[12..octets.len()], octets[12..]);
            assert_eq!(response.section(0), [format!("{name} 3600 A 192.0.2.1")]);
        });
    }
}
