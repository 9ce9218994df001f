//! What the unit tests share with the integration tests.

#[path = "../support/skip.rs"]
pub(crate) mod skip;
#[path = "../support/wait.rs"]
pub(crate) mod wait;

#[path = "counted_records.rs"]
pub(crate) mod counted_records;
