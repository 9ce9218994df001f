//! See `targets::update::check`.
#![no_main]
#![allow(missing_docs, clippy::panic, clippy::expect_used, reason = "a fuzz target stops at the first fault")]

#[path = "../targets/mod.rs"]
#[allow(dead_code, reason = "each program uses one target")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::update::check(data));
