use super::*;
use crate::wire::{RecordType, Serial};
use crate::zone::Place;

fn unfit(faults: Vec<ZoneFault>) -> SinkError {
    of_differences(ApplyError::Unfit { zone: name("example."), from: Serial(1), to: Serial(2), faults })
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn only_a_record_that_is_not_there_tells_of_other_content_under_the_same_serial() {
    let alias = || ZoneFault::BelowDname {
        owner: name("a.b.example."),
        dname: name("b.example."),
        place: Place::default(),
    };
    let not_there = ZoneFault::NotThere {
        owner: name("b.example."),
        record_type: RecordType::A,
        place: Place::default(),
    };
    assert!(matches!(unfit(vec![alias()]), SinkError::NotFitting(_)));
    assert!(matches!(unfit(vec![alias(), not_there]), SinkError::Diverged(_)));
}
