//! The message parser.

use anyns::wire::Query;

/// Any octets are read or refused, and a second reading says the same.
pub fn check(data: &[u8]) {
    let (first, second) = (Query::parse(data), Query::parse(data));
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
    let Some(query) = first else { return };
    if let Some(question) = &query.question {
        assert!(data.windows(question.octets.len()).any(|window| window == question.octets));
    }
    assert!(query.opcode() < 16);
}
