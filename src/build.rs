//! The build script: decides which platform code is compiled. Reads the target and one environment variable; prints
//! the alias `native` for the compiler. Never compiles or generates anything.
//!
//! `cfg(native)` stands for Linux with its own engine, system calls and kernel tables; `cfg(not(native))` for the portable path,
//! which every platform of tokio can compile. `ANYNS_PORTABLE=1` builds the portable path on Linux, so that it can be
//! linted and tested there.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(native)");
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-env-changed=ANYNS_PORTABLE");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    let wants_portable = std::env::var("ANYNS_PORTABLE").is_ok_and(|value| value == "1");
    if is_linux && !wants_portable {
        println!("cargo::rustc-cfg=native");
    }
}
