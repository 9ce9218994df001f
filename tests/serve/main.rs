//! Serving over real sockets on loopback: both engines, UDP and TCP.

mod address;
mod hickory;
mod support;
mod tcp;
mod udp;
