//! The part of the support that needs no built server: for programs of their own, such as the lab tool.

#![allow(dead_code, unreachable_pub)]

pub mod blaster;
pub mod dns;
pub mod encrypted;
pub mod lab;
pub mod process;
pub mod stream;
pub mod wait;
pub mod wire;
pub mod zones;
