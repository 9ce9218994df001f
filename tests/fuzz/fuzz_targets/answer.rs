//! See `targets::answer::check`.
#![no_main]
#![allow(missing_docs, clippy::panic, clippy::expect_used, reason = "a fuzz target stops at the first fault")]

#[path = "../targets/mod.rs"]
#[allow(dead_code, reason = "each program uses one target")]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // The log's last such line says how near the bounds the run came.
    if targets::answer::check(data) {
        eprintln!("most steps: {:?}", targets::answer::most());
    }
});
