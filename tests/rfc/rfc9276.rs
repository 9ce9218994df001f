//! RFC 9276: NSEC3 without iterations and salt, and how much of both is taken.

use crate::signed::*;
use crate::world::*;

const NAMES: [(&str, &str); 2] = [("@", "NS SOA"), ("ns", "A")];

fn zone(parameters: Parameters<'_>) -> String {
    format!("{APEX}{}", nsec3_chain("example.", parameters, &NAMES))
}

#[test]
fn section_3_1_iterations_and_salt_are_warned_about() {
    let warnings = |parameters| -> Vec<String> {
        let zone = read("example.", &zone(parameters)).unwrap();
        zone.warnings().iter().map(ToString::to_string).collect()
    };
    assert!(warnings(Parameters::RFC9276).is_empty());
    let costly = Parameters { iterations: 150, salt: &[1, 2], opt_out: false };
    let text = "the NSEC3 records of example. have 150 iterations and 2 octets of salt; 0 and none are right";
    assert_eq!(warnings(costly), [text]);
}

#[test]
fn section_3_2_more_iterations_than_validators_take_are_refused() {
    let error = read("example.", &zone(Parameters { iterations: 151, ..Parameters::RFC9276 })).unwrap_err();
    let text = "the NSEC3PARAM record of example. has 151 iterations; 150 are the most, and 0 are right";
    assert!(error.to_string().ends_with(text), "{error}");
}

#[test]
fn the_longest_name_is_hashed() {
    let world =
        world(&[("example.", &zone(Parameters { iterations: 150, salt: &[7; 255], opt_out: false }))]);
    let name = format!("{}{}.example.", format!("{}.", "a".repeat(63)).repeat(3), "b".repeat(53));
    each(&world, &with_do(query(&name, "A")), |response| assert_eq!(response.rcode(), 3));
    let many = format!("{}example.", "a.".repeat(122));
    each(&world, &with_do(query(&many, "A")), |response| assert_eq!(response.rcode(), 3));
}
