//! Operating anyns: signals, reloads, drains, forced versions, the admin socket. Every test drives the program from
//! outside and looks at an effect: an answer over DNS, an exit code, a field of the status, a file.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a test stops at the first fault and prints what it measures"
)]

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod browser;
mod canary;
mod canary_away;
mod canary_catalog;
mod canary_health;
mod catalog;
mod catalog_anew;
mod catalog_bind;
mod catalog_many;
mod catalog_member;
mod catalog_owner;
mod catalog_powerdns;
mod catalog_reload;
mod catalog_reset;
mod catchment;
mod check_here;
mod command_line;
mod container;
mod dnstap;
mod drain;
mod encrypted;
mod expire;
mod fleet;
mod forward_notify;
mod http;
mod hub_loss;
mod last_pop;
mod last_resort;
mod live;
mod metrics;
mod otlp;
mod package;
mod page_many;
mod process;
mod reload;
mod rssac002;
mod secondary;
mod serial_again;
mod signatures;
mod status;
mod systemd;
mod ticket_keys;
mod transfer;
mod transfer_tls;
mod two_primaries;
mod web;
mod web_tls;
mod zone_orders;
