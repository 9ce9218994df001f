//! What is fuzzed: octets in, a panic if anything that must hold does not. Called by cargo-fuzz and by `main.rs`.

pub mod answer;
pub mod message;
mod response;
pub mod transfer;
pub mod update;
pub mod zone_file;
