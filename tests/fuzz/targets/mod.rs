//! What is fuzzed: octets in, a panic if anything that must hold does not. Called by cargo-fuzz and by `main.rs`.

mod answer;
mod message;
mod response;
mod zone_file;

pub use answer::{answer, most};
pub use message::message;
pub use zone_file::{clean_up, zone_file};
