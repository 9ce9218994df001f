//! The publisher against the real filesystem: ways to deploy, wrong input, restarts.
//!
//! Waits for reports, never for time. Every test has its own temporary directory.

mod deploy;
mod reader;
mod refuse;
mod restart;
mod support;
mod wrong;
